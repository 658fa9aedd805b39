//! Bits to bytes.

/// Writes the bits of one scan (ITU-T T.81, F.1.2.3).
pub struct BitWriter<'a> {
    file: &'a mut Vec<u8>,
    /// The last `count` bits are still to be written; above them stand some that were.
    word: u64,
    count: u32,
}

impl<'a> BitWriter<'a> {
    pub fn new(file: &'a mut Vec<u8>) -> Self {
        Self {
            file,
            word: 0,
            count: 0,
        }
    }

    /// 32 bits at most: a code and what follows it.
    #[inline(always)]
    pub fn put(&mut self, bits: u32, count: u32) {
        self.word = self.word << count | u64::from(bits);
        self.count += count;
        if self.count >= 32 {
            self.count -= 32;
            self.write((self.word >> self.count) as u32);
        }
    }

    /// Pads the last byte with ones.
    pub fn finish(mut self) {
        let padding = self.count.wrapping_neg() & 7;
        self.put((1 << padding) - 1, padding);
        self.flush_bytes();
    }

    /// After each byte of ones comes one of zeros, so that none looks like a marker.
    #[inline(always)]
    fn write(&mut self, word: u32) {
        let bytes = word.to_be_bytes();
        // A byte of ones is one of zeros in the complement: the usual test for a zero byte.
        if (!word).wrapping_sub(0x0101_0101) & word & 0x8080_8080 == 0 {
            self.file.extend_from_slice(&bytes);
        } else {
            write_stuffed(self.file, bytes);
        }
    }

    fn flush_bytes(&mut self) {
        while self.count >= 8 {
            self.count -= 8;
            push_stuffed(self.file, (self.word >> self.count) as u8);
        }
    }
}

/// Separate from [`BitWriter`], so that the word and count of that can stay in registers.
#[cold]
fn write_stuffed(file: &mut Vec<u8>, bytes: [u8; 4]) {
    for byte in bytes {
        push_stuffed(file, byte);
    }
}

fn push_stuffed(file: &mut Vec<u8>, byte: u8) {
    file.push(byte);
    if byte == 0xFF {
        file.push(0);
    }
}
