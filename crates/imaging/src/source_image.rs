//! What the engine reports about a source.

use crate::formats::Format;

/// What was found in the source image.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceImage {
    pub format: Format,
    /// Width in pixels as seen, i.e. after EXIF orientation.
    pub width: u32,
    /// Height in pixels as seen, i.e. after EXIF orientation.
    pub height: u32,
    /// True if the format and its header declare an alpha channel or a transparent colour.
    pub has_alpha: bool,
    /// Number of animation frames; 1 for still images.
    pub frames: u32,
    /// EXIF orientation, 1–8; 1 where there is none.
    pub orientation: u8,
    /// Description of the embedded ICC profile.
    pub icc_profile: Option<String>,
    pub exif: Option<ExifSummary>,
    /// True if the file ended early or is damaged: at least half of the rows were decoded, or all,
    /// maybe in less detail.
    pub truncated: bool,
}

/// The EXIF fields that are shown. GPS is never among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExifSummary {
    /// Make and model, e.g. `NIKON CORPORATION NIKON D750`, without a make that the model repeats.
    pub camera: Option<String>,
    pub lens: Option<String>,
    /// As `YYYY-MM-DDTHH:MM:SS`, with an offset where the file has one.
    pub taken_at: Option<String>,
    /// Which date that is.
    pub taken_at_source: Option<TakenAt>,
}

/// The dates of a picture, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenAt {
    /// `DateTimeOriginal`: when it was taken.
    Original,
    /// `DateTimeDigitized`: when it was scanned.
    Digitized,
    /// `DateTime`: when the file was changed, by which it was there at the latest.
    Modified,
}

impl TakenAt {
    /// The word for it in results.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Digitized => "digitized",
            Self::Modified => "modified",
        }
    }
}
