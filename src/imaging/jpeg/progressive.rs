//! Scans of progressive pictures (ITU-T T.81, annex G), of whose coefficients only the lowest are kept.

use super::bits::{Bits, Input, Window};
use super::cache::TableCache;
use super::error::JpegError;
use super::huffman::{DcTable, SymbolTable, extend};
use super::idct::{Transform, block_len, last_needed, slots};
use super::plane::{ComponentLayout, Layout};
use super::scan::{Progress, Scan, ScanComponent};
use super::symbols::{BadCode, dc_difference};

/// The coefficients of a picture between its scans.
#[derive(Default)]
pub struct Coefficients {
    /// Component after component, block after block, as [`super::idct`] wants them.
    values: Vec<i16>,
    /// Bit k of a block: coefficient k is not zero. Kept where AC coefficients are, of all 63.
    significance: Vec<u64>,
}

impl Coefficients {
    pub fn reset(&mut self, layout: &Layout, n: usize) {
        let blocks: usize = layout.components.iter().map(ComponentLayout::blocks).sum();
        self.values.clear();
        self.values.resize(blocks * block_len(n), 0);
        self.significance.clear();
        self.significance.resize(if n > 1 { blocks } else { 0 }, 0);
    }

    /// Turns all blocks into samples.
    #[inline(never)]
    pub fn transform<const N: usize>(
        &self,
        layout: &Layout,
        transforms: &[Option<Transform>; 3],
        samples: &mut [u8],
    ) {
        let mut values = self.values.as_slice();
        for (c, transform) in layout.components.iter().zip(transforms) {
            let (own, others) = values.split_at(c.blocks() * block_len(N));
            values = others;
            let Some(transform) = transform else { continue };
            let lines = samples[c.start..c.start + c.samples()].chunks_exact_mut(N * c.stride());
            for (row, lines) in own.chunks_exact(c.padded_w * block_len(N)).zip(lines) {
                for (column, block) in row.chunks_exact(block_len(N)).enumerate() {
                    transform.write::<N>(block, &mut lines[column * N..], c.stride());
                }
            }
        }
    }
}

/// A component's part in a scan.
struct Part<'a> {
    layout: &'a ComponentLayout,
    /// First of its blocks among those of all components.
    first_block: usize,
    /// `None` where the scan does not need them.
    dc: Option<&'a DcTable>,
    ac: Option<&'a SymbolTable>,
}

pub struct ProgressiveScan<'a> {
    scan: &'a Scan,
    layout: &'a Layout,
    parts: Vec<Part<'a>>,
    restart_interval: u32,
}

/// What a scan carries from block to block.
#[derive(Default)]
struct State {
    bits: Bits,
    predictions: [i32; 4],
    /// Blocks, this one included, that have no symbols any more.
    end_of_band_run: u32,
}

const CORRUPT: JpegError = JpegError::Corrupt("entropy-coded data");

impl<'a> ProgressiveScan<'a> {
    pub fn new(
        scan: &'a Scan,
        layout: &'a Layout,
        cache: &'a TableCache,
        restart_interval: u16,
    ) -> Self {
        let part = |c: &ScanComponent| Part {
            layout: &layout.components[c.index],
            first_block: layout.components[..c.index]
                .iter()
                .map(ComponentLayout::blocks)
                .sum(),
            dc: cache.dc.get(c.dc),
            ac: cache.symbols.get(c.ac),
        };
        let parts = scan.components.iter().map(part).collect();
        Self {
            scan,
            layout,
            parts,
            restart_interval: u32::from(restart_interval),
        }
    }

    /// Decodes into `coefficients`.
    #[inline(never)]
    pub fn decode<const N: usize>(
        &self,
        input: &mut Input<'_>,
        coefficients: &mut Coefficients,
    ) -> Progress {
        let (columns, rows) = match self.parts.as_slice() {
            [only] => (only.layout.blocks_w, only.layout.blocks_h),
            _ => (self.layout.mcus_w, self.layout.mcus_h),
        };
        let mut state = State::default();
        let (mut until_restart, mut restarts) = (self.restart_interval, 0);
        for row in 0..rows {
            let mut decode_row = || -> Result<(), JpegError> {
                for column in 0..columns {
                    if self.restart_interval > 0 {
                        if until_restart == 0 {
                            input.check_overrun(state.bits)?;
                            state = State {
                                bits: input.restart(restarts)?,
                                ..State::default()
                            };
                            (until_restart, restarts) = (self.restart_interval, restarts + 1);
                        }
                        until_restart -= 1;
                    }
                    input.begin_mcu(&mut state.bits)?;
                    self.decode_mcu::<N>(input.window(), &mut state, coefficients, row, column)
                        .map_err(|BadCode| CORRUPT)?;
                }
                input.end_row(state.bits)
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

    fn pixel_rows(&self, rows: usize) -> usize {
        match self.parts.as_slice() {
            [only] => rows * self.layout.mcu_rows / only.layout.v,
            _ => rows * self.layout.mcu_rows,
        }
    }

    #[inline(always)]
    fn decode_mcu<const N: usize>(
        &self,
        window: &Window,
        state: &mut State,
        coefficients: &mut Coefficients,
        row: usize,
        column: usize,
    ) -> Result<(), BadCode> {
        if let [only] = self.parts.as_slice() {
            let block = only.first_block + row * only.layout.padded_w + column;
            return self.decode_block::<N>(window, state, coefficients, 0, block);
        }
        for (index, part) in self.parts.iter().enumerate() {
            let c = part.layout;
            for y in 0..c.v {
                let start = part.first_block + (row * c.v + y) * c.padded_w + column * c.h;
                for block in start..start + c.h {
                    self.decode_block::<N>(window, state, coefficients, index, block)?;
                }
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn decode_block<const N: usize>(
        &self,
        window: &Window,
        state: &mut State,
        coefficients: &mut Coefficients,
        part: usize,
        block: usize,
    ) -> Result<(), BadCode> {
        let values = &mut coefficients.values[block * block_len(N)..][..block_len(N)];
        if self.scan.first == 0 {
            return self.decode_dc(window, state, &mut values[0], part);
        }
        let table = self.parts[part].ac.ok_or(BadCode)?;
        let Some(significance) = coefficients.significance.get_mut(block) else {
            return Err(BadCode);
        };
        let mut band = Band::<N> {
            window,
            values,
            significance,
            scan: self.scan,
        };
        if self.scan.high == 0 {
            band.decode_first(&mut state.bits, &mut state.end_of_band_run, table)
        } else {
            band.refine(&mut state.bits, &mut state.end_of_band_run, table)
        }
    }

    #[inline(always)]
    fn decode_dc(
        &self,
        window: &Window,
        state: &mut State,
        value: &mut i16,
        part: usize,
    ) -> Result<(), BadCode> {
        state.bits.refill(window);
        if self.scan.high > 0 {
            *value |= (state.bits.take(1) << self.scan.low) as i16;
            return Ok(());
        }
        let table = self.parts[part].dc.ok_or(BadCode)?;
        let prediction = &mut state.predictions[part & 3];
        *prediction = prediction.wrapping_add(dc_difference(&mut state.bits, window, table)?);
        *value = (*prediction << self.scan.low) as i16;
        Ok(())
    }
}

/// The AC coefficients of one block that a scan carries.
struct Band<'a, const N: usize> {
    window: &'a Window,
    values: &'a mut [i16],
    significance: &'a mut u64,
    scan: &'a Scan,
}

impl<const N: usize> Band<'_, N> {
    #[inline(always)]
    fn value(&mut self, k: u32) -> Option<&mut i16> {
        if k > last_needed(N) {
            return None;
        }
        let slot = usize::from(const { slots(N) }[(k & 63) as usize]);
        self.values.get_mut(slot).filter(|_| slot < 63 || N == 8)
    }

    fn bounds(&self) -> (u32, u32) {
        (self.scan.first as u32, self.scan.last as u32)
    }

    /// Coefficients met for the first time (G.1.2.2).
    #[inline(always)]
    fn decode_first(
        &mut self,
        bits: &mut Bits,
        run: &mut u32,
        table: &SymbolTable,
    ) -> Result<(), BadCode> {
        if *run > 0 {
            *run -= 1;
            return Ok(());
        }
        let (mut k, last) = self.bounds();
        while k <= last {
            bits.refill(self.window);
            let symbol = table.take(bits).ok_or(BadCode)?;
            let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 && zeros < 15 {
                *run = (1 << zeros) - 1 + bits.take(zeros);
                return Ok(());
            }
            k += zeros;
            if size > 0 {
                if k > last {
                    return Err(BadCode);
                }
                let value = extend(bits.peek(), size) << self.scan.low;
                bits.consume(size);
                *self.significance |= 1 << (k & 63);
                if let Some(place) = self.value(k) {
                    *place = value as i16;
                }
            }
            k += 1;
        }
        // A run of zeros may end with the band, not behind it.
        if k <= last + 1 { Ok(()) } else { Err(BadCode) }
    }

    /// One bit more of each coefficient, and those that this bit makes more than zero (G.1.2.3).
    #[inline(always)]
    fn refine(
        &mut self,
        bits: &mut Bits,
        run: &mut u32,
        table: &SymbolTable,
    ) -> Result<(), BadCode> {
        let (mut k, last) = self.bounds();
        if *run == 0 {
            while k <= last {
                bits.refill(self.window);
                let symbol = table.take(bits).ok_or(BadCode)?;
                let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
                if size == 0 && zeros < 15 {
                    *run = (1 << zeros) + bits.take(zeros);
                    break;
                }
                if size > 1 {
                    return Err(BadCode);
                }
                let positive = size == 1 && bits.take(1) == 1;
                k = self.correct_run(bits, k, last, zeros);
                if size == 1 {
                    if k > last {
                        return Err(BadCode);
                    }
                    *self.significance |= 1 << (k & 63);
                    let step = 1_i16 << self.scan.low;
                    if let Some(place) = self.value(k) {
                        *place = if positive { step } else { -step };
                    }
                }
                k += 1;
            }
        }
        if *run > 0 {
            self.correct_run(bits, k, last, u32::MAX);
            *run -= 1;
        }
        Ok(())
    }

    /// Corrects the significant coefficients from `k` on, over `zeros` others, and stops at the next of those: gives
    /// its index, or one behind the band.
    #[inline(always)]
    fn correct_run(&mut self, bits: &mut Bits, mut k: u32, last: u32, mut zeros: u32) -> u32 {
        while k <= last {
            if *self.significance >> (k & 63) & 1 == 1 {
                bits.refill(self.window);
                if bits.take(1) == 1 {
                    let step = 1_i16 << self.scan.low;
                    if let Some(place) = self.value(k) {
                        *place = if *place >= 0 {
                            place.wrapping_add(step)
                        } else {
                            place.wrapping_sub(step)
                        };
                    }
                }
            } else if zeros == 0 {
                break;
            } else {
                zeros -= 1;
            }
            k += 1;
        }
        k
    }
}
