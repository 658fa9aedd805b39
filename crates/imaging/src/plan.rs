//! The needs of a set of variants of one source, before any pixel is decoded.

use super::animation;
use super::decode::{self, Target};
use super::encode;
use super::error::ImagingError;
use super::formats::Format;
use super::geometry::Size;
use super::header::{EmbeddedProfile, Header};
use super::limits::Limits;
use super::render::fit::Geometry;
use super::render::{halves_chroma, orient};
use super::variant::Variant;

/// How a source is decoded once for all of its variants.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Estimate of the working memory to reserve before the source is decoded, in bytes: for
    /// decoding, for the dearest variant, and for all files.
    pub memory_bytes: usize,
    pub(crate) target: Target,
}

/// Why a plan can't be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanError {
    /// Which of the variants is at fault: of those that are too much together, the largest. `None`
    /// if it is the source.
    pub variant: Option<usize>,
    pub error: ImagingError,
}

impl Plan {
    pub(crate) fn new(
        header: &Header<'_>,
        variants: &[Variant],
        limits: &Limits,
    ) -> Result<Self, PlanError> {
        let mut target = Target {
            size: Size::new(1, 1),
            halve_chroma: true,
        };
        let (mut pixels, mut files, mut dearest) = (0_u64, 0_usize, 0_usize);
        let (mut most_pixels, mut most_memory) = ((0, None), (0, None));
        for (index, variant) in variants.iter().enumerate() {
            let at_fault = |error| PlanError {
                variant: Some(index),
                error,
            };
            let seen = orient::seen_size(header.size, header.exif.orientation);
            let is_drawn = header.format().is_vector();
            let geometry = if is_drawn {
                Geometry::drawn(variant, seen)
            } else {
                Geometry::new(variant, seen)
            };
            let formats = variant.formats.of_source(header.has_alpha);
            check_output(geometry.output(), &formats, limits).map_err(at_fault)?;
            let needed = needed_size(&geometry, header);
            target.size = Size::new(
                target.size.width.max(needed.width),
                target.size.height.max(needed.height),
            );
            // Whether a profile changes anything is known only after it is read, in memory that is
            // not reserved yet.
            target.halve_chroma &= matches!(header.icc, EmbeddedProfile::None)
                && halves_chroma(variant, &formats, &geometry, header.exif.orientation);
            let area = geometry.output().area();
            pixels += area as u64;
            let (mut own_files, mut working) = (0_usize, area.saturating_mul(RENDER_BYTES_A_PIXEL));
            for format in formats {
                own_files = own_files.saturating_add(encode::file_bytes(format, area));
                working = working.max(encode::memory_bytes(format, area));
            }
            if variant.animated {
                working = working.saturating_add(animation::memory_bytes(
                    header,
                    geometry.output(),
                    limits,
                ));
            }
            files = files.saturating_add(own_files);
            dearest = dearest.max(working);
            most_pixels = most_pixels.max((area, Some(index)));
            most_memory = most_memory.max((working.saturating_add(own_files), Some(index)));
        }
        if pixels > limits.max_output_pixels {
            return Err(PlanError {
                variant: most_pixels.1,
                error: ImagingError::TooManyOutputPixels {
                    pixels,
                    max_pixels: limits.max_output_pixels,
                },
            });
        }
        let with_source = |target| {
            decode::memory_bytes(header, target)
                .saturating_add(header.icc.memory_bytes(limits.max_icc_bytes))
                .saturating_add(FIXED_BYTES)
        };
        let of_source = |error| PlanError {
            variant: None,
            error,
        };
        limits
            .check_memory(with_source(Size::new(1, 1)))
            .map_err(of_source)?;
        let outputs = dearest.saturating_add(files);
        let memory_bytes = with_source(target.size).saturating_add(outputs);
        if memory_bytes > limits.max_memory_bytes {
            return Err(PlanError {
                variant: most_memory.1,
                error: ImagingError::OutputsTakeMemory {
                    needed_bytes: memory_bytes,
                    max_bytes: limits.max_memory_bytes,
                },
            });
        }
        Ok(Self {
            memory_bytes,
            target,
        })
    }
}

/// The resampler's rows and the profile's tables.
const FIXED_BYTES: usize = 1 << 20;
/// A picture in two layouts, the second in four channels, and a copy of it that is turned.
const RENDER_BYTES_A_PIXEL: usize = 16;

fn check_output(size: Size, formats: &[Format], limits: &Limits) -> Result<(), ImagingError> {
    for format in formats {
        let max_side = encode::max_side(*format);
        if size.width > max_side || size.height > max_side {
            return Err(ImagingError::OutputTooLong {
                format: *format,
                width: size.width,
                height: size.height,
                max_side,
            });
        }
        if *format == Format::Avif && size.area() as u64 > limits.max_avif_pixels {
            return Err(ImagingError::TooManyOutputPixels {
                pixels: size.area() as u64,
                max_pixels: limits.max_avif_pixels,
            });
        }
    }
    Ok(())
}

/// Pixels of a picture that is drawn; larger variants are scaled up from it.
const MAX_DRAWN_PIXELS: f64 = 16e6;
/// A longer side, of a strip, is drawn with fewer pixels than it has.
const MAX_DRAWN_SIDE: u32 = 16_384;

/// The size of the whole source, as stored, at the scale at which a variant shows its part; never
/// larger than the source, unless that is drawn.
pub(crate) fn needed_size(geometry: &Geometry, header: &Header<'_>) -> Size {
    let seen = orient::seen_size(header.size, header.exif.orientation);
    let region = &geometry.region;
    if header.format().is_vector() {
        return drawn_size(geometry, seen);
    }
    let side = |shown: u32, part: f64, whole: u32| {
        let needed = f64::from(shown) / part * f64::from(whole);
        (needed.round() as u32).clamp(1, whole)
    };
    let needed = Size::new(
        side(geometry.size.width, region.width, seen.width),
        side(geometry.size.height, region.height, seen.height),
    );
    // Two quarter turns swap the sides back.
    orient::seen_size(needed, header.exif.orientation)
}

fn drawn_size(geometry: &Geometry, seen: Size) -> Size {
    let region = &geometry.region;
    let width = f64::from(geometry.size.width) / region.width * f64::from(seen.width);
    let height = f64::from(geometry.size.height) / region.height * f64::from(seen.height);
    let part = (MAX_DRAWN_PIXELS / (width * height)).sqrt().min(1.0);
    let side = |side: f64| ((side * part).round() as u32).clamp(1, MAX_DRAWN_SIDE);
    Size::new(side(width), side(height))
}
