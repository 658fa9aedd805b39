//! What the markers of a codestream say of the structures that its decoder builds.

use super::corrupt;
use crate::decode::{be_u16, be_u32};
use crate::error::ImagingError;
use crate::limits::Limits;

/// Of the header of a codestream, and of those of its tiles (ISO/IEC 15444-1, annex A).
#[derive(Debug)]
pub(super) struct Coding {
    /// How often the size can be halved: the least of all components.
    pub levels: u8,
    /// Samples of the smallest code-block or precinct.
    block: usize,
    /// The most quality layers.
    layers: usize,
    tiles: usize,
}

const CODING: u8 = 0x52;
const CODING_OF_COMPONENT: u8 = 0x53;
const TILE_PART: u8 = 0x90;
const DATA: u8 = 0x93;
const MAX_LEVELS: u8 = 32;
/// A code-block with its lists, and what each layer adds.
const BLOCK_BYTES: usize = 400;
const LAYER_BYTES: usize = 40;
/// A component of a tile.
const COMPONENT_BYTES: usize = 600;

impl Coding {
    /// As far as the markers can be followed.
    pub(super) fn read(stream: &[u8], limits: &Limits) -> Result<Self, ImagingError> {
        let mut coding = Self {
            levels: MAX_LEVELS,
            block: usize::MAX,
            layers: 1,
            tiles: tiles(stream).ok_or_else(|| corrupt("its header is cut off"))?,
        };
        let components = be_u16(stream, 40).unwrap_or(0);
        let (mut at, mut count) = (2, 0);
        // Where the current tile-part begins, and its length.
        let mut part = (0, 0);
        while let Some([0xff, marker]) = stream.get(at..at + 2) {
            count += 1;
            limits.check_chunks(count)?;
            let length = be_u16(stream, at + 2).map_or(0, usize::from);
            let component = if components < 257 { 1 } else { 2 };
            match *marker {
                CODING => {
                    coding.layers = coding
                        .layers
                        .max(be_u16(stream, at + 6).unwrap_or(0).into());
                    coding.add(stream, at + 4, at + 9);
                }
                CODING_OF_COMPONENT => {
                    coding.add(stream, at + 4 + component, at + 5 + component);
                }
                TILE_PART => part = (at, be_u32(stream, at + 6).unwrap_or(0) as usize),
                DATA if part.1 > 0 => {
                    let next = part.0.saturating_add(part.1);
                    if next <= at {
                        break;
                    }
                    at = next;
                    continue;
                }
                DATA => break,
                _ => {}
            }
            if length < 2 {
                break;
            }
            at += 2 + length;
        }
        if coding.block == usize::MAX {
            return Err(corrupt("it does not say how it is coded"));
        }
        Ok(coding)
    }

    /// Levels, exponents of a code-block, and those of precincts if the flag for them is set.
    fn add(&mut self, stream: &[u8], flags: usize, levels: usize) {
        let byte = |at: usize| stream.get(at).copied().unwrap_or(0);
        self.levels = self.levels.min(byte(levels));
        let exponents = (byte(levels + 1) & 15) + (byte(levels + 2) & 15) + 4;
        self.block = self.block.min(1 << exponents);
        if byte(flags) & 1 != 0 {
            for precinct in 0..=usize::from(byte(levels).min(MAX_LEVELS)) {
                let exponents = byte(levels + 5 + precinct);
                // Of a subband, half of it each way.
                let sides = (exponents & 15).saturating_sub(1) + (exponents >> 4).saturating_sub(1);
                self.block = self.block.min(1 << sides);
            }
        }
    }

    /// Memory for what is built around the samples, of all levels.
    pub(super) fn structure_bytes(&self, samples: usize, channels: usize) -> usize {
        let blocks = samples.div_ceil(self.block).saturating_mul(2);
        let a_block = self.layers.saturating_mul(LAYER_BYTES) + BLOCK_BYTES;
        let tiles = self
            .tiles
            .saturating_mul(channels * (usize::from(self.levels) + 1));
        blocks
            .saturating_mul(a_block)
            .saturating_add(tiles.saturating_mul(COMPONENT_BYTES))
    }
}

/// SIZ (A.5.1), which comes first: ends of the picture, then its origin, sides of a tile, its
/// origin.
fn tiles(stream: &[u8]) -> Option<usize> {
    let side = |end: usize, tile: usize, origin: usize| {
        let (end, tile) = (be_u32(stream, end)?, be_u32(stream, tile)?);
        let whole = end.saturating_sub(be_u32(stream, origin)?);
        (tile > 0).then(|| whole.div_ceil(tile) as usize)
    };
    Some(side(8, 24, 32)?.saturating_mul(side(12, 28, 36)?))
}
