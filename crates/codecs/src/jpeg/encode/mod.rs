//! An encoder of thumbnails: baseline, YCbCr 4:2:0, the standard's own Huffman tables.
//!
//! ```text
//! tables    quantisation by quality, Huffman codes
//! forward   samples → quantised coefficients
//! entropy   coefficients → bits
//! header    the segments before the data
//! ```

mod entropy;
mod forward;
mod header;
mod tables;

use entropy::BlockWriter;
use forward::Quantizer;
use tables::{CHROMINANCE, LUMINANCE, quantization};

/// A picture with halved chroma: `cb` and `cr` have ⌈width / 2⌉ × ⌈height / 2⌉ samples. Neither side is 0.
#[derive(Debug, Clone, Copy)]
pub struct Planes<'a> {
    pub width: u16,
    pub height: u16,
    pub y: &'a [u8],
    pub cb: &'a [u8],
    pub cr: &'a [u8],
}

/// The picture as a JFIF file, at a quality of 1 to 100 on libjpeg's scale.
pub fn encode(picture: &Planes<'_>, quality: u8) -> Vec<u8> {
    let (width, height) = (usize::from(picture.width), usize::from(picture.height));
    let steps = [
        quantization(&LUMINANCE, quality),
        quantization(&CHROMINANCE, quality),
    ];
    let mut file = Vec::with_capacity(width * height / 4 + 1024);
    header::write(&mut file, picture.width, picture.height, &steps);

    let [luma, chroma] = [Quantizer::new(&steps[0]), Quantizer::new(&steps[1])];
    let (columns, rows) = (width.div_ceil(16), height.div_ceil(16));
    let mut y = Strip::new(picture.y, width, height, 16 * columns, 16);
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let mut cb = Strip::new(picture.cb, half_width, half_height, 8 * columns, 8);
    let mut cr = Strip::new(picture.cr, half_width, half_height, 8 * columns, 8);
    let mut writer = BlockWriter::new(&mut file);
    for row in 0..rows {
        y.fill(row);
        cb.fill(row);
        cr.fill(row);
        for column in 0..columns {
            for at in [0, 8, 8 * y.stride, 8 * y.stride + 8] {
                let block = luma.block(&y.samples[16 * column + at..], y.stride);
                writer.luma(&block);
            }
            writer.cb(&chroma.block(&cb.samples[8 * column..], cb.stride));
            writer.cr(&chroma.block(&cr.samples[8 * column..], cr.stride));
        }
    }
    writer.finish();
    file.extend_from_slice(&header::END_OF_IMAGE);
    file
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

#[cfg(test)]
mod tests;
