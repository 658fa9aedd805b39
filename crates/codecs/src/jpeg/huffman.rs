use super::bits::Bits;
use super::error::JpegError;
use super::symbols::NO_CODE_BITS;

/// Bits that the fast tables look at. 12 hold nearly two symbols on average, and leave the tables
/// in the first cache.
pub const LOOKUP_BITS: u32 = 12;
const ENTRIES: usize = 1 << LOOKUP_BITS;

/// A Huffman table as the file gives it, with what canonical decoding needs (ITU-T T.81, annex C
/// and F.2.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HuffmanCode {
    symbols: [u8; 256],
    /// For each length, the first code that is too large for it, left-aligned in 16 bits.
    limits: [u32; 17],
    /// For each length, what to add to a code to get the index of its symbol.
    offsets: [i32; 17],
}

impl HuffmanCode {
    /// `counts[i]` is the number of codes of `i + 1` bits.
    pub fn new(counts: &[u8; 16], values: &[u8]) -> Result<Self, JpegError> {
        let mut table = Self {
            symbols: [0; 256],
            limits: [0; 17],
            offsets: [0; 17],
        };
        let total: usize = counts.iter().map(|&n| usize::from(n)).sum();
        if total > 256 || total > values.len() {
            return Err(JpegError::Corrupt("Huffman table with too few symbols"));
        }
        table.symbols[..total].copy_from_slice(&values[..total]);
        let (mut code, mut index) = (0_u32, 0_u32);
        for length in 1..=16_usize {
            let count = u32::from(counts[length - 1]);
            table.offsets[length] = index as i32 - code as i32;
            code += count;
            index += count;
            if code > 1 << length {
                return Err(JpegError::Corrupt("Huffman table with too many codes"));
            }
            table.limits[length] = code << (16 - length);
            code <<= 1;
        }
        Ok(table)
    }

    /// Length and symbol of the code at the top of `bits`; `None` if there is no such code.
    pub fn decode(&self, bits: u64) -> Option<(u32, u8)> {
        let top = (bits >> 48) as u32;
        let length = (1..=16).find(|&length| top < self.limits[length as usize])?;
        let code = (top >> (16 - length)) as i32;
        let index = (code + self.offsets[length as usize]) as usize;
        Some((length, *self.symbols.get(index)?))
    }
}

/// Length and symbol of the code that each possible look-up begins with; length 17 where none fits.
struct Prefixes(Vec<(u8, u8)>);

impl Prefixes {
    fn new(code: &HuffmanCode) -> Self {
        let mut prefixes = vec![(17, 0); ENTRIES];
        let mut start = 0;
        for length in 1..=LOOKUP_BITS {
            let end = (code.limits[length as usize] >> (16 - LOOKUP_BITS)) as usize;
            let span = 1 << (LOOKUP_BITS - length);
            while start < end {
                let index = (start / span) as i32 + code.offsets[length as usize];
                prefixes[start..start + span]
                    .fill((length as u8, code.symbols[index as usize & 255]));
                start += span;
            }
        }
        Self(prefixes)
    }

    /// For the look-up `prefix` after its first `used` bits: length and symbol, if the code is
    /// visible as a whole.
    fn get(&self, prefix: usize, used: u32) -> Option<(u32, u8)> {
        let (length, symbol) = self.0[(prefix << used) & (ENTRIES - 1)];
        let length = u32::from(length);
        (used + length <= LOOKUP_BITS).then_some((length, symbol))
    }
}

/// The look-up index as it stands at the top of the bits.
fn top(prefix: usize) -> u64 {
    (prefix as u64) << (64 - LOOKUP_BITS)
}

/// The signed value that `size` magnitude bits at the top of `bits` stand for (F.2.2.1, EXTEND).
#[inline(always)]
pub fn extend(bits: u64, size: u32) -> i32 {
    if size == 0 {
        return 0;
    }
    let magnitude = (bits >> (64 - size)) as i32;
    if bits >> 63 == 1 {
        magnitude
    } else {
        magnitude - (1 << size) + 1
    }
}

/// A table that answers for all codes of up to [`LOOKUP_BITS`] bits, and has the code itself for
/// longer ones.
pub trait LookupTable {
    fn new(code: HuffmanCode) -> Self;
    fn code(&self) -> &HuffmanCode;
}

/// Difference of a DC coefficient and bits it took, from one look-up.
pub struct DcTable {
    /// `difference << 16 | bits`; 0 where the code with its magnitude does not fit in the look-up.
    entries: Box<[u32; ENTRIES]>,
    code: HuffmanCode,
}

impl LookupTable for DcTable {
    fn new(code: HuffmanCode) -> Self {
        let prefixes = Prefixes::new(&code);
        let mut entries = boxed_table();
        for (prefix, entry) in entries.iter_mut().enumerate() {
            if let Some((difference, total)) = dc_of(&prefixes, prefix) {
                *entry = (difference as u32) << 16 | total;
            }
        }
        Self { entries, code }
    }

    fn code(&self) -> &HuffmanCode {
        &self.code
    }
}

/// Difference and bits of a DC coefficient that a look-up shows as a whole.
fn dc_of(prefixes: &Prefixes, prefix: usize) -> Option<(i32, u32)> {
    let (length, size) = prefixes.get(prefix, 0)?;
    let (size, total) = (u32::from(size), length + u32::from(size));
    (total <= LOOKUP_BITS && size <= 11).then(|| (extend(top(prefix) << length, size), total))
}

impl DcTable {
    #[inline(always)]
    pub fn get(&self, bits: u64) -> u32 {
        self.entries[(bits >> (64 - LOOKUP_BITS)) as usize]
    }
}

/// What an [`AcValueTable`] or [`AcSkipTable`] adds to the coefficient index at the end of a block.
pub const END_OF_BLOCK: u32 = 128;
/// What they add when a symbol has to be decoded bit by bit: more than any index and END_OF_BLOCK
/// together.
pub const UNDECIDED: u32 = 255;

/// Run, value and bits of one AC coefficient from one look-up.
pub struct AcValueTable {
    /// `value << 16 | advance << 8 | bits`, where `advance` is the run of zeros + 1.
    entries: Box<[u32; ENTRIES]>,
    code: HuffmanCode,
}

impl LookupTable for AcValueTable {
    fn new(code: HuffmanCode) -> Self {
        let prefixes = Prefixes::new(&code);
        let mut entries = boxed_table();
        for (prefix, entry) in entries.iter_mut().enumerate() {
            *entry = Self::entry(&prefixes, prefix).unwrap_or(UNDECIDED << 8);
        }
        Self { entries, code }
    }

    fn code(&self) -> &HuffmanCode {
        &self.code
    }
}

impl AcValueTable {
    fn entry(prefixes: &Prefixes, prefix: usize) -> Option<u32> {
        let (length, symbol) = prefixes.get(prefix, 0)?;
        let (size, total) = (u32::from(symbol & 15), length + u32::from(symbol & 15));
        let value = extend(top(prefix) << length, size) as u32;
        (total <= LOOKUP_BITS).then(|| value << 16 | advance_of(symbol) << 8 | total)
    }

    #[inline(always)]
    pub fn get(&self, bits: u64) -> u32 {
        self.entries[(bits >> (64 - LOOKUP_BITS)) as usize]
    }
}

/// Bits and advance of as many AC symbols as one look-up shows, for coefficients whose values don't
/// matter.
pub struct AcSkipTable {
    /// `advance << 8 | bits`.
    entries: Box<[u16; ENTRIES]>,
    code: HuffmanCode,
}

/// Most bits that one entry of an [`AcSkipTable`] takes, so that after a refill (56 bits) a DC
/// look-up and two of these fit, or three of these. Magnitude bits can be skipped unseen: this may
/// exceed `LOOKUP_BITS`.
pub const MAX_SKIPPED_BITS: u32 = 18;

impl LookupTable for AcSkipTable {
    fn new(code: HuffmanCode) -> Self {
        let prefixes = Prefixes::new(&code);
        let mut entries: Box<[u16; ENTRIES]> = boxed_table();
        for (prefix, entry) in entries.iter_mut().enumerate() {
            let (bits, advance) = skip(&prefixes, prefix);
            *entry = if bits == 0 {
                (UNDECIDED << 8) as u16
            } else {
                (advance << 8 | bits) as u16
            };
        }
        Self { entries, code }
    }

    fn code(&self) -> &HuffmanCode {
        &self.code
    }
}

/// Bits and advance of the AC symbols that a look-up shows, added up.
fn skip(prefixes: &Prefixes, prefix: usize) -> (u32, u32) {
    let (mut bits, mut advance) = (0, 0);
    // A code that is only partly visible is unknown.
    while let Some((length, symbol)) = prefixes.get(prefix, bits) {
        let total = bits + length + u32::from(symbol & 15);
        let step = advance_of(symbol);
        // An advance beyond the block belongs to another.
        if total > MAX_SKIPPED_BITS || advance + step % END_OF_BLOCK > 63 {
            break;
        }
        (bits, advance) = (total, advance + step);
        if step == END_OF_BLOCK || bits >= LOOKUP_BITS {
            break;
        }
    }
    (bits, advance)
}

impl AcSkipTable {
    #[inline(always)]
    pub fn get(&self, bits: u64) -> u32 {
        u32::from(self.entries[(bits >> (64 - LOOKUP_BITS)) as usize])
    }
}

/// One symbol from one look-up, for progressive scans.
pub struct SymbolTable {
    /// `symbol << 8 | bits`; 0 where the code does not fit in the look-up.
    entries: Box<[u16; ENTRIES]>,
    code: HuffmanCode,
}

impl LookupTable for SymbolTable {
    fn new(code: HuffmanCode) -> Self {
        let prefixes = Prefixes::new(&code);
        let mut entries: Box<[u16; ENTRIES]> = boxed_table();
        for (prefix, entry) in entries.iter_mut().enumerate() {
            if let Some((length, symbol)) = prefixes.get(prefix, 0) {
                *entry = u16::from(symbol) << 8 | length as u16;
            }
        }
        Self { entries, code }
    }

    fn code(&self) -> &HuffmanCode {
        &self.code
    }
}

impl SymbolTable {
    /// The next symbol, consumed; `None` if there is no such code, of which [`NO_CODE_BITS`] are
    /// consumed. Wants 17 valid bits.
    #[inline(always)]
    pub fn take(&self, bits: &mut Bits) -> Option<u8> {
        let entry = self.entries[(bits.peek() >> (64 - LOOKUP_BITS)) as usize];
        if entry == 0 {
            let found = self.code.decode(bits.peek());
            bits.consume(found.map_or(NO_CODE_BITS, |(length, _)| length));
            return found.map(|(_, symbol)| symbol);
        }
        bits.consume(u32::from(entry & 0xFF));
        Some((entry >> 8) as u8)
    }
}

/// How far an AC symbol of a sequential scan moves the coefficient index.
pub fn advance_of(symbol: u8) -> u32 {
    match symbol {
        0x00 => END_OF_BLOCK,
        // Run lengths of 16 are symbol F0; X0 else is reserved, and ends the block in libjpeg.
        0x10..=0xEF if symbol & 15 == 0 => END_OF_BLOCK,
        _ => u32::from(symbol >> 4) + 1,
    }
}

fn boxed_table<T: Copy + Default>() -> Box<[T; ENTRIES]> {
    let Ok(table) = vec![T::default(); ENTRIES].into_boxed_slice().try_into() else {
        unreachable!("the slice was made with this length")
    };
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table K.5 of T.81 begins like this: 01 00 -> symbol 1 ("00"), 2 ("01"), 3 ("100"), EOB
    /// ("1010").
    fn code() -> HuffmanCode {
        let mut counts = [0; 16];
        (counts[1], counts[2], counts[3], counts[15]) = (2, 1, 2, 1);
        HuffmanCode::new(&counts, &[0x01, 0x02, 0x03, 0x00, 0x11, 0xF0]).unwrap()
    }

    #[test]
    fn codes_are_canonical() {
        let code = code();
        assert_eq!(code.decode(0b01 << 62), Some((2, 0x02)));
        assert_eq!(code.decode(0b100 << 61), Some((3, 0x03)));
        assert_eq!(code.decode(0b1011 << 60), Some((4, 0x11)));
        assert_eq!(code.decode(0b1100_0000_0000_0000 << 48), Some((16, 0xF0)));
        assert_eq!(code.decode(u64::MAX), None);
    }

    #[test]
    fn magnitudes_extend_to_both_signs() {
        assert_eq!(extend(0b101 << 61, 3), 5);
        assert_eq!(extend(0b010 << 61, 3), -5);
        assert_eq!(extend(0, 1), -1);
        assert_eq!(extend(u64::MAX, 0), 0);
    }

    #[test]
    fn one_skip_takes_several_symbols_up_to_the_end_of_the_block() {
        // 1 with its magnitude (00 1), 1 again (00 0), EOB (1010), then the next block.
        let bits = 0b0_0100_0101_0111_u64 << (64 - 13);
        assert_eq!(
            AcSkipTable::new(code()).get(bits),
            (END_OF_BLOCK + 2) << 8 | 10
        );
    }

    #[test]
    fn a_skip_never_takes_a_code_it_does_not_see_whole() {
        // Four times 1 (12 bits), then half a code.
        assert_eq!(
            AcSkipTable::new(code()).get(0b0_0100_1001_0011 << (64 - 13)),
            4 << 8 | 12
        );
    }

    #[test]
    fn oversubscribed_and_short_tables_are_refused() {
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(HuffmanCode::new(&counts, &[1, 2, 3]).is_err());
        counts[0] = 2;
        assert!(HuffmanCode::new(&counts, &[1]).is_err());
    }
}
