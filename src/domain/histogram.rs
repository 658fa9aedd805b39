//! Histograms of durations, whose percentiles are exact to within 7 %. They can be added, so that
//! those of minutes make those of hours.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Buckets of milliseconds, with how many durations are in each. Up to 15 ms each has its own;
/// then eight share each doubling.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram(BTreeMap<u32, u64>);

/// Milliseconds that have a bucket each.
const EXACT: u64 = 16;
const EXACT_BITS: u32 = 4;
/// Buckets in a doubling, as a power of two.
const PART_BITS: u32 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a histogram")]
pub struct NoHistogram;

impl Histogram {
    /// Counts a duration.
    pub fn note(&mut self, millis: u64) {
        *self.0.entry(bucket_of(millis)).or_default() += 1;
    }

    /// Counts what `other` counted.
    pub fn add(&mut self, other: &Self) {
        for (bucket, n) in &other.0 {
            *self.0.entry(*bucket).or_default() += n;
        }
    }

    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The duration that so many of a hundred don't exceed: the middle of its bucket. `None` of
    /// nothing.
    pub fn percentile(&self, percent: u64) -> Option<Duration> {
        let rank = self.count().saturating_mul(percent).div_ceil(100).max(1);
        let mut below = 0;
        let found = self.0.iter().find(|(_, n)| {
            below += **n;
            below >= rank
        });
        found.map(|(bucket, _)| middle_of(*bucket))
    }
}

fn bucket_of(millis: u64) -> u32 {
    if millis < EXACT {
        return millis as u32;
    }
    let exponent = millis.ilog2();
    let part = (millis >> (exponent - PART_BITS)) as u32 - (1 << PART_BITS);
    EXACT as u32 + ((exponent - EXACT_BITS) << PART_BITS) + part
}

fn middle_of(bucket: u32) -> Duration {
    let Some(beyond) = bucket.checked_sub(EXACT as u32) else {
        return Duration::from_millis(u64::from(bucket));
    };
    let exponent = EXACT_BITS + (beyond >> PART_BITS);
    let part = u64::from(beyond & ((1 << PART_BITS) - 1));
    // The largest bucket that is read has 63 for its exponent.
    let shift = exponent - PART_BITS;
    let first = ((1 << PART_BITS) + part) << shift;
    Duration::from_millis(first + (1 << shift) / 2)
}

const LARGEST_BUCKET: u32 = EXACT as u32 + ((63 - EXACT_BITS) << PART_BITS) + 7;

/// Buckets and their counts, e.g. `7:2 130:1`.
impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (bucket, n)) in self.0.iter().enumerate() {
            let space = if place == 0 { "" } else { " " };
            write!(f, "{space}{bucket}:{n}")?;
        }
        Ok(())
    }
}

impl FromStr for Histogram {
    type Err = NoHistogram;

    fn from_str(text: &str) -> Result<Self, NoHistogram> {
        let mut read = Self::default();
        for word in text.split_ascii_whitespace() {
            let (bucket, n) = word.split_once(':').ok_or(NoHistogram)?;
            let bucket: u32 = bucket.parse().map_err(|_| NoHistogram)?;
            if bucket > LARGEST_BUCKET {
                return Err(NoHistogram);
            }
            let n: u64 = n.parse().map_err(|_| NoHistogram)?;
            *read.0.entry(bucket).or_default() += n;
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_told_to_within_7_percent() {
        let mut last = 0;
        for millis in (0..5000)
            .chain((5000..10_000_000).step_by(997))
            .chain([u64::MAX])
        {
            let bucket = bucket_of(millis);
            assert!(bucket >= last && bucket <= LARGEST_BUCKET, "{millis}");
            last = bucket;
            let told = middle_of(bucket).as_millis() as f64;
            let error = (told - millis as f64).abs();
            assert!(error <= millis as f64 * 0.07, "{millis}: {told}");
        }
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let mut some = Histogram::default();
        assert_eq!(some.percentile(50), None);
        for millis in 1..=10 {
            some.note(millis);
        }
        let told = |percent| some.percentile(percent).unwrap().as_millis();
        assert_eq!(
            [told(0), told(50), told(51), told(95), told(100)],
            [1, 5, 6, 10, 10]
        );
    }

    #[test]
    fn a_text_keeps_all_of_it_and_histograms_add_up() {
        let mut some = Histogram::default();
        for millis in [0, 7, 7, 400, 90_000, u64::MAX] {
            some.note(millis);
        }
        let mut twice: Histogram = some.to_string().parse().unwrap();
        assert_eq!(twice, some);
        twice.add(&some);
        assert_eq!((twice.count(), some.count()), (12, 6));
        assert_eq!("".parse(), Ok(Histogram::default()));
        for bad in ["7", "7:", ":1", "7:x", "9999:1", "-1:1"] {
            assert_eq!(bad.parse::<Histogram>(), Err(NoHistogram), "{bad}");
        }
    }
}
