//! The macroblock in progress, with the samples around it from which it is predicted (RFC 6386,
//! section 12).

use super::modes::{LumaMode, Macroblock};
use super::predict::{predict_subblock, predict_whole};
use super::tokens::{Extent, Residual};
use super::transform::{add_flat, add_full};

/// Samples from one row of an area to the next.
pub const STRIDE: usize = 32;
/// The first sample of the macroblock: a row below the samples above, and after some room for those
/// to the left.
const LUMA_AT: usize = STRIDE + 8;
/// Both chroma planes lie side by side.
const CHROMA_AT: [usize; 2] = [STRIDE + 8, STRIDE + 24];

/// Section 12.2: the samples above the picture, and to its left.
const ABOVE_PICTURE: u8 = 127;
const LEFT_OF_PICTURE: u8 = 129;

pub struct Area {
    luma: [u8; 17 * STRIDE],
    chroma: [u8; 9 * STRIDE],
}

/// The lowest row of the macroblocks above, before any filter: 16 samples of luma and 8 of each
/// chroma plane for each.
#[derive(Default)]
pub struct Above {
    luma: Vec<[u8; 16]>,
    chroma: [Vec<[u8; 8]>; 2],
}

impl Above {
    pub fn reset(&mut self, columns: usize) {
        self.luma.clear();
        self.luma.resize(columns, [ABOVE_PICTURE; 16]);
        for plane in &mut self.chroma {
            plane.clear();
            plane.resize(columns, [ABOVE_PICTURE; 8]);
        }
    }
}

impl Default for Area {
    fn default() -> Self {
        Self {
            luma: [0; 17 * STRIDE],
            chroma: [0; 9 * STRIDE],
        }
    }
}

impl Area {
    /// Begins a row of macroblocks.
    pub fn begin_row(&mut self, is_first: bool) {
        let corner = if is_first {
            ABOVE_PICTURE
        } else {
            LEFT_OF_PICTURE
        };
        begin_left(&mut self.luma, LUMA_AT, corner);
        for at in CHROMA_AT {
            begin_left(&mut self.chroma, at, corner);
        }
    }

    /// Moves on by a macroblock: its right samples are the left ones of the next.
    pub fn advance(&mut self) {
        for row in self.luma.as_chunks_mut::<STRIDE>().0 {
            row[7] = row[23];
        }
        for row in self.chroma.as_chunks_mut::<STRIDE>().0 {
            (row[7], row[23]) = (row[15], row[31]);
        }
    }

    /// Makes the macroblock in this column and row, and clears `residual`.
    pub fn make(
        &mut self,
        macroblock: &Macroblock,
        residual: &mut Residual,
        above: &mut Above,
        (column, row): (usize, usize),
    ) {
        self.luma[LUMA_AT - STRIDE..][..16].copy_from_slice(&above.luma[column]);
        for (at, plane) in CHROMA_AT.iter().zip(&above.chroma) {
            self.chroma[at - STRIDE..][..8].copy_from_slice(&plane[column]);
        }
        let has = (row > 0, column > 0);
        match &macroblock.luma {
            LumaMode::Whole(mode) => {
                predict_whole::<16>(&mut self.luma, LUMA_AT, *mode, has);
                for index in 0..16 {
                    add(residual, index, &mut self.luma, luma_at(index));
                }
            }
            LumaMode::Subblocks(modes) => {
                self.set_above_right(above, column, row);
                for (index, mode) in modes.iter().enumerate() {
                    predict_subblock(&mut self.luma, luma_at(index), *mode);
                    add(residual, index, &mut self.luma, luma_at(index));
                }
            }
        }
        for (plane, at) in CHROMA_AT.into_iter().enumerate() {
            predict_whole::<8>(&mut self.chroma, at, macroblock.chroma, has);
            for index in 0..4 {
                let at = at + index / 2 * 4 * STRIDE + index % 2 * 4;
                add(residual, 16 + plane * 4 + index, &mut self.chroma, at);
            }
        }
        above.luma[column].copy_from_slice(&self.luma[LUMA_AT + 15 * STRIDE..][..16]);
        for (at, plane) in CHROMA_AT.iter().zip(&mut above.chroma) {
            plane[column].copy_from_slice(&self.chroma[at + 7 * STRIDE..][..8]);
        }
    }

    /// Section 12.3: the sub-blocks of the last column have the same samples above to the right,
    /// whatever their row: those of the macroblock there. After the last macroblock, the last
    /// sample is repeated.
    fn set_above_right(&mut self, above: &Above, column: usize, row: usize) {
        let samples = match above.luma.get(column + 1) {
            _ if row == 0 => [ABOVE_PICTURE; 4],
            Some(next) => [next[0], next[1], next[2], next[3]],
            None => [above.luma[column][15]; 4],
        };
        for y in [0, 4, 8, 12] {
            self.luma[LUMA_AT + 16 + y * STRIDE - STRIDE..][..4].copy_from_slice(&samples);
        }
    }

    pub fn luma_rows(&self) -> impl Iterator<Item = &[u8]> {
        let rows = self.luma[LUMA_AT - 8..].chunks_exact(STRIDE);
        rows.map(|row| &row[8..24])
    }

    pub fn chroma_rows(&self, plane: usize) -> impl Iterator<Item = &[u8]> {
        let rows = self.chroma[STRIDE..].chunks_exact(STRIDE);
        rows.map(move |row| &row[8 + 16 * plane..][..8])
    }
}

fn begin_left(area: &mut [u8], at: usize, corner: u8) {
    let left = area.iter_mut().skip(at - STRIDE - 1).step_by(STRIDE);
    left.for_each(|sample| *sample = LEFT_OF_PICTURE);
    area[at - STRIDE - 1] = corner;
}

#[inline(always)]
fn luma_at(index: usize) -> usize {
    LUMA_AT + index / 4 * 4 * STRIDE + index % 4 * 4
}

#[inline(always)]
fn add(residual: &mut Residual, index: usize, area: &mut [u8], at: usize) {
    let block = &mut residual.blocks[index];
    match residual.extents[index] {
        Extent::Empty => return,
        Extent::Flat => {
            add_flat(block[0], area, at);
            block[0] = 0;
        }
        Extent::Full => {
            add_full(block, area, at);
            *block = [0; 16];
        }
    }
    residual.extents[index] = Extent::Empty;
}
