//! A decoder, through the entry point that the worker uses.

use std::time::{Duration, Instant};

use libfuzzer_sys::Corpus;
use peak_alloc::PeakAlloc;
use thumbforge_imaging::{Format, ImagingError, Limits, Source, Variant, make};

#[global_allocator]
pub(crate) static MEMORY: PeakAlloc = PeakAlloc;

/// Small, so that many files a second are tried.
const MAX_PIXELS: u64 = 1 << 19;
const MAX_MEMORY_BYTES: usize = 64 << 20;
/// Beyond the reservation: tables and buffers that a thread keeps from picture to picture; and of a
/// lossy WebP a partition as large as it claims to be, zeroed and never touched if it is not there.
const UNESTIMATED_BYTES: usize = (8 << 20) + (16 << 20);
const DEADLINE: Duration = Duration::from_secs(10);
/// How far a decode may exceed its deadline, in a slow build on a busy machine.
const OVERTIME: Duration = Duration::from_secs(5);

/// Any file of `format` ends in a thumbnail within its bounds or in a typed error, within the
/// memory that was reserved for it and within its time. Other files are kept out of the corpus.
pub fn check_image(format: Format, bytes: &[u8]) -> Corpus {
    let max_side = [16, 64, 256][bytes.len() % 3];
    let variants = [Variant::thumbnail(max_side, 80)];
    let begun = Instant::now();
    let limits = Limits {
        max_pixels: MAX_PIXELS,
        max_memory_bytes: MAX_MEMORY_BYTES,
        deadline: Some(begun + DEADLINE),
        ..Limits::default()
    };
    let planned = Source::open(bytes, &limits).and_then(|source| {
        let plan = source.plan(&variants, &limits);
        let plan = plan.map_err(|refused| refused.error)?;
        Ok((source.facts().format, plan.memory_bytes))
    });
    let reserved = match planned {
        Ok((found, reserved)) if found == format => reserved,
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
    let made = make(bytes, &variants, &limits);
    let used = MEMORY.peak_usage().saturating_sub(before);
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
            let rendition = &made.renditions[0];
            assert!((1..=max_side).contains(&rendition.width));
            assert!((1..=max_side).contains(&rendition.height));
            assert_eq!(made.source.format, format);
            assert!((1..=8).contains(&made.source.orientation));
            assert!(made.source.frames >= 1);
            let jpeg = &rendition.files[0].bytes;
            assert!(jpeg.starts_with(b"\xff\xd8") && jpeg.ends_with(b"\xff\xd9"));
        }
        Err(error) => check_error(&error),
    }
    Corpus::Keep
}

/// The part of a format that the worker reads itself, where another process decodes its pixels: the
/// header of any file is read, and planned for, in time.
pub fn check_header(format: Format, bytes: &[u8]) -> Corpus {
    let limits = Limits {
        max_pixels: MAX_PIXELS,
        ..Limits::default()
    };
    let begun = Instant::now();
    let opened = Source::open(bytes, &limits);
    let verdict = match &opened {
        Ok(source) if source.format() == format => {
            let facts = source.facts();
            assert!((1..=8).contains(&facts.orientation));
            assert!(facts.width > 0 && facts.height > 0);
            if let Err(refused) = source.plan(&[Variant::thumbnail(64, 80)], &limits) {
                check_error(&refused.error);
            }
            Corpus::Keep
        }
        Ok(_) => Corpus::Reject,
        Err(error) => {
            check_error(error);
            Corpus::Keep
        }
    };
    assert!(begun.elapsed() < OVERTIME, "{:?}", begun.elapsed());
    verdict
}

fn check_error(error: &ImagingError) {
    assert!(
        !matches!(error, ImagingError::Internal(_) | ImagingError::Timeout),
        "{error}"
    );
}
