//! The readers of metadata, opened for the fuzz targets; not in any other build.

use std::borrow::Cow;

use super::header::EmbeddedProfile;
use super::metadata::{ExifFacts, IccProfile};
use crate::domain::ExifSummary;

/// Orientation and what is shown of an EXIF block.
pub fn exif(tiff: &[u8]) -> (u8, Option<ExifSummary>) {
    let facts = ExifFacts::read(tiff);
    (facts.orientation, facts.summary)
}

/// Name of a profile, and converted pixels with their number.
pub type ReadProfile = (Option<String>, Option<(usize, Vec<u8>)>);

/// Reads a profile, deflated or not, of at most `max_bytes`, and converts `pixels` by it. Gives what
/// was read, and the memory in bytes that is reserved for reading it.
pub fn icc(
    profile: &[u8],
    is_deflated: bool,
    max_bytes: usize,
    pixels: &[u8],
) -> (Option<ReadProfile>, usize) {
    let embedded = if is_deflated {
        EmbeddedProfile::Deflated(profile)
    } else {
        EmbeddedProfile::Plain(Cow::Borrowed(profile))
    };
    let read = IccProfile::read(&embedded, max_bytes).map(|profile| {
        let channels = profile.channels();
        let count = pixels.len().checked_div(channels).unwrap_or(0);
        let converted = profile.to_srgb(&pixels[..count * channels]);
        (profile.name.clone(), converted.map(|rgb| (count, rgb)))
    });
    (read, embedded.memory_bytes(max_bytes))
}
