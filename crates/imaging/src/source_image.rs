//! What is asked of the image engine, and what it tells about an image.

/// The thumbnail that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThumbnailSpec {
    /// Longest side in pixels; smaller sources keep their size.
    pub max_side: u32,
    /// JPEG quality, 1–100.
    pub jpeg_quality: u8,
}

/// A source format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceFormat {
    Jpeg,
    Png,
    Gif,
    Webp,
    Bmp,
}

impl SourceFormat {
    /// The word in `result.format`; the spelling is Pillow's, which the predecessor used.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Gif => "GIF",
            Self::Webp => "WEBP",
            Self::Bmp => "BMP",
        }
    }
}

/// What was found in the source image.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceImage {
    pub format: SourceFormat,
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
    /// True if the file ended early or is damaged: at least half of the rows were decoded, or all, maybe in less
    /// detail.
    pub truncated: bool,
}

/// The EXIF fields that are shown. GPS is never among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExifSummary {
    /// Make and model, e.g. `NIKON CORPORATION NIKON D750`, without a make that the model repeats.
    pub camera: Option<String>,
    pub lens: Option<String>,
    /// `DateTimeOriginal` as `YYYY-MM-DDTHH:MM:SS`, with an offset where the file has one.
    pub taken_at: Option<String>,
}

/// The result of the image engine.
#[derive(Debug, Clone, PartialEq)]
pub struct Thumbnail {
    /// A baseline 4:2:0 JPEG without metadata.
    pub jpeg: Vec<u8>,
    pub width: u32,
    pub height: u32,
    /// `#rrggbb`.
    pub dominant_color: String,
    /// ThumbHash (<https://evanw.github.io/thumbhash/>), raw bytes.
    pub thumbhash: Vec<u8>,
    pub source: SourceImage,
}
