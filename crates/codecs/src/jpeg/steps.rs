//! Look-up tables of one form for DC and AC codes, for the loop in [`super::means`].

use super::huffman::{AcSkipTable, DcTable, HuffmanCode, LOOKUP_BITS, LookupTable};

/// Entries of one table.
pub const ENTRIES: usize = 1 << LOOKUP_BITS;

/// The bits that a table's first entry can have: the others count within a table.
pub const TABLES: usize = 7 * ENTRIES;

/// DC tables 0 to 3 and AC tables 0 to 3 in one, so that a number chooses among them.
///
/// An entry has the bits it takes in bits 0 to 5 (0: to be decoded bit by bit), and in bits 6 to 14
/// the difference (DC) or the advance of the coefficient index (AC, up to 63). Bit 15 is set if it
/// ends the block.
pub struct StepTables {
    entries: Box<[u16; 8 * ENTRIES]>,
    codes: [Option<HuffmanCode>; 8],
}

const ENDS: u16 = 0x8000;

impl Default for StepTables {
    fn default() -> Self {
        let Ok(entries) = vec![0; 8 * ENTRIES].into_boxed_slice().try_into() else {
            unreachable!("the slice was made with this length")
        };
        Self {
            entries,
            codes: [const { None }; 8],
        }
    }
}

impl StepTables {
    pub fn prepare_dc(&mut self, number: usize, code: &HuffmanCode) {
        self.prepare(number & 3, code, |code, entries| {
            let table = DcTable::new(code);
            for (prefix, entry) in entries.iter_mut().enumerate() {
                let from = table.get((prefix as u64) << (64 - LOOKUP_BITS));
                let (difference, bits) = (from as i32 >> 16, from & 0xFF);
                let fits = (-256..256).contains(&difference);
                *entry = if fits {
                    (difference as u16 & 0x1FF) << 6 | bits as u16
                } else {
                    0
                };
            }
        });
    }

    pub fn prepare_ac(&mut self, number: usize, code: &HuffmanCode) {
        self.prepare(4 + (number & 3), code, |code, entries| {
            let table = AcSkipTable::new(code);
            for (prefix, entry) in entries.iter_mut().enumerate() {
                let from = table.get((prefix as u64) << (64 - LOOKUP_BITS)) as u16;
                let (bits, advance) = (from & 0xFF, from >> 8);
                let ends = if advance >= 128 { ENDS } else { 0 };
                *entry = if bits == 0 {
                    0
                } else {
                    ends | (advance & 63) << 6 | bits
                };
            }
        });
    }

    fn prepare(
        &mut self,
        slot: usize,
        code: &HuffmanCode,
        fill: impl FnOnce(HuffmanCode, &mut [u16]),
    ) {
        if self.codes[slot].as_ref() != Some(code) {
            fill(code.clone(), &mut self.entries[slot * ENTRIES..][..ENTRIES]);
            self.codes[slot] = Some(code.clone());
        }
    }

    pub fn entries(&self) -> &[u16; 8 * ENTRIES] {
        &self.entries
    }

    /// The code of a slot: DC tables first, then AC tables.
    pub fn code(&self, slot: usize) -> Option<&HuffmanCode> {
        self.codes[slot & 7].as_ref()
    }

    /// The place within a table for the bits to come.
    #[inline(always)]
    pub fn index(bits: u64) -> usize {
        (bits >> (64 - LOOKUP_BITS)) as usize
    }
}

/// The difference in an entry of a DC table, or in what [`slow_difference`] gives.
#[inline(always)]
pub fn difference(entry: u16) -> i16 {
    if entry & ENDS == 0 {
        (entry << 1) as i16 >> 7
    } else {
        (entry << 4) as i16 >> 4
    }
}

/// A difference of up to 12 bits in place of an entry.
pub fn slow_difference(difference: i32) -> u16 {
    ENDS | (difference as u16 & 0xFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_keep_their_sign_in_an_entry() {
        // Size 3 is "0", size 0 is "10".
        let mut counts = [0; 16];
        (counts[0], counts[1]) = (1, 1);
        let mut tables = StepTables::default();
        tables.prepare_dc(1, &HuffmanCode::new(&counts, &[3, 0]).unwrap());
        let entry = |bits: u64| tables.entries()[ENTRIES + StepTables::index(bits)];
        assert_eq!(
            (difference(entry(0b0010 << 60)), entry(0b0010 << 60) & 63),
            (-5, 4)
        );
        assert_eq!(
            (difference(entry(0b0101 << 60)), entry(0b0101 << 60) & 63),
            (5, 4)
        );
        assert_eq!(
            (difference(entry(0b10 << 62)), entry(0b10 << 62) & 63),
            (0, 2)
        );
        assert_eq!(
            (
                difference(slow_difference(-1234)),
                difference(slow_difference(1234))
            ),
            (-1234, 1234)
        );
    }
}
