//! From coefficients to bits (ITU-T T.81, annex F.1.2).

use std::sync::LazyLock;

use super::forward::Block;
use super::tables::{HUFFMAN, HuffmanSpec};

/// For each symbol, `code << 8 | length`.
type Codes = [u32; 256];

static CODES: LazyLock<[Codes; 4]> = LazyLock::new(|| HUFFMAN.each_ref().map(codes));

/// Codes of the same length are consecutive numbers (annex C).
fn codes(spec: &HuffmanSpec) -> Codes {
    let mut codes = [0; 256];
    let (mut code, mut symbols) = (0_u32, spec.symbols.iter());
    for (length, &count) in (1_u32..).zip(&spec.counts) {
        for &symbol in symbols.by_ref().take(usize::from(count)) {
            codes[usize::from(symbol)] = code << 8 | length;
            code += 1;
        }
        code <<= 1;
    }
    codes
}

const END_OF_BLOCK: usize = 0x00;
const SIXTEEN_ZEROS: usize = 0xF0;

/// Writes blocks, each with the difference to its component's last DC coefficient.
pub struct BlockWriter<'a> {
    bits: BitWriter<'a>,
    codes: &'static [Codes; 4],
    last_dc: [i16; 3],
}

impl<'a> BlockWriter<'a> {
    pub fn new(file: &'a mut Vec<u8>) -> Self {
        Self {
            bits: BitWriter {
                file,
                word: 0,
                count: 0,
            },
            codes: &CODES,
            last_dc: [0; 3],
        }
    }

    pub fn luma(&mut self, block: &Block) {
        self.block::<0>(0, block);
    }

    pub fn cb(&mut self, block: &Block) {
        self.block::<2>(1, block);
    }

    pub fn cr(&mut self, block: &Block) {
        self.block::<2>(2, block);
    }

    /// Pads the last byte with ones.
    pub fn finish(self) {
        let mut bits = self.bits;
        let padding = bits.count.wrapping_neg() & 7;
        bits.put((1 << padding) - 1, padding);
        bits.flush_bytes();
    }

    /// `TABLE`: the component's DC table; behind it stands its AC table.
    #[inline]
    fn block<const TABLE: usize>(&mut self, component: usize, block: &Block) {
        let (dc, ac) = (&self.codes[TABLE], &self.codes[TABLE + 1]);
        let difference = block.coefficient(0) - self.last_dc[component];
        self.last_dc[component] = block.coefficient(0);
        self.bits.put_value(dc, 0, difference);
        let mut left = block.significant & !1;
        let mut last = 0;
        while left != 0 {
            let k = left.trailing_zeros();
            left &= left - 1;
            let mut run = k - last - 1;
            while run > 15 {
                self.bits.put_symbol(ac[SIXTEEN_ZEROS]);
                run -= 16;
            }
            self.bits.put_value(ac, run, block.coefficient(k as usize));
            last = k;
        }
        if last < 63 {
            self.bits.put_symbol(ac[END_OF_BLOCK]);
        }
    }
}

struct BitWriter<'a> {
    file: &'a mut Vec<u8>,
    /// The last `count` bits are still to be written; above them stand some that were.
    word: u64,
    count: u32,
}

impl BitWriter<'_> {
    /// A symbol of a run and a magnitude's size, and the magnitude's bits (F.1.2.1, table F.1).
    #[inline(always)]
    fn put_value(&mut self, codes: &Codes, run: u32, value: i16) {
        let size = 16 - value.unsigned_abs().leading_zeros();
        // Of a negative value the bits of value − 1.
        let magnitude = (value + (value >> 15)) as u32 & ((1 << size) - 1);
        let entry = codes[(run << 4 | size) as usize & 255];
        self.put(entry >> 8 << size | magnitude, (entry & 0xFF) + size);
    }

    #[inline(always)]
    fn put_symbol(&mut self, entry: u32) {
        self.put(entry >> 8, entry & 0xFF);
    }

    /// 27 bits at most: code and magnitude.
    #[inline(always)]
    fn put(&mut self, bits: u32, count: u32) {
        self.word = self.word << count | u64::from(bits);
        self.count += count;
        if self.count >= 32 {
            self.count -= 32;
            self.write((self.word >> self.count) as u32);
        }
    }

    /// Behind each byte of ones goes one of zeros, so that none looks like a marker (F.1.2.3).
    #[inline(always)]
    fn write(&mut self, word: u32) {
        let bytes = word.to_be_bytes();
        // A byte of ones is one of zeros in the complement: the usual test for a zero byte.
        if (!word).wrapping_sub(0x0101_0101) & word & 0x8080_8080 == 0 {
            self.file.extend_from_slice(&bytes);
        } else {
            self.write_stuffed(&bytes);
        }
    }

    #[cold]
    fn write_stuffed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.file.push(byte);
            if byte == 0xFF {
                self.file.push(0);
            }
        }
    }

    fn flush_bytes(&mut self) {
        while self.count >= 8 {
            self.count -= 8;
            self.write_stuffed(&[(self.word >> self.count) as u8]);
        }
    }
}
