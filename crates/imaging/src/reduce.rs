//! Averaging rows as they are decoded, so that no full-size picture is ever held.
//!
//! Boxes of whole pixels are averaged until the picture is still at least twice the thumbnail;
//! the rest is left to Lanczos. Pixels with alpha are weighted by it (premultiplied) before
//! they are averaged, so that the colour of transparent pixels does not bleed.

use super::geometry::{Size, averaging_box};
use super::raster::{Layout, Raster};

/// Takes the rows of a picture from top to bottom and gives back a smaller one.
pub(crate) struct BoxReducer {
    layout: Layout,
    source: Size,
    averaged: Size,
    /// Sums of the rows of the current box, one per sample of a source row.
    column_sums: Vec<u16>,
    rows_in_box: u32,
    rows_pushed: u32,
    premultiplied_row: Vec<u8>,
    pixels: Vec<u8>,
}

impl BoxReducer {
    /// Bytes that a reducer, its result, and the copy that is resampled hold at most.
    pub(crate) fn memory_bytes(source: Size, thumbnail: Size, channels: usize) -> usize {
        let averaged = averaging_box(source, thumbnail);
        let reduced = reduced_size(source, averaged);
        let row = source.width as usize * channels;
        // Two and three channels are padded to four.
        let copied = if channels == 2 || channels == 3 { 4 } else { 0 };
        reduced.area() * (channels + copied) + 3 * row
    }

    pub(crate) fn new(source: Size, thumbnail: Size, layout: Layout) -> Self {
        Self::with_box(source, averaging_box(source, thumbnail), layout)
    }

    /// Averages boxes of this size, of at most 257 rows.
    pub(crate) fn with_box(source: Size, averaged: Size, layout: Layout) -> Self {
        let channels = layout.channels();
        let row = source.width as usize * channels;
        Self {
            layout,
            source,
            averaged,
            column_sums: vec![0; if averaged.height > 1 { row } else { 0 }],
            rows_in_box: 0,
            rows_pushed: 0,
            premultiplied_row: Vec::new(),
            pixels: Vec::with_capacity(reduced_size(source, averaged).area() * channels),
        }
    }

    pub(crate) fn source(&self) -> Size {
        self.source
    }

    /// Rows that were pushed so far.
    pub(crate) fn rows_pushed(&self) -> u32 {
        self.rows_pushed
    }

    /// Adds the next row; rows below the picture are ignored.
    pub(crate) fn push_row(&mut self, row: &[u8]) {
        if !self.layout.has_alpha() {
            return self.push_premultiplied_row(row);
        }
        let mut premultiplied = std::mem::take(&mut self.premultiplied_row);
        premultiplied.resize(row.len(), 0);
        match self.layout {
            Layout::LumaAlpha => premultiply_grey(row, &mut premultiplied),
            _ => premultiply_rgb(row, &mut premultiplied),
        }
        self.push_premultiplied_row(&premultiplied);
        self.premultiplied_row = premultiplied;
    }

    /// Adds the next row, whose colours are already weighted by their alpha.
    pub(crate) fn push_premultiplied_row(&mut self, row: &[u8]) {
        if self.rows_pushed == self.source.height {
            return;
        }
        self.rows_pushed += 1;
        if self.averaged.height == 1 {
            if self.averaged.width == 1 {
                self.pixels.extend_from_slice(row);
            } else {
                self.average_columns(row, 1);
            }
            return;
        }
        if self.rows_in_box == 0 {
            for (sum, sample) in self.column_sums.iter_mut().zip(row) {
                *sum = u16::from(*sample);
            }
        } else {
            for (sum, sample) in self.column_sums.iter_mut().zip(row) {
                *sum += u16::from(*sample);
            }
        }
        self.rows_in_box += 1;
        if self.rows_in_box == self.averaged.height || self.rows_pushed == self.source.height {
            let sums = std::mem::take(&mut self.column_sums);
            self.average_columns(&sums, self.rows_in_box);
            self.column_sums = sums;
            self.rows_in_box = 0;
        }
    }

    /// Fills what is missing below with opaque white.
    pub(crate) fn fill_with_white(&mut self) {
        self.fill_with(self.layout.white());
    }

    /// Fills what is missing below with a pixel.
    pub(crate) fn fill_with(&mut self, pixel: &[u8]) {
        let row = pixel.repeat(self.source.width as usize);
        while self.rows_pushed < self.source.height {
            self.push_premultiplied_row(&row);
        }
    }

    pub(crate) fn finish(self) -> Raster {
        let reduced = reduced_size(self.source, self.averaged);
        debug_assert_eq!(self.pixels.len(), reduced.area() * self.layout.channels());
        Raster {
            size: reduced,
            // The last box of a row or column may hold fewer pixels than the others: it covers less
            // of the picture, and the resampling must know that.
            span: (
                f64::from(self.source.width) / f64::from(self.averaged.width),
                f64::from(self.source.height) / f64::from(self.averaged.height),
            ),
            layout: self.layout,
            pixels: self.pixels,
        }
    }

    fn average_columns<T: Copy + Into<u32>>(&mut self, row: &[T], rows: u32) {
        let columns = self.averaged.width as usize;
        match self.layout.channels() {
            1 => average_columns::<T, 1>(row, columns, rows, &mut self.pixels),
            2 => average_columns::<T, 2>(row, columns, rows, &mut self.pixels),
            3 => average_columns::<T, 3>(row, columns, rows, &mut self.pixels),
            _ => average_columns::<T, 4>(row, columns, rows, &mut self.pixels),
        }
    }
}

fn reduced_size(source: Size, averaged: Size) -> Size {
    Size::new(
        source.width.div_ceil(averaged.width),
        source.height.div_ceil(averaged.height),
    )
}

fn average_columns<T: Copy + Into<u32>, const CHANNELS: usize>(
    row: &[T],
    columns: usize,
    rows: u32,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    out.resize(start + row.len().div_ceil(columns * CHANNELS) * CHANNELS, 0);
    let boxes = row.chunks(columns * CHANNELS);
    for (samples, out) in boxes.zip(out[start..].chunks_exact_mut(CHANNELS)) {
        let mut sums = [0_u32; CHANNELS];
        for pixel in samples.chunks_exact(CHANNELS) {
            for (sum, sample) in sums.iter_mut().zip(pixel) {
                *sum += (*sample).into();
            }
        }
        // Multiplying by the reciprocal: a division per sample would cost more than the sums. The
        // 24 bits of a float are more than a byte needs.
        let reciprocal = 1.0 / ((samples.len() / CHANNELS) as u32 * rows) as f32;
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = (sum as i32 as f32 * reciprocal + 0.5) as i32 as u8;
        }
    }
}

/// Weights the colour of each pixel by its alpha.
fn premultiply_grey(row: &[u8], out: &mut [u8]) {
    for (pixel, out) in row.chunks_exact(2).zip(out.chunks_exact_mut(2)) {
        out.copy_from_slice(&[weighted(pixel[0], pixel[1]), pixel[1]]);
    }
}

/// As [`premultiply_grey`].
fn premultiply_rgb(row: &[u8], out: &mut [u8]) {
    for (pixel, out) in row.chunks_exact(4).zip(out.chunks_exact_mut(4)) {
        let alpha = pixel[3];
        let [r, g, b] = [
            weighted(pixel[0], alpha),
            weighted(pixel[1], alpha),
            weighted(pixel[2], alpha),
        ];
        out.copy_from_slice(&[r, g, b, alpha]);
    }
}

/// c·α / 255, rounded exactly, without a division.
#[inline(always)]
pub(crate) fn weighted(sample: u8, alpha: u8) -> u8 {
    let product = u16::from(sample) * u16::from(alpha) + 128;
    ((product + (product >> 8)) >> 8) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reduce(source: Size, thumbnail: Size, layout: Layout, pixels: &[u8]) -> Raster {
        let mut reducer = BoxReducer::new(source, thumbnail, layout);
        for row in pixels.chunks_exact(source.width as usize * layout.channels()) {
            reducer.push_row(row);
        }
        reducer.finish()
    }

    #[test]
    fn boxes_are_averaged_and_the_last_one_is_smaller() {
        // 5 × 5 with boxes of 2 × 2: the thumbnail is 1 × 1.
        let pixels: Vec<u8> = (0..25).map(|index| index * 10).collect();
        let reduced = reduce(Size::new(5, 5), Size::new(1, 1), Layout::Luma, &pixels);
        assert_eq!(reduced.size, Size::new(3, 3));
        assert_eq!(reduced.span, (2.5, 2.5));
        assert_eq!(reduced.pixels, [30, 50, 65, 130, 150, 165, 205, 225, 240]);
    }

    #[test]
    fn a_picture_below_four_times_the_thumbnail_is_left_alone() {
        let pixels: Vec<u8> = (0..12).collect();
        let reduced = reduce(Size::new(3, 4), Size::new(1, 2), Layout::Luma, &pixels);
        assert_eq!(reduced.size, Size::new(3, 4));
        assert_eq!(reduced.pixels, pixels);
    }

    #[test]
    fn white_stays_white_in_every_box_size() {
        for columns in 1..300_u32 {
            let source = Size::new(2 * columns, 600);
            let reduced = reduce(
                source,
                Size::new(1, 1),
                Layout::Rgb,
                &vec![255; source.area() * 3],
            );
            assert!(
                reduced.pixels.iter().all(|sample| *sample == 255),
                "{columns}"
            );
        }
    }

    #[test]
    fn the_colour_of_transparent_pixels_does_not_bleed() {
        let row = [200, 100, 50, 255, 0, 255, 0, 0].repeat(2);
        let reduced = reduce(Size::new(4, 1), Size::new(1, 1), Layout::Rgba, &row);
        assert_eq!(reduced.pixels, [100, 50, 25, 128, 100, 50, 25, 128]);
    }

    #[test]
    fn missing_rows_become_white() {
        let mut reducer = BoxReducer::new(Size::new(1, 3), Size::new(1, 3), Layout::Luma);
        reducer.push_row(&[7]);
        reducer.fill_with_white();
        assert_eq!(reducer.finish().pixels, [7, 255, 255]);
    }
}
