//! Four floats in a register.

use std::arch::x86_64::{
    __m128, _mm_add_ps, _mm_cmpeq_epi16, _mm_cvtepi32_ps, _mm_cvtps_epi32, _mm_cvtsi32_si128,
    _mm_cvtsi64_si128, _mm_cvtsi128_si32, _mm_cvtsi128_si64, _mm_max_epi16, _mm_min_epi16,
    _mm_movehl_ps, _mm_movelh_ps, _mm_movemask_epi8, _mm_mul_ps, _mm_packs_epi16, _mm_packs_epi32,
    _mm_packus_epi16, _mm_set_ps, _mm_set1_epi16, _mm_set1_ps, _mm_setzero_si128, _mm_srai_epi32,
    _mm_sub_ps, _mm_unpackhi_epi64, _mm_unpackhi_ps, _mm_unpacklo_epi8, _mm_unpacklo_epi16,
    _mm_unpacklo_ps,
};

#[derive(Clone, Copy)]
pub struct F4(__m128);

impl F4 {
    #[inline(always)]
    pub fn new(values: [f32; 4]) -> Self {
        Self(sse2!(_mm_set_ps(
            values[3], values[2], values[1], values[0]
        )))
    }

    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        Self(sse2!(_mm_set1_ps(value)))
    }

    #[inline(always)]
    pub fn from_i16(values: [i16; 4]) -> Self {
        let bits = values
            .iter()
            .rev()
            .fold(0_u64, |bits, &value| bits << 16 | u64::from(value as u16));
        let packed = sse2!(_mm_cvtsi64_si128(bits as i64));
        // Each value to the upper half of 32 bits, then down again with its sign.
        Self(sse2!(_mm_cvtepi32_ps(_mm_srai_epi32::<16>(
            _mm_unpacklo_epi16(packed, packed)
        ))))
    }

    #[inline(always)]
    pub fn from_u8(values: [u8; 4]) -> Self {
        let zero = sse2!(_mm_setzero_si128());
        let packed = sse2!(_mm_cvtsi32_si128(i32::from_le_bytes(values)));
        Self(sse2!(_mm_cvtepi32_ps(_mm_unpacklo_epi16(
            _mm_unpacklo_epi8(packed, zero),
            zero
        ))))
    }

    /// Eight values rounded and clamped to ±`limit`; bit i of the second is set if the i-th is
    /// not zero.
    #[inline(always)]
    pub fn to_words(low: Self, high: Self, limit: i16) -> ([i16; 8], u8) {
        let packed = sse2!(_mm_packs_epi32(
            _mm_cvtps_epi32(low.0),
            _mm_cvtps_epi32(high.0)
        ));
        let words = sse2!(_mm_max_epi16(
            _mm_min_epi16(packed, _mm_set1_epi16(limit)),
            _mm_set1_epi16(-limit)
        ));
        let zeros = sse2!(_mm_cmpeq_epi16(words, _mm_setzero_si128()));
        let zeros = sse2!(_mm_movemask_epi8(_mm_packs_epi16(zeros, zeros))) as u8;
        let halves = sse2!([
            _mm_cvtsi128_si64(words),
            _mm_cvtsi128_si64(_mm_unpackhi_epi64(words, words))
        ]);
        let word = |i: usize| (halves[i / 4] >> (i % 4 * 16)) as i16;
        (std::array::from_fn(word), !zeros)
    }

    /// Rounded, and clamped to what a byte holds.
    #[inline(always)]
    pub fn to_u8(self) -> [u8; 4] {
        let words = sse2!(_mm_packs_epi32(
            _mm_cvtps_epi32(self.0),
            _mm_cvtps_epi32(self.0)
        ));
        sse2!(_mm_cvtsi128_si32(_mm_packus_epi16(words, words))).to_le_bytes()
    }

    #[inline(always)]
    pub fn transpose(rows: [Self; 4]) -> [Self; 4] {
        let [a, b, c, d] = rows.map(|row| row.0);
        let (ab_low, cd_low) = sse2!((_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d)));
        let (ab_high, cd_high) = sse2!((_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d)));
        [
            Self(sse2!(_mm_movelh_ps(ab_low, cd_low))),
            Self(sse2!(_mm_movehl_ps(cd_low, ab_low))),
            Self(sse2!(_mm_movelh_ps(ab_high, cd_high))),
            Self(sse2!(_mm_movehl_ps(cd_high, ab_high))),
        ]
    }
}

impl std::ops::Add for F4 {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(sse2!(_mm_add_ps(self.0, other.0)))
    }
}

impl std::ops::Sub for F4 {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(sse2!(_mm_sub_ps(self.0, other.0)))
    }
}

impl std::ops::Mul for F4 {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(sse2!(_mm_mul_ps(self.0, other.0)))
    }
}
