//! The JSON of what a job made.

use std::collections::BTreeMap;

use serde::Serialize;
use thumbforge_imaging::formats::FORMATS;
use utoipa::ToSchema;

use super::prefix::Prefix;
use crate::domain::{
    ExifSummary, FileRecord, JobId, JobResult, ThumbnailInfo, VariantOutcome, VariantRecord,
};

/// What was made, and what was found in the source image.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobResult)]
pub struct ResultBody {
    /// Of the source as seen, i.e. after EXIF orientation; pixels.
    #[schema(minimum = 1, example = 4000)]
    width: u32,
    #[schema(minimum = 1, example = 3000)]
    height: u32,
    /// `JPEG`, `PNG`, `GIF`, `WEBP`, `BMP`, `AVIF`, `TIFF`, `ICO`, `PPM`, `TGA`, `QOI`, `DDS`,
    /// `RAW`, `HEIF`, `JXL`, `JPEG2000`, `PSD`, `SVG` or `PDF`.
    #[schema(example = "JPEG")]
    format: String,
    /// Of the source.
    #[schema(example = 2_049_113)]
    size_bytes: u64,
    /// As the source's server declared it.
    #[schema(required, example = "image/jpeg")]
    source_content_type: Option<String>,
    /// After redirects.
    #[schema(example = "https://images.example.org/harbour.jpg")]
    source_url: String,
    /// Of the source's bytes; lower-case hexadecimal.
    #[schema(example = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae")]
    sha256: String,
    /// Where the thumbnail lies in the storage.
    #[schema(example = "01980a5c-7f1e-7cc3-9d7a-6a0f5b1f8e21.jpg")]
    thumbnail_path: String,
    thumbnail: ThumbnailBody,
    has_alpha: bool,
    /// Frames of an animation; 1 for still images.
    #[schema(minimum = 1, example = 1)]
    frames: u32,
    /// EXIF orientation; 1 where there is none.
    #[schema(minimum = 1, maximum = 8, example = 1)]
    orientation: u8,
    /// Name of the embedded ICC profile.
    #[schema(required, example = "sRGB IEC61966-2.1")]
    icc_profile: Option<String>,
    #[schema(required)]
    exif: Option<ExifBody>,
    #[schema(pattern = "^#[0-9a-f]{6}$", example = "#4a6b8c")]
    dominant_color: String,
    /// ThumbHash, base64.
    #[schema(example = "1QcSHQRnh493V4dIh4eXh1h4kJUI")]
    thumbhash: String,
    /// True if the source ended early or is damaged: the thumbnail may lack a part of the picture
    /// or of its detail.
    truncated: bool,
    /// What was made, by name; present if the job asked for variants or a preset.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    variants: Option<BTreeMap<String, VariantBody>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Thumbnail)]
pub struct ThumbnailBody {
    #[schema(minimum = 1, example = 256)]
    width: u32,
    #[schema(minimum = 1, example = 192)]
    height: u32,
    #[schema(example = 9411)]
    size_bytes: u64,
    #[schema(example = "image/jpeg")]
    content_type: String,
}

/// A variant that was made, or an optional one that could not be made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = VariantResult)]
pub enum VariantBody {
    Made(MadeBody),
    Failed(FailedBody),
}

/// With several formats, the size, the type and the hash are those of the last, the fallback.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VariantMade)]
pub struct MadeBody {
    #[schema(minimum = 1, example = 320)]
    width: u32,
    #[schema(minimum = 1, example = 240)]
    height: u32,
    #[schema(example = 15_804)]
    size_bytes: u64,
    #[schema(example = "image/jpeg")]
    content_type: String,
    /// Of the file; lower-case hexadecimal.
    #[schema(example = "9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0")]
    sha256: String,
    /// Path of the variant; with several formats, `Accept` chooses one.
    #[schema(example = "/v1/images/01980a5c-7f1e-7cc3-9d7a-6a0f5b1f8e21/variants/card")]
    href: String,
    /// Present if there are several, in the order of preference.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    formats: Vec<FormatBody>,
}

/// One file of a variant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VariantFile)]
pub struct FormatBody {
    #[schema(example = "image/webp")]
    content_type: String,
    #[schema(example = 11_236)]
    size_bytes: u64,
    #[schema(example = "3e744b9dc39389baf0c5a0660589b8402f3dbb49b89b3e75f2c9355852a3c677")]
    sha256: String,
    #[schema(
        example = "/v1/images/01980a5c-7f1e-7cc3-9d7a-6a0f5b1f8e21/variants/card?format=webp"
    )]
    href: String,
}

/// Why an optional variant is not there.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VariantFailed)]
pub struct FailedBody {
    #[schema(example = "variant_too_large")]
    error_code: String,
    #[schema(example = "no quality makes the file so small")]
    error: String,
}

/// The EXIF fields that are shown; never a place.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Exif)]
pub struct ExifBody {
    #[schema(required, example = "NIKON CORPORATION NIKON D750")]
    camera: Option<String>,
    #[schema(required, example = "24.0-70.0 mm f/2.8")]
    lens: Option<String>,
    #[schema(required, example = "2025-08-17T18:04:11")]
    taken_at: Option<String>,
    /// Which date of the file that is: `original` (when the picture was taken), else `digitized`
    /// (when it was scanned), else `modified` (when the file was changed).
    #[schema(required, example = "original")]
    taken_at_source: Option<String>,
}

impl ResultBody {
    pub(super) fn of(id: JobId, result: JobResult, prefix: &Prefix) -> Self {
        let variants = result.variants.into_iter();
        let variants: BTreeMap<_, _> = variants
            .map(|variant| variant_body(id, variant, prefix))
            .collect();
        Self {
            variants: (!variants.is_empty()).then_some(variants),
            width: result.width,
            height: result.height,
            format: result.format,
            size_bytes: result.size_bytes,
            source_content_type: result.source_content_type,
            source_url: result.source_url,
            sha256: result.sha256,
            thumbnail_path: result.thumbnail_path,
            thumbnail: result.thumbnail.into(),
            has_alpha: result.has_alpha,
            frames: result.frames,
            orientation: result.orientation,
            icc_profile: result.icc_profile,
            exif: result.exif.map(ExifBody::from),
            dominant_color: result.dominant_color,
            thumbhash: result.thumbhash,
            truncated: result.truncated,
        }
    }
}

impl From<ThumbnailInfo> for ThumbnailBody {
    fn from(thumbnail: ThumbnailInfo) -> Self {
        Self {
            width: thumbnail.width,
            height: thumbnail.height,
            size_bytes: thumbnail.size_bytes,
            content_type: thumbnail.content_type,
        }
    }
}

impl From<ExifSummary> for ExifBody {
    fn from(exif: ExifSummary) -> Self {
        Self {
            camera: exif.camera,
            lens: exif.lens,
            taken_at_source: exif
                .taken_at_source
                .or_else(|| exif.taken_at.as_ref().map(|_| "original".to_owned())),
            taken_at: exif.taken_at,
        }
    }
}

fn variant_body(id: JobId, variant: VariantRecord, prefix: &Prefix) -> (String, VariantBody) {
    let VariantRecord { name, outcome } = variant;
    let href = prefix.link(&format!("/v1/images/{id}/variants/{name}"));
    let body = match outcome {
        VariantOutcome::Failed { error_code, error } => {
            VariantBody::Failed(FailedBody { error_code, error })
        }
        VariantOutcome::Made {
            width,
            height,
            files,
        } => {
            let format_body = |file: &FileRecord| FormatBody {
                content_type: file.content_type.clone(),
                size_bytes: file.size_bytes,
                sha256: file.sha256.clone(),
                href: format!("{href}?format={}", word_of(&file.content_type)),
            };
            let formats = match files.len() {
                0 | 1 => Vec::new(),
                _ => files.iter().map(format_body).collect(),
            };
            let fallback = files.into_iter().next_back();
            let (size_bytes, content_type, sha256) = fallback
                .map(|file| (file.size_bytes, file.content_type, file.sha256))
                .unwrap_or_default();
            VariantBody::Made(MadeBody {
                width,
                height,
                size_bytes,
                content_type,
                sha256,
                href,
                formats,
            })
        }
    };
    (name, body)
}

/// The word by which a format is asked for.
fn word_of(media_type: &str) -> &'static str {
    let row = FORMATS.iter().find(|row| row.media_type == media_type);
    row.map_or("", |row| row.word)
}
