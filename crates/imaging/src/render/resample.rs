//! Resampling of a part of a picture with Lanczos3 to the size of an output.

use std::cell::RefCell;
use std::ops::Range;

use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x4};
use fast_image_resize::{Filter, FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use crate::error::ImagingError;
use crate::geometry::{MAX_BOX_ROWS, Size};
use crate::picture::Plane;
use crate::raster::{Layout, Raster};
use crate::reduce::BoxReducer;

thread_local! {
    /// Keeps its intermediate buffers from one image to the next.
    static RESIZER: RefCell<Resizer> = RefCell::new(Resizer::new());
    /// Pixels padded to four channels: page faults of a fresh buffer took 7 % of the time of a PNG.
    static PADDED: RefCell<Vec<u8>> = RefCell::default();
}

/// Of a padded picture that is kept from one image to the next.
const MAX_KEPT_BYTES: usize = 4 << 20;

/// The part of a picture that is shown, in pixels of its source as stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Region {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Region {
    pub(crate) fn whole(size: Size) -> Self {
        Self {
            x: 0.0,
            y: 0.0,
            width: size.width.into(),
            height: size.height.into(),
        }
    }

    /// The same part of a reduced picture that covers the source with `span` of its samples.
    fn scaled(self, source: Size, size: Size, span: (f64, f64)) -> Self {
        let (across, down) = (
            span.0 / f64::from(source.width),
            span.1 / f64::from(source.height),
        );
        let side = |start: f64, length: f64, scale: f64, most: u32| {
            let (most, start) = (f64::from(most), start * scale);
            let start = start.clamp(0.0, most);
            (start, (length * scale).clamp(0.0, most - start))
        };
        let (x, width) = side(self.x, self.width, across, size.width);
        let (y, height) = side(self.y, self.height, down, size.height);
        Self {
            x,
            y,
            width,
            height,
        }
    }
}

/// Resamples a part of a source to `size`. Of a raster that covers the source.
///
/// # Errors
/// None that a caller could cause; a fault in the resampler is [`ImagingError::Internal`].
pub(crate) fn resample_raster(
    raster: &Raster,
    source: Size,
    region: Region,
    size: Size,
) -> Result<Raster, ImagingError> {
    let samples = Samples {
        samples: &raster.pixels,
        stride: raster.size.width as usize * raster.layout.channels(),
        size: raster.size,
        layout: raster.layout,
    };
    let part = region.scaled(source, raster.size, raster.span);
    let pixels = resample(&samples, part, size)?;
    Ok(Raster::whole(size, raster.layout, pixels))
}

/// As [`resample_raster`], of one plane. The padding of its rows is never read.
pub(crate) fn resample_plane(
    plane: &Plane<'_>,
    source: Size,
    region: Region,
    size: Size,
) -> Result<Vec<u8>, ImagingError> {
    let samples = Samples {
        samples: &plane.samples,
        stride: plane.stride,
        size: plane.size,
        layout: Layout::Luma,
    };
    resample(
        &samples,
        region.scaled(source, plane.size, plane.span),
        size,
    )
}

/// Interleaved samples, maybe within a wider buffer.
struct Samples<'a> {
    samples: &'a [u8],
    /// Bytes from one row to the next.
    stride: usize,
    size: Size,
    layout: Layout,
}

impl Samples<'_> {
    fn row(&self, index: u32) -> &[u8] {
        let bytes = self.size.width as usize * self.layout.channels();
        &self.samples[index as usize * self.stride..][..bytes]
    }
}

fn resample(samples: &Samples<'_>, part: Region, size: Size) -> Result<Vec<u8>, ImagingError> {
    let channels = samples.layout.channels();
    let is_exact = part.x.fract() == 0.0
        && part.y.fract() == 0.0
        && (part.width, part.height) == (f64::from(size.width), f64::from(size.height));
    if is_exact {
        let (start, bytes) = (part.x as usize * channels, size.width as usize * channels);
        let rows = (part.y as u32..).take(size.height as usize);
        return Ok(rows
            .flat_map(|row| &samples.row(row)[start..start + bytes])
            .copied()
            .collect());
    }
    let averaged = Size::new(
        averaging_side(part.width, size.width),
        averaging_side(part.height, size.height),
    );
    if averaged != Size::new(1, 1) {
        let (reduced, part) = reduce(samples, part, averaged);
        let samples = Samples {
            samples: &reduced.pixels,
            stride: reduced.size.width as usize * channels,
            size: reduced.size,
            layout: reduced.layout,
        };
        return lanczos(&samples, part, size);
    }
    lanczos(samples, part, size)
}

/// Samples that are averaged before Lanczos, where a part is much larger than the output because
/// another output needs it so. At least three samples remain for each.
fn averaging_side(part: f64, size: u32) -> u32 {
    const LEFT: f64 = 3.0;
    ((part / f64::from(size) / LEFT) as u32).clamp(1, MAX_BOX_ROWS)
}

/// Averages the part, and gives its place in the result.
fn reduce(samples: &Samples<'_>, part: Region, averaged: Size) -> (Raster, Region) {
    let edge = |start: f64, length: f64, most: u32| {
        let first = start as u32;
        let end = ((start + length).ceil() as u32).clamp(first + 1, most);
        (first.min(end - 1), end)
    };
    let (left, right) = edge(part.x, part.width, samples.size.width);
    let (top, bottom) = edge(part.y, part.height, samples.size.height);
    let source = Size::new(right - left, bottom - top);
    let channels = samples.layout.channels();
    let mut reducer = BoxReducer::with_box(source, averaged, samples.layout);
    for row in top..bottom {
        let row = samples.row(row);
        reducer.push_premultiplied_row(&row[left as usize * channels..right as usize * channels]);
    }
    let (across, down) = (f64::from(averaged.width), f64::from(averaged.height));
    let part = Region {
        x: (part.x - f64::from(left)) / across,
        y: (part.y - f64::from(top)) / down,
        width: part.width / across,
        height: part.height / down,
    };
    (reducer.finish(), part)
}

fn lanczos(samples: &Samples<'_>, part: Region, size: Size) -> Result<Vec<u8>, ImagingError> {
    match samples.layout.channels() {
        1 => convolve::<U8>(samples, part, size),
        2 => convolve_padded::<2>(samples, part, size),
        3 => convolve_padded::<3>(samples, part, size),
        _ => convolve::<U8x4>(samples, part, size),
    }
}

/// As pixels of four channels: the resampler's code for each other number takes ten seconds to
/// compile.
fn convolve_padded<const CHANNELS: usize>(
    samples: &Samples<'_>,
    part: Region,
    size: Size,
) -> Result<Vec<u8>, ImagingError> {
    let columns = support(part.x, part.width, size.width, samples.size.width);
    let rows = support(part.y, part.height, size.height, samples.size.height);
    let read = Size::new(columns.len() as u32, rows.len() as u32);
    let mut kept = PADDED.take();
    // What the fourth channel holds does not matter.
    kept.resize(read.area() * 4, 0);
    for (row, out) in rows
        .clone()
        .zip(kept.chunks_exact_mut(read.width as usize * 4))
    {
        let (pixels, _) = samples.row(row).as_chunks::<CHANNELS>();
        let pixels = &pixels[columns.start as usize..columns.end as usize];
        for (pixel, four) in pixels.iter().zip(out.as_chunks_mut::<4>().0) {
            four[..CHANNELS].copy_from_slice(pixel);
        }
    }
    let padded = Samples {
        samples: &kept,
        stride: read.width as usize * 4,
        size: read,
        layout: Layout::Rgba,
    };
    let part = Region {
        x: part.x - f64::from(columns.start),
        y: part.y - f64::from(rows.start),
        ..part
    };
    let mut out = convolve::<U8x4>(&padded, part, size)?;
    if kept.capacity() <= MAX_KEPT_BYTES {
        PADDED.set(kept);
    }
    for index in 0..size.area() {
        out.copy_within(index * 4..index * 4 + CHANNELS, index * CHANNELS);
    }
    out.truncate(size.area() * CHANNELS);
    Ok(out)
}

/// The samples of a side on which the resampled part depends.
fn support(start: f64, part: f64, size: u32, side: u32) -> Range<u32> {
    let reach = LANCZOS3_RADIUS * (part / f64::from(size)).max(1.0) + 1.0;
    let first = (start - reach).floor().max(0.0) as u32;
    let end = (start + part + reach).ceil().min(side.into()) as u32;
    first..end
}

fn convolve<P: PixelTrait>(
    samples: &Samples<'_>,
    part: Region,
    size: Size,
) -> Result<Vec<u8>, ImagingError> {
    let channels = samples.layout.channels();
    let internal_size = |error: std::num::TryFromIntError| internal(error);
    let stride = u32::try_from(samples.stride / channels).map_err(internal_size)?;
    let rows = u32::try_from(samples.samples.len() / samples.stride).map_err(internal_size)?;
    let whole = TypedImageRef::<P>::from_buffer(stride, rows, samples.samples).map_err(internal)?;
    let visible = TypedCroppedImage::new(whole, 0, 0, samples.size.width, samples.size.height)
        .map_err(internal)?;
    let mut out = vec![0; size.area() * channels];
    let mut target =
        TypedImage::<P>::from_buffer(size.width, size.height, &mut out).map_err(internal)?;
    RESIZER
        .with_borrow_mut(|resizer| resizer.resize_typed(&visible, &mut target, &lanczos3(part)))
        .map_err(internal)?;
    Ok(out)
}

/// A fractional box: resampling the partial samples at its end as if they were whole costs 3 dB.
fn lanczos3(part: Region) -> ResizeOptions {
    let filter = Filter::new("Lanczos3", lanczos3_weight, LANCZOS3_RADIUS)
        .map_or(FilterType::Lanczos3, FilterType::Custom);
    ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(filter))
        .crop(part.x, part.y, part.width, part.height)
        // Samples are premultiplied already.
        .use_alpha(false)
}

const LANCZOS3_RADIUS: f64 = 3.0;

/// The Lanczos kernel sinc(x) · sinc(x / 3), sinc(x) being sin(πx) / πx (C. E. Duchon, "Lanczos
/// filtering in one and two dimensions", 1979), to 1e-8.
///
/// The resampler's own kernel calls the sine twice for each weight, which took a tenth of the time
/// of a small picture. With t = πx/3 and q = sin(t)/t, sin(3t) = 3 sin(t) - 4 sin³(t) makes the
/// product q² · (1 - 4/3 t²q²), and q a Taylor polynomial in t².
fn lanczos3_weight(x: f64) -> f64 {
    const TERMS: usize = 10;
    /// (-1)ⁿ / (2n + 1)!
    const TAYLOR: [f64; TERMS] = {
        let mut terms = [1.0; TERMS];
        let mut n = 1;
        while n < TERMS {
            terms[n] = -terms[n - 1] / ((2 * n) * (2 * n + 1)) as f64;
            n += 1;
        }
        terms
    };
    if x.abs() >= LANCZOS3_RADIUS {
        return 0.0;
    }
    let t = x * (std::f64::consts::PI / 3.0);
    let t2 = t * t;
    let q = TAYLOR.iter().rev().fold(0.0, |sum, term| sum * t2 + term);
    let q2 = q * q;
    let weight = q2 * (1.0 - 4.0 / 3.0 * t2 * q2);
    // The resampler shortens a window by the zeros at its ends, and takes the first window for the
    // leftmost. A zero between two lobes would let a later window begin further to the left, out of
    // the buffer.
    if weight == 0.0 {
        f64::MIN_POSITIVE
    } else {
        weight
    }
}

fn internal(error: impl std::fmt::Display) -> ImagingError {
    ImagingError::Internal(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    #[test]
    fn the_kernel_is_lanczos_of_three_lobes() {
        let sinc = |x: f64| {
            if x == 0.0 {
                1.0
            } else {
                (PI * x).sin() / (PI * x)
            }
        };
        for step in -4000..=4000 {
            let x = f64::from(step) / 1000.0;
            let expected = if x.abs() < 3.0 {
                sinc(x) * sinc(x / 3.0)
            } else {
                0.0
            };
            let weight = lanczos3_weight(x);
            assert!((weight - expected).abs() < 1e-8, "{x}: {weight} {expected}");
        }
    }

    #[test]
    fn a_zero_between_two_lobes_moves_no_window() {
        for x in [-2.0, -1.0, 1.0, 2.0] {
            assert_ne!(lanczos3_weight(x), 0.0, "{x}");
        }
        let source = Size::new(12, 6);
        let ramp: Vec<u8> = (0..6).flat_map(|_| (0..12).map(|x| x * 20)).collect();
        let raster = Raster::whole(source, Layout::Luma, ramp);
        // The first or the last output lies a whole number of pixels from the edge of the source.
        for left in [1.25, 2.25, 5.75, 6.75] {
            let region = Region {
                x: left,
                y: 0.5,
                width: 4.0,
                height: 4.0,
            };
            let out = resample_raster(&raster, source, region, Size::new(8, 8)).unwrap();
            for (index, sample) in out.pixels.iter().enumerate() {
                let expected = 20.0 * (left + (index % 8) as f64 / 2.0 - 0.25);
                let difference = (f64::from(*sample) - expected).abs();
                assert!(difference < 6.0, "{left} {index}: {sample} {expected}");
            }
        }
    }
}
