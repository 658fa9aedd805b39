//! Sequential coding: all coefficients of a block at once (ITU-T T.81, annex F.1.2).

use super::blocks::{BlockSink, Source};
use super::forward::Block;
use super::header::{self, Scan};
use super::huffman::STANDARD;
use super::symbols::{Coder, SIXTEEN_ZEROS, Symbols};
use super::tables::HUFFMAN;
use super::tokens::Tokens;

const END_OF_BLOCK: u8 = 0x00;

/// With the standard's tables, in one pass. Separate from the other codings: saves 1 % of a
/// picture's time.
#[inline(never)]
pub fn write_baseline(file: &mut Vec<u8>, source: &Source<'_>) {
    header::frame(file, header::SOF0, source);
    for table in &HUFFMAN[..2 * source.picture.tables()] {
        header::huffman(file, table);
    }
    header::scan(file, &Scan::whole(&source.picture));
    let mut blocks = BlockCoder::new(Coder::new(file, &STANDARD));
    source.each_block(&mut blocks);
    blocks.symbols.finish();
}

/// With tables made for the picture, in a pass over samples and one over symbols.
pub fn write_optimized(file: &mut Vec<u8>, source: &Source<'_>) {
    header::frame(file, header::SOF0, source);
    let mut blocks = BlockCoder::new(Tokens::new());
    source.each_block(&mut blocks);
    blocks.symbols.write(file, &Scan::whole(&source.picture));
}

/// Turns blocks into symbols, each block with the difference to its component's last DC
/// coefficient.
struct BlockCoder<S> {
    symbols: S,
    last_dc: [i16; 3],
}

impl<S: Symbols> BlockCoder<S> {
    fn new(symbols: S) -> Self {
        Self {
            symbols,
            last_dc: [0; 3],
        }
    }

    /// `TABLE`: the component's DC table; its AC table follows.
    #[inline(always)]
    fn block<const TABLE: usize>(&mut self, component: usize, block: &Block) {
        let (dc, ac) = (TABLE, TABLE + 1);
        let difference = block.coefficient(0) - self.last_dc[component];
        self.last_dc[component] = block.coefficient(0);
        self.symbols.put_value(dc, 0, difference);
        let mut left = block.significant & !1;
        let mut last = 0;
        while left != 0 {
            let k = left.trailing_zeros();
            left &= left - 1;
            let mut run = k - last - 1;
            while run > 15 {
                self.symbols.put(ac, SIXTEEN_ZEROS, 0, 0);
                run -= 16;
            }
            self.symbols
                .put_value(ac, run, block.coefficient(k as usize));
            last = k;
        }
        if last < 63 {
            self.symbols.put(ac, END_OF_BLOCK, 0, 0);
        }
    }

    /// Separate from the code of luma, which has most of the blocks and is inlined: saves 2 % of a
    /// picture's time.
    #[inline(never)]
    fn chroma(&mut self, component: usize, block: &Block) {
        self.block::<2>(component, block);
    }
}

impl<S: Symbols> BlockSink for BlockCoder<S> {
    #[inline(always)]
    fn take<const COMPONENT: usize>(&mut self, block: &Block) {
        if COMPONENT == 0 {
            self.block::<0>(0, block);
        } else {
            self.chroma(COMPONENT, block);
        }
    }
}
