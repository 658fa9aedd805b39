//! Facts about an image that are not its pixels.

mod colorimetry;
mod exif;
mod icc;
pub(super) mod icc_tags;
pub(crate) mod photoshop;
mod tiff;
mod transfer;

pub use super::header::EmbeddedProfile;
pub use colorimetry::Colorimetry;
pub use exif::ExifFacts;
pub use icc::IccProfile;
pub use transfer::Transfer;

/// Makes a text from a file fit to be shown and stored: no control characters (PostgreSQL refuses
/// NUL), no surrounding space, at most 200 characters, `None` if nothing remains.
fn shown_text(text: &str) -> Option<String> {
    let clean: String = text
        .chars()
        .filter(|character| !character.is_control())
        .take(200)
        .collect();
    let clean = clean.trim();
    (!clean.is_empty()).then(|| clean.to_owned())
}
