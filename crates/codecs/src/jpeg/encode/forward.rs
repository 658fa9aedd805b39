//! The forward transform of 8 × 8 samples, and the quantisation of its results.
//!
//! The transform is that of Y. Arai, T. Agui and M. Nakajima (1988), which leaves all but five
//! multiplications to the quantisation: each coefficient comes out too large by a factor of its
//! own.

use super::super::idct::transpose_8;
use super::super::tables::{Quantization, ZIGZAG};
use crate::simd::F4;

/// Quantised coefficients.
#[derive(Clone)]
pub struct Block {
    /// One column of frequencies after another.
    by_column: [i16; 64],
    /// Bit k is set if the k-th coefficient in zigzag order is not zero.
    pub significant: u64,
}

impl Block {
    /// The `k`-th coefficient in zigzag order.
    #[inline(always)]
    pub fn coefficient(&self, k: usize) -> i16 {
        self.by_column[usize::from(BY_COLUMN[k & 63] & 63)]
    }
}

/// Quantises by one table.
pub struct Quantizer {
    /// The factor of each coefficient, by column and row of frequency; four columns of eight a
    /// side.
    factors: [[F4; 8]; 2],
}

/// √2 cos(k π / 16), and 1 for k = 0: how much too large a coefficient is in one direction.
const EXCESS: [f64; 8] = [
    1.0,
    1.387_039_845_322_148,
    1.306_562_964_876_377,
    1.175_875_602_419_359,
    1.0,
    0.785_694_958_387_102,
    0.541_196_100_146_197,
    0.275_899_379_282_943,
];

/// Where the zigzag's coefficients lie when columns are stored one after another.
const BY_COLUMN: [u8; 64] = {
    let mut places = [0; 64];
    let mut k = 0;
    while k < 64 {
        places[k] = ZIGZAG[k] % 8 * 8 + ZIGZAG[k] / 8;
        k += 1;
    }
    places
};

/// The zigzag's index of each of these places.
const ZIGZAG_INDEX: [u8; 64] = {
    let mut indices = [0; 64];
    let mut k = 0;
    while k < 64 {
        indices[BY_COLUMN[k] as usize] = k as u8;
        k += 1;
    }
    indices
};

/// Baseline codes have 10 bits for an AC coefficient and 11 for the difference of two of DC.
const LARGEST: i16 = 1023;

impl Quantizer {
    pub fn new(steps: &Quantization) -> Self {
        let mut factors = [0.0; 64];
        for (step, place) in steps.iter().zip(BY_COLUMN) {
            let (column, row) = (usize::from(place / 8), usize::from(place % 8));
            let excess = 8.0 * EXCESS[column] * EXCESS[row];
            factors[usize::from(place)] = (1.0 / (excess * f64::from(*step))) as f32;
        }
        let four = |at: usize| {
            F4::new([
                factors[at],
                factors[at + 1],
                factors[at + 2],
                factors[at + 3],
            ])
        };
        Self {
            factors: [0, 4].map(|half| std::array::from_fn(|column| four(column * 8 + half))),
        }
    }

    /// Transforms and quantises the 8 × 8 samples at the start of `samples`, whose rows are
    /// `stride` apart.
    #[inline]
    pub fn block(&self, samples: &[u8], stride: usize) -> Block {
        let mid_grey = F4::splat(128.0);
        let (mut left, mut right) = ([mid_grey; 8], [mid_grey; 8]);
        for (y, (left, right)) in left.iter_mut().zip(&mut right).enumerate() {
            let row: &[u8; 8] = samples[y * stride..]
                .first_chunk()
                .expect("a strip has whole blocks");
            *left = F4::from_u8([row[0], row[1], row[2], row[3]]) - mid_grey;
            *right = F4::from_u8([row[4], row[5], row[6], row[7]]) - mid_grey;
        }
        // Down the columns; then, with columns as rows, along the rows.
        let (upper, lower) = transpose_8(line(left), line(right));
        let (upper, lower) = (line(upper), line(lower));
        let mut by_column = [0_i16; 64];
        let mut places = 0_u64;
        for (column, out) in by_column.chunks_exact_mut(8).enumerate() {
            let (words, significant) = F4::to_words(
                upper[column] * self.factors[0][column],
                lower[column] * self.factors[1][column],
                LARGEST,
            );
            out.copy_from_slice(&words);
            places |= u64::from(significant) << (8 * column);
        }
        // Most are zero: a look at each other one costs less than sorting all.
        let mut significant = 0;
        while places != 0 {
            let place = places.trailing_zeros() as usize & 63;
            places &= places - 1;
            significant |= 1 << (ZIGZAG_INDEX[place] & 63);
        }
        Block {
            by_column,
            significant,
        }
    }
}

/// 8-point transforms, one a lane.
#[inline(always)]
fn line(input: [F4; 8]) -> [F4; 8] {
    let [a, b, c, d, e, f, g, h] = input;
    let (s07, d07, s16, d16) = (a + h, a - h, b + g, b - g);
    let (s25, d25, s34, d34) = (c + f, c - f, d + e, d - e);

    let (outer, outer_difference) = (s07 + s34, s07 - s34);
    let (inner, inner_difference) = (s16 + s25, s16 - s25);
    let turned = (inner_difference + outer_difference) * F4::splat(0.707_106_77);

    let (p, q, r) = (d34 + d25, d25 + d16, d16 + d07);
    let shared = (p - r) * F4::splat(0.382_683_43);
    let low = p * F4::splat(0.541_196_1) + shared;
    let high = r * F4::splat(1.306_563) + shared;
    let middle = q * F4::splat(0.707_106_77);
    let (plus, minus) = (d07 + middle, d07 - middle);

    [
        outer + inner,
        plus + high,
        outer_difference + turned,
        minus - low,
        outer - inner,
        minus + low,
        outer_difference - turned,
        plus - high,
    ]
}
