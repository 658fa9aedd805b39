//! The readers of EXIF blocks and ICC profiles.

use std::borrow::Cow;

use thumbforge_imaging::metadata::{EmbeddedProfile, ExifFacts, IccProfile};

use crate::image::MEMORY;

/// As `Limits::default()` has it.
const MAX_ICC_BYTES: usize = 4 << 20;
/// Profiles that a thread keeps, and what every thumbnail reserves in any case.
const UNESTIMATED_BYTES: usize = 4 << 20;

/// The shown part of a block is fit to be shown, whatever the block holds.
pub fn check_exif(tiff: &[u8]) {
    let ExifFacts {
        orientation,
        summary,
    } = ExifFacts::read(tiff);
    assert!((1..=8).contains(&orientation));
    if let Some(summary) = summary {
        // Make, a space and model.
        check_text(summary.camera.as_deref(), 401);
        check_text(summary.lens.as_deref(), 200);
        check_text(summary.taken_at.as_deref(), 25);
    }
}

/// A profile is ignored, or converts as many pixels as it was given, in the memory that is reserved
/// for it. The first byte decides whether it is deflated, whether it is filled up with zeros to the
/// size that it declares, as a stream of a few KiB can do, and what is converted.
pub fn check_icc(bytes: &[u8]) {
    let Some((&first, profile)) = bytes.split_first() else {
        return;
    };
    let profile = match profile.first_chunk() {
        Some(size) if first & 3 == 2 => {
            let declared = u32::from_be_bytes(*size) as usize;
            let mut filled = profile.to_vec();
            filled.resize(declared.clamp(profile.len(), MAX_ICC_BYTES), 0);
            Cow::Owned(filled)
        }
        _ => Cow::Borrowed(profile),
    };
    let pixels: Vec<u8> = (0..48)
        .map(|sample: u8| sample.wrapping_mul(first | 1))
        .collect();
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let embedded = if first & 1 == 1 {
        EmbeddedProfile::Deflated(profile.as_ref().into())
    } else {
        EmbeddedProfile::Plain(Cow::Borrowed(&*profile))
    };
    let read = IccProfile::read(&embedded, MAX_ICC_BYTES);
    let converted = read.as_ref().and_then(|profile| convert(profile, &pixels));
    let used = MEMORY.peak_usage().saturating_sub(before);
    let reserved = embedded.memory_bytes(MAX_ICC_BYTES);
    assert!(
        used <= reserved + UNESTIMATED_BYTES,
        "{used} bytes used, {reserved} reserved"
    );
    if let Some(profile) = read {
        check_text(profile.name.as_deref(), 200);
    }
    if let Some((count, rgb)) = converted {
        assert_eq!(rgb.len(), count * 3);
    }
}

/// The whole pixels among them, of as many channels as the profile takes, and what they become.
fn convert(profile: &IccProfile, pixels: &[u8]) -> Option<(usize, Vec<u8>)> {
    [4, 3, 1].into_iter().find_map(|channels| {
        let count = pixels.len() / channels;
        let converted = profile.to_srgb(&pixels[..count * channels], channels)?;
        Some((count, converted))
    })
}

fn check_text(text: Option<&str>, max_chars: usize) {
    if let Some(text) = text {
        assert!(
            !text.is_empty() && !text.contains(char::is_control),
            "{text:?}"
        );
        assert!(text.chars().count() <= max_chars, "{text:?}");
    }
}
