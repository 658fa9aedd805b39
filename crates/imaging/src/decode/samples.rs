//! Samples of any depth to bytes.

/// How the samples of a file are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Depth {
    /// 1 to 16, 24, 32 or 64.
    pub bits: u8,
    /// IEEE 754 of 16, 32 or 64 bits, with 1 for white.
    pub is_float: bool,
    pub is_little_endian: bool,
}

impl Depth {
    pub(crate) const fn row_bytes(self, samples: usize) -> usize {
        samples.saturating_mul(self.bits as usize).div_ceil(8)
    }

    /// Brings `out.len()` samples from their range to that of a byte; without `scale`, numbers of
    /// at most eight bits are taken as they are.
    pub(crate) fn unpack(self, raw: &[u8], scale: bool, out: &mut [u8]) {
        match (self.bits, self.is_float) {
            (8, false) => out.copy_from_slice(&raw[..out.len()]),
            (16, false) if self.is_little_endian => {
                unpack_shorts(raw, out, u16::from_le_bytes);
            }
            (16, false) => unpack_shorts(raw, out, u16::from_be_bytes),
            (24 | 32 | 64, false) => self.unpack_highest(raw, out),
            (_, true) => self.unpack_floats(raw, out),
            (bits, false) => unpack_bits(raw, bits, scale, out),
        }
    }

    /// The highest byte of each integer.
    fn unpack_highest(self, raw: &[u8], out: &mut [u8]) {
        let bytes = usize::from(self.bits) / 8;
        let highest = if self.is_little_endian { bytes - 1 } else { 0 };
        for (out, sample) in out.iter_mut().zip(raw.chunks_exact(bytes)) {
            *out = sample[highest];
        }
    }

    fn unpack_floats(self, raw: &[u8], out: &mut [u8]) {
        let bytes = usize::from(self.bits) / 8;
        for (out, sample) in out.iter_mut().zip(raw.chunks_exact(bytes)) {
            let mut ordered = [0; 8];
            let ordered = &mut ordered[..bytes];
            ordered.copy_from_slice(sample);
            if !self.is_little_endian {
                ordered.reverse();
            }
            let value = match *ordered {
                [a, b] => half(u16::from_le_bytes([a, b])),
                [a, b, c, d] => f32::from_le_bytes([a, b, c, d]),
                [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32,
                _ => 0.0,
            };
            // What is no number becomes 0.
            *out = (value * 255.0 + 0.5) as u8;
        }
    }
}

fn unpack_shorts(raw: &[u8], out: &mut [u8], read: impl Fn([u8; 2]) -> u16) {
    let (pairs, _) = raw.as_chunks::<2>();
    for (out, pair) in out.iter_mut().zip(pairs) {
        *out = rounded(read(*pair));
    }
}

/// v · 255 / 65,535, rounded exactly, without a division.
pub(crate) const fn rounded(short: u16) -> u8 {
    ((short as u32 * 255 + 32_895) >> 16) as u8
}

/// From the highest bit of each byte on.
fn unpack_bits(raw: &[u8], bits: u8, scale: bool, out: &mut [u8]) {
    let largest = (1_u32 << bits) - 1;
    let (mut held, mut held_bits) = (0_u32, 0);
    let mut bytes = raw.iter();
    for out in out {
        while held_bits < bits {
            held = held << 8 | u32::from(bytes.next().copied().unwrap_or(0));
            held_bits += 8;
        }
        held_bits -= bits;
        let value = held >> held_bits & largest;
        *out = if scale {
            ((value * 255 + largest / 2) / largest) as u8
        } else {
            value as u8
        };
    }
}

/// IEEE 754, binary16.
fn half(bits: u16) -> f32 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    let magnitude = match exponent {
        0 => fraction * 2_f32.powi(-24),
        31 if fraction > 0.0 => f32::NAN,
        31 => f32::INFINITY,
        _ => (1.0 + fraction / 1024.0) * 2_f32.powi(exponent - 15),
    };
    if bits >> 15 == 1 {
        -magnitude
    } else {
        magnitude
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(depth: (u8, bool), raw: &[u8], count: usize) -> Vec<u8> {
        let mut out = vec![0; count];
        let depth = Depth {
            bits: depth.0,
            is_float: depth.1,
            is_little_endian: false,
        };
        depth.unpack(raw, true, &mut out);
        out
    }

    #[test]
    fn samples_of_any_depth_fill_the_range_of_a_byte() {
        assert_eq!(unpacked((1, false), &[0b1010_0000], 3), [255, 0, 255]);
        assert_eq!(unpacked((2, false), &[0b00_01_10_11], 4), [0, 85, 170, 255]);
        assert_eq!(unpacked((4, false), &[0x0f, 0x80], 3), [0, 255, 136]);
        assert_eq!(unpacked((12, false), &[0xff, 0xf8, 0x00], 2), [255, 128]);
        assert_eq!(
            unpacked((16, false), &[0x80, 0x80, 0xff, 0x7e], 2),
            [128, 254]
        );
        assert_eq!(unpacked((32, false), &[0x80, 0, 0, 0], 1), [128]);
        assert_eq!(
            unpacked((16, true), &[0x38, 0x00, 0x3c, 0x00], 2),
            [128, 255]
        );
        let floats = [0.25_f32, -1.0, 7.0, f32::NAN]
            .map(f32::to_be_bytes)
            .concat();
        assert_eq!(unpacked((32, true), &floats, 4), [64, 0, 255, 0]);
    }

    #[test]
    fn shorts_are_rounded_to_the_nearest_byte() {
        for short in 0..=u16::MAX {
            let exact = (f64::from(short) / 257.0).round() as u8;
            assert_eq!(rounded(short), exact, "{short}");
        }
    }
}
