//! The best quality whose file is small enough.

use std::ops::RangeInclusive;

use crate::error::ImagingError;
use crate::formats::Format;
use crate::limits::Limits;

/// Encodings that are tried at most.
const MAX_TRIES: u32 = 6;

/// Tries the highest quality, then the lowest, then between the two: the logarithm of a file's
/// size is nearly a line over its quality.
///
/// # Errors
/// [`ImagingError::OutputTooLarge`] if the file of the lowest quality is too large.
pub(super) fn best_that_fits(
    format: Format,
    qualities: RangeInclusive<u8>,
    max_bytes: u64,
    limits: &Limits,
    encode: impl Fn(u8) -> Result<Vec<u8>, ImagingError>,
) -> Result<Vec<u8>, ImagingError> {
    let (mut low, mut high) = qualities.into_inner();
    let best = encode(high)?;
    if best.len() as u64 <= max_bytes {
        return Ok(best);
    }
    let mut too_large = best.len() as f64;
    let mut fitting = if low == high { best } else { encode(low)? };
    if fitting.len() as u64 > max_bytes {
        return Err(ImagingError::OutputTooLarge {
            format,
            smallest_bytes: fitting.len() as u64,
            max_bytes,
        });
    }
    // A curve bends: a file that was too large pulls the next guess further away from it.
    let mut pull = 1.0;
    for _ in 2..MAX_TRIES {
        if high - low < 2 {
            break;
        }
        limits.check_deadline()?;
        let small = fitting.len() as f64;
        let share = (max_bytes as f64 / small).ln() / (too_large / small).ln().max(1e-9);
        let quality = f64::from(low) + share * pull * f64::from(high - low);
        let quality = (quality.round() as u8).clamp(low + 1, high - 1);
        let file = encode(quality)?;
        if file.len() as u64 <= max_bytes {
            (low, fitting) = (quality, file);
            pull = 1.0;
        } else {
            (high, too_large) = (quality, file.len() as f64);
            pull *= 0.8;
        }
    }
    Ok(fitting)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// Files that grow with their quality, and how many were made.
    fn search(max_bytes: u64, size: impl Fn(u8) -> usize) -> (Result<usize, ImagingError>, u32) {
        let tries = Cell::new(0);
        let found = best_that_fits(
            Format::Jpeg,
            1..=85,
            max_bytes,
            &Limits::default(),
            |quality| {
                tries.set(tries.get() + 1);
                Ok(vec![0; size(quality)])
            },
        );
        (found.map(|file| file.len()), tries.get())
    }

    #[test]
    fn the_highest_quality_is_taken_if_it_fits() {
        assert_eq!(search(85, usize::from), (Ok(85), 1));
    }

    #[test]
    fn few_tries_come_near_the_best() {
        for (max_bytes, least) in [(1_000, 850), (5_000, 4_000), (1_200, 1_000), (9_000, 7_500)] {
            // Steeper at both ends, as files of JPEG are.
            let curve = |quality: u8| {
                let quality = f64::from(quality);
                (500.0 * 1.03_f64.powf(quality) + 20.0 * quality + 9.0 * quality.sqrt()) as usize
            };
            let (found, tries) = search(max_bytes, curve);
            let found = found.unwrap();
            assert!(
                (least..=max_bytes as usize).contains(&found),
                "{max_bytes}: {found}"
            );
            assert!(tries <= MAX_TRIES);
        }
    }

    #[test]
    fn what_can_not_be_small_enough_says_how_small_it_gets() {
        let (found, tries) = search(9, |quality| 10 + usize::from(quality));
        assert_eq!(
            found,
            Err(ImagingError::OutputTooLarge {
                format: Format::Jpeg,
                smallest_bytes: 11,
                max_bytes: 9
            })
        );
        assert_eq!(tries, 2);
    }
}
