//! Sequential scans at 1/8, where a block is its mean: only DC coefficients matter, and all AC
//! symbols are skipped.
//!
//! The end of a block cannot be predicted, and a loop that branches on it loses more time to the
//! processor's wrong guesses than to look-ups. So there is one loop over look-ups whose steps are
//! all alike. Each takes the DC difference of a block or several AC symbols, and computes without a
//! branch what comes next (which table, which block).

use std::hint::select_unpredictable;

use super::bits::{Bits, Input, Window};
use super::error::JpegError;
use super::huffman::HuffmanCode;
use super::idct::Transform;
use super::intervals::Intervals;
use super::scan::Progress;
use super::sequential::SequentialScan;
use super::steps::{ENTRIES, StepTables, TABLES, difference, slow_difference};
use super::symbols::{BadCode, slow_ac, slow_dc, step_over_bad};

impl SequentialScan<'_> {
    /// Decodes at 1/8 into `samples`, the buffer that all planes share.
    #[inline(never)]
    pub fn decode_means(
        &self,
        tables: &StepTables,
        entries: &mut Vec<u16>,
        input: &mut Input<'_>,
        samples: &mut [u8],
    ) -> Result<Progress, JpegError> {
        let places = self.places();
        let coders: Vec<usize> = places.iter().map(|place| place.coder).collect();
        let mcu = Mcu::new(self, tables, &coders);
        let transforms: Option<Vec<&Transform>> = self
            .scan
            .components
            .iter()
            .map(|c| self.transforms[c.index].as_ref())
            .collect();
        let transforms = transforms.ok_or(JpegError::Corrupt("scan without its tables"))?;
        let (columns, rows) = self.mcus();
        entries.resize(columns * places.len() + 1, 0);
        let mut predictions = [0_i32; 4];
        let mut bits = Bits::default();
        let mut intervals = Intervals::new(self.restart_interval);
        for row in 0..rows {
            // Where the next MCU's blocks go.
            let mut ats: Vec<usize> = places
                .iter()
                .map(|place| place.start + row * place.row_step)
                .collect();
            let mut column = 0;
            let mut decode_row = || -> Result<(), JpegError> {
                while column < columns {
                    let run = intervals.next_run(columns - column, input, &mut bits)?;
                    column += run.mcus;
                    if run.is_new {
                        predictions = [0; 4];
                    }
                    let mut read = 0;
                    if !run.is_lost {
                        let run_entries = &mut entries[..run.mcus * places.len() + 1];
                        read = step_over(&mut bits, input, &mcu, run_entries, &mut intervals)?;
                        for entries in run_entries.chunks_exact(places.len()).take(read) {
                            for ((place, at), &entry) in places.iter().zip(&mut ats).zip(entries) {
                                let prediction = &mut predictions[place.coder & 3];
                                *prediction = prediction.wrapping_add(i32::from(difference(entry)));
                                samples[*at] = transforms[place.coder].mean(*prediction as i16);
                                *at += place.mcu_step;
                            }
                        }
                    }
                    for (place, at) in places.iter().zip(&mut ats) {
                        *at += (run.mcus - read) * place.mcu_step;
                    }
                }
                intervals.end_row(input, bits)
            };
            if let Err(error) = decode_row() {
                return Ok(Progress {
                    rows: self.pixel_rows(row),
                    stopped: Some(error),
                    damage: intervals.damage(),
                    is_smoothed: false,
                });
            }
        }
        Ok(Progress {
            rows: self.pixel_rows(rows),
            stopped: None,
            damage: intervals.damage(),
            is_smoothed: false,
        })
    }
}

/// The blocks of an MCU, at most 10 (16 for a cheap bounds check).
struct Mcu<'t> {
    entries: &'t [u16; 8 * ENTRIES],
    /// First entry of the table for a block's AC coefficients in the lower half, of that for the DC
    /// coefficient of the block that follows in the upper.
    tables: [u64; 16],
    /// Codes of these tables.
    codes: [(Option<&'t HuffmanCode>, Option<&'t HuffmanCode>); 16],
    /// A block's number, exclusive or that of the next.
    to_next: [usize; 16],
    last: usize,
}

impl<'t> Mcu<'t> {
    /// `coders` gives, for each block, the index of its component in the scan.
    fn new(scan: &SequentialScan<'_>, tables: &'t StepTables, coders: &[usize]) -> Self {
        let around = |index: usize| (index % coders.len(), (index + 1) % coders.len());
        let slots = |index: usize| {
            let (own, next) = around(index);
            (
                4 + (scan.scan.components[coders[own]].ac & 3),
                scan.scan.components[coders[next]].dc & 3,
            )
        };
        Self {
            entries: tables.entries(),
            tables: std::array::from_fn(|index| {
                let (ac, dc) = slots(index);
                ((dc * ENTRIES) as u64) << 32 | (ac * ENTRIES) as u64
            }),
            codes: std::array::from_fn(|index| {
                let (ac, dc) = slots(index);
                (tables.code(ac), tables.code(dc))
            }),
            to_next: std::array::from_fn(|index| around(index).0 ^ around(index).1),
            last: coders.len() - 1,
        }
    }
}

/// What the loop carries from step to step.
#[derive(Clone, Copy)]
struct Step {
    bits: Bits,
    /// First entry of the table for the next look-up.
    table: u32,
    /// 1 if that is for the DC coefficient of the next block, else 0.
    dc: usize,
    /// Index of the next coefficient.
    k: usize,
    /// Block in the MCU.
    block: usize,
    /// DC coefficients read.
    done: usize,
}

/// Decodes as many blocks as `entries` has places, less one, to which the loop writes without
/// meaning to. It writes entries of DC tables. Returns how many whole MCUs there were: fewer only if
/// the data ends and another interval follows.
#[inline(never)]
fn step_over(
    bits: &mut Bits,
    input: &mut Input<'_>,
    mcu: &Mcu<'_>,
    entries: &mut [u16],
    intervals: &mut Intervals,
) -> Result<usize, JpegError> {
    let total = entries.len() - 1;
    let first_dc = (mcu.tables[mcu.last & 15] >> 32) as u32;
    let mut step = Step {
        bits: *bits,
        table: first_dc,
        dc: 1,
        k: 0,
        block: mcu.last,
        done: 0,
    };
    loop {
        step = fast_steps(step, input, mcu, entries);
        if step.done == total && step.dc == 1 {
            *bits = step.bits;
            return Ok(total / (mcu.last + 1));
        }
        if let Err(error) = input.begin_mcu(&mut step.bits) {
            intervals.lose(error, input)?;
            return Ok(step.done / (mcu.last + 1));
        }
        step.bits.refill(input.window());
        step = match advance(step, mcu, entries) {
            Some(next) => next,
            None => match slow_step(step, input.window(), mcu, entries) {
                Ok(next) => next,
                Err(BadCode) => {
                    intervals.tolerate(JpegError::Corrupt("entropy-coded data"), input)?;
                    step_on(step, input.window(), mcu, entries)
                }
            },
        };
    }
}

/// Goes on as long as nothing has to be checked: the window has enough, the tables know the
/// symbols, and more blocks are missing than a round can begin.
#[inline(always)]
fn fast_steps(mut step: Step, input: &Input<'_>, mcu: &Mcu<'_>, entries: &mut [u16]) -> Step {
    while step.done + STEPS < entries.len() && input.holds_mcu(step.bits) {
        step.bits.refill(input.window());
        for _ in 0..STEPS {
            match advance(step, mcu, entries) {
                Some(next) => step = next,
                None => return step,
            }
        }
    }
    step
}

/// Steps that one refill serves: a DC look-up or MAX_SKIPPED_BITS each.
const STEPS: usize = 3;

/// One step, or `None` if the tables don't have the symbol or the block ends without a symbol for
/// its end.
#[inline(always)]
fn advance(step: Step, mcu: &Mcu<'_>, entries: &mut [u16]) -> Option<Step> {
    let at = (step.table as usize & TABLES) | StepTables::index(step.bits.peek());
    let entry = mcu.entries[at];
    // After a DC look-up `done` moves on; the next step overwrites what others write.
    *entries.get_mut(step.done)? = entry;
    let next = step.k + (usize::from(entry >> 6) & 63 & step.dc.wrapping_sub(1));
    if entry & 63 == 0 || next > 63 {
        return None;
    }
    let mut bits = step.bits;
    bits.consume(u32::from(entry & 63));
    // The block of the last look-up, known since the step before.
    let block = step.block ^ (mcu.to_next[step.block & 15] & step.dc.wrapping_neg());
    let tables = mcu.tables[block & 15];
    let ends = (entry as i16) < 0;
    Some(Step {
        bits,
        table: select_unpredictable(ends, (tables >> 32) as u32, tables as u32),
        dc: usize::from(entry >> 15),
        k: select_unpredictable(ends, 0, next + step.dc),
        block,
        done: step.done + step.dc,
    })
}

/// The step that [`advance`] did not take.
#[cold]
#[inline(never)]
fn slow_step(
    mut step: Step,
    window: &Window,
    mcu: &Mcu<'_>,
    entries: &mut [u16],
) -> Result<Step, BadCode> {
    let (ac_code, next_dc_code) = mcu.codes[step.block & 15];
    step.bits.refill(window);
    if step.dc == 1 {
        let (bits, difference) = slow_dc(step.bits, window, next_dc_code.ok_or(BadCode)?)?;
        entries[step.done] = slow_difference(difference);
        return Ok(step.after_dc(bits, mcu));
    }
    let (bits, next, _) = slow_ac(step.bits, window, ac_code.ok_or(BadCode)?, step.k as u32)?;
    if next <= 63 {
        return Ok(Step {
            bits,
            k: next as usize,
            ..step
        });
    }
    Ok(step.after_block(bits, mcu))
}

/// The step after a symbol that breaks the code, as libjpeg does it: a DC coefficient stays what it
/// was, and AC coefficients end.
#[cold]
#[inline(never)]
fn step_on(step: Step, window: &Window, mcu: &Mcu<'_>, entries: &mut [u16]) -> Step {
    let (ac_code, next_dc_code) = mcu.codes[step.block & 15];
    let code = if step.dc == 1 { next_dc_code } else { ac_code };
    let bits = code.map_or(step.bits, |code| step_over_bad(step.bits, window, code));
    if step.dc == 1 {
        entries[step.done] = slow_difference(0);
        return step.after_dc(bits, mcu);
    }
    step.after_block(bits, mcu)
}

impl Step {
    fn after_dc(self, bits: Bits, mcu: &Mcu<'_>) -> Self {
        let block = self.block ^ mcu.to_next[self.block & 15];
        Self {
            bits,
            table: mcu.tables[block & 15] as u32,
            dc: 0,
            k: 1,
            block,
            done: self.done + 1,
        }
    }

    fn after_block(self, bits: Bits, mcu: &Mcu<'_>) -> Self {
        Self {
            bits,
            table: (mcu.tables[self.block & 15] >> 32) as u32,
            dc: 1,
            k: 0,
            ..self
        }
    }
}
