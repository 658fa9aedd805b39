//! Symbols, and the bits that follow them as they are.

use super::bits::BitWriter;
use super::huffman::Codes;

/// A run of zeros too long for one symbol.
pub const SIXTEEN_ZEROS: u8 = 0xF0;

/// Where a component's tables stand among the four: DC, then AC.
pub const fn tables_of(component: usize) -> usize {
    if component == 0 { 0 } else { 2 }
}

/// Takes the symbols of a scan, one after another.
pub trait Symbols {
    /// A `symbol` of one of the four tables, and the `count` bits that follow its code.
    fn put(&mut self, table: usize, symbol: u8, bits: u32, count: u32);

    /// A symbol of a run and a magnitude's size, and the magnitude's bits (ITU-T T.81, F.1.2.1,
    /// table F.1).
    #[inline(always)]
    fn put_value(&mut self, table: usize, run: u32, value: i16) {
        let size = 16 - value.unsigned_abs().leading_zeros();
        // Of a negative value the bits of value − 1.
        let magnitude = (value + (value >> 15)) as u32 & ((1 << size) - 1);
        self.put(table, (run << 4 | size) as u8, magnitude, size);
    }
}

/// Writes each symbol as it comes, with codes that are known before.
pub struct Coder<'a> {
    bits: BitWriter<'a>,
    codes: &'a [Codes; 4],
}

impl<'a> Coder<'a> {
    pub fn new(file: &'a mut Vec<u8>, codes: &'a [Codes; 4]) -> Self {
        Self {
            bits: BitWriter::new(file),
            codes,
        }
    }

    pub fn finish(self) {
        self.bits.finish();
    }
}

impl Symbols for Coder<'_> {
    #[inline(always)]
    fn put(&mut self, table: usize, symbol: u8, bits: u32, count: u32) {
        let entry = self.codes[table][usize::from(symbol)];
        self.bits
            .put(entry >> 8 << count | bits, (entry & 0xFF) + count);
    }
}
