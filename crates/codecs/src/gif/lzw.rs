//! The LZW code of GIF (GIF89a specification, appendix F), read a row at a time.
//!
//! No string of the code table is ever built. Each is in the output already, because a new one is
//! the one just given out and the byte after it. So an entry is a place and a length, and a code is
//! one copy.

use std::ops::Range;

use super::sub_blocks::SubBlocks;

/// Longest code in bits.
const MAX_BITS: u32 = 12;
const MAX_CODES: usize = 1 << MAX_BITS;
/// Strings up to this length are copied as one piece, whatever their length.
const PIECE: usize = 16;
/// More than any string and a piece.
const MARGIN: usize = MAX_CODES + PIECE;
/// Every byte stands at its own place at the start of the history: the strings of one byte.
const LITERALS: usize = 256;
/// How many bytes that are no longer needed may stand in the history before they are dropped.
const MAX_DEAD_BYTES: usize = 64 << 10;
/// All strings of one table: the first is at most one byte long, the next two, and so on.
const MAX_TABLE_BYTES: usize = MAX_CODES * MAX_CODES / 2;

/// Bytes that a decoder holds at most when `pixels` are read in rows of `width`.
pub fn memory_bytes(pixels: usize, width: usize) -> usize {
    // Before bytes are dropped there may be as many dead ones as live ones.
    let live = pixels.min(MAX_TABLE_BYTES) + width + MAX_DEAD_BYTES + MARGIN;
    2 * live + MAX_CODES * size_of::<Text>()
}

/// A string, as a place in the history.
#[derive(Debug, Clone, Copy, Default)]
struct Text {
    start: u32,
    length: u32,
}

pub struct Lzw<'a> {
    data: SubBlocks<'a>,
    texts: Box<[Text; MAX_CODES]>,
    /// The first code that has no string. The string before it lacks its last byte until that byte
    /// is given out.
    next: usize,
    clear: usize,
    bits: u32,
    history: Vec<u8>,
    /// Where the strings of the current table begin, and where they end once it is full.
    table: Range<usize>,
    /// What was given out, and what of it was read.
    end: usize,
    read: usize,
    is_over: bool,
}

impl<'a> Lzw<'a> {
    /// Reads from the byte that holds the size of the code, which is followed by sub-blocks. `None`
    /// if that byte is missing.
    pub fn new(bytes: &'a [u8], position: usize) -> Option<Self> {
        let literal_bits = u32::from(*bytes.get(position)?);
        if !(1..MAX_BITS).contains(&literal_bits) {
            return None;
        }
        let mut lzw = Self {
            data: SubBlocks::new(bytes, position + 1),
            texts: vec![Text::default(); MAX_CODES]
                .into_boxed_slice()
                .try_into()
                .ok()?,
            next: 0,
            clear: 1 << literal_bits,
            bits: 0,
            history: (0..=255).collect(),
            table: 0..0,
            end: LITERALS,
            read: LITERALS,
            is_over: false,
        };
        for (text, start) in lzw.texts.iter_mut().zip(0..LITERALS as u32) {
            *text = Text { start, length: 1 };
        }
        lzw.clear_table();
        Some(lzw)
    }

    /// Fills `row`. False if the data ends or breaks the code before.
    pub fn read(&mut self, row: &mut [u8]) -> bool {
        self.drop_dead_bytes();
        let needed = self.read + row.len();
        while self.end < needed && !self.is_over {
            if self.history.len() < needed + MARGIN {
                let grown = needed + MARGIN + MAX_DEAD_BYTES;
                self.history.reserve_exact(grown - self.history.len());
                self.history.resize(grown, 0);
            }
            self.decode(needed);
        }
        if self.end < needed {
            return false;
        }
        row.copy_from_slice(&self.history[self.read..needed]);
        self.read = needed;
        true
    }

    /// Gives out strings until the history has `needed` bytes. One string may reach over that.
    fn decode(&mut self, needed: usize) {
        while self.end < needed {
            let Some(code) = self.data.take(self.bits) else {
                self.is_over = true;
                return;
            };
            if code == self.clear {
                self.clear_table();
                continue;
            }
            if code == self.clear + 1 || code >= self.next {
                self.is_over = true;
                return;
            }
            let text = self.texts[code];
            let (start, length) = (text.start as usize, text.length as usize);
            let end = self.end + length;
            if length <= PIECE {
                let mut piece = [0; PIECE];
                piece.copy_from_slice(&self.history[start..start + PIECE]);
                self.history[self.end..self.end + PIECE].copy_from_slice(&piece);
            } else {
                self.history.copy_within(start..start + length, self.end);
            }
            if start + length > self.end {
                // The string before, whose last byte is this one's first.
                self.history[end - 1] = self.history[start];
            }
            if self.next < MAX_CODES {
                self.texts[self.next] = Text {
                    start: self.end as u32,
                    length: length as u32 + 1,
                };
                self.next += 1;
                self.table.end = end + 1;
                if self.next > 1 << self.bits && self.bits < MAX_BITS {
                    self.bits += 1;
                }
            }
            self.end = end;
        }
    }

    fn clear_table(&mut self) {
        self.bits = self.clear.trailing_zeros() + 1;
        self.next = self.clear + 2;
        self.table = self.end..self.end;
    }

    /// Moves the history down over the bytes that no string and no row needs any longer. Each byte
    /// that is moved pays for one that was given out.
    fn drop_dead_bytes(&mut self) {
        if self.next == MAX_CODES && self.read > self.table.end + MAX_DEAD_BYTES {
            self.history
                .copy_within(self.read..self.end, self.table.end);
            self.end -= self.read - self.table.end;
            self.read = self.table.end;
        }
        let live = self.table.start.min(self.read);
        let dead = live - LITERALS;
        if dead > MAX_DEAD_BYTES && dead > self.end - live {
            self.history.copy_within(live..self.end, LITERALS);
            for text in &mut self.texts[self.clear + 2..self.next] {
                text.start -= dead as u32;
            }
            self.table = self.table.start - dead..self.table.end - dead;
            self.end -= dead;
            self.read -= dead;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// A plain encoder that clears its table only if asked to, and ends with an end code.
    fn encode(pixels: &[u8], literal_bits: u32, clears_when_full: bool) -> Vec<u8> {
        let (clear, mut bits) = (1_usize << literal_bits, literal_bits + 1);
        let (mut word, mut count, mut bytes) = (0_u64, 0, Vec::new());
        let mut put = |code: usize, bits: u32| {
            word |= (code as u64) << count;
            count += bits;
            while count >= 8 {
                bytes.push(word as u8);
                word >>= 8;
                count -= 8;
            }
            (word as u8, count)
        };
        let literals: HashMap<Vec<u8>, usize> =
            (0..clear).map(|code| (vec![code as u8], code)).collect();
        let (mut table, mut next) = (literals.clone(), clear + 2);
        put(clear, bits);
        let mut text = Vec::new();
        for &pixel in pixels {
            text.push(pixel);
            if table.contains_key(&text) {
                continue;
            }
            put(table[&text[..text.len() - 1]], bits);
            if next < MAX_CODES {
                table.insert(text, next);
                next += 1;
                if next > 1 << bits {
                    bits += 1;
                }
            } else if clears_when_full {
                put(clear, bits);
                (table, next, bits) = (literals.clone(), clear + 2, literal_bits + 1);
            }
            text = vec![pixel];
        }
        put(table[&text], bits);
        let (rest, count) = put(clear + 1, bits);
        if count > 0 {
            bytes.push(rest);
        }
        let mut blocks = vec![literal_bits as u8];
        for block in bytes.chunks(255) {
            blocks.push(block.len() as u8);
            blocks.extend_from_slice(block);
        }
        blocks.push(0);
        blocks
    }

    /// The rows that can be read, and the greatest length of the history.
    fn decode(bytes: &[u8], width: usize) -> (Vec<u8>, usize) {
        let mut lzw = Lzw::new(bytes, 0).unwrap();
        let (mut pixels, mut row, mut longest) = (Vec::new(), vec![0; width], 0);
        while lzw.read(&mut row) {
            pixels.extend_from_slice(&row);
            longest = longest.max(lzw.history.len());
        }
        (pixels, longest)
    }

    fn pictures(literal_bits: u32) -> Vec<Vec<u8>> {
        let mask = (1_u32 << literal_bits.min(8)) - 1;
        let noise = |index: u32| ((index.wrapping_mul(2_654_435_761) >> 13) & mask) as u8;
        vec![
            vec![0; 300_000],
            (0..300_000).map(noise).collect(),
            (0..300_000)
                .map(|index| ((index / 37) & mask) as u8)
                .collect(),
            (0..300_000).map(|index| noise(index / 5 % 999)).collect(),
        ]
    }

    #[test]
    fn what_is_encoded_is_read_back() {
        for literal_bits in 1..=8 {
            for (index, pixels) in pictures(literal_bits).iter().enumerate() {
                for clears_when_full in [true, false] {
                    let bytes = encode(pixels, literal_bits, clears_when_full);
                    for width in [1, 1000, 30_000] {
                        let (read, _) = decode(&bytes, width);
                        assert!(
                            read == pixels[..pixels.len() / width * width],
                            "{literal_bits} bits, picture {index}, {width} wide, {clears_when_full}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn the_history_stays_within_its_estimate() {
        for (pixels, clears) in pictures(8).iter().flat_map(|p| [(p, true), (p, false)]) {
            let (_, longest) = decode(&encode(pixels, 8, clears), 1000);
            assert!(longest <= memory_bytes(pixels.len(), 1000), "{longest}");
        }
        // Nothing but clear codes: the table begins again and again.
        let noise = &pictures(8)[1];
        let (_, longest) = decode(&encode(&noise.repeat(10), 8, true), 1000);
        assert!(longest < 600_000, "{longest}");
    }

    #[test]
    fn data_that_ends_or_breaks_the_code_ends_the_rows() {
        let pixels = &pictures(8)[2];
        let whole = encode(pixels, 8, true);
        let (cut, _) = decode(&whole[..whole.len() / 2], 1000);
        assert!(!cut.is_empty() && cut.len() < pixels.len());
        assert!(cut == pixels[..cut.len()]);
        // Clear, then a code that no table has yet.
        assert!(!Lzw::new(&[2, 1, 0b110_100, 0], 0).unwrap().read(&mut [0]));
        assert!(Lzw::new(&[12, 0], 0).is_none() && Lzw::new(&[0, 0], 0).is_none());
        assert!(Lzw::new(&[], 0).is_none());
    }

    #[test]
    fn damaged_data_never_panics() {
        let whole = encode(&pictures(8)[3], 8, false);
        for index in (0..whole.len()).step_by(whole.len() / 300 + 1) {
            for change in [1, 0x10, 0xff] {
                let mut bytes = whole.clone();
                bytes[index] ^= change;
                if let Some(mut lzw) = Lzw::new(&bytes, 0) {
                    let mut row = [0; 777];
                    while lzw.read(&mut row) {}
                }
            }
        }
    }
}
