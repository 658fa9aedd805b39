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

/// Reads a profile, deflated or not, of at most `max_bytes`, and converts `pixels` by it. Gives its
/// name, and the converted pixels with their number.
pub fn icc(
    profile: &[u8],
    is_deflated: bool,
    max_bytes: usize,
    pixels: &[u8],
) -> Option<(Option<String>, Option<(usize, Vec<u8>)>)> {
    let embedded = if is_deflated {
        EmbeddedProfile::Deflated(profile)
    } else {
        EmbeddedProfile::Plain(Cow::Borrowed(profile))
    };
    let profile = IccProfile::read(&embedded, max_bytes)?;
    let channels = profile.channels();
    let count = pixels.len().checked_div(channels).unwrap_or(0);
    let converted = profile.to_srgb(&pixels[..count * channels]);
    Some((profile.name.clone(), converted.map(|rgb| (count, rgb))))
}
