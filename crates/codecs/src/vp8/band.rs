//! A row of macroblocks as planes, and the part of the row above that its filter still needs.

use super::filter::{
    Across, Strength, filter_macroblock_edge, filter_simple, filter_subblock_edge,
};

/// Rows of the macroblocks above that are kept: the filter reads four of them and changes three.
pub const KEPT: usize = 4;
/// Of those, what the next row of macroblocks may still change.
const UNFINISHED: usize = 3;

/// One plane of a band: the rows kept, then those of the macroblocks, `SIDE` of them.
#[derive(Default)]
pub struct Plane<const SIDE: usize> {
    samples: Vec<u8>,
    stride: usize,
}

impl<const SIDE: usize> Plane<SIDE> {
    pub fn bytes(columns: usize) -> usize {
        columns * SIDE * (KEPT + SIDE)
    }

    pub fn reset(&mut self, columns: usize) {
        self.stride = columns * SIDE;
        self.samples.clear();
        self.samples.resize(Self::bytes(columns), 0);
    }

    pub fn put<'a>(&mut self, column: usize, rows: impl Iterator<Item = &'a [u8]>) {
        let start = KEPT * self.stride + column * SIDE;
        for (y, row) in rows.take(SIDE).enumerate() {
            let out = &mut self.samples[start + y * self.stride..][..SIDE];
            out.copy_from_slice(&row[..SIDE]);
        }
    }

    /// The rows that are finished. With a filter, those are three rows late: none of them before
    /// the first row of macroblocks, and all that are left after the last.
    pub fn finished(
        &self,
        is_filtered: bool,
        is_first: bool,
        is_last: bool,
    ) -> impl Iterator<Item = &[u8]> {
        let late = if is_filtered { UNFINISHED } else { 0 };
        let first = if is_first { KEPT } else { KEPT - late };
        let end = KEPT + SIDE - if is_last { 0 } else { late };
        self.rows(first, end)
    }

    /// The rows that are held back, once no more macroblocks come.
    pub fn held_back(&self) -> impl Iterator<Item = &[u8]> {
        self.rows(KEPT - UNFINISHED, KEPT)
    }

    fn rows(&self, first: usize, end: usize) -> impl Iterator<Item = &[u8]> {
        self.samples[first * self.stride..end * self.stride].chunks_exact(self.stride)
    }

    /// Makes room for the next row of macroblocks.
    pub fn advance(&mut self) {
        let start = SIDE * self.stride;
        self.samples.copy_within(start.., 0);
    }

    /// Filters a macroblock by the normal filter: left edge, edges within, upper edge, edges
    /// within.
    pub fn filter(
        &mut self,
        strength: &Strength,
        (column, is_first_row): (usize, bool),
        has_inner_edges: bool,
    ) {
        if column > 0 {
            self.at_column(column * SIDE, |samples| {
                filter_macroblock_edge(samples, strength);
            });
        }
        if has_inner_edges {
            for x in (4..SIDE).step_by(4) {
                self.at_column(column * SIDE + x, |samples| {
                    filter_subblock_edge(samples, strength);
                });
            }
        }
        if !is_first_row {
            self.at_row(column, 0, |samples| {
                filter_macroblock_edge(samples, strength);
            });
        }
        if has_inner_edges {
            for y in (4..SIDE).step_by(4) {
                self.at_row(column, y, |samples| filter_subblock_edge(samples, strength));
            }
        }
    }

    /// The same by the simple filter.
    pub fn filter_simple(
        &mut self,
        strength: &Strength,
        (column, is_first_row): (usize, bool),
        has_inner_edges: bool,
    ) {
        let inner = if has_inner_edges { SIDE } else { 0 };
        if column > 0 {
            self.at_column(column * SIDE, |samples| {
                filter_simple(samples, strength.macroblock_edge);
            });
        }
        for x in (4..inner).step_by(4) {
            self.at_column(column * SIDE + x, |samples| {
                filter_simple(samples, strength.subblock_edge);
            });
        }
        if !is_first_row {
            self.at_row(column, 0, |samples| {
                filter_simple(samples, strength.macroblock_edge);
            });
        }
        for y in (4..inner).step_by(4) {
            self.at_row(column, y, |samples| {
                filter_simple(samples, strength.subblock_edge);
            });
        }
    }

    /// The samples to both sides of column `x`.
    #[inline(always)]
    fn at_column(&mut self, x: usize, filter: impl FnOnce(&mut Across<SIDE>)) {
        let mut samples = [[0; SIDE]; 8];
        let start = KEPT * self.stride + x - 4;
        for y in 0..SIDE {
            let row = &self.samples[start + y * self.stride..][..8];
            for (across, sample) in samples.iter_mut().zip(row) {
                across[y] = *sample;
            }
        }
        filter(&mut samples);
        for y in 0..SIDE {
            let row = &mut self.samples[start + y * self.stride..][..8];
            for (across, sample) in samples.iter().zip(row) {
                *sample = across[y];
            }
        }
    }

    /// The samples above and below the upper edge of row `y` of the macroblock.
    #[inline(always)]
    fn at_row(&mut self, column: usize, y: usize, filter: impl FnOnce(&mut Across<SIDE>)) {
        let mut samples = [[0; SIDE]; 8];
        let start = (KEPT + y - 4) * self.stride + column * SIDE;
        for (index, across) in samples.iter_mut().enumerate() {
            across.copy_from_slice(&self.samples[start + index * self.stride..][..SIDE]);
        }
        filter(&mut samples);
        for (index, across) in samples.iter().enumerate().skip(1).take(6) {
            self.samples[start + index * self.stride..][..SIDE].copy_from_slice(across);
        }
    }
}
