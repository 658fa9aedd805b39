//! Sixteen bytes in a register.

use std::arch::x86_64::{
    __m128i, _mm_add_epi8, _mm_and_si128, _mm_andnot_si128, _mm_avg_epu8, _mm_cmpeq_epi8,
    _mm_cvtsi32_si128, _mm_cvtsi128_si32, _mm_cvtsi128_si64, _mm_max_epu8, _mm_min_epu8,
    _mm_or_si128, _mm_set1_epi8, _mm_setzero_si128, _mm_slli_si128, _mm_srli_si128, _mm_sub_epi8,
    _mm_subs_epu8, _mm_unpackhi_epi64, _mm_unpacklo_epi32, _mm_unpacklo_epi64, _mm_xor_si128,
};

/// Pixels of fewer than four bytes leave the rest of their lane unused.
#[derive(Clone, Copy)]
pub struct Bytes(__m128i);

impl Bytes {
    #[inline(always)]
    pub fn zero() -> Self {
        Self(sse2!(_mm_setzero_si128()))
    }

    #[inline(always)]
    pub fn from_pixels(pixels: [u32; 4]) -> Self {
        let [a, b, c, d] = pixels.map(|pixel| sse2!(_mm_cvtsi32_si128(pixel as i32)));
        Self(sse2!(_mm_unpacklo_epi64(
            _mm_unpacklo_epi32(a, b),
            _mm_unpacklo_epi32(c, d)
        )))
    }

    #[inline(always)]
    pub fn pixels(self) -> [u32; 4] {
        let low = sse2!(_mm_cvtsi128_si64(self.0)) as u64;
        let high = sse2!(_mm_cvtsi128_si64(_mm_unpackhi_epi64(self.0, self.0))) as u64;
        [low, low >> 32, high, high >> 32].map(|bits| bits as u32)
    }

    #[inline(always)]
    pub fn last_pixel(self) -> u32 {
        sse2!(_mm_cvtsi128_si32(_mm_srli_si128::<12>(self.0))) as u32
    }

    /// Each pixel goes to the row below; `first` comes in at the top.
    #[inline(always)]
    pub fn moved_down(self, first: u32) -> Self {
        Self(sse2!(_mm_or_si128(
            _mm_slli_si128::<4>(self.0),
            _mm_cvtsi32_si128(first as i32)
        )))
    }

    #[inline(always)]
    pub fn min(self, other: Self) -> Self {
        Self(sse2!(_mm_min_epu8(self.0, other.0)))
    }

    #[inline(always)]
    pub fn max(self, other: Self) -> Self {
        Self(sse2!(_mm_max_epu8(self.0, other.0)))
    }

    #[inline(always)]
    pub fn wrapping_add(self, other: Self) -> Self {
        Self(sse2!(_mm_add_epi8(self.0, other.0)))
    }

    #[inline(always)]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(sse2!(_mm_subs_epu8(self.0, other.0)))
    }

    /// The mean, rounded down; the instruction rounds up.
    #[inline(always)]
    pub fn average(self, other: Self) -> Self {
        let odd = sse2!(_mm_and_si128(
            _mm_xor_si128(self.0, other.0),
            _mm_set1_epi8(1)
        ));
        Self(sse2!(_mm_sub_epi8(_mm_avg_epu8(self.0, other.0), odd)))
    }

    #[inline(always)]
    pub fn and(self, other: Self) -> Self {
        Self(sse2!(_mm_and_si128(self.0, other.0)))
    }

    /// `then` where a byte of `self` is zero, else `otherwise`.
    #[inline(always)]
    pub fn if_zero(self, then: Self, otherwise: Self) -> Self {
        let zero = sse2!(_mm_cmpeq_epi8(self.0, _mm_setzero_si128()));
        Self(sse2!(_mm_or_si128(
            _mm_and_si128(zero, then.0),
            _mm_andnot_si128(zero, otherwise.0)
        )))
    }
}
