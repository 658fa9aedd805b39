//! Adam7: seven passes over the picture, each finer than the one before (PNG, section 8.2).

use std::io::Cursor;

use ::png::{InterlaceInfo, Reader};

use super::corrupt;
use crate::decode::ROWS_PER_DEADLINE_CHECK;
use crate::error::ImagingError;
use crate::geometry::Size;
use crate::limits::Limits;
use crate::raster::Layout;
use crate::reduce::BoxReducer;

/// What of a picture can be shown.
pub(super) struct Shown {
    pub rows: u32,
    /// The last passes are missing.
    pub is_coarse: bool,
}

/// Pushes all rows of which the first pass has something: of a file that ends early, the passes
/// that are there show all of the picture, only coarser.
pub(super) fn decode(
    reader: &mut Reader<Cursor<&[u8]>>,
    size: Size,
    layout: Layout,
    limits: &Limits,
    reducer: &mut BoxReducer,
) -> Result<Shown, ImagingError> {
    let stride = size.width as usize * layout.channels();
    let mut picture = vec![0; stride * size.height as usize];
    let end = read_passes(reader, size, layout, limits, &mut picture)?;
    let rows = if end.pass == 0 {
        (end.line * PASSES[0].row_step).min(size.height)
    } else {
        size.height
    };
    for row in 0..rows {
        if row.is_multiple_of(ROWS_PER_DEADLINE_CHECK as u32) {
            limits.check_deadline()?;
        }
        if end.pass < PASSES.len() {
            fill_row(&mut picture, row, size, layout.channels(), &end);
        }
        reducer.push_row(&picture[row as usize * stride..][..stride]);
    }
    Ok(Shown {
        rows,
        is_coarse: end.pass < PASSES.len(),
    })
}

/// The first line that could not be read.
struct End {
    pass: usize,
    line: u32,
}

fn read_passes(
    reader: &mut Reader<Cursor<&[u8]>>,
    size: Size,
    layout: Layout,
    limits: &Limits,
    picture: &mut [u8],
) -> Result<End, ImagingError> {
    let stride = size.width as usize * layout.channels();
    let bits_per_pixel = (layout.channels() * 8) as u8;
    let mut row = vec![0; stride];
    for (index, pass) in PASSES.iter().enumerate() {
        for line in 0..pass.rows(size) {
            if line.is_multiple_of(ROWS_PER_DEADLINE_CHECK as u32) {
                limits.check_deadline()?;
            }
            let info = match reader.read_row(&mut row) {
                Ok(Some(InterlaceInfo::Adam7(info))) => info,
                Err(error) if (index, line) == (0, 0) => return Err(corrupt(error)),
                _ => return Ok(End { pass: index, line }),
            };
            let samples = &row[..pass.columns(size) as usize * layout.channels()];
            ::png::expand_interlaced_row(picture, stride, samples, &info, bits_per_pixel);
        }
    }
    Ok(End {
        pass: PASSES.len(),
        line: 0,
    })
}

/// Gives each pixel of a row that is missing the colour of the one to its left or above it in the
/// grid of the passes before. Rows must be filled from the top.
fn fill_row(picture: &mut [u8], row: u32, size: Size, channels: usize, end: &End) {
    for column in 0..size.width {
        let index = pass_of(column, row);
        let pass = &PASSES[index];
        let line = (row - pass.first_row) / pass.row_step;
        if (index, line) < (end.pass, end.line) {
            continue;
        }
        let at = |x: u32, y: u32| (y as usize * size.width as usize + x as usize) * channels;
        let from = at(column - pass.first_column, row - pass.first_row);
        picture.copy_within(from..from + channels, at(column, row));
    }
}

/// The pass that has this pixel.
fn pass_of(column: u32, row: u32) -> usize {
    const PATTERN: [[u8; 8]; 4] = [
        [0, 5, 3, 5, 1, 5, 3, 5],
        [4, 5, 4, 5, 4, 5, 4, 5],
        [2, 5, 3, 5, 2, 5, 3, 5],
        [4, 5, 4, 5, 4, 5, 4, 5],
    ];
    if row.is_multiple_of(2) {
        PATTERN[(row % 8 / 2) as usize][(column % 8) as usize].into()
    } else {
        6
    }
}

/// Which pixels one pass of Adam7 holds.
struct Pass {
    first_column: u32,
    column_step: u32,
    first_row: u32,
    row_step: u32,
}

impl Pass {
    const fn new(first_column: u32, column_step: u32, first_row: u32, row_step: u32) -> Self {
        Self {
            first_column,
            column_step,
            first_row,
            row_step,
        }
    }

    const fn columns(&self, size: Size) -> u32 {
        size.width
            .saturating_sub(self.first_column)
            .div_ceil(self.column_step)
    }

    /// None in a pass without columns.
    const fn rows(&self, size: Size) -> u32 {
        if self.columns(size) == 0 {
            return 0;
        }
        size.height
            .saturating_sub(self.first_row)
            .div_ceil(self.row_step)
    }
}

/// PNG, section 8.2.
const PASSES: [Pass; 7] = [
    Pass::new(0, 8, 0, 8),
    Pass::new(4, 8, 0, 8),
    Pass::new(0, 4, 4, 8),
    Pass::new(2, 4, 0, 4),
    Pass::new(0, 2, 2, 4),
    Pass::new(1, 2, 0, 2),
    Pass::new(0, 1, 1, 2),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pixel_belongs_to_the_pass_that_steps_on_it() {
        for (row, column) in (0..16).flat_map(|row| (0..16).map(move |column| (row, column))) {
            let pass = &PASSES[pass_of(column, row)];
            let is_on = |at: u32, first: u32, step: u32| at % step == first;
            assert!(
                is_on(column, pass.first_column, pass.column_step),
                "{column}, {row}"
            );
            assert!(is_on(row, pass.first_row, pass.row_step), "{column}, {row}");
        }
    }
}
