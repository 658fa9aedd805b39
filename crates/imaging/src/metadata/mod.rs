//! Facts about an image that are not its pixels.

mod exif;
mod icc;
pub(super) mod icc_tags;
mod tiff;

pub use super::header::EmbeddedProfile;
pub use exif::ExifFacts;
pub use icc::IccProfile;

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
