//! The entry point: macroblock row by macroblock row, each given away when it is made.

use std::time::Instant;

use super::area::{Above, Area};
use super::band::Plane;
use super::error::Vp8Error;
use super::filter::Strength;
use super::header::{Frame, FrameSize};
use super::modes::{Macroblock, SubMode, read_macroblock};
use super::tokens::{Context, Residual, TokenTables};

/// Whether the loop filter is applied. Samples are never predicted from filtered ones, so
/// without it the picture is the same except for the edges of its blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoopFilter {
    Apply,
    LeaveOut,
}

/// Takes the rows of a picture from top to bottom: YCbCr 4:2:0 in the range of ITU-R BT.601 (luma
/// 16 to 235, chroma 16 to 240).
pub trait Rows {
    /// A row of luma, as wide as the picture.
    fn luma(&mut self, row: &[u8]);
    /// A row of both chroma planes: of half the picture's width, rounded up, as is their height.
    fn chroma(&mut self, cb: &[u8], cr: &[u8]);
}

/// How much of the picture was decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Rows of luma.
    pub rows: u32,
    /// Why decoding ended before the end, if it did.
    pub stopped: Option<Vp8Error>,
}

/// Buffers that each thread keeps from picture to picture.
#[derive(Default)]
pub struct Scratch {
    tokens: TokenTables,
    area: Area,
    residual: Residual,
    above: Above,
    above_modes: Vec<[SubMode; 4]>,
    above_contexts: Vec<Context>,
    macroblocks: Vec<Macroblock>,
    luma: Plane<16>,
    chroma: [Plane<8>; 2],
}

/// Bytes that [`decode`] holds at most, to be reserved before the call: some rows of the picture.
pub fn memory_estimate(size: FrameSize) -> usize {
    const FIXED_BYTES: usize = 32 << 10;
    let (columns, _) = size.macroblocks();
    let of_column = size_of::<[u8; 32]>()
        + size_of::<[SubMode; 4]>()
        + size_of::<Context>()
        + size_of::<Macroblock>();
    FIXED_BYTES + columns * of_column + Plane::<16>::bytes(columns) + 2 * Plane::<8>::bytes(columns)
}

/// Decodes a key frame, and gives its rows to `rows`. `declared_bytes` is the length of `data` by
/// its container; `data` may be shorter. Looks at the clock before each row of macroblocks.
///
/// Data that ends early is not an error once there is a picture: see [`Progress`].
///
/// # Errors
/// [`Vp8Error`] if nothing can be decoded.
pub fn decode(
    data: &[u8],
    declared_bytes: usize,
    filter: LoopFilter,
    deadline: Option<Instant>,
    scratch: &mut Scratch,
    rows: &mut impl Rows,
) -> Result<Progress, Vp8Error> {
    let frame = Frame::read(data, declared_bytes, &mut scratch.tokens)?;
    let size = frame.size;
    let (columns, macroblock_rows) = size.macroblocks();
    scratch.reset(columns);
    let strengths = (filter == LoopFilter::Apply).then(|| strengths(&frame));
    let mut decoder = Decoder {
        is_filtered: strengths.is_some() && frame.filter.level > 0,
        strengths: strengths.unwrap_or_default(),
        frame,
        scratch,
        columns,
    };
    let mut given = Given::new(size, rows);
    for row in 0..macroblock_rows {
        let is_over = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        let made = if is_over {
            Err(Vp8Error::TimedOut)
        } else {
            decoder.make_row(row)
        };
        if let Err(error) = made {
            if decoder.is_filtered && row > 0 {
                decoder.give_held_back(&mut given);
            }
            let whole = (row * 16).min(usize::from(size.height));
            return Ok(Progress {
                rows: whole as u32,
                stopped: Some(error),
            });
        }
        decoder.give_finished(&mut given, row == 0, row + 1 == macroblock_rows);
    }
    Ok(Progress {
        rows: size.height.into(),
        stopped: None,
    })
}

impl Scratch {
    /// The last picture had values on which decoders may differ.
    #[cfg(any(test, debug_assertions))]
    pub fn was_extreme(&self) -> bool {
        self.residual.is_extreme
    }

    fn reset(&mut self, columns: usize) {
        self.residual = Residual::default();
        self.above.reset(columns);
        self.above_modes.clear();
        self.above_modes.resize(columns, [SubMode::Dc; 4]);
        self.above_contexts.clear();
        self.above_contexts.resize(columns, Context::default());
        self.luma.reset(columns);
        self.chroma
            .iter_mut()
            .for_each(|plane| plane.reset(columns));
    }
}

/// By segment, without and with sub-blocks.
type Strengths = [[Option<Strength>; 2]; 4];

/// Section 9.6.
fn strengths(frame: &Frame<'_>) -> Strengths {
    let filter = frame.filter;
    frame.segments.map(|segment| {
        [0, filter.subblock_delta].map(|delta| {
            let level = segment.filter_level + filter.intra_delta + delta;
            Strength::new(level.clamp(0, 63), filter.sharpness)
        })
    })
}

struct Decoder<'a, 's> {
    frame: Frame<'a>,
    scratch: &'s mut Scratch,
    strengths: Strengths,
    is_filtered: bool,
    columns: usize,
}

impl Decoder<'_, '_> {
    /// Makes a row of macroblocks in the band.
    fn make_row(&mut self, row: usize) -> Result<(), Vp8Error> {
        let scratch = &mut *self.scratch;
        scratch.macroblocks.clear();
        let mut left_modes = [SubMode::Dc; 4];
        for above in &mut scratch.above_modes {
            let macroblock = read_macroblock(&mut self.frame, above, &mut left_modes);
            scratch.macroblocks.push(macroblock);
        }
        if self.frame.modes.has_run_out() {
            return Err(Vp8Error::Truncated);
        }
        let partition = row % self.frame.partitions.len();
        let reader = &mut self.frame.partitions[partition];
        let mut left = Context::default();
        scratch.area.begin_row(row == 0);
        for (column, macroblock) in scratch.macroblocks.iter_mut().enumerate() {
            let above = &mut scratch.above_contexts[column];
            let has_second = !macroblock.has_subblocks();
            if macroblock.is_skipped {
                above.clear(has_second);
                left.clear(has_second);
            } else {
                let steps = &self.frame.segments[usize::from(macroblock.segment & 3)].steps;
                let residual = &mut scratch.residual;
                let has_any =
                    residual.read(reader, &scratch.tokens, steps, has_second, above, &mut left);
                macroblock.is_skipped = !has_any;
            }
            scratch.area.make(
                macroblock,
                &mut scratch.residual,
                &mut scratch.above,
                (column, row),
            );
            scratch.luma.put(column, scratch.area.luma_rows());
            for (index, plane) in scratch.chroma.iter_mut().enumerate() {
                plane.put(column, scratch.area.chroma_rows(index));
            }
            scratch.area.advance();
        }
        if reader.has_run_out() {
            return Err(Vp8Error::Truncated);
        }
        if self.is_filtered {
            self.filter_row(row == 0);
        }
        Ok(())
    }

    fn filter_row(&mut self, is_first_row: bool) {
        let scratch = &mut *self.scratch;
        for (column, macroblock) in scratch.macroblocks.iter().enumerate() {
            let has_subblocks = macroblock.has_subblocks();
            let strengths = self.strengths[usize::from(macroblock.segment & 3)];
            let Some(strength) = strengths[usize::from(has_subblocks)] else {
                continue;
            };
            let has_inner_edges = has_subblocks || !macroblock.is_skipped;
            let place = (column, is_first_row);
            if self.frame.filter.is_simple {
                let luma = &mut scratch.luma;
                luma.filter_simple(&strength, place, has_inner_edges);
            } else {
                scratch.luma.filter(&strength, place, has_inner_edges);
                for plane in &mut scratch.chroma {
                    plane.filter(&strength, place, has_inner_edges);
                }
            }
        }
    }

    fn give_finished(&mut self, given: &mut Given<'_, impl Rows>, is_first: bool, is_last: bool) {
        let Scratch { luma, chroma, .. } = &mut *self.scratch;
        let filtered = self.is_filtered;
        luma.finished(filtered, is_first, is_last)
            .for_each(|row| given.luma(row));
        let [cb, cr] = &*chroma;
        cb.finished(filtered, is_first, is_last)
            .zip(cr.finished(filtered, is_first, is_last))
            .for_each(|(cb, cr)| given.chroma(cb, cr));
        if filtered {
            luma.advance();
            chroma.iter_mut().for_each(Plane::advance);
        }
        debug_assert_eq!(self.columns, self.scratch.macroblocks.len());
    }

    fn give_held_back(&self, given: &mut Given<'_, impl Rows>) {
        let [cb, cr] = &self.scratch.chroma;
        self.scratch
            .luma
            .held_back()
            .for_each(|row| given.luma(row));
        cb.held_back()
            .zip(cr.held_back())
            .for_each(|(cb, cr)| given.chroma(cb, cr));
    }
}

/// Gives rows away, up to the height of the picture.
struct Given<'r, R> {
    rows: &'r mut R,
    width: usize,
    luma_left: usize,
    chroma_left: usize,
}

impl<'r, R: Rows> Given<'r, R> {
    fn new(size: FrameSize, rows: &'r mut R) -> Self {
        Self {
            rows,
            width: size.width.into(),
            luma_left: size.height.into(),
            chroma_left: size.height.div_ceil(2).into(),
        }
    }

    fn luma(&mut self, row: &[u8]) {
        if let Some(left) = self.luma_left.checked_sub(1) {
            self.luma_left = left;
            self.rows.luma(&row[..self.width]);
        }
    }

    fn chroma(&mut self, cb: &[u8], cr: &[u8]) {
        if let Some(left) = self.chroma_left.checked_sub(1) {
            self.chroma_left = left;
            let width = self.width.div_ceil(2);
            self.rows.chroma(&cb[..width], &cr[..width]);
        }
    }
}
