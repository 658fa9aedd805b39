//! Four floats in an array.

#[derive(Clone, Copy)]
pub struct F4([f32; 4]);

impl F4 {
    pub fn new(values: [f32; 4]) -> Self {
        Self(values)
    }

    pub fn splat(value: f32) -> Self {
        Self([value; 4])
    }

    pub fn from_i16(values: [i16; 4]) -> Self {
        Self(values.map(f32::from))
    }

    pub fn from_u8(values: [u8; 4]) -> Self {
        Self(values.map(f32::from))
    }

    /// Eight values rounded and clamped to ±`limit`; bit i of the second is set if the i-th is
    /// not zero.
    pub fn to_words(low: Self, high: Self, limit: i16) -> ([i16; 8], u8) {
        let value = |i: usize| if i < 4 { low.0[i] } else { high.0[i - 4] };
        let words: [i16; 8] =
            std::array::from_fn(|i| (value(i).round_ties_even() as i16).clamp(-limit, limit));
        let bit = |i: usize| u8::from(words[i] != 0) << i;
        (words, (0..8).fold(0, |bits, i| bits | bit(i)))
    }

    /// Rounded, and clamped to what a byte holds.
    pub fn to_u8(self) -> [u8; 4] {
        self.0.map(|value| value.round_ties_even() as u8)
    }

    pub fn transpose(rows: [Self; 4]) -> [Self; 4] {
        std::array::from_fn(|y| Self(std::array::from_fn(|x| rows[x].0[y])))
    }
}

impl std::ops::Add for F4 {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }
}

impl std::ops::Sub for F4 {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] - other.0[i]))
    }
}

impl std::ops::Mul for F4 {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] * other.0[i]))
    }
}
