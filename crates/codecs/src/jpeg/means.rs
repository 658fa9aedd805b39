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
use super::scan::Progress;
use super::sequential::SequentialScan;
use super::steps::{ENTRIES, StepTables, TABLES, difference, slow_difference};
use super::symbols::{BadCode, slow_ac, slow_dc};

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
        let (mut until_restart, mut restarts) = (self.restart_interval as usize, 0);
        for row in 0..rows {
            // Where the next MCU's blocks go.
            let mut ats: Vec<usize> = places
                .iter()
                .map(|place| place.start + row * place.row_step)
                .collect();
            let mut column = 0;
            let mut decode_row = || -> Result<(), JpegError> {
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
                    let run_entries = &mut entries[..run * places.len() + 1];
                    bits = step_over(bits, input, &mcu, run_entries)?;
                    for entries in run_entries.chunks_exact(places.len()).take(run) {
                        for ((place, at), &entry) in places.iter().zip(&mut ats).zip(entries) {
                            let prediction = &mut predictions[place.coder & 3];
                            *prediction = prediction.wrapping_add(i32::from(difference(entry)));
                            samples[*at] = transforms[place.coder].mean(*prediction as i16);
                            *at += place.mcu_step;
                        }
                    }
                    column += run;
                }
                input.end_row(bits)
            };
            if let Err(error) = decode_row() {
                return Ok(Progress {
                    rows: self.pixel_rows(row),
                    stopped: Some(error),
                });
            }
        }
        Ok(Progress {
            rows: self.pixel_rows(rows),
            stopped: None,
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
/// meaning to. It writes entries of DC tables.
#[inline(never)]
fn step_over(
    bits: Bits,
    input: &mut Input<'_>,
    mcu: &Mcu<'_>,
    entries: &mut [u16],
) -> Result<Bits, JpegError> {
    let total = entries.len() - 1;
    let first_dc = (mcu.tables[mcu.last & 15] >> 32) as u32;
    let mut step = Step {
        bits,
        table: first_dc,
        dc: 1,
        k: 0,
        block: mcu.last,
        done: 0,
    };
    loop {
        step = fast_steps(step, input, mcu, entries);
        if step.done == total && step.dc == 1 {
            return Ok(step.bits);
        }
        input.begin_mcu(&mut step.bits)?;
        step.bits.refill(input.window());
        step = match advance(step, mcu, entries) {
            Some(next) => next,
            None => slow_step(step, input.window(), mcu, entries)?,
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
) -> Result<Step, JpegError> {
    const CORRUPT: JpegError = JpegError::Corrupt("entropy-coded data");
    let (ac_code, next_dc_code) = mcu.codes[step.block & 15];
    step.bits.refill(window);
    if step.dc == 1 {
        let code = next_dc_code.ok_or(CORRUPT)?;
        let (bits, difference) = slow_dc(step.bits, window, code).map_err(|BadCode| CORRUPT)?;
        entries[step.done] = slow_difference(difference);
        let block = step.block ^ mcu.to_next[step.block & 15];
        return Ok(Step {
            bits,
            table: mcu.tables[block & 15] as u32,
            dc: 0,
            k: 1,
            block,
            done: step.done + 1,
        });
    }
    let code = ac_code.ok_or(CORRUPT)?;
    let (bits, next, _) =
        slow_ac(step.bits, window, code, step.k as u32).map_err(|BadCode| CORRUPT)?;
    if next <= 63 {
        return Ok(Step {
            bits,
            k: next as usize,
            ..step
        });
    }
    Ok(Step {
        bits,
        table: (mcu.tables[step.block & 15] >> 32) as u32,
        dc: 1,
        k: 0,
        ..step
    })
}
