use crate::jpeg::encode::tokens::Tokens;

/// The longest run that a symbol can stand for (ITU-T T.81, G.1.2.2, table G.1).
const LONGEST: u32 = 0x7FFF;

/// Consecutive blocks that have nothing more in the band.
///
/// Their number is known at the run's end. In a scan that refines, the correction bits of these
/// blocks come after it. So a place is kept for the symbol, and the bits need not be kept.
pub struct EobRun {
    table: usize,
    blocks: u32,
    place: usize,
}

impl EobRun {
    pub fn new(table: usize) -> Self {
        Self {
            table,
            blocks: 0,
            place: 0,
        }
    }

    /// Adds a block.
    #[inline]
    pub fn extend(&mut self, tokens: &mut Tokens) {
        if self.blocks == 0 {
            self.place = tokens.keep_place();
        }
        self.blocks += 1;
        if self.blocks == LONGEST {
            self.end(tokens);
        }
    }

    /// Before any other symbol, and at the end of the scan.
    #[inline]
    pub fn end(&mut self, tokens: &mut Tokens) {
        if self.blocks > 0 {
            let size = self.blocks.ilog2();
            let beyond = self.blocks - (1 << size);
            tokens.fill_place(self.place, self.table, (size << 4) as u8, beyond, size);
            self.blocks = 0;
        }
    }
}
