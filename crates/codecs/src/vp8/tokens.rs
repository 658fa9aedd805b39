//! Coefficients (RFC 6386, section 13).

use super::bool_reader::BoolReader;
use super::header::Steps;
use super::tables::{TOKEN_NODES, TokenProbabilities};

/// Which probabilities the blocks have, by section 13.3.
mod kind {
    pub const LUMA_WITHOUT_DC: usize = 0;
    pub const SECOND: usize = 1;
    pub const CHROMA: usize = 2;
    pub const LUMA: usize = 3;
}

/// Sections 13.3 and 13: the band of each position; an extra one, so that the position after the
/// last has one too.
const BANDS: [usize; 17] = [0, 1, 2, 3, 6, 4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 7, 0];
const ZIGZAG: [u8; 16] = [0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15];

/// Extra bits of the large values, section 13.2: categories 3 to 6.
const EXTRA_BITS: [&[u8]; 4] = [
    &[173, 148, 140],
    &[176, 155, 140, 135],
    &[180, 157, 141, 134, 130],
    &[254, 254, 243, 230, 196, 177, 153, 140, 133, 130, 129],
];

type BlockTables = [[[u8; TOKEN_NODES]; 3]; 17];

/// Probabilities by position in place of band: a look-up less for each coefficient.
pub struct TokenTables(Box<[BlockTables; 4]>);

impl Default for TokenTables {
    fn default() -> Self {
        Self(Box::new([[[[0; TOKEN_NODES]; 3]; 17]; 4]))
    }
}

impl TokenTables {
    pub fn set(&mut self, probabilities: &TokenProbabilities) {
        for (tables, bands) in self.0.iter_mut().zip(probabilities) {
            *tables = BANDS.map(|band| bands[band]);
        }
    }
}

/// Which of the neighbouring blocks have coefficients: four of luma, two of each chroma plane, and
/// the block of luma's DC.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context {
    luma: [bool; 4],
    chroma: [[bool; 2]; 2],
    second: bool,
}

impl Context {
    /// Section 13.3: a macroblock without coefficients leaves the context of the block of DC values
    /// as it is, if it has no such block.
    pub fn clear(&mut self, has_second: bool) {
        *self = Self {
            second: self.second && !has_second,
            ..Self::default()
        };
    }
}

/// How many coefficients a block has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Extent {
    #[default]
    Empty,
    /// DC alone.
    Flat,
    Full,
}

/// The dequantised coefficients of a macroblock: 16 blocks of luma, four of each chroma plane. All
/// zero from one to the next.
pub struct Residual {
    pub blocks: [[i16; 16]; 24],
    pub extents: [Extent; 24],
    /// A block may exceed 16 bits in the transforms, where decoders differ.
    #[cfg(any(test, debug_assertions))]
    pub is_extreme: bool,
}

impl Default for Residual {
    fn default() -> Self {
        Self {
            blocks: [[0; 16]; 24],
            extents: [Extent::Empty; 24],
            #[cfg(any(test, debug_assertions))]
            is_extreme: false,
        }
    }
}

impl Residual {
    /// Reads a macroblock's coefficients; false if all of them are zero.
    pub fn read(
        &mut self,
        reader: &mut BoolReader<'_>,
        tables: &TokenTables,
        steps: &Steps,
        has_second: bool,
        above: &mut Context,
        left: &mut Context,
    ) -> bool {
        let mut local = *reader;
        let (mut kind, mut first) = (kind::LUMA, 0);
        if has_second {
            (kind, first) = (kind::LUMA_WITHOUT_DC, 1);
            let mut second = [0; 16];
            let context = usize::from(above.second) + usize::from(left.second);
            let tables = &tables.0[kind::SECOND];
            let end = read_block(&mut local, tables, context, 0, steps.second, &mut second);
            (above.second, left.second) = (end > 0, end > 0);
            #[cfg(any(test, debug_assertions))]
            self.judge(&second);
            match end {
                0 => {}
                1 => {
                    let dc = second[0].wrapping_add(3) >> 3;
                    self.blocks[..16].iter_mut().for_each(|block| block[0] = dc);
                }
                _ => super::transform::spread_second(&second, &mut self.blocks),
            }
        }
        let luma = &tables.0[kind];
        let mut is_empty = true;
        for (row, left) in left.luma.iter_mut().enumerate() {
            for (column, above) in above.luma.iter_mut().enumerate() {
                let index = row * 4 + column;
                let block = &mut self.blocks[index];
                let context = usize::from(*above) + usize::from(*left);
                let end = read_block(&mut local, luma, context, first, steps.luma, block);
                (*above, *left) = (end > first, end > first);
                self.extents[index] = extent(end, block[0]);
                is_empty &= self.extents[index] == Extent::Empty;
            }
        }
        let tables = &tables.0[kind::CHROMA];
        for plane in 0..2 {
            for (row, left) in left.chroma[plane].iter_mut().enumerate() {
                for (column, above) in above.chroma[plane].iter_mut().enumerate() {
                    let index = 16 + plane * 4 + row * 2 + column;
                    let block = &mut self.blocks[index];
                    let context = usize::from(*above) + usize::from(*left);
                    let end = read_block(&mut local, tables, context, 0, steps.chroma, block);
                    (*above, *left) = (end > 0, end > 0);
                    self.extents[index] = extent(end, block[0]);
                    is_empty &= self.extents[index] == Extent::Empty;
                }
            }
        }
        *reader = local;
        #[cfg(any(test, debug_assertions))]
        for index in 0..24 {
            let block = self.blocks[index];
            self.judge(&block);
        }
        !is_empty
    }
}

#[cfg(any(test, debug_assertions))]
impl Residual {
    fn judge(&mut self, block: &[i16; 16]) {
        const MAX_SUM: u32 = 16_000;
        let sum: u32 = block
            .iter()
            .map(|value| u32::from(value.unsigned_abs()))
            .sum();
        self.is_extreme |= sum > MAX_SUM;
    }
}

#[inline(always)]
fn extent(end: usize, dc: i16) -> Extent {
    if end > 1 {
        Extent::Full
    } else if dc != 0 {
        Extent::Flat
    } else {
        Extent::Empty
    }
}

/// Reads a block from position `first` on, and returns the position after its last coefficient. The
/// tree of tokens (section 13.2) is written out; no block can end after a zero.
#[inline]
fn read_block(
    reader: &mut BoolReader<'_>,
    tables: &BlockTables,
    context: usize,
    first: usize,
    steps: [i16; 2],
    block: &mut [i16; 16],
) -> usize {
    let mut at = first;
    let mut nodes = &tables[at][context];
    while at < 16 {
        reader.refill();
        if !reader.next(nodes[0]) {
            return at;
        }
        while !reader.next(nodes[1]) {
            at += 1;
            if at == 16 {
                return 16;
            }
            nodes = &tables[at][0];
            reader.refill();
        }
        let value;
        let next = &tables[at + 1];
        if reader.next(nodes[2]) {
            value = read_large(reader, nodes);
            nodes = &next[2];
            reader.refill();
        } else {
            value = 1;
            nodes = &next[1];
        }
        let value = if reader.next(128) { -value } else { value };
        let step = steps[usize::from(at > 0)];
        // Only a broken file has values beyond 16 bits; a saturated one is extreme.
        block[usize::from(ZIGZAG[at] & 15)] = value.saturating_mul(step);
        at += 1;
    }
    16
}

/// A value of at least two.
fn read_large(reader: &mut BoolReader<'_>, nodes: &[u8; TOKEN_NODES]) -> i16 {
    reader.refill();
    if !reader.next(nodes[3]) {
        if !reader.next(nodes[4]) {
            return 2;
        }
        return 3 + i16::from(reader.next(nodes[5]));
    }
    if !reader.next(nodes[6]) {
        if !reader.next(nodes[7]) {
            return 5 + i16::from(reader.next(159));
        }
        reader.refill();
        let high = i16::from(reader.next(165));
        return 7 + 2 * high + i16::from(reader.next(145));
    }
    let high = usize::from(reader.next(nodes[8]));
    let category = 2 * high + usize::from(reader.next(nodes[9 + high]));
    let mut extra = 0;
    for probability in EXTRA_BITS[category & 3] {
        extra = extra << 1 | i16::from(reader.read(*probability));
    }
    3 + (8 << category) + extra
}
