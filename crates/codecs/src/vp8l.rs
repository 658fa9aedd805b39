//! How many prefix codes a lossless WebP stream brings (RFC 9649, section 3), read before it is
//! decoded.
//!
//! The decoder builds five look-up tables for each group of codes. The number of groups is the
//! largest number in a small picture, the entropy image: one pixel of it can ask for 65,536 groups,
//! more than a gigabyte of tables for a picture of one pixel. So the stream is read up to that
//! picture, without keeping a pixel: numbers come from literals only.

/// Codes of a group: green and lengths, red, blue, alpha, distances.
const ALPHABETS: [usize; 5] = [256 + LENGTH_CODES, 256, 256, 256, 40];
const LENGTH_CODES: usize = 24;
/// In which the lengths of the code of code lengths come.
const CODE_LENGTH_ORDER: [usize; 19] = [
    17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
];
const MAX_CODE_LENGTH: usize = 15;
/// Kinds of transforms; the two others bring a picture of blocks.
const SUBTRACT_GREEN: u32 = 2;
const COLOUR_INDEXING: u32 = 3;

/// Groups of codes that the stream of a picture brings; `None` if it breaks off or is wrong before
/// that is known, where the decoder fails too.
pub fn code_groups(stream: &[u8]) -> Option<u32> {
    const SIGNATURE: u32 = 0x2f;
    let mut bits = Bits::new(stream);
    if bits.take(8)? != SIGNATURE {
        return None;
    }
    let (width, height) = (bits.take(14)? + 1, bits.take(14)? + 1);
    let _alpha_and_version = bits.take(4)?;
    code_groups_after_header(&mut bits, width, height)
}

/// As [`code_groups`], for the alpha plane of a lossy picture, which has no header.
pub fn code_groups_of_alpha(stream: &[u8], width: u32, height: u32) -> Option<u32> {
    code_groups_after_header(&mut Bits::new(stream), width, height)
}

fn code_groups_after_header(bits: &mut Bits<'_>, width: u32, height: u32) -> Option<u32> {
    let mut width = width;
    let mut seen = 0;
    while bits.take(1)? == 1 {
        let kind = bits.take(2)?;
        // Each may come once, which bounds the work here.
        if seen & 1 << kind != 0 {
            return None;
        }
        seen |= 1 << kind;
        match kind {
            SUBTRACT_GREEN => {}
            COLOUR_INDEXING => {
                let colours = bits.take(8)? + 1;
                largest_number(bits, colours, 1)?;
                let pixels_a_byte = match colours {
                    0..=2 => 8,
                    3..=4 => 4,
                    5..=16 => 2,
                    _ => 1,
                };
                width = width.div_ceil(pixels_a_byte);
            }
            _predictor_or_colour => {
                let block = 1 << (bits.take(3)? + 2);
                largest_number(bits, width.div_ceil(block), height.div_ceil(block))?;
            }
        }
    }
    take_cache_size(bits)?;
    if bits.take(1)? == 0 {
        return Some(1);
    }
    let block = 1 << (bits.take(3)? + 2);
    let largest = largest_number(bits, width.div_ceil(block), height.div_ceil(block))?;
    Some(largest + 1)
}

/// Colours in the cache, 0 without one.
fn take_cache_size(bits: &mut Bits<'_>) -> Option<usize> {
    if bits.take(1)? == 0 {
        return Some(0);
    }
    let size_bits = bits.take(4)?;
    (1..=11).contains(&size_bits).then(|| 1 << size_bits)
}

/// Reads over a picture within the stream, and gives the largest number in red and green.
fn largest_number(bits: &mut Bits<'_>, width: u32, height: u32) -> Option<u32> {
    let cache = take_cache_size(bits)?;
    let mut codes = Vec::with_capacity(ALPHABETS.len());
    for (index, alphabet) in ALPHABETS.into_iter().enumerate() {
        let cached = if index == 0 { cache } else { 0 };
        codes.push(PrefixCode::take(bits, alphabet + cached)?);
    }
    let mut left = u64::from(width) * u64::from(height);
    let mut largest = 0;
    while left > 0 {
        let symbol = codes[0].symbol(bits)?;
        let count = match symbol {
            0..256 => {
                let red = codes[1].symbol(bits)?;
                codes[2].symbol(bits)?;
                codes[3].symbol(bits)?;
                largest = largest.max(red << 8 | symbol);
                if codes[..4].iter().all(PrefixCode::has_one_symbol) {
                    // All other pixels are the same, and take no bit.
                    return Some(largest);
                }
                1
            }
            256..280 => {
                let count = take_length(bits, symbol - 256)?;
                let distance = codes[4].symbol(bits)?;
                take_length(bits, distance)?;
                u64::from(count)
            }
            _from_the_cache => 1,
        };
        left = left.checked_sub(count)?;
    }
    Some(largest)
}

/// RFC 9649, section 5.2.2: lengths and distances have a prefix and extra bits.
fn take_length(bits: &mut Bits<'_>, prefix: u32) -> Option<u32> {
    if prefix < 4 {
        return Some(prefix + 1);
    }
    let extra = (prefix - 2) >> 1;
    let offset = (2 + (prefix & 1)) << extra;
    Some(offset + bits.take(extra)? + 1)
}

/// A canonical prefix code.
struct PrefixCode {
    /// Symbols by the length of their code.
    counts: [u16; MAX_CODE_LENGTH + 1],
    /// In the order of their codes.
    symbols: Vec<u16>,
}

impl PrefixCode {
    fn take(bits: &mut Bits<'_>, alphabet: usize) -> Option<Self> {
        if bits.take(1)? == 1 {
            let has_two = bits.take(1)? == 1;
            let first_bits = if bits.take(1)? == 1 { 8 } else { 1 };
            let mut symbols = vec![bits.take(first_bits)? as u16];
            if has_two {
                symbols.push(bits.take(8)? as u16);
            }
            if symbols
                .iter()
                .any(|symbol| usize::from(*symbol) >= alphabet)
            {
                return None;
            }
            let mut counts = [0; MAX_CODE_LENGTH + 1];
            counts[1] = symbols.len() as u16;
            return Some(Self { counts, symbols });
        }
        let mut code_lengths = [0; 19];
        let count = bits.take(4)? as usize + 4;
        for position in CODE_LENGTH_ORDER.iter().take(count) {
            code_lengths[*position] = bits.take(3)? as u8;
        }
        let lengths = Self::from_lengths(&code_lengths)?.take_lengths(bits, alphabet)?;
        Self::from_lengths(&lengths)
    }

    /// The lengths of another code's codes, which this one codes.
    fn take_lengths(&self, bits: &mut Bits<'_>, alphabet: usize) -> Option<Vec<u8>> {
        let mut told = alphabet;
        if bits.take(1)? == 1 {
            let size = 2 + 2 * bits.take(3)?;
            told = 2 + bits.take(size)? as usize;
            if told > alphabet {
                return None;
            }
        }
        let mut lengths = Vec::with_capacity(alphabet);
        let mut previous = 8;
        while lengths.len() < alphabet && told > 0 {
            told -= 1;
            let (length, repeat) = match self.symbol(bits)? {
                16 => (previous, bits.take(2)? + 3),
                17 => (0, bits.take(3)? + 3),
                18 => (0, bits.take(7)? + 11),
                length => (length as u8, 1),
            };
            if length != 0 {
                previous = length;
            }
            lengths.resize(lengths.len() + repeat as usize, length);
        }
        (lengths.len() <= alphabet).then_some(lengths)
    }

    fn from_lengths(lengths: &[u8]) -> Option<Self> {
        let mut counts = [0; MAX_CODE_LENGTH + 1];
        for length in lengths.iter().filter(|length| **length > 0) {
            *counts.get_mut(usize::from(*length))? += 1;
        }
        let mut symbols: Vec<u16> = (0..lengths.len() as u16)
            .filter(|symbol| lengths[usize::from(*symbol)] > 0)
            .collect();
        symbols.sort_by_key(|symbol| lengths[usize::from(*symbol)]);
        (!symbols.is_empty()).then_some(Self { counts, symbols })
    }

    fn has_one_symbol(&self) -> bool {
        self.symbols.len() == 1
    }

    fn symbol(&self, bits: &mut Bits<'_>) -> Option<u32> {
        if self.has_one_symbol() {
            return self.symbols.first().map(|symbol| u32::from(*symbol));
        }
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            let count = u32::from(*count);
            code |= bits.take(1)?;
            if code < first + count {
                let symbol = self
                    .symbols
                    .get((index + code).checked_sub(first)? as usize)?;
                return Some(u32::from(*symbol));
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

/// Bits from the lowest of each byte on.
struct Bits<'a> {
    bytes: &'a [u8],
    /// In bits.
    position: usize,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// A number of `count` bits, at most 24.
    fn take(&mut self, count: u32) -> Option<u32> {
        let first = self.position / 8;
        let last = (self.position + count as usize).div_ceil(8);
        let window = self.bytes.get(first..last.max(first))?;
        let word = window
            .iter()
            .rev()
            .fold(0, |word: u32, byte| word << 8 | u32::from(*byte));
        let number = (word >> (self.position % 8)) & ((1 << count) - 1);
        self.position += count as usize;
        Some(number)
    }
}
