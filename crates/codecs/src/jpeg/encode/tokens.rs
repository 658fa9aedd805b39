//! Symbols kept until all are counted, then written with the tables that suit them.

use super::bits::BitWriter;
use super::header::{self, Scan};
use super::huffman::codes;
use super::optimal::{self, Counts};
use super::symbols::Symbols;

/// The most bits after a code.
const MOST_BITS: u32 = 15;

/// Bits without a code: those of a fifth table have no length.
const NO_CODE: usize = 4 << 8;

/// The symbols of one scan, each with the bits that follow it: `table << 28 | symbol << 20 | count
/// << 16 | bits`.
///
/// A picture's symbols take less room than its coefficients, and going over them again takes less
/// time.
pub struct Tokens {
    tokens: Vec<u32>,
    counts: [Counts; 4],
}

impl Tokens {
    pub fn new() -> Self {
        Self {
            tokens: Vec::new(),
            counts: [[0; 256]; 4],
        }
    }

    /// Bits as they are, `count` of them.
    #[inline(always)]
    pub fn put_bits(&mut self, bits: u64, count: u32) {
        let mut left = count;
        while left > 0 {
            let taken = left.min(MOST_BITS);
            left -= taken;
            let bits = (bits >> left) as u32 & ((1 << taken) - 1);
            self.tokens.push(token(NO_CODE, bits, taken));
        }
    }

    /// A place for a symbol that is not known yet.
    #[inline(always)]
    pub fn keep_place(&mut self) -> usize {
        self.tokens.push(token(NO_CODE, 0, 0));
        self.tokens.len() - 1
    }

    #[inline(always)]
    pub fn fill_place(&mut self, place: usize, table: usize, symbol: u8, bits: u32, count: u32) {
        self.counts[table][usize::from(symbol)] += 1;
        self.tokens[place] = token(table << 8 | usize::from(symbol), bits, count);
    }

    /// Writes tables, header and data of the scan, and drops them.
    pub fn write(&mut self, file: &mut Vec<u8>, scan: &Scan) {
        let mut all = [[0; 256]; 5];
        for ((number, counts), all) in (0..).zip(&mut self.counts).zip(&mut all) {
            if let Some(table) = optimal::table((number & 1) << 4 | number >> 1, counts) {
                header::huffman(file, &table);
                *all = codes(&table);
            }
            *counts = [0; 256];
        }
        header::scan(file, scan);
        let (codes, mut bits) = (all.as_flattened(), BitWriter::new(file));
        for token in self.tokens.drain(..) {
            let (code, count) = (codes[token as usize >> 20], token >> 16 & 15);
            bits.put(code >> 8 << count | token & 0xFFFF, (code & 0xFF) + count);
        }
        bits.finish();
    }
}

impl Symbols for Tokens {
    #[inline(always)]
    fn put(&mut self, table: usize, symbol: u8, bits: u32, count: u32) {
        self.counts[table][usize::from(symbol)] += 1;
        let code = table << 8 | usize::from(symbol);
        self.tokens.push(token(code, bits, count));
    }
}

#[inline(always)]
fn token(code: usize, bits: u32, count: u32) -> u32 {
    debug_assert!(count <= MOST_BITS && bits >> count == 0);
    (code as u32) << 20 | count << 16 | bits
}
