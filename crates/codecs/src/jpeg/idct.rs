//! Scaled inverse DCT: the N-point transform of the N × N lowest of 8 × 8 coefficients gives the
//! block at N/8 of its size. (K. R. Rao and P. Yip, "Discrete Cosine Transform", 1990; libjpeg's
//! jidctint.c from version 7 on does the same. libjpeg-turbo's jidctred.c for 2 × 2 takes a few odd
//! coefficients more into account.)

use std::f32::consts::SQRT_2;
use std::f64::consts::{FRAC_1_SQRT_2, PI};

use super::tables::{Quantization, ZIGZAG};
use crate::simd::F4;

/// Coefficients from one row to the next: 4 or 8 fill vector registers.
pub const fn lanes(n: usize) -> usize {
    match n {
        1 | 2 => n,
        3 | 4 => 4,
        _ => 8,
    }
}

/// Coefficients that [`Transform::write`] takes: N rows of [`lanes`] each.
pub const fn block_len(n: usize) -> usize {
    n * lanes(n)
}

/// Index in zigzag order of the last coefficient that an N × N transform needs.
pub const fn last_needed(n: usize) -> u32 {
    let mut last = 0;
    let mut k = 0;
    while k < 64 {
        let (row, column) = ((ZIGZAG[k] / 8) as usize, (ZIGZAG[k] % 8) as usize);
        if row < n && column < n {
            last = k;
        }
        k += 1;
    }
    last as u32
}

/// Index in zigzag order → index in a block; those that are not needed go to 63 (unused unless N is
/// 8).
pub const fn slots(n: usize) -> [u8; 64] {
    let mut slots = [63; 64];
    let mut k = 0;
    while k < 64 {
        let (row, column) = ((ZIGZAG[k] / 8) as usize, (ZIGZAG[k] % 8) as usize);
        if row < n && column < n {
            slots[k] = (row * lanes(n) + column) as u8;
        }
        k += 1;
    }
    slots
}

/// Turns coefficients of one component into samples.
#[derive(Debug, Clone)]
pub struct Transform {
    /// Quantisation steps, laid out like the coefficients of a block, times what
    /// [`Transform::line`] leaves out.
    steps: [f32; 64],
    whole_steps: [i64; 4],
    /// `basis[x][u]`: weight of coefficient `u` in sample `x`, for N-point transforms of both
    /// directions.
    basis: [[f32; 8]; 8],
}

impl Transform {
    pub fn new(n: usize, quantization: &Quantization) -> Self {
        let mut transform = Self {
            steps: [0.0; 64],
            whole_steps: [0; 4],
            basis: [[0.0; 8]; 8],
        };
        for (k, (&slot, &step)) in slots(n).iter().zip(quantization).enumerate() {
            let (row, column) = (usize::from(ZIGZAG[k] / 8), usize::from(ZIGZAG[k] % 8));
            if row < n && column < n {
                transform.steps[usize::from(slot)] =
                    (f64::from(step) * norm(n, row) * norm(n, column)) as f32;
                if let Some(whole) = transform.whole_steps.get_mut(usize::from(slot)) {
                    *whole = i64::from(step);
                }
            }
        }
        for x in 0..n {
            for u in 0..n {
                let angle = (2 * x + 1) as f64 * u as f64 * PI / (2 * n) as f64;
                transform.basis[x][u] = angle.cos() as f32;
            }
        }
        transform
    }

    /// The one sample that the DC coefficient alone gives: the mean of the block.
    #[inline(always)]
    pub fn mean(&self, dc: i16) -> u8 {
        level((i64::from(dc) * self.whole_steps[0] + 4) >> 3)
    }

    /// Writes the N × N samples to the start of `out`, whose rows are `stride` apart.
    #[inline(always)]
    pub fn write<const N: usize>(&self, coefficients: &[i16], out: &mut [u8], stride: usize) {
        let coefficients = &coefficients[..block_len(N)];
        match N {
            1 => out[0] = self.mean(coefficients[0]),
            2 => self.write_2(coefficients, out, stride),
            3 | 4 => self.write_4_lanes::<N>(coefficients, out, stride),
            _ => self.write_8_lanes::<N>(coefficients, out, stride),
        }
    }

    /// Like [`Transform::write`] for a block of which only the DC coefficient is not zero.
    #[inline(always)]
    pub fn write_flat<const N: usize>(&self, dc: i16, out: &mut [u8], stride: usize) {
        let line = [self.mean(dc); N];
        for y in 0..N {
            out[y * stride..][..N].copy_from_slice(&line);
        }
    }

    /// All four weights of the 2-point transform are ±1/8.
    #[inline(always)]
    fn write_2(&self, coefficients: &[i16], out: &mut [u8], stride: usize) {
        let term = |i: usize| i64::from(coefficients[i]) * self.whole_steps[i];
        let (left, right) = (term(0) + term(1), term(0) - term(1));
        let (down_left, down_right) = (term(2) + term(3), term(2) - term(3));
        out[0] = level((left + down_left + 4) >> 3);
        out[1] = level((right + down_right + 4) >> 3);
        out[stride] = level((left - down_left + 4) >> 3);
        out[stride + 1] = level((right - down_right + 4) >> 3);
    }

    /// Four coefficients of a row, dequantised.
    #[inline(always)]
    fn load(&self, coefficients: &[i16], at: usize) -> F4 {
        let four = |i: usize| {
            [
                coefficients[i],
                coefficients[i + 1],
                coefficients[i + 2],
                coefficients[i + 3],
            ]
        };
        let steps = [
            self.steps[at],
            self.steps[at + 1],
            self.steps[at + 2],
            self.steps[at + 3],
        ];
        F4::from_i16(four(at)) * F4::new(steps)
    }

    #[inline(always)]
    fn write_4_lanes<const N: usize>(&self, coefficients: &[i16], out: &mut [u8], stride: usize) {
        let zero = F4::splat(0.0);
        let mut rows = [zero; 4];
        for (v, row) in rows.iter_mut().enumerate().take(N) {
            *row = self.load(coefficients, v * 4);
        }
        rows[0] = rows[0] + F4::new([MID_GREY, 0.0, 0.0, 0.0]);
        let rows = F4::transpose(self.line::<N, 4>(rows));
        let rows = F4::transpose(self.line::<N, 4>(rows));
        for (y, row) in rows.iter().enumerate().take(N) {
            out[y * stride..][..N].copy_from_slice(&row.to_u8()[..N]);
        }
    }

    #[inline(always)]
    fn write_8_lanes<const N: usize>(&self, coefficients: &[i16], out: &mut [u8], stride: usize) {
        let zero = F4::splat(0.0);
        let (mut left, mut right) = ([zero; 8], [zero; 8]);
        for v in 0..N {
            left[v] = self.load(coefficients, v * 8);
            right[v] = self.load(coefficients, v * 8 + 4);
        }
        left[0] = left[0] + F4::new([MID_GREY, 0.0, 0.0, 0.0]);
        let (left, right) = transpose_8(self.line::<N, 8>(left), self.line::<N, 8>(right));
        let (left, right) = transpose_8(self.line::<N, 8>(left), self.line::<N, 8>(right));
        for y in 0..N {
            let ([a, b, c, d], [e, f, g, h]) = (left[y].to_u8(), right[y].to_u8());
            out[y * stride..][..N].copy_from_slice(&[a, b, c, d, e, f, g, h][..N]);
        }
    }

    /// Like [`Transform::write`] for N = 8, for a block with no coefficient after [`LAST_OF_4`].
    #[inline(always)]
    pub fn write_8_of_4(&self, coefficients: &[i16], out: &mut [u8], stride: usize) {
        let coefficients = &coefficients[..block_len(8)];
        let zero = F4::splat(0.0);
        let mut columns = [zero; 8];
        for (v, row) in columns.iter_mut().enumerate().take(4) {
            *row = self.load(coefficients, v * 8);
        }
        columns[0] = columns[0] + F4::new([MID_GREY, 0.0, 0.0, 0.0]);
        let (upper, lower) = transpose_8(line_8_of_4(columns), [zero; 8]);
        let (left, right) = transpose_8(line_8_of_4(upper), line_8_of_4(lower));
        for y in 0..8 {
            let ([a, b, c, d], [e, f, g, h]) = (left[y].to_u8(), right[y].to_u8());
            out[y * stride..][..8].copy_from_slice(&[a, b, c, d, e, f, g, h]);
        }
    }

    /// N-point inverse transforms, one a lane. Samples mirror each other: what the even
    /// coefficients give is the same at both ends, what the odd ones give has the other sign.
    #[inline(always)]
    fn line<const N: usize, const L: usize>(&self, input: [F4; L]) -> [F4; L] {
        if N == 8 {
            return line_8(input);
        }
        let mut output = [F4::splat(0.0); L];
        for x in 0..N.div_ceil(2) {
            let weighted = |u: usize| input[u] * F4::splat(self.basis[x][u]);
            let (mut even, mut odd) = (input[0], weighted(1));
            for u in 2..N {
                if u % 2 == 0 {
                    even = even + weighted(u);
                } else {
                    odd = odd + weighted(u);
                }
            }
            output[x] = even + odd;
            output[N - 1 - x] = even - odd;
        }
        output
    }
}

/// In zigzag order, the last coefficient before the first outside the 4 × 4 lowest.
pub const LAST_OF_4: u32 = 9;

/// What must be added to the DC coefficient, after dequantisation, for the level shift of T.81,
/// A.3.1.
const MID_GREY: f32 = 128.0;

/// Scale of coefficient `u` that the transform of one direction leaves out: √(1/8) for u = 0, else
/// 1/2; for N = 8 as Arai, Agui and Nakajima scale it.
fn norm(n: usize, u: usize) -> f64 {
    match (n, u) {
        (_, 0) => FRAC_1_SQRT_2 / 2.0,
        (8, _) => (u as f64 * PI / 16.0).cos() / 2.0,
        _ => 0.5,
    }
}

/// The 8-point inverse transform with 5 multiplications (Y. Arai, T. Agui, M. Nakajima, "A fast
/// DCT-SQ scheme for images", 1988; arranged as in libjpeg's jidctflt.c).
#[inline(always)]
fn line_8<const L: usize>(input: [F4; L]) -> [F4; L] {
    let times = |value: F4, factor: f32| value * F4::splat(factor);
    let (sum_04, difference_04) = (input[0] + input[4], input[0] - input[4]);
    let sum_26 = input[2] + input[6];
    let difference_26 = times(input[2] - input[6], SQRT_2) - sum_26;
    let even = [
        sum_04 + sum_26,
        difference_04 + difference_26,
        difference_04 - difference_26,
        sum_04 - sum_26,
    ];

    let (sum_53, difference_53) = (input[5] + input[3], input[5] - input[3]);
    let (sum_17, difference_17) = (input[1] + input[7], input[1] - input[7]);
    let odd_7 = sum_17 + sum_53;
    let turn = times(difference_53 + difference_17, 1.847_759_1);
    let odd_6 = turn - times(difference_53, 2.613_126) - odd_7;
    let odd_5 = times(sum_17 - sum_53, SQRT_2) - odd_6;
    let odd_4 = turn - times(difference_17, 1.082_392_2) - odd_5;

    let mut output = input;
    (output[0], output[7]) = (even[0] + odd_7, even[0] - odd_7);
    (output[1], output[6]) = (even[1] + odd_6, even[1] - odd_6);
    (output[2], output[5]) = (even[2] + odd_5, even[2] - odd_5);
    (output[3], output[4]) = (even[3] + odd_4, even[3] - odd_4);
    output
}

/// [`line_8`] of a block whose coefficients 4 to 7 are zero.
#[inline(always)]
fn line_8_of_4<const L: usize>(input: [F4; L]) -> [F4; L] {
    let times = |value: F4, factor: f32| value * F4::splat(factor);
    let difference_26 = times(input[2], SQRT_2 - 1.0);
    let even = [
        input[0] + input[2],
        input[0] + difference_26,
        input[0] - difference_26,
        input[0] - input[2],
    ];

    let odd_7 = input[1] + input[3];
    let turn = times(input[1] - input[3], 1.847_759_1);
    let odd_6 = turn + times(input[3], 2.613_126) - odd_7;
    let odd_5 = times(input[1] - input[3], SQRT_2) - odd_6;
    let odd_4 = turn - times(input[1], 1.082_392_2) - odd_5;

    let mut output = input;
    (output[0], output[7]) = (even[0] + odd_7, even[0] - odd_7);
    (output[1], output[6]) = (even[1] + odd_6, even[1] - odd_6);
    (output[2], output[5]) = (even[2] + odd_5, even[2] - odd_5);
    (output[3], output[4]) = (even[3] + odd_4, even[3] - odd_4);
    output
}

#[inline(always)]
pub(super) fn transpose_8(left: [F4; 8], right: [F4; 8]) -> ([F4; 8], [F4; 8]) {
    let quarter = |half: &[F4; 8], from: usize| {
        F4::transpose([half[from], half[from + 1], half[from + 2], half[from + 3]])
    };
    let join = |[a, b, c, d]: [F4; 4], [e, f, g, h]: [F4; 4]| [a, b, c, d, e, f, g, h];
    (
        join(quarter(&left, 0), quarter(&right, 0)),
        join(quarter(&left, 4), quarter(&right, 4)),
    )
}

/// Undoes the level shift of T.81, A.3.1.
#[inline(always)]
fn level(value: i64) -> u8 {
    (value + 128).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_coefficients_give_the_same_samples_either_way() {
        let transform = Transform::new(8, &[3; 64]);
        let mut seed = 1_u32;
        for _ in 0..500 {
            let mut coefficients = [0_i16; 64];
            for &slot in &slots(8)[..=LAST_OF_4 as usize] {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                coefficients[usize::from(slot)] = (seed >> 26) as i16 - 32;
            }
            let (mut whole, mut short) = ([0; 64], [0; 64]);
            transform.write::<8>(&coefficients, &mut whole, 8);
            transform.write_8_of_4(&coefficients, &mut short, 8);
            // The sums are the same, in another order: a half may round differently.
            assert!(whole.iter().zip(short).all(|(a, b)| a.abs_diff(b) <= 1));
        }
    }
}
