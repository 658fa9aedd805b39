//! What is printed of a picture, or of its refusal.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use thumbforge_imaging::{Rendition, TakenAt};

use crate::domain::Failure;
use crate::worker::Made;

pub(super) fn first(made: &Made) -> Option<&Rendition> {
    made.renditions.first().and_then(|made| made.as_ref().ok())
}

/// The fields of a job's `result` that don't come from the download, and the time it took.
pub(super) fn metadata(bytes: &[u8], made: &Made, millis: f64) -> Value {
    let source = &made.source;
    let thumbnail = first(made);
    let file = thumbnail.and_then(|rendition| rendition.files.last());
    json!({
        "width": source.width,
        "height": source.height,
        "format": source.format.name(),
        "size_bytes": bytes.len(),
        "sha256": made.sha256,
        "thumbnail": {
            "width": thumbnail.map(|rendition| rendition.width),
            "height": thumbnail.map(|rendition| rendition.height),
            "size_bytes": file.map(|file| file.bytes.len()),
            "content_type": file.map(|file| file.format.media_type()),
        },
        "has_alpha": source.has_alpha,
        "frames": source.frames,
        "orientation": source.orientation,
        "icc_profile": source.icc_profile,
        "exif": source.exif.as_ref().map(|exif| {
            json!({
                "camera": exif.camera,
                "lens": exif.lens,
                "taken_at": exif.taken_at,
                "taken_at_source": exif.taken_at_source.map(TakenAt::word),
            })
        }),
        "dominant_color": made.dominant_color,
        "thumbhash": BASE64_STANDARD.encode(&made.thumbhash),
        "truncated": source.truncated,
        "engine_ms": (millis * 1e3).round() / 1e3,
    })
}

/// With the variant that could not be made, if one caused it.
pub(super) fn refusal(failure: &Failure, variant: Option<&str>) -> Value {
    let mut refusal = json!({
        "error_code": failure.code.as_str(),
        "error": failure.message,
    });
    if let Some(variant) = variant {
        refusal["error_variant"] = variant.into();
    }
    refusal
}
