//! One file a step: from a decoded source to the files of a variant.
//!
//! ```text
//! fit → resample → color → orient → effects → canvas → flatten, or keep alpha → encode
//! ```

pub(crate) mod attention;
pub(crate) mod canvas;
pub(crate) mod color;
pub(crate) mod effects;
pub(crate) mod fit;
pub(crate) mod flatten;
pub(crate) mod orient;
pub(crate) mod resample;
mod surround;

use std::cell::OnceCell;
use std::rc::Rc;

use super::decode::Decoded;
use super::encode::{self, EncodedFile};
use super::error::ImagingError;
use super::formats::Format;
use super::geometry::Size;
use super::header::Header;
use super::limits::Limits;
use super::metadata::IccProfile;
use super::picture::{Pixels, PlaneColors, Planes};
use super::raster::{Raster, Small, Ycc, chroma_size};
use super::source_image::SourceImage;
use super::summary::Summary;
use super::variant::{Color, Fit, Gravity, Variant};
use attention::Saliency;
use fit::Geometry;
use resample::{Region, resample_plane, resample_raster};

/// A decoded source, from which any number of variants of its plan can be rendered.
pub struct Picture<'s> {
    pixels: Pixels<'s>,
    /// As stored.
    pub(crate) size: Size,
    orientation: u8,
    /// The rows of the source that hold its picture.
    rows: u32,
    /// `None` if it is sRGB's.
    profile: Option<Rc<IccProfile>>,
    source: SourceImage,
    summary: OnceCell<Summary>,
    saliency: OnceCell<Saliency>,
}

/// The files of a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendition {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// One for each format, in the order of the variant; the last is the fallback.
    pub files: Vec<EncodedFile>,
}

/// Longest side of what a summary is made from where no variant shows the whole picture.
const SUMMARY_SIDE: u32 = 256;

impl<'s> Picture<'s> {
    pub(crate) fn new(
        header: &Header<'_>,
        decoded: Decoded<'s>,
        profile: Option<Rc<IccProfile>>,
        source: SourceImage,
    ) -> Self {
        Self {
            pixels: decoded.pixels,
            size: header.size,
            orientation: header.exif.orientation,
            rows: decoded.rows,
            profile,
            source,
            summary: OnceCell::new(),
            saliency: OnceCell::new(),
        }
    }

    /// The facts of the source.
    pub fn source(&self) -> &SourceImage {
        &self.source
    }

    /// Makes the files of a variant.
    ///
    /// # Errors
    /// No quality of a file is small enough for `max_bytes`, or the deadline.
    pub fn render(&self, variant: &Variant, limits: &Limits) -> Result<Rendition, ImagingError> {
        self.render_part(variant, self.geometry(variant)?, limits)
    }

    /// Another picture of the same source.
    pub(crate) fn of_frame<'f>(&self, decoded: Decoded<'f>) -> Picture<'f> {
        Picture {
            pixels: decoded.pixels,
            size: self.size,
            orientation: self.orientation,
            rows: decoded.rows,
            profile: self.profile.clone(),
            source: self.source.clone(),
            summary: OnceCell::new(),
            saliency: OnceCell::new(),
        }
    }

    pub(crate) fn render_part(
        &self,
        variant: &Variant,
        geometry: Geometry,
        limits: &Limits,
    ) -> Result<Rendition, ImagingError> {
        limits.check_deadline()?;
        let formats = variant.formats.of_source(self.source.has_alpha);
        let halve =
            self.profile.is_none() && halves_chroma(variant, &formats, &geometry, self.orientation);
        let mut small = self.small(geometry.region, geometry.size, halve)?;
        limits.check_deadline()?;
        if variant.grayscale {
            small = effects::grey(small);
        }
        if let Some(deviation) = variant.blur {
            small = effects::blur(small, deviation);
        }
        if let Some(strength) = variant.sharpen {
            small = effects::sharpen(small, strength);
        }
        if let Some(canvas) = geometry.canvas {
            let keeps_alpha = formats.iter().any(|format| format.row().keeps_alpha);
            let default = if keeps_alpha {
                Color::TRANSPARENT
            } else {
                Color::WHITE
            };
            let background = variant.background.unwrap_or(default);
            small = canvas::put_on(small, canvas, background);
        }
        limits.check_deadline()?;
        let is_on_white =
            !self.source.has_alpha || variant.background.is_none_or(|color| color == Color::WHITE);
        let (size, shows_all) = (small.size(), is_on_white && shows_whole_picture(variant));
        let files = encode::encode_all(small, &formats, variant, limits, |planes| {
            if shows_all {
                self.summary.get_or_init(|| Summary::of(planes));
            }
        })?;
        Ok(Rendition {
            width: size.width,
            height: size.height,
            files,
        })
    }

    /// What the picture looks like in a few bytes: from the first rendered JPEG that shows all of
    /// it, else from a small picture of its own.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub fn summary(&self) -> Result<Summary, ImagingError> {
        if let Some(summary) = self.summary.get() {
            return Ok(summary.clone());
        }
        let variant = Variant::thumbnail(SUMMARY_SIDE, 1);
        let geometry = self.geometry(&variant)?;
        let small = self.small(geometry.region, geometry.size, false)?;
        let planes = flatten::flatten(small, Color::WHITE).with_halved_chroma();
        Ok(self.summary.get_or_init(|| Summary::of(&planes)).clone())
    }

    pub(crate) fn geometry(&self, variant: &Variant) -> Result<Geometry, ImagingError> {
        let seen = orient::seen_size(self.size, self.orientation);
        let mut geometry = if self.source.format.is_vector() {
            Geometry::drawn(variant, seen)
        } else {
            Geometry::new(variant, seen)
        };
        if variant.fit == Fit::Cover && variant.gravity == Gravity::Attention {
            let saliency = match self.saliency.get() {
                Some(saliency) => saliency,
                None => {
                    let saliency = self.saliency()?;
                    self.saliency.get_or_init(|| saliency)
                }
            };
            let part = (geometry.region.width, geometry.region.height);
            let (x, y) = saliency.best_place(seen, part);
            let is_exact = part == (geometry.size.width.into(), geometry.size.height.into());
            (geometry.region.x, geometry.region.y) = if is_exact {
                (x.floor(), y.floor())
            } else {
                (x, y)
            };
        }
        Ok(geometry)
    }

    fn saliency(&self) -> Result<Saliency, ImagingError> {
        let side = Variant::thumbnail(attention::SIDE, 1);
        let seen = orient::seen_size(self.size, self.orientation);
        let geometry = Geometry::new(&side, seen);
        let small = self.small(geometry.region, geometry.size, false)?;
        let planes = flatten::flatten(small, Color::WHITE);
        Ok(Saliency::of(&planes))
    }

    /// A part of the picture as seen, resampled, in sRGB and upright.
    fn small(&self, seen: Region, size: Size, halve_chroma: bool) -> Result<Small, ImagingError> {
        let region = orient::stored_region(seen, self.size, self.orientation);
        // Two quarter turns swap the sides back.
        let size = orient::seen_size(size, self.orientation);
        let small = self.stored(region, size, halve_chroma)?;
        let small = color::to_srgb(small, self.profile.as_deref());
        Ok(orient::upright(small, self.orientation))
    }

    /// A part of the picture as stored, resampled, in its own colours.
    pub(crate) fn stored(
        &self,
        region: Region,
        size: Size,
        halve_chroma: bool,
    ) -> Result<Small, ImagingError> {
        let mut small = match &self.pixels {
            Pixels::Raster(raster) => {
                Small::Raster(resample_raster(raster, self.size, region, size)?)
            }
            Pixels::Planes(planes) => self.joined_planes(planes, region, size, halve_chroma)?,
        };
        self.whiten_missing_rows(&mut small, region);
        Ok(small)
    }

    fn joined_planes(
        &self,
        source: &Planes<'_>,
        region: Region,
        size: Size,
        halve_chroma: bool,
    ) -> Result<Small, ImagingError> {
        let chroma = if halve_chroma {
            chroma_size(size)
        } else {
            size
        };
        let is_ycc = !matches!(source.colors, PlaneColors::Channels(_));
        let mut planes = Vec::with_capacity(source.planes.len());
        for (index, plane) in source.planes.iter().enumerate() {
            let size = if is_ycc && index > 0 { chroma } else { size };
            planes.push(resample_plane(plane, self.size, region, size)?);
        }
        if source.colors == PlaneColors::LimitedYcc {
            color::to_full_range(&mut planes);
        }
        if let PlaneColors::Channels(layout) = source.colors {
            let pixels = match <[Vec<u8>; 1]>::try_from(planes) {
                Ok([samples]) => samples,
                Err(planes) => interleave(&planes),
            };
            return Ok(Small::Raster(Raster::whole(size, layout, pixels)));
        }
        let [y, cb, cr] = <[Vec<u8>; 3]>::try_from(planes)
            .map_err(|_| ImagingError::Internal("a picture without its three planes".into()))?;
        let picture = Ycc {
            size,
            chroma,
            y,
            cb,
            cr,
        };
        Ok(Small::Ycc(if halve_chroma {
            picture.with_halved_chroma()
        } else {
            picture
        }))
    }

    /// Rounded down, so that no row that is half missing stays.
    fn whiten_missing_rows(&self, small: &mut Small, region: Region) {
        if self.rows >= self.size.height {
            return;
        }
        let height = small.size().height;
        let shown = (f64::from(self.rows) - region.y) / region.height;
        let kept = (shown * f64::from(height))
            .floor()
            .clamp(0.0, height.into());
        small.whiten_below(kept as usize);
    }
}

/// Whether chroma may be resampled to half of the size: it is written so, and no step before needs
/// all of it.
pub(crate) fn halves_chroma(
    variant: &Variant,
    formats: &[Format],
    geometry: &Geometry,
    orientation: u8,
) -> bool {
    formats.iter().all(|format| *format == Format::Jpeg)
        && geometry.canvas.is_none()
        && variant.blur.is_none()
        && orient::may_turn_halved_chroma(geometry.size, orientation)
}

fn shows_whole_picture(variant: &Variant) -> bool {
    variant.fit == Fit::Inside
        && variant.blur.is_none()
        && variant.sharpen.is_none()
        && !variant.grayscale
}

fn interleave(planes: &[Vec<u8>]) -> Vec<u8> {
    let channels = planes.len();
    let mut pixels = vec![0; planes.iter().map(Vec::len).sum()];
    for (channel, plane) in planes.iter().enumerate() {
        let places = pixels.iter_mut().skip(channel).step_by(channels);
        for (sample, value) in places.zip(plane) {
            *sample = *value;
        }
    }
    pixels
}
