//! A decoder, through the door that the worker uses.

use std::time::{Duration, Instant};

use libfuzzer_sys::Corpus;
use peak_alloc::PeakAlloc;
use thumbforge_imaging::{ImagingError, Limits, SourceFormat, ThumbnailSpec, probe, thumbnail};

#[global_allocator]
pub(crate) static MEMORY: PeakAlloc = PeakAlloc;

/// Small, so that many files a second are tried.
const MAX_PIXELS: u64 = 1 << 19;
const MAX_MEMORY_BYTES: usize = 64 << 20;
/// Beyond the reservation: tables and buffers that a thread keeps from picture to picture; and of a
/// lossy WebP a partition as large as it claims to be, zeroed and never touched if it is not there.
const UNESTIMATED_BYTES: usize = (8 << 20) + (16 << 20);
const DEADLINE: Duration = Duration::from_secs(10);
/// What a decode may run over its deadline, in a slow build on a busy machine.
const OVERTIME: Duration = Duration::from_secs(5);

/// Any file of `format` ends in a thumbnail within its bounds or in a typed error, within the
/// memory that was reserved for it and within its time. Other files are kept out of the corpus.
pub fn check_image(format: SourceFormat, bytes: &[u8]) -> Corpus {
    let spec = ThumbnailSpec {
        max_side: [16, 64, 256][bytes.len() % 3],
        jpeg_quality: 80,
    };
    let begun = Instant::now();
    let limits = Limits {
        max_pixels: MAX_PIXELS,
        max_memory_bytes: MAX_MEMORY_BYTES,
        deadline: Some(begun + DEADLINE),
        ..Limits::default()
    };
    let probe = match probe(bytes, &spec, &limits) {
        Ok(probe) if probe.format == format => probe,
        Ok(_) => return Corpus::Reject,
        Err(error) => {
            check_error(&error);
            let is_ours =
                matches!(&error, ImagingError::Corrupt { format: found, .. } if *found == format);
            return if is_ours {
                Corpus::Keep
            } else {
                Corpus::Reject
            };
        }
    };
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let made = thumbnail(bytes, &spec, &limits);
    let used = MEMORY.peak_usage().saturating_sub(before);
    let reserved = probe.memory_bytes;
    assert!(
        used <= reserved + UNESTIMATED_BYTES,
        "{used} bytes used, {reserved} reserved"
    );
    assert!(
        begun.elapsed() < DEADLINE + OVERTIME,
        "{:?}",
        begun.elapsed()
    );
    match made {
        Ok(made) => {
            assert!((1..=spec.max_side).contains(&made.width));
            assert!((1..=spec.max_side).contains(&made.height));
            assert_eq!(made.source.format, format);
            assert!((1..=8).contains(&made.source.orientation));
            assert!(made.source.frames >= 1);
            assert!(made.jpeg.starts_with(b"\xff\xd8") && made.jpeg.ends_with(b"\xff\xd9"));
        }
        Err(error) => check_error(&error),
    }
    Corpus::Keep
}

fn check_error(error: &ImagingError) {
    assert!(
        !matches!(error, ImagingError::Internal(_) | ImagingError::Timeout),
        "{error}"
    );
}
