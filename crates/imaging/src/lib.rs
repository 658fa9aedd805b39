//! The image engine: bytes in, thumbnail and metadata out. Pure functions, no I/O, no async.
//!
//! ```text
//! sniff → inspect the header → check limits
//!       → decode: JPEG at N/8 to planes, others with rows averaged on the way (lossy WebP as planes); Lanczos3
//!       → colours to sRGB on white → orientation → JPEG, ThumbHash, dominant colour
//! ```
//!
//! **Truncated files.** A JPEG, PNG, GIF or lossy WebP of which at least half of the rows can be
//! decoded gives a thumbnail with `truncated` set and white in place of what is missing; with less
//! it is [`ImagingError::Truncated`]. Damage in the middle counts as the end. A progressive JPEG may
//! have all its rows by then, in less detail: `truncated` without white. BMP, and WebP that is
//! lossless, animated or has alpha, are decoded whole or not at all.
//!
//! **Transparency** is laid on white. **Animations** show their first frame, APNG its default
//! image.

mod color;
mod decode;
mod encode;
mod error;
#[cfg(test)]
mod fidelity;
pub mod formats;
mod geometry;
mod header;
mod limits;
pub mod metadata;
mod orient;
mod raster;
mod reduce;
mod resize;
mod sniff;
mod source_image;
mod summary;
pub mod variant;

pub use error::{ErrorKind, ImagingError};
pub use formats::Format;
pub use limits::Limits;
pub use source_image::{ExifSummary, SourceFormat, SourceImage, Thumbnail, ThumbnailSpec};
pub use variant::{Color, Fit, Formats, Gravity, Variant};

use std::time::{Duration, Instant};

use decode::Target;
use geometry::{Size, thumbnail_size};
use header::Header;
use metadata::IccProfile;

/// What the header of an image tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    pub format: SourceFormat,
    /// Width in pixels as stored, before EXIF orientation.
    pub width: u32,
    /// Height in pixels as stored, before EXIF orientation.
    pub height: u32,
    /// Working memory to reserve before [`thumbnail`] is called, in bytes, by estimate.
    pub memory_bytes: usize,
}

/// Reads the header of an image. Cheap: no pixel is decoded, nothing is inflated.
///
/// # Errors
/// Not an image, a broken header, or an image beyond `limits`.
pub fn probe(bytes: &[u8], spec: &ThumbnailSpec, limits: &Limits) -> Result<Probe, ImagingError> {
    let header = decode::inspect(bytes, limits)?;
    let memory_bytes = memory_bytes(&header, spec, limits);
    limits.check_memory(memory_bytes)?;
    Ok(Probe {
        format: header.format,
        width: header.size.width,
        height: header.size.height,
        memory_bytes,
    })
}

/// Makes the thumbnail of an image, and tells what the image is.
///
/// # Errors
/// As [`probe`]; besides, an image whose pixels are corrupt or truncated beyond the policy
/// above, or that takes longer than `limits.deadline`.
pub fn thumbnail(
    bytes: &[u8],
    spec: &ThumbnailSpec,
    limits: &Limits,
) -> Result<Thumbnail, ImagingError> {
    thumbnail_timed(bytes, spec, limits).map(|(thumbnail, _)| thumbnail)
}

/// How long the stages of one thumbnail took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// Header, metadata and pixels; for all but JPEG also the averaging of rows.
    pub decode: Duration,
    pub resize: Duration,
    /// Profile, alpha, orientation.
    pub colour: Duration,
    /// The file, the ThumbHash and the dominant colour.
    pub encode: Duration,
}

/// As [`thumbnail`], and tells where the time went.
///
/// # Errors
/// As [`thumbnail`].
pub fn thumbnail_timed(
    bytes: &[u8],
    spec: &ThumbnailSpec,
    limits: &Limits,
) -> Result<(Thumbnail, StageTimes), ImagingError> {
    let begun = Instant::now();
    let header = decode::inspect(bytes, limits)?;
    limits.check_memory(memory_bytes(&header, spec, limits))?;
    let exif = header.exif_facts();
    let profile = IccProfile::read(&header.icc, limits.max_icc_bytes);
    let stored_size = thumbnail_size(header.size, spec.max_side);

    let profile_applies = profile.as_ref().is_some_and(|profile| !profile.is_srgb());
    let halve_chroma =
        !profile_applies && orient::may_turn_halved_chroma(stored_size, exif.orientation);
    let target = Target {
        size: stored_size,
        halve_chroma,
    };

    let decoded = decode::decode(bytes, &header, target, limits)?;
    let resized = Instant::now();
    let picture = color::to_ycc(decoded.small, profile.as_deref());
    let picture = orient::upright(picture, exif.orientation).with_halved_chroma();
    let coloured = Instant::now();
    let jpeg = encode::encode(&picture, spec.jpeg_quality)?;

    let seen = orient::seen_size(header.size, exif.orientation);
    let thumbnail = Thumbnail {
        jpeg,
        width: picture.size.width,
        height: picture.size.height,
        dominant_color: summary::dominant_color(&picture),
        thumbhash: summary::thumbhash(&picture),
        source: SourceImage {
            format: header.format,
            width: seen.width,
            height: seen.height,
            has_alpha: header.has_alpha,
            frames: header.frames,
            orientation: exif.orientation,
            icc_profile: profile.and_then(|profile| profile.name.clone()),
            exif: exif.summary,
            truncated: decoded.truncated,
        },
    };
    let times = StageTimes {
        decode: decoded.resized_since - begun,
        resize: resized - decoded.resized_since,
        colour: coloured - resized,
        encode: coloured.elapsed(),
    };
    Ok((thumbnail, times))
}

/// Decoding, plus what every image takes: the profile's tables, the resampler's rows, the
/// thumbnail in three planes and its file.
fn memory_bytes(header: &Header<'_>, spec: &ThumbnailSpec, limits: &Limits) -> usize {
    const FIXED_BYTES: usize = 1 << 20;
    let thumbnail = thumbnail_size(header.size, spec.max_side);
    decode::memory_bytes(header, thumbnail)
        .saturating_add(small_picture_bytes(thumbnail))
        .saturating_add(header.icc.memory_bytes(limits.max_icc_bytes))
        .saturating_add(FIXED_BYTES)
}

fn small_picture_bytes(thumbnail: Size) -> usize {
    thumbnail.area() * 16
}
