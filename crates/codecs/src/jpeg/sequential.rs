//! Scans of baseline and extended sequential pictures (ITU-T T.81, annex F).

use super::bits::{Bits, Input, Window};
use super::cache::TableCache;
use super::error::JpegError;
use super::huffman::{AcSkipTable, AcValueTable, DcTable, END_OF_BLOCK, LookupTable};
use super::idct::{LAST_OF_4, Transform, block_len, last_needed, slots};
use super::intervals::Intervals;
use super::plane::Layout;
use super::scan::{Progress, Scan, ScanComponent};
use super::symbols::{self, BadCode};

const CORRUPT: JpegError = JpegError::Corrupt("entropy-coded data");

/// What one component needs while its blocks are decoded.
struct Coder<'t> {
    dc: &'t DcTable,
    values: &'t AcValueTable,
    skips: &'t AcSkipTable,
    transform: &'t Transform,
}

/// A block of the MCU: which component it belongs to, and where its samples go.
pub(super) struct BlockPlace {
    pub coder: usize,
    /// First sample of the block in the MCU row's first MCU, for MCU row 0.
    pub start: usize,
    /// From one MCU to the next, and from one MCU row to the next.
    pub mcu_step: usize,
    pub row_step: usize,
    pub stride: usize,
}

pub struct SequentialScan<'a> {
    pub scan: &'a Scan,
    pub layout: &'a Layout,
    /// By component of the picture.
    pub transforms: &'a [Option<Transform>; 4],
    pub cache: &'a TableCache,
    pub restart_interval: u32,
}

impl SequentialScan<'_> {
    /// Decodes at N/8 into `samples`, the buffer that all planes share.
    #[inline(never)]
    pub fn decode<const N: usize>(
        &self,
        input: &mut Input<'_>,
        samples: &mut [u8],
    ) -> Result<Progress, JpegError> {
        let coders = self.coders()?;
        let places = self.places();
        let (columns, rows) = self.mcus();
        let mut coefficients = [0_i16; 64];
        let mut predictions = [0_i32; 4];
        let mut bits = Bits::default();
        let mut intervals = Intervals::new(self.restart_interval);
        for row in 0..rows {
            // Where the next MCU's blocks go.
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
                        for (place, at) in places.iter().zip(&mut ats) {
                            let coder = &coders[place.coder & 3];
                            let out = &mut samples[*at..];
                            *at += place.mcu_step;
                            let prediction = &mut predictions[place.coder & 3];
                            bits.refill(input.window());
                            let end = match coder.decode_block::<N>(
                                &mut bits,
                                input.window(),
                                prediction,
                                &mut coefficients,
                            ) {
                                Ok(end) => end,
                                Err(at) => {
                                    intervals.tolerate(CORRUPT, input)?;
                                    let end;
                                    // By value: else the bits would leave their registers.
                                    (bits, end) = coder.decode_on::<N>(
                                        at,
                                        bits,
                                        input.window(),
                                        *prediction,
                                        &mut coefficients,
                                    );
                                    end
                                }
                            };
                            coder.write::<N>(end, &mut coefficients, out, place.stride);
                        }
                    }
                    for (place, at) in places.iter().zip(&mut ats) {
                        *at += missing * place.mcu_step;
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

    fn coders(&self) -> Result<Vec<Coder<'_>>, JpegError> {
        let coder = |c: &ScanComponent| {
            Some(Coder {
                dc: self.cache.dc.get(c.dc)?,
                values: self.cache.values.get(c.ac)?,
                skips: self.cache.skips.get(c.ac)?,
                transform: self.transforms[c.index].as_ref()?,
            })
        };
        let coders: Option<_> = self.scan.components.iter().map(coder).collect();
        coders.ok_or(JpegError::Corrupt("scan without its tables"))
    }

    fn is_interleaved(&self) -> bool {
        self.scan.components.len() > 1
    }

    /// MCUs a row, and rows of MCUs.
    pub(super) fn mcus(&self) -> (usize, usize) {
        if self.is_interleaved() {
            return (self.layout.mcus_w, self.layout.mcus_h);
        }
        let only = &self.layout.components[self.scan.components[0].index];
        (only.blocks_w, only.blocks_h)
    }

    pub(super) fn pixel_rows(&self, mcu_rows: usize) -> usize {
        if self.is_interleaved() {
            return mcu_rows * self.layout.mcu_rows;
        }
        mcu_rows * self.layout.mcu_rows / self.layout.components[self.scan.components[0].index].v
    }

    pub(super) fn places(&self) -> Vec<BlockPlace> {
        let mut places = Vec::new();
        for (coder, part) in self.scan.components.iter().enumerate() {
            let c = &self.layout.components[part.index];
            let (h, v) = if self.is_interleaved() {
                (c.h, c.v)
            } else {
                (1, 1)
            };
            for y in 0..v {
                for x in 0..h {
                    places.push(BlockPlace {
                        coder,
                        start: c.start + (y * c.stride() + x) * c.n,
                        mcu_step: h * c.n,
                        row_step: v * c.n * c.stride(),
                        stride: c.stride(),
                    });
                }
            }
        }
        places
    }
}

/// Which AC coefficients a block has.
#[derive(PartialEq, Eq)]
enum AcEnd {
    None,
    /// None after [`LAST_OF_4`].
    Low,
    Any,
}

/// Where a block breaks the code.
enum BadCodeAt {
    Dc,
    Ac,
}

impl Coder<'_> {
    #[inline(always)]
    fn decode_block<const N: usize>(
        &self,
        bits: &mut Bits,
        window: &Window,
        prediction: &mut i32,
        coefficients: &mut [i16; 64],
    ) -> Result<AcEnd, BadCodeAt> {
        let difference =
            symbols::dc_difference(bits, window, self.dc).map_err(|BadCode| BadCodeAt::Dc)?;
        *prediction = prediction.wrapping_add(difference);
        coefficients[0] = *prediction as i16;
        self.decode_ac::<N>(bits, window, coefficients)
            .map_err(|BadCode| BadCodeAt::Ac)
    }

    #[inline(always)]
    fn decode_ac<const N: usize>(
        &self,
        bits: &mut Bits,
        window: &Window,
        coefficients: &mut [i16; 64],
    ) -> Result<AcEnd, BadCode> {
        let k = symbols::ac_values(
            bits,
            window,
            self.values,
            const { last_needed(N) },
            |k, value| {
                coefficients[usize::from(const { slots(N) }[(k & 63) as usize]) & 63] = value;
            },
        )?;
        if k <= 63 {
            symbols::skip_ac(bits, window, self.skips, k)?;
        }
        Ok(match k.wrapping_sub(1 + END_OF_BLOCK) {
            0 => AcEnd::None,
            1..=LAST_OF_4 => AcEnd::Low,
            _ => AcEnd::Any,
        })
    }

    /// Goes on with a block that breaks the code, as libjpeg does: a DC coefficient stays what it
    /// was, and AC coefficients end.
    #[cold]
    #[inline(never)]
    fn decode_on<const N: usize>(
        &self,
        at: BadCodeAt,
        mut bits: Bits,
        window: &Window,
        prediction: i32,
        coefficients: &mut [i16; 64],
    ) -> (Bits, AcEnd) {
        if matches!(at, BadCodeAt::Dc) {
            bits = symbols::step_over_bad(bits, window, self.dc.code());
            coefficients[0] = prediction as i16;
            if let Ok(end) = self.decode_ac::<N>(&mut bits, window, coefficients) {
                return (bits, end);
            }
        }
        bits = symbols::step_over_bad(bits, window, self.values.code());
        (bits, AcEnd::Any)
    }

    /// Turns the coefficients into samples, and clears them.
    #[inline(always)]
    fn write<const N: usize>(
        &self,
        end: AcEnd,
        coefficients: &mut [i16; 64],
        out: &mut [u8],
        stride: usize,
    ) {
        if N > 2 && end == AcEnd::None {
            self.transform.write_flat::<N>(coefficients[0], out, stride);
        } else if N == 8 && end == AcEnd::Low {
            self.transform.write_8_of_4(coefficients, out, stride);
            coefficients[..block_len(8) / 2].fill(0);
        } else {
            self.transform.write::<N>(coefficients, out, stride);
            coefficients[..block_len(N)].fill(0);
        }
    }
}
