//! The boolean entropy decoder (RFC 6386, section 7).

/// Reads booleans of given probabilities from a partition. After its end it reads zeros, and
/// remembers that it did.
///
/// The value that section 7.3 keeps in two bytes stands here at the top of 64 bits, and is refilled
/// by up to seven bytes.
#[derive(Debug, Clone, Copy)]
pub struct BoolReader<'a> {
    window: u64,
    /// Bits of the window that are accounted for in `position`. Those below them may be there too,
    /// or zero.
    bits: u32,
    /// 128 to 255.
    range: u32,
    position: usize,
    bytes: &'a [u8],
}

/// A refill leaves at least this many bits: enough for six booleans, each of which takes at most
/// seven, the last of them to be compared by eight.
const REFILLED_BITS: u32 = 56;
/// With fewer bits there may be too few for four booleans.
const FEW_BITS: u32 = 32;

impl<'a> BoolReader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            window: 0,
            bits: 0,
            range: 255,
            position: 0,
            bytes,
        }
    }

    /// Makes sure that four booleans can be read.
    #[inline(always)]
    pub fn refill(&mut self) {
        if self.bits < FEW_BITS {
            let rest = self.bytes.get(self.position..).unwrap_or_default();
            let next = match rest.first_chunk() {
                Some(chunk) => u64::from_be_bytes(*chunk),
                None => last_bytes(rest),
            };
            self.window |= next >> self.bits;
            let taken = (63 - self.bits) / 8;
            self.position += taken as usize;
            self.bits += taken * 8;
            debug_assert!(self.bits >= REFILLED_BITS);
        }
    }

    /// The next boolean, which is false with a probability of `probability` / 256. Only four times
    /// after a refill.
    #[inline(always)]
    pub fn next(&mut self, probability: u8) -> bool {
        let split = 1 + (((self.range - 1) * u32::from(probability)) >> 8);
        let aligned = u64::from(split) << 56;
        let bit = self.window >= aligned;
        if bit {
            self.range -= split;
            self.window -= aligned;
        } else {
            self.range = split;
        }
        let shift = self.range.leading_zeros() - 24;
        self.range <<= shift;
        self.window <<= shift;
        self.bits -= shift;
        bit
    }

    /// Like [`Self::next`], but refills first.
    #[inline(always)]
    pub fn read(&mut self, probability: u8) -> bool {
        self.refill();
        self.next(probability)
    }

    pub fn flag(&mut self) -> bool {
        self.read(128)
    }

    /// An unsigned number, its highest bit first.
    pub fn literal(&mut self, bits: u32) -> u32 {
        (0..bits).fold(0, |value, _| value << 1 | u32::from(self.flag()))
    }

    /// A number of `bits` bits, then its sign.
    pub fn signed(&mut self, bits: u32) -> i32 {
        let value = self.literal(bits) as i32;
        if self.flag() { -value } else { value }
    }

    /// Like [`Self::signed`], after a flag for whether it is there.
    pub fn optional_signed(&mut self, bits: u32) -> Option<i32> {
        self.flag().then(|| self.signed(bits))
    }

    /// True once bits after the end decided something.
    pub fn has_run_out(&self) -> bool {
        self.position * 8 - self.bits as usize > self.bytes.len() * 8
    }
}

/// Fewer than eight bytes, followed by zeros.
#[cold]
fn last_bytes(rest: &[u8]) -> u64 {
    let mut padded = [0; 8];
    padded[..rest.len()].copy_from_slice(rest);
    u64::from_be_bytes(padded)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The encoder of section 7.3.
    fn written(booleans: &[(bool, u8)]) -> Vec<u8> {
        let (mut out, mut range, mut bottom, mut bit_count) = (Vec::new(), 255_u32, 0_u32, 24);
        let mut write = |bit: bool, probability: u8| {
            let split = 1 + (((range - 1) * u32::from(probability)) >> 8);
            if bit {
                let (sum, carries) = bottom.overflowing_add(split);
                bottom = sum;
                range -= split;
                assert!(!carries, "the carry was taken out before");
            } else {
                range = split;
            }
            while range < 128 {
                range <<= 1;
                if bottom & 1 << 31 != 0 {
                    carry(&mut out);
                }
                bottom <<= 1;
                bit_count -= 1;
                if bit_count == 0 {
                    out.push((bottom >> 24) as u8);
                    bottom &= (1 << 24) - 1;
                    bit_count = 8;
                }
            }
        };
        for (bit, probability) in booleans {
            write(*bit, *probability);
        }
        for _ in 0..32 {
            write(false, 128);
        }
        out
    }

    fn carry(out: &mut [u8]) {
        for byte in out.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
    }

    #[test]
    fn booleans_come_back_as_they_were_written() {
        let mut state = 7_u32;
        let booleans: Vec<(bool, u8)> = (0..20_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let probability = ((state >> 8) as u8).max(1);
                (((state >> 16) as u8) >= probability, probability)
            })
            .collect();
        let bytes = written(&booleans);
        let mut reader = BoolReader::new(&bytes);
        for (index, (bit, probability)) in booleans.iter().enumerate() {
            assert_eq!(reader.read(*probability), *bit, "{index}");
        }
        assert!(!reader.has_run_out());
        let mut reader = BoolReader::new(&bytes[..bytes.len() / 2]);
        for (_, probability) in &booleans {
            reader.read(*probability);
        }
        assert!(reader.has_run_out());
    }

    #[test]
    fn an_empty_partition_reads_as_zeros_and_tells() {
        let mut reader = BoolReader::new(&[]);
        assert_eq!(reader.literal(8), 0);
        assert!(reader.has_run_out());
        for _ in 0..1000 {
            assert!(!reader.flag());
        }
    }
}
