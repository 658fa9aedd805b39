//! From planes to blocks, in the order of MCUs (ITU-T T.81, A.2).

use super::Planes;
use super::forward::{Block, Quantizer};
use super::tables::{CHROMINANCE, LUMINANCE, quantization};
use crate::jpeg::tables::Quantization;

/// Takes the blocks of a picture as they come.
pub trait BlockSink {
    /// `COMPONENT`: 0 is luma, 1 and 2 are chroma.
    fn take<const COMPONENT: usize>(&mut self, block: &Block);
}

/// A picture, and how its coefficients are quantised.
pub struct Source<'a> {
    pub picture: &'a Planes<'a>,
    /// Of luminance, of chrominance.
    pub steps: [Quantization; 2],
}

impl<'a> Source<'a> {
    pub fn new(picture: &'a Planes<'a>, quality: u8) -> Self {
        Self {
            picture,
            steps: [LUMINANCE, CHROMINANCE].map(|table| quantization(&table, quality)),
        }
    }

    pub fn each_block(&self, sink: &mut impl BlockSink) {
        let picture = self.picture;
        let (width, height) = (usize::from(picture.width), usize::from(picture.height));
        let [luma, chroma] = self.steps.each_ref().map(Quantizer::new);
        let (columns, rows) = (width.div_ceil(16), height.div_ceil(16));
        let mut y = Strip::new(picture.y, width, height, 16 * columns, 16);
        let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
        let mut cb = Strip::new(picture.cb, half_width, half_height, 8 * columns, 8);
        let mut cr = Strip::new(picture.cr, half_width, half_height, 8 * columns, 8);
        for row in 0..rows {
            y.fill(row);
            cb.fill(row);
            cr.fill(row);
            for column in 0..columns {
                for at in [0, 8, 8 * y.stride, 8 * y.stride + 8] {
                    sink.take::<0>(&luma.block(&y.samples[16 * column + at..], y.stride));
                }
                sink.take::<1>(&chroma.block(&cb.samples[8 * column..], cb.stride));
                sink.take::<2>(&chroma.block(&cr.samples[8 * column..], cr.stride));
            }
        }
    }
}

/// The rows of one plane in a row of MCUs. Where the picture ends its last samples are repeated.
struct Strip<'a> {
    plane: &'a [u8],
    width: usize,
    height: usize,
    samples: Vec<u8>,
    stride: usize,
    rows: usize,
}

impl<'a> Strip<'a> {
    fn new(plane: &'a [u8], width: usize, height: usize, stride: usize, rows: usize) -> Self {
        Self {
            plane,
            width,
            height,
            samples: vec![0; stride * rows],
            stride,
            rows,
        }
    }

    fn fill(&mut self, mcu_row: usize) {
        let lines = self.samples.chunks_exact_mut(self.stride);
        for (line, y) in lines.zip(mcu_row * self.rows..) {
            let start = y.min(self.height - 1) * self.width;
            let from = &self.plane[start..start + self.width];
            line[..self.width].copy_from_slice(from);
            line[self.width..].fill(from[self.width - 1]);
        }
    }
}
