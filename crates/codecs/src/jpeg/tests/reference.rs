//! The complete decoder's result for a file, brought to the form of our planes.

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::super::{ColorKind, Plane};

/// Full-size samples, chroma brought up to luma's size.
pub struct Reference {
    pub width: usize,
    pub height: usize,
    channels: usize,
    data: Vec<u8>,
}

/// Decodes as far as possible, or with `strict` not at all if anything is wrong with the file.
pub fn decode(bytes: &[u8], color: ColorKind, strict: bool) -> Result<Reference, String> {
    let space = match color {
        ColorKind::Grey => ColorSpace::Luma,
        ColorKind::YCbCr => ColorSpace::YCbCr,
        ColorKind::Rgb => ColorSpace::RGB,
        ColorKind::Cmyk => ColorSpace::CMYK,
        ColorKind::Ycck => ColorSpace::YCCK,
    };
    let options = DecoderOptions::default()
        .jpeg_set_out_colorspace(space)
        .set_strict_mode(strict);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let data = decoder.decode().map_err(|error| format!("{error:?}"))?;
    let (width, height) = decoder.dimensions().ok_or("no dimensions")?;
    Ok(Reference {
        width,
        height,
        channels: space.num_components(),
        data,
    })
}

impl Reference {
    fn byte(&self, channel: usize, y: usize, x: usize) -> u8 {
        self.data[(y * self.width + x) * self.channels + channel]
    }

    /// Mean over the area, in luma pixels, that one sample of the plane stands for.
    fn mean(
        &self,
        channel: usize,
        rows: std::ops::Range<usize>,
        columns: std::ops::Range<usize>,
    ) -> f64 {
        let count = rows.len() * columns.len();
        let value = |(y, x): (usize, usize)| {
            f64::from(self.data[(y * self.width + x) * self.channels + channel])
        };
        let places = rows.flat_map(|y| columns.clone().map(move |x| (y, x)));
        places.map(value).sum::<f64>() / count as f64
    }

    /// Box average to the samples of a plane that lie wholly within the picture, row by row.
    pub fn boxed(&self, channel: usize, plane: &Plane<'_>) -> Boxed {
        let (step_x, step_y) = (
            self.width as f64 / plane.exact_width,
            self.height as f64 / plane.exact_height,
        );
        let (step_x, step_y) = (step_x.round() as usize, step_y.round() as usize);
        let (width, height) = (self.width / step_x, self.height / step_y);
        let cells = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
        let data = cells
            .map(|(y, x)| {
                self.mean(
                    channel,
                    y * step_y..(y + 1) * step_y,
                    x * step_x..(x + 1) * step_x,
                )
            })
            .collect();
        Boxed {
            width,
            height,
            data,
        }
    }
}

impl Reference {
    /// The whole 8 × 8 blocks of a channel as the N-point inverse transform of their N × N lowest
    /// coefficients. NaN where a sample of the block is black or white: it may have been clipped,
    /// and we don't clip before scaling.
    pub fn transformed(&self, channel: usize, n: usize) -> Boxed {
        // Down[y][row]: weight of a block's row in row y of the scaled block; the same across.
        let weight = |y: usize, row: usize| -> f64 {
            let cosine = |position: usize, size: usize, u: usize| {
                ((2 * position + 1) as f64 * u as f64 * std::f64::consts::PI / (2 * size) as f64)
                    .cos()
            };
            (0..n)
                .map(|u| {
                    if u == 0 {
                        0.125
                    } else {
                        0.25 * cosine(y, n, u) * cosine(row, 8, u)
                    }
                })
                .sum()
        };
        let weights: Vec<Vec<f64>> = (0..n)
            .map(|y| (0..8).map(|row| weight(y, row)).collect())
            .collect();
        let (width, height) = (self.width / 8 * n, self.height / 8 * n);
        let value = |y: usize, x: usize| f64::from(self.byte(channel, y, x));
        let sample = |y: usize, x: usize| -> f64 {
            let (top, left) = (y / n * 8, x / n * 8);
            let clipped =
                |i: usize| matches!(self.byte(channel, top + i / 8, left + i % 8), 0 | 255);
            if (0..64).any(clipped) {
                return f64::NAN;
            }
            let across = |row: usize| -> f64 {
                (0..8)
                    .map(|c| weights[x % n][c] * value(top + row, left + c))
                    .sum()
            };
            (0..8)
                .map(|row| weights[y % n][row] * across(row))
                .sum::<f64>()
                .clamp(0.0, 255.0)
        };
        let data = (0..height)
            .flat_map(|y| (0..width).map(move |x| (y, x)))
            .map(|(y, x)| sample(y, x))
            .collect();
        Boxed {
            width,
            height,
            data,
        }
    }
}

pub struct Boxed {
    pub width: usize,
    pub height: usize,
    pub data: Vec<f64>,
}

/// Root mean square of the difference, and the largest difference. NaN does not count.
pub fn difference(expected: &Boxed, actual: impl Fn(usize, usize) -> f64) -> (f64, f64) {
    let (mut squares, mut largest, mut count) = (0.0, 0.0_f64, 0);
    for y in 0..expected.height {
        for x in 0..expected.width {
            let error = (expected.data[y * expected.width + x] - actual(x, y)).abs();
            if !error.is_nan() {
                squares += error * error;
                largest = largest.max(error);
                count += 1;
            }
        }
    }
    ((squares / f64::from(count.max(1))).sqrt(), largest)
}
