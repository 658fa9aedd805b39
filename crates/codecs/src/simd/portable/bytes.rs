//! Sixteen bytes in an array.

#[derive(Clone, Copy)]
pub struct Bytes([u8; 16]);

impl Bytes {
    pub fn zero() -> Self {
        Self([0; 16])
    }

    pub fn from_pixels(pixels: [u32; 4]) -> Self {
        let pixels = pixels.map(u32::to_le_bytes);
        Self(std::array::from_fn(|i| pixels[i / 4][i % 4]))
    }

    pub fn pixels(self) -> [u32; 4] {
        let pixel = |row: usize| std::array::from_fn(|i| self.0[row * 4 + i]);
        std::array::from_fn(|row| u32::from_le_bytes(pixel(row)))
    }

    pub fn last_pixel(self) -> u32 {
        self.pixels()[3]
    }

    pub fn moved_down(self, first: u32) -> Self {
        let [a, b, c, _] = self.pixels();
        Self::from_pixels([first, a, b, c])
    }

    fn zip(self, other: Self, operation: impl Fn(u8, u8) -> u8) -> Self {
        Self(std::array::from_fn(|i| operation(self.0[i], other.0[i])))
    }

    pub fn min(self, other: Self) -> Self {
        self.zip(other, u8::min)
    }

    pub fn max(self, other: Self) -> Self {
        self.zip(other, u8::max)
    }

    pub fn wrapping_add(self, other: Self) -> Self {
        self.zip(other, u8::wrapping_add)
    }

    pub fn saturating_sub(self, other: Self) -> Self {
        self.zip(other, u8::saturating_sub)
    }

    pub fn average(self, other: Self) -> Self {
        self.zip(other, |a, b| ((u16::from(a) + u16::from(b)) >> 1) as u8)
    }

    pub fn and(self, other: Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    pub fn if_zero(self, then: Self, otherwise: Self) -> Self {
        let pick = |i: usize| if self.0[i] == 0 { &then } else { &otherwise };
        Self(std::array::from_fn(|i| pick(i).0[i]))
    }
}
