//! Scaled inverse DCT: the N-point transform of the N × N lowest of 8 × 8 coefficients gives the block at N/8 of its
//! size. (K. R. Rao and P. Yip, "Discrete Cosine Transform", 1990; libjpeg's jidctint.c from version 7 on does the
//! same. libjpeg-turbo's jidctred.c for 2 × 2 takes a few odd coefficients more into account.)

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use super::tables::{Quantization, ZIGZAG};

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
    while ZIGZAG[last as usize] as usize != (n - 1) * 9 {
        last += 1;
    }
    last
}

/// Index in zigzag order → index in a block; those that are not needed go to 63 (unused unless N is 8).
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

/// What turns coefficients of one component into samples.
#[derive(Debug, Clone)]
pub struct Transform {
    /// Quantisation steps, laid out like the coefficients of a block.
    steps: [f32; 64],
    whole_steps: [i64; 64],
    /// `basis[x][u]`: weight of coefficient `u` in sample `x`, for N-point transforms of both directions.
    basis: [[f32; 8]; 8],
}

impl Transform {
    pub fn new(n: usize, quantization: &Quantization) -> Self {
        let mut transform = Self {
            steps: [0.0; 64],
            whole_steps: [0; 64],
            basis: [[0.0; 8]; 8],
        };
        for (&slot, &step) in slots(n)
            .iter()
            .zip(quantization)
            .take(last_needed(n) as usize + 1)
        {
            if slot < 63 || n == 8 {
                transform.steps[usize::from(slot)] = f32::from(step);
                transform.whole_steps[usize::from(slot)] = i64::from(step);
            }
        }
        for x in 0..n {
            for u in 0..n {
                let norm = if u == 0 { FRAC_1_SQRT_2 } else { 1.0 };
                let angle = (2 * x + 1) as f64 * u as f64 * PI / (2 * n) as f64;
                transform.basis[x][u] = (0.5 * norm * angle.cos()) as f32;
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
        match N {
            1 => out[0] = self.mean(coefficients[0]),
            2 => self.write_2(coefficients, out, stride),
            3 | 4 => self.write_lanes::<N, 4>(coefficients, out, stride),
            _ => self.write_lanes::<N, 8>(coefficients, out, stride),
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

    #[inline(always)]
    fn write_lanes<const N: usize, const L: usize>(
        &self,
        coefficients: &[i16],
        out: &mut [u8],
        stride: usize,
    ) {
        let mut rows = [[0.0_f32; L]; N];
        for (v, row) in rows.iter_mut().enumerate() {
            for (u, value) in row.iter_mut().enumerate() {
                *value = f32::from(coefficients[v * L + u]) * self.steps[v * L + u];
            }
        }
        for y in 0..N {
            let mut down = [0.0_f32; L];
            for (v, row) in rows.iter().enumerate() {
                for (sum, value) in down.iter_mut().zip(row) {
                    *sum += self.basis[y][v] * value;
                }
            }
            let mut samples = [0.0_f32; L];
            for (u, weight) in down.iter().enumerate().take(N) {
                for (x, sample) in samples.iter_mut().enumerate() {
                    *sample += weight * self.basis[x][u];
                }
            }
            let line = &mut out[y * stride..y * stride + N];
            for (sample, value) in line.iter_mut().zip(samples) {
                *sample = (value + 128.5) as u8;
            }
        }
    }
}

/// Undoes the level shift of T.81, A.3.1.
#[inline(always)]
fn level(value: i64) -> u8 {
    (value + 128).clamp(0, 255) as u8
}
