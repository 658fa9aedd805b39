//! Scans of DC coefficients in progressive pictures (ITU-T T.81, G.1.2.1): a picture at 1/8 needs
//! no others.

use super::bits::{Bits, Input};
use super::error::JpegError;
use super::huffman::{DcTable, LookupTable};
use super::intervals::Intervals;
use super::progressive::{CORRUPT, ProgressiveScan};
use super::scan::Progress;
use super::symbols::{BadCode, dc_difference, step_over_bad};

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
        let mut intervals = Intervals::new(self.restart_interval);
        for row in 0..rows {
            // Where the next MCU's coefficients go.
            let mut ats: Vec<usize> = places
                .iter()
                .map(|place| place.start + row * place.row_step)
                .collect();
            let mut decode_row = || -> Result<(), JpegError> {
                let mut column = 0;
                while column < columns {
                    let run = intervals.next_run(columns - column, input, &mut bits)?;
                    column += run.mcus;
                    if run.is_new {
                        predictions = [0; 4];
                    }
                    let mut missing = if run.is_lost { run.mcus } else { 0 };
                    for done in missing..run.mcus {
                        if let Err(error) = input.begin_mcu(&mut bits) {
                            intervals.lose(error, input)?;
                            missing = run.mcus - done;
                            break;
                        }
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
                            let difference = match dc_difference(&mut bits, input.window(), table) {
                                Ok(difference) => difference,
                                Err(BadCode) => {
                                    intervals.tolerate(CORRUPT, input)?;
                                    bits = step_over_bad(bits, input.window(), table.code());
                                    0
                                }
                            };
                            let prediction = &mut predictions[place.part & 3];
                            *prediction = prediction.wrapping_add(difference);
                            values[*at] = (*prediction << low) as i16;
                            *at += place.mcu_step;
                        }
                    }
                    for (place, at) in places.iter().zip(&mut ats) {
                        *at += missing * place.mcu_step;
                    }
                }
                intervals.end_row(input, bits)
            };
            if let Err(error) = decode_row() {
                return Progress {
                    rows: self.pixel_rows(row),
                    stopped: Some(error),
                    damage: intervals.damage(),
                    is_smoothed: false,
                };
            }
        }
        Progress {
            rows: self.pixel_rows(rows),
            stopped: None,
            damage: intervals.damage(),
            is_smoothed: false,
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
