//! Lossy pictures with alpha that become much smaller: their samples are weighted by alpha and
//! averaged row by row as they are decoded, in their own colours. What is left is converted.

use std::collections::VecDeque;

use image_webp::WebPDecoder;
use thumbforge_codecs::vp8::{self, Rows, Scratch, Vp8Error};

use super::lossy::loop_filter;
use super::{container, corrupt, data_at, failed};
use crate::decode::deadline_reader::DeadlineReader;
use crate::decode::{Decoded, finish_rows};
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::{Size, averaging_box};
use crate::header::ChunkPlace;
use crate::limits::Limits;
use crate::picture::Pixels;
use crate::raster::{Layout, Raster};
use crate::reduce::{BoxReducer, weighted};

/// Chroma counts for each pixel that it was averaged from, which shows where no boxes of at least
/// two pixels are averaged.
pub(super) fn is_fit(size: Size, target: Size) -> bool {
    let averaged = averaging_box(size, target);
    averaged.width >= 2 && averaged.height >= 2
}

pub(super) fn decode(
    bytes: &[u8],
    (lossy, alpha): (ChunkPlace, ChunkPlace),
    size: Size,
    target: Size,
    limits: &Limits,
    scratch: &mut Scratch,
) -> Result<Decoded<'static>, ImagingError> {
    let alpha = alpha_plane(data_at(bytes, alpha), size, limits)?;
    limits.check_deadline()?;
    let mut joined = Joined {
        alpha: &alpha,
        width: size.width as usize,
        luma: VecDeque::new(),
        chroma: VecDeque::new(),
        spare: Vec::new(),
        row: vec![0; 4 * size.width as usize],
        rows: 0,
        reducer: BoxReducer::new(size, target, Layout::Rgba),
    };
    let progress = vp8::decode(
        data_at(bytes, lossy),
        lossy.declared_bytes,
        loop_filter(size, target),
        limits.deadline,
        scratch,
        &mut joined,
    )
    .map_err(corrupt)?;
    if progress.stopped == Some(Vp8Error::TimedOut) {
        return Err(ImagingError::Timeout);
    }
    let mut reducer = joined.reducer;
    let rows = reducer.rows_pushed();
    // What is missing is white: in these colours, full luma without chroma.
    reducer.fill_with(&[235, 128, 128, 255]);
    let mut decoded = finish_rows(reducer, Format::Webp, rows, size.height)?;
    if let Pixels::Raster(raster) = &mut decoded.pixels {
        to_rgb(raster);
    }
    Ok(decoded)
}

/// RFC 9649, section 2.7.1.2. One byte a pixel.
fn alpha_plane(chunk: &[u8], size: Size, limits: &Limits) -> Result<Vec<u8>, ImagingError> {
    let (&flags, data) = chunk
        .split_first()
        .ok_or_else(|| corrupt("its alpha plane is empty"))?;
    let mut plane = match flags & 3 {
        0 => data
            .get(..size.area())
            .ok_or_else(|| corrupt("its alpha plane ends early"))?
            .to_vec(),
        1 => {
            let file = container::of_alpha(size, data);
            let source = DeadlineReader::new(&file, limits.deadline);
            let mut decoder = WebPDecoder::new(source).map_err(failed)?;
            let mut pixels = vec![0; size.area() * 4];
            decoder
                .read_image(&mut pixels)
                .map_err(|error| limits.timeout_or(failed(error)))?;
            pixels.chunks_exact(4).map(|pixel| pixel[1]).collect()
        }
        _ => return Err(corrupt("its alpha plane is coded in an unknown way")),
    };
    unfilter(&mut plane, size.width as usize, flags >> 2 & 3);
    Ok(plane)
}

/// Adds to each value what is predicted: the one to its left, above it, or both less the one between
/// them. In the first row all predict from the left, in the first column from above.
fn unfilter(plane: &mut [u8], width: usize, method: u8) {
    if method == 0 {
        return;
    }
    for x in 1..width {
        plane[x] = plane[x].wrapping_add(plane[x - 1]);
    }
    for row in 1..plane.len() / width {
        let (above, rest) = plane[(row - 1) * width..].split_at_mut(width);
        let line = &mut rest[..width];
        line[0] = line[0].wrapping_add(above[0]);
        match method {
            1 => {
                for x in 1..width {
                    line[x] = line[x].wrapping_add(line[x - 1]);
                }
            }
            2 => {
                for (value, above) in line[1..].iter_mut().zip(&above[1..]) {
                    *value = value.wrapping_add(*above);
                }
            }
            _ => {
                for x in 1..width {
                    let [left, up, corner] = [line[x - 1], above[x], above[x - 1]].map(i16::from);
                    let predicted = (left + up - corner).clamp(0, 255) as u8;
                    line[x] = line[x].wrapping_add(predicted);
                }
            }
        }
    }
}

/// Joins rows of luma, chroma and alpha.
struct Joined<'a> {
    alpha: &'a [u8],
    width: usize,
    /// Rows that wait for those of the other kind.
    luma: VecDeque<Vec<u8>>,
    chroma: VecDeque<(Vec<u8>, Vec<u8>)>,
    spare: Vec<Vec<u8>>,
    /// Weighted luma and chroma, and alpha, of each pixel.
    row: Vec<u8>,
    rows: usize,
    reducer: BoxReducer,
}

impl Joined<'_> {
    fn copy(&mut self, row: &[u8]) -> Vec<u8> {
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(row);
        copy
    }

    fn join(&mut self) {
        while let (Some(luma), Some((cb, cr))) = (self.luma.front(), self.chroma.front()) {
            let alpha = &self.alpha[self.rows * self.width..][..self.width];
            join_row(luma, (cb, cr), alpha, &mut self.row);
            self.reducer.push_premultiplied_row(&self.row);
            self.rows += 1;
            self.spare.extend(self.luma.pop_front());
            if self.rows.is_multiple_of(2)
                && let Some((cb, cr)) = self.chroma.pop_front()
            {
                self.spare.extend([cb, cr]);
            }
        }
    }
}

impl Rows for Joined<'_> {
    fn luma(&mut self, row: &[u8]) {
        let row = self.copy(row);
        self.luma.push_back(row);
        self.join();
    }

    fn chroma(&mut self, cb: &[u8], cr: &[u8]) {
        let rows = (self.copy(cb), self.copy(cr));
        self.chroma.push_back(rows);
        self.join();
    }
}

/// Pixels that are joined at once: the compiler makes vectors of them.
const BLOCK: usize = 16;

fn join_row(luma: &[u8], (cb, cr): (&[u8], &[u8]), alpha: &[u8], out: &mut [u8]) {
    let whole = luma.len() / BLOCK * BLOCK;
    let (luma_blocks, _) = luma.as_chunks::<BLOCK>();
    let (alpha_blocks, _) = alpha.as_chunks::<BLOCK>();
    let (cb_blocks, _) = cb.as_chunks::<{ BLOCK / 2 }>();
    let (cr_blocks, _) = cr.as_chunks::<{ BLOCK / 2 }>();
    let blocks = luma_blocks
        .iter()
        .zip(alpha_blocks)
        .zip(cb_blocks.iter().zip(cr_blocks));
    for (out, ((luma, alpha), (cb, cr))) in out.chunks_exact_mut(4 * BLOCK).zip(blocks) {
        let chroma = |samples: &[u8; BLOCK / 2]| -> [u8; BLOCK] {
            std::array::from_fn(|x| weighted(samples[x / 2], alpha[x]))
        };
        let luma: [u8; BLOCK] = std::array::from_fn(|x| weighted(luma[x], alpha[x]));
        let (cb, cr) = (chroma(cb), chroma(cr));
        for (x, out) in out.chunks_exact_mut(4).enumerate() {
            out.copy_from_slice(&[luma[x], cb[x], cr[x], alpha[x]]);
        }
    }
    let rest = out[4 * whole..].chunks_exact_mut(4);
    for (x, out) in (whole..).zip(rest) {
        let of = |sample: u8| weighted(sample, alpha[x]);
        out.copy_from_slice(&[of(luma[x]), of(cb[x / 2]), of(cr[x / 2]), alpha[x]]);
    }
}

/// From limited-range YCbCr (ITU-R BT.601) to RGB; both weighted by alpha.
fn to_rgb(raster: &mut Raster) {
    for pixel in raster.pixels.chunks_exact_mut(4) {
        let [y, cb, cr, alpha] = [pixel[0], pixel[1], pixel[2], pixel[3]].map(f32::from);
        let part = alpha / 255.0;
        let y = 255.0 / 219.0 * (y - 16.0 * part);
        let (cb, cr) = (cb - 128.0 * part, cr - 128.0 * part);
        let colours = [
            y + 1.596_027 * cr,
            y - 0.391_762 * cb - 0.812_968 * cr,
            y + 2.017_232 * cb,
        ];
        for (sample, colour) in pixel.iter_mut().zip(colours) {
            *sample = (colour + 0.5).clamp(0.0, alpha) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_is_undone() {
        // 3 × 3: the differences that each filter leaves of 1 2 4, 3 5 8, 6 9 13.
        let plane = [1, 2, 4, 3, 5, 8, 6, 9, 13];
        for (method, stored) in [
            (0, plane),
            (1, [1, 1, 2, 2, 2, 3, 3, 3, 4]),
            (2, [1, 1, 2, 2, 3, 4, 3, 4, 5]),
            (3, [1, 1, 2, 2, 1, 1, 3, 1, 1]),
        ] {
            let mut undone = stored;
            unfilter(&mut undone, 3, method);
            assert_eq!(undone, plane, "{method}");
        }
    }

    #[test]
    fn a_row_is_joined_alike_in_blocks_and_behind_them() {
        let samples = |step: usize| (0..45).map(|x| (x * step) as u8).collect::<Vec<u8>>();
        let (luma, alpha, cb, cr) = (samples(5), samples(7), samples(3), samples(11));
        let mut out = vec![0; 45 * 4];
        join_row(&luma, (&cb, &cr), &alpha, &mut out);
        for (x, pixel) in out.chunks_exact(4).enumerate() {
            let of = |sample: u8| weighted(sample, alpha[x]);
            let expected = [of(luma[x]), of(cb[x / 2]), of(cr[x / 2]), alpha[x]];
            assert_eq!(pixel, expected, "{x}");
        }
    }

    #[test]
    fn colours_come_back_at_any_alpha() {
        for alpha in [255_u8, 128, 7, 0] {
            let of = |sample| weighted(sample, alpha);
            // White, black, and red (81, 90, 240).
            for (ycc, rgb) in [
                ([235, 128, 128], [255; 3]),
                ([16, 128, 128], [0; 3]),
                ([81, 90, 240], [254, 0, 0]),
            ] {
                let [y, cb, cr] = ycc.map(of);
                let mut raster =
                    Raster::whole(Size::new(1, 1), Layout::Rgba, vec![y, cb, cr, alpha]);
                to_rgb(&mut raster);
                for (shown, expected) in raster.pixels.iter().zip(rgb.map(of)) {
                    assert!(
                        shown.abs_diff(expected) <= 3,
                        "{:?} {rgb:?} {alpha}",
                        raster.pixels
                    );
                }
            }
        }
    }
}
