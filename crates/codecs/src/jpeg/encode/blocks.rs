//! From planes to blocks, in the order of MCUs (ITU-T T.81, A.2).

use super::forward::{Block, Quantizer};
use super::picture::{GreyPlane, Picture, Planes};
use super::tables::{CHROMINANCE, LUMINANCE, quantization};
use crate::jpeg::tables::Quantization;

/// Takes the blocks of a picture as they come.
pub trait BlockSink {
    /// `COMPONENT`: 0 is luma, 1 and 2 are chroma.
    fn take<const COMPONENT: usize>(&mut self, block: &Block);
}

/// A picture, and how its coefficients are quantised.
pub struct Source<'a> {
    pub picture: Picture<'a>,
    /// Of luminance, of chrominance.
    pub steps: [Quantization; 2],
}

impl<'a> Source<'a> {
    pub fn new(picture: Picture<'a>, quality: u8) -> Self {
        Self {
            picture,
            steps: [LUMINANCE, CHROMINANCE].map(|table| quantization(&table, quality)),
        }
    }

    pub fn each_block(&self, sink: &mut impl BlockSink) {
        let [luma, chroma] = self.steps.each_ref().map(Quantizer::new);
        match &self.picture {
            Picture::YCbCr(planes) => each_mcu(planes, &luma, &chroma, sink),
            Picture::Grey(plane) => each_grey_block(plane, &luma, sink),
        }
    }
}

fn each_mcu(planes: &Planes<'_>, luma: &Quantizer, chroma: &Quantizer, sink: &mut impl BlockSink) {
    let (width, height) = (usize::from(planes.width), usize::from(planes.height));
    let (columns, rows) = (width.div_ceil(16), height.div_ceil(16));
    let mut y = Strip::new(planes.y, width, height, 16 * columns, 16);
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let mut cb = Strip::new(planes.cb, half_width, half_height, 8 * columns, 8);
    let mut cr = Strip::new(planes.cr, half_width, half_height, 8 * columns, 8);
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

fn each_grey_block(plane: &GreyPlane<'_>, luma: &Quantizer, sink: &mut impl BlockSink) {
    let (width, height) = (usize::from(plane.width), usize::from(plane.height));
    let (columns, rows) = (width.div_ceil(8), height.div_ceil(8));
    let mut y = Strip::new(plane.y, width, height, 8 * columns, 8);
    for row in 0..rows {
        y.fill(row);
        for column in 0..columns {
            sink.take::<0>(&luma.block(&y.samples[8 * column..], y.stride));
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
