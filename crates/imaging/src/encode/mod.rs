//! The files that are written: pixels in sRGB, no metadata. One file a format.

mod avif;
mod jpeg;
mod png;
mod smallest;
mod webp;

use super::error::ImagingError;
use super::formats::Format;
use super::limits::Limits;
use super::raster::{Raster, Small, Ycc};
use super::render::flatten::{flatten, straight};
use super::variant::{Color, Variant};

/// A file in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedFile {
    pub format: Format,
    pub bytes: Vec<u8>,
}

/// Longest side that a format holds, in pixels.
pub(crate) const fn max_side(format: Format) -> u32 {
    match format {
        // Two bytes in the frame header (T.81, B.2.2).
        Format::Jpeg => 65_535,
        // 14 bits (RFC 6386, section 9.1).
        Format::Webp => 16_383,
        // AV1 has 16 bits (section 5.5.1), but libavif reads no more by default.
        Format::Avif => 32_768,
        // PNG, and what is only read.
        _ => i32::MAX as u32,
    }
}

/// The memory for encoding besides the picture itself, in bytes, by estimate.
pub(crate) const fn memory_bytes(format: Format, area: usize) -> usize {
    let (a_pixel, fixed) = match format {
        Format::Jpeg => (8, 0),
        Format::Png => (16, 1 << 20),
        Format::Webp => (16, 1 << 20),
        Format::Avif => (80, 16 << 20),
        _ => (0, 0),
    };
    area.saturating_mul(a_pixel).saturating_add(fixed)
}

/// The size of a file in bytes, by estimate.
pub(crate) const fn file_bytes(format: Format, area: usize) -> usize {
    const HEADERS: usize = 1 << 12;
    let a_pixel = match format {
        Format::Png => 5,
        _ => 2,
    };
    area.saturating_mul(a_pixel).saturating_add(HEADERS)
}

/// Encodes a picture in each of the formats. `see_planes` is shown the planes of a JPEG.
pub(crate) fn encode_all(
    small: Small,
    formats: &[Format],
    variant: &Variant,
    limits: &Limits,
    see_planes: impl FnOnce(&Ycc),
) -> Result<Vec<EncodedFile>, ImagingError> {
    let wants_jpeg = formats.contains(&Format::Jpeg);
    let wants_others = formats.iter().any(|format| *format != Format::Jpeg);
    let (planes, raster) = match (wants_jpeg, wants_others) {
        (true, false) => (Some(to_planes(small, variant)), None),
        (true, true) => (
            Some(to_planes(small.clone(), variant)),
            Some(straight(small)),
        ),
        (false, _) => (None, Some(straight(small))),
    };
    if let Some(planes) = &planes {
        see_planes(planes);
    }
    let mut files = Vec::with_capacity(formats.len());
    for &format in formats {
        limits.check_deadline()?;
        let bytes = encode(format, planes.as_ref(), raster.as_ref(), variant, limits)?;
        files.push(EncodedFile { format, bytes });
    }
    Ok(files)
}

fn to_planes(small: Small, variant: &Variant) -> Ycc {
    flatten(small, variant.background.unwrap_or(Color::WHITE)).with_halved_chroma()
}

fn encode(
    format: Format,
    planes: Option<&Ycc>,
    raster: Option<&Raster>,
    variant: &Variant,
    limits: &Limits,
) -> Result<Vec<u8>, ImagingError> {
    let missing = || ImagingError::Internal("a format without its pixels".to_owned());
    let at_quality = |quality: u8| match format {
        Format::Jpeg => jpeg::encode(planes.ok_or_else(missing)?, quality, variant.jpeg_coding),
        Format::Png => png::encode(raster.ok_or_else(missing)?),
        Format::Webp => webp::encode(raster.ok_or_else(missing)?, quality),
        Format::Avif => avif::encode(raster.ok_or_else(missing)?, quality),
        _ => Err(ImagingError::Internal(format!(
            "{} is not written",
            format.name()
        ))),
    };
    let quality = variant.quality.unwrap_or(default_quality(format));
    let Some(max_bytes) = variant.max_bytes else {
        return at_quality(quality);
    };
    let lowest = if format == Format::Png { quality } else { 1 };
    smallest::best_that_fits(format, lowest..=quality, max_bytes, limits, at_quality)
}

/// Each on the scale of its own encoder.
const fn default_quality(format: Format) -> u8 {
    match format {
        Format::Webp => 80,
        Format::Avif => 60,
        _ => 85,
    }
}
