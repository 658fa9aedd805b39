//! Scans of DC coefficients in progressive pictures (ITU-T T.81, G.1.2.1): a picture at 1/8 needs
//! no others.

use super::bits::{Bits, Input};
use super::error::JpegError;
use super::huffman::DcTable;
use super::progressive::{CORRUPT, ProgressiveScan};
use super::scan::Progress;
use super::symbols::{BadCode, dc_difference};

/// A block of the MCU.
struct Place<'t> {
    part: usize,
    /// `None` in a refinement.
    table: Option<&'t DcTable>,
    /// Its DC coefficient in the row's first MCU, for MCU row 0.
    start: usize,
    /// From one MCU to the next, and from one MCU row to the next.
    mcu_step: usize,
    row_step: usize,
}

impl ProgressiveScan<'_> {
    /// Decodes into `values`, which has `block_len` coefficients for each block.
    #[inline(never)]
    pub(super) fn decode_dc(
        &self,
        input: &mut Input<'_>,
        values: &mut [i16],
        block_len: usize,
    ) -> Progress {
        let places = self.places(block_len);
        let (columns, rows) = match self.parts.as_slice() {
            [only] => (only.layout.blocks_w, only.layout.blocks_h),
            _ => (self.layout.mcus_w, self.layout.mcus_h),
        };
        let low = self.scan.low;
        let mut predictions = [0_i32; 4];
        let mut bits = Bits::default();
        let (mut until_restart, mut restarts) = (self.restart_interval as usize, 0);
        for row in 0..rows {
            // Where the next MCU's coefficients go.
            let mut ats: Vec<usize> = places
                .iter()
                .map(|place| place.start + row * place.row_step)
                .collect();
            let mut decode_row = || -> Result<(), JpegError> {
                let mut column = 0;
                while column < columns {
                    let mut run = columns - column;
                    if self.restart_interval > 0 {
                        if until_restart == 0 {
                            input.check_overrun(bits)?;
                            bits = input.restart(restarts)?;
                            predictions = [0; 4];
                            (until_restart, restarts) =
                                (self.restart_interval as usize, restarts + 1);
                        }
                        run = run.min(until_restart);
                        until_restart -= run;
                    }
                    column += run;
                    for _ in 0..run {
                        input.begin_mcu(&mut bits)?;
                        if self.scan.high > 0 {
                            // An MCU has no more blocks than a refill has bits.
                            bits.refill(input.window());
                            for (place, at) in places.iter().zip(&mut ats) {
                                values[*at] |= (bits.take(1) << low) as i16;
                                *at += place.mcu_step;
                            }
                            continue;
                        }
                        for (place, at) in places.iter().zip(&mut ats) {
                            let table = place.table.ok_or(CORRUPT)?;
                            bits.refill(input.window());
                            let difference = dc_difference(&mut bits, input.window(), table)
                                .map_err(|BadCode| CORRUPT)?;
                            let prediction = &mut predictions[place.part & 3];
                            *prediction = prediction.wrapping_add(difference);
                            values[*at] = (*prediction << low) as i16;
                            *at += place.mcu_step;
                        }
                    }
                }
                input.end_row(bits)
            };
            if let Err(error) = decode_row() {
                return Progress {
                    rows: self.pixel_rows(row),
                    stopped: Some(error),
                };
            }
        }
        Progress {
            rows: self.pixel_rows(rows),
            stopped: None,
        }
    }

    fn places(&self, block_len: usize) -> Vec<Place<'_>> {
        let mut places = Vec::new();
        for (index, part) in self.parts.iter().enumerate() {
            let c = part.layout;
            let (h, v) = if self.parts.len() > 1 {
                (c.h, c.v)
            } else {
                (1, 1)
            };
            for y in 0..v {
                for x in 0..h {
                    places.push(Place {
                        part: index,
                        table: part.dc,
                        start: (part.first_block + y * c.padded_w + x) * block_len,
                        mcu_step: h * block_len,
                        row_step: v * c.padded_w * block_len,
                    });
                }
            }
        }
        places
    }
}
