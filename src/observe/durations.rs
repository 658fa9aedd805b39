//! A histogram of durations whose cells are atomics: counting takes no lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// From a millisecond to the longest wait for an answer, in seconds.
pub(super) const OF_REQUESTS: &[f64] = &[
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0,
];
/// From a millisecond to the wait in a long backlog, in seconds.
pub(super) const OF_STAGES: &[f64] = &[
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0,
    1800.0, 7200.0,
];

/// How long things took. Clones share the cells.
#[derive(Debug, Clone)]
pub(super) struct Durations(Arc<Cells>);

#[derive(Debug)]
struct Cells {
    /// Upper ends of the buckets in seconds, ascending.
    bounds: &'static [f64],
    /// One a bucket, not cumulated, and one more for what is longer.
    counts: Box<[AtomicU64]>,
    nanos: AtomicU64,
}

impl Durations {
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        Self(Arc::new(Cells {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            nanos: AtomicU64::new(0),
        }))
    }

    pub(super) fn note(&self, took: Duration) {
        let Cells {
            bounds,
            counts,
            nanos,
        } = &*self.0;
        let seconds = took.as_secs_f64();
        let place = bounds.partition_point(|bound| *bound < seconds);
        counts[place].fetch_add(1, Ordering::Relaxed);
        // Five centuries fit.
        let more = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        nanos.fetch_add(more, Ordering::Relaxed);
    }
}

impl TypedMetric for Durations {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Durations {
    /// The number of all is the sum of the buckets that were read, so that they never differ.
    fn encode(&self, mut encoder: MetricEncoder) -> std::fmt::Result {
        let Cells {
            bounds,
            counts,
            nanos,
        } = &*self.0;
        let ends = bounds.iter().copied().chain([f64::INFINITY]);
        let counts = counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = ends.zip(counts).collect();
        let all = buckets.iter().map(|(_, count)| count).sum();
        let seconds = nanos.load(Ordering::Relaxed) as f64 / 1e9;
        encoder.encode_histogram::<NoLabelSet>(seconds, all, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn buckets_hold_what_is_no_longer_than_their_end() {
        let durations = Durations::new(&[0.01, 0.1]);
        for millis in [1, 10, 11, 100, 101, 5000] {
            durations.note(Duration::from_millis(millis));
        }
        let mut registry = Registry::default();
        registry.register("took_seconds", "Time", durations);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "took_seconds_sum 5.223",
            "took_seconds_count 6",
            "took_seconds_bucket{le=\"0.01\"} 2",
            "took_seconds_bucket{le=\"0.1\"} 4",
            "took_seconds_bucket{le=\"+Inf\"} 6",
        ] {
            assert!(text.lines().any(|said| said == line), "{line}\n{text}");
        }
    }
}
