/// The bits of a chain of sub-blocks, each a length and as many bytes, up to one of length zero.
pub(super) struct SubBlocks<'a> {
    bytes: &'a [u8],
    position: usize,
    /// Bytes that the current sub-block still has.
    left: usize,
    word: u64,
    count: u32,
}

impl<'a> SubBlocks<'a> {
    pub(super) fn new(bytes: &'a [u8], position: usize) -> Self {
        Self {
            bytes,
            position,
            left: 0,
            word: 0,
            count: 0,
        }
    }

    /// The next `bits`, at most 12, least significant first.
    #[inline(always)]
    pub(super) fn take(&mut self, bits: u32) -> Option<usize> {
        if self.count < bits {
            self.refill();
            if self.count < bits {
                return None;
            }
        }
        let value = self.word & ((1 << bits) - 1);
        self.word >>= bits;
        self.count -= bits;
        Some(value as usize)
    }

    #[inline(always)]
    fn refill(&mut self) {
        let eight = self
            .bytes
            .get(self.position..)
            .and_then(<[u8]>::first_chunk);
        if let (8.., Some(eight)) = (self.left, eight) {
            let taken = (63 - self.count) >> 3;
            self.word |= u64::from_le_bytes(*eight) << self.count;
            self.word &= u64::MAX >> (64 - self.count - 8 * taken);
            self.count += 8 * taken;
            self.position += taken as usize;
            self.left -= taken as usize;
        } else {
            self.refill_slowly();
        }
    }

    #[cold]
    #[inline(never)]
    fn refill_slowly(&mut self) {
        while self.count <= 56 {
            if self.left == 0 {
                self.left = usize::from(self.bytes.get(self.position).copied().unwrap_or(0));
                if self.left == 0 {
                    return;
                }
                self.position += 1;
            }
            let Some(byte) = self.bytes.get(self.position) else {
                return;
            };
            self.word |= u64::from(*byte) << self.count;
            self.count += 8;
            self.position += 1;
            self.left -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SubBlocks;

    #[test]
    fn bits_come_through_blocks_of_any_length() {
        let bytes: Vec<u8> = (0..3000_u32)
            .map(|index| (index.wrapping_mul(2_654_435_761) >> 17) as u8)
            .collect();
        for length in [1, 2, 7, 8, 9, 100, 255] {
            let mut chain = Vec::new();
            for block in bytes.chunks(length) {
                chain.push(block.len() as u8);
                chain.extend_from_slice(block);
            }
            chain.extend([0, 99]);
            let mut blocks = SubBlocks::new(&chain, 0);
            for pair in bytes.chunks_exact(3) {
                let word =
                    usize::from(pair[0]) | usize::from(pair[1]) << 8 | usize::from(pair[2]) << 16;
                assert_eq!(blocks.take(12), Some(word & 0xfff), "blocks of {length}");
                assert_eq!(blocks.take(12), Some(word >> 12), "blocks of {length}");
            }
            assert_eq!(blocks.take(1), None, "blocks of {length}");
        }
    }
}
