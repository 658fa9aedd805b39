//! The readers of EXIF blocks and ICC profiles.

use thumbforge::imaging::fuzzing;

/// As `Limits::default()` has it.
const MAX_ICC_BYTES: usize = 4 << 20;

/// What is shown of a block is fit to be shown, whatever the block holds.
pub fn check_exif(tiff: &[u8]) {
    let (orientation, summary) = fuzzing::exif(tiff);
    assert!((1..=8).contains(&orientation));
    if let Some(summary) = summary {
        // Make, a space and model.
        check_text(summary.camera.as_deref(), 401);
        check_text(summary.lens.as_deref(), 200);
        check_text(summary.taken_at.as_deref(), 25);
    }
}

/// A profile is ignored, or converts as many pixels as it was given. The first byte says how it is
/// embedded, and what is converted.
pub fn check_icc(bytes: &[u8]) {
    let Some((&first, profile)) = bytes.split_first() else {
        return;
    };
    let pixels: Vec<u8> = (0..48)
        .map(|sample: u8| sample.wrapping_mul(first | 1))
        .collect();
    let read = fuzzing::icc(profile, first & 1 == 1, MAX_ICC_BYTES, &pixels);
    if let Some((name, converted)) = read {
        check_text(name.as_deref(), 200);
        if let Some((count, rgb)) = converted {
            assert_eq!(rgb.len(), count * 3);
        }
    }
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
