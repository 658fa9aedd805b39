//! Scans of progressive pictures (ITU-T T.81, annex G). Only the lowest coefficients are kept.

use std::time::Instant;

use super::bits::{Bits, Input, Window};
use super::cache::TableCache;
use super::error::JpegError;
use super::huffman::{DcTable, SymbolTable, extend};
use super::idct::{LAST_OF_4, Transform, block_len, last_needed, slots};
use super::intervals::Intervals;
use super::plane::{ComponentLayout, Layout};
use super::scan::{Progress, Scan, ScanComponent};
use super::smoothing::Smoothing;
use super::symbols::BadCode;

/// The significance of a block is below this if it has no coefficient after [`LAST_OF_4`].
const LOW_END: u64 = 2 << LAST_OF_4;

/// The coefficients of a picture from scan to scan.
#[derive(Default)]
pub struct Coefficients {
    /// Component after component, block after block, as [`super::idct`] wants them.
    values: Vec<i16>,
    /// Bit k of a block: coefficient k is not zero. Kept for all 63 where AC coefficients are kept.
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

    /// Turns all blocks into samples, exactly like those of a sequential file, which knows the same
    /// of each block. `smoothing` has all components, or none; it takes time, and looks at the
    /// clock.
    #[inline(never)]
    pub fn transform<const N: usize>(
        &self,
        layout: &Layout,
        transforms: &[Option<Transform>; 4],
        smoothing: &[Smoothing<'_>],
        deadline: Option<Instant>,
        samples: &mut [u8],
    ) -> Result<(), JpegError> {
        let mut values = self.values.as_slice();
        // None at all for N = 1.
        let mut significance = self.significance.iter().copied();
        for (index, (c, transform)) in layout.components.iter().zip(transforms).enumerate() {
            let (own, others) = values.split_at(c.blocks() * block_len(N));
            values = others;
            let mut significance = significance.by_ref().take(c.blocks());
            let Some(transform) = transform else {
                significance.by_ref().for_each(drop);
                continue;
            };
            let lines = samples[c.start..c.start + c.samples()].chunks_exact_mut(N * c.stride());
            if let Some(smoothing) = smoothing.get(index) {
                significance.by_ref().for_each(drop);
                for (row, lines) in lines.enumerate() {
                    if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                        return Err(JpegError::TimedOut);
                    }
                    for column in 0..c.padded_w {
                        let block = smoothing.block::<N>(own, row, column);
                        transform.write::<N>(&block, &mut lines[column * N..], c.stride());
                    }
                }
                continue;
            }
            for (row, lines) in own.chunks_exact(c.padded_w * block_len(N)).zip(lines) {
                for (column, block) in row.chunks_exact(block_len(N)).enumerate() {
                    let (out, stride) = (&mut lines[column * N..], c.stride());
                    // Smaller blocks have nothing to leave out.
                    let significance = if N > 2 { significance.next() } else { None };
                    match significance {
                        Some(0) => transform.write_flat::<N>(block[0], out, stride),
                        Some(..LOW_END) if N == 8 => transform.write_8_of_4(block, out, stride),
                        _ => transform.write::<N>(block, out, stride),
                    }
                }
            }
        }
        Ok(())
    }
}

/// A component's part in a scan.
pub(super) struct Part<'a> {
    pub layout: &'a ComponentLayout,
    /// The first of its blocks, counted over all components.
    pub first_block: usize,
    /// `None` where the scan does not need them.
    pub dc: Option<&'a DcTable>,
    ac: Option<&'a SymbolTable>,
}

pub struct ProgressiveScan<'a> {
    pub(super) scan: &'a Scan,
    pub(super) layout: &'a Layout,
    pub(super) parts: Vec<Part<'a>>,
    pub(super) restart_interval: u32,
}

/// What a scan carries from block to block.
#[derive(Default)]
struct State {
    bits: Bits,
    /// Blocks, including this one, that have no more symbols.
    end_of_band_run: u32,
}

pub(super) const CORRUPT: JpegError = JpegError::Corrupt("entropy-coded data");

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
    pub fn decode<const N: usize>(
        &self,
        input: &mut Input<'_>,
        coefficients: &mut Coefficients,
    ) -> Progress {
        if self.scan.first == 0 {
            self.decode_dc(input, &mut coefficients.values, block_len(N))
        } else {
            self.decode_band::<N>(input, coefficients)
        }
    }

    /// A scan of AC coefficients: always of one component alone.
    #[inline(never)]
    fn decode_band<const N: usize>(
        &self,
        input: &mut Input<'_>,
        coefficients: &mut Coefficients,
    ) -> Progress {
        let [
            Part {
                layout,
                first_block,
                ac: Some(table),
                ..
            },
        ] = *self.parts.as_slice()
        else {
            return Progress {
                rows: 0,
                stopped: Some(CORRUPT),
                damage: None,
                is_smoothed: false,
            };
        };
        let mut state = State::default();
        let mut intervals = Intervals::new(self.restart_interval);
        for row in 0..layout.blocks_h {
            let mut decode_row = || -> Result<(), JpegError> {
                let mut block = first_block + row * layout.padded_w;
                let end = block + layout.blocks_w;
                while block < end {
                    let run = intervals.next_run(end - block, input, &mut state.bits)?;
                    if run.is_new {
                        state.end_of_band_run = 0;
                    }
                    let blocks = block..block + run.mcus;
                    block = blocks.end;
                    for block in blocks.skip(if run.is_lost { run.mcus } else { 0 }) {
                        if let Err(error) = input.begin_mcu(&mut state.bits) {
                            intervals.lose(error, input)?;
                            break;
                        }
                        let decoded = self.decode_block::<N>(
                            input.window(),
                            &mut state,
                            coefficients,
                            block,
                            table,
                        );
                        if decoded.is_err() {
                            intervals.tolerate(CORRUPT, input)?;
                            state.end_of_band_run = 0;
                        }
                    }
                }
                intervals.end_row(input, state.bits)
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
            rows: self.pixel_rows(layout.blocks_h),
            stopped: None,
            damage: intervals.damage(),
            is_smoothed: false,
        }
    }

    pub(super) fn pixel_rows(&self, rows: usize) -> usize {
        match self.parts.as_slice() {
            [only] => rows * self.layout.mcu_rows / only.layout.v,
            _ => rows * self.layout.mcu_rows,
        }
    }

    #[inline(always)]
    fn decode_block<const N: usize>(
        &self,
        window: &Window,
        state: &mut State,
        coefficients: &mut Coefficients,
        block: usize,
        table: &SymbolTable,
    ) -> Result<(), BadCode> {
        let values = &mut coefficients.values[block * block_len(N)..][..block_len(N)];
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
        // A run of zeros may end with the band, not after it.
        if k <= last + 1 { Ok(()) } else { Err(BadCode) }
    }

    /// Another bit of each coefficient, and the coefficients that this bit makes non-zero
    /// (G.1.2.3).
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
            if k <= last {
                self.correct(bits, below(last + 1) & !below(k));
            }
            *run -= 1;
        }
        Ok(())
    }

    /// Corrects the significant coefficients from `k` on, over `zeros` others, and stops at the
    /// next of those: returns its index, or the one after the band.
    ///
    /// Only the coefficients that are kept are looked at one by one. Of the others, it is enough to
    /// know how many are significant: each has one bit.
    #[inline(always)]
    fn correct_run(&mut self, bits: &mut Bits, k: u32, last: u32, zeros: u32) -> u32 {
        let band = below(last + 1) & !below(k);
        let mut insignificant = !*self.significance & band;
        for _ in 0..zeros {
            insignificant &= insignificant.wrapping_sub(1);
        }
        let end = insignificant.trailing_zeros().min(last + 1);
        self.correct(bits, band & below(end));
        end
    }

    /// Reads one bit for each of the significant coefficients in `band`, and corrects those that
    /// are kept.
    #[inline(always)]
    fn correct(&mut self, bits: &mut Bits, band: u64) {
        let corrected = *self.significance & band;
        let mut kept = corrected & below(last_needed(N) + 1);
        bits.refill(self.window);
        while kept != 0 {
            if const { last_needed(N) >= MOST_BITS_OF_A_REFILL } {
                bits.refill(self.window);
            }
            if bits.take(1) == 1 {
                let step = 1_i16 << self.scan.low;
                if let Some(place) = self.value(kept.trailing_zeros()) {
                    *place = if *place >= 0 {
                        place.wrapping_add(step)
                    } else {
                        place.wrapping_sub(step)
                    };
                }
            }
            kept &= kept - 1;
        }
        let mut skipped = (corrected & !below(last_needed(N) + 1)).count_ones();
        while skipped > 0 {
            bits.refill(self.window);
            let step = skipped.min(MOST_BITS_OF_A_REFILL);
            bits.consume(step);
            skipped -= step;
        }
    }
}

/// What [`Bits::refill`] makes valid.
const MOST_BITS_OF_A_REFILL: u32 = 56;

/// The bits of the coefficients below `k`, which may be 64.
#[inline(always)]
fn below(k: u32) -> u64 {
    1_u64.checked_shl(k).unwrap_or(0).wrapping_sub(1)
}
