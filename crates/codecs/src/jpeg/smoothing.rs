//! Smoothing of progressive pictures whose low frequencies are missing or coarse: they are
//! estimated from the means of the neighbouring blocks (ITU-T T.81, K.8, there with 3 × 3 blocks).
//! The weights are those of libjpeg-turbo since 2.1, whose picture others show.

use super::idct::{block_len, lanes};
use super::plane::ComponentLayout;
use super::progression::PlannedScan;
use super::tables::{Quantization, ZIGZAG};

/// Coefficients that are estimated, in zigzag order: 1 to 9; and the DC coefficient.
const KNOWN: usize = 10;

/// How precisely coefficients are known: the bit position of the last scan that has them, `None`
/// without any.
pub type Precision = [Option<u32>; KNOWN];

/// Weights in 1/256 of the 5 × 5 means around a block.
type Kernel = [[i32; 5]; 5];

const DC: Kernel = [
    [-2, -6, -8, -6, -2],
    [-6, 6, 42, 6, -6],
    [-8, 42, 152, 42, -8],
    [-6, 6, 42, 6, -6],
    [-2, -6, -8, -6, -2],
];

const NONE: [i32; 5] = [0; 5];

/// For blocks that have nothing but their mean, by zigzag index less one.
const OF_MEANS: [Kernel; KNOWN - 1] = {
    let across = [
        [-1, -1, 0, 1, 1],
        [-3, 13, 0, -13, 3],
        [-3, 38, 0, -38, 3],
        [-3, 13, 0, -13, 3],
        [-1, -1, 0, 1, 1],
    ];
    let across_2 = [
        NONE,
        [0, 2, -5, 2, 0],
        [1, 7, -14, 7, 1],
        [0, 2, -5, 2, 0],
        NONE,
    ];
    let diagonal = [
        [-1, 0, 0, 0, 1],
        [0, 9, 0, -9, 0],
        NONE,
        [0, -9, 0, 9, 0],
        [1, 0, 0, 0, -1],
    ];
    let across_3 = [
        NONE,
        [0, 1, 0, -1, 0],
        [0, 2, 0, -2, 0],
        [0, 1, 0, -1, 0],
        NONE,
    ];
    let diagonal_2 = [NONE, [0, 1, -3, 1, 0], NONE, [0, -1, 3, -1, 0], NONE];
    [
        across,
        transposed(across),
        transposed(across_2),
        diagonal,
        across_2,
        across_3,
        diagonal_2,
        transposed(diagonal_2),
        transposed(across_3),
    ]
};

/// For blocks of which something is known.
const OF_MORE: [Kernel; 5] = {
    let across = [NONE, NONE, [-7, 50, 0, -50, 7], NONE, NONE];
    let across_2 = [NONE, NONE, [-1, 13, -24, 13, -1], NONE, NONE];
    let diagonal = [
        [0, -1, 0, 1, 0],
        [-1, 10, 0, -10, 1],
        NONE,
        [1, -10, 0, 10, -1],
        [0, 1, 0, -1, 0],
    ];
    [
        across,
        transposed(across),
        transposed(across_2),
        diagonal,
        across_2,
    ]
};

const fn transposed(kernel: Kernel) -> Kernel {
    let mut out = [NONE; 5];
    let mut index = 0;
    while index < 25 {
        out[index % 5][index / 5] = kernel[index / 5][index % 5];
        index += 1;
    }
    out
}

/// What the scans together tell of a component's lowest coefficients.
pub fn precision(scans: &[PlannedScan], component: usize) -> Precision {
    let mut known = [None; KNOWN];
    for scan in scans.iter().map(|planned| &planned.scan) {
        if scan.components.iter().any(|c| c.index == component) {
            for (_, low) in known
                .iter_mut()
                .enumerate()
                .filter(|(k, _)| (scan.first..=scan.last).contains(k))
            {
                *low = Some(scan.low);
            }
        }
    }
    known
}

/// Smooths the blocks of one component.
pub struct Smoothing<'a> {
    pub layout: &'a ComponentLayout,
    pub quantization: &'a Quantization,
    pub precision: Precision,
    /// Of rows of blocks from this one on, which the last scan did not reach.
    pub before: (usize, Precision),
}

impl Smoothing<'_> {
    /// Whether there is all that estimates are made from.
    pub fn has_means(&self) -> bool {
        self.precision[0].is_some() && self.quantization[..KNOWN].iter().all(|step| *step > 0)
    }

    /// Whether there is something to estimate.
    pub fn is_useful(&self) -> bool {
        let is_coarse = |known: &Precision| known[1..].iter().any(|low| *low != Some(0));
        let is_unfinished = self.before.0 < self.layout.blocks_h;
        is_coarse(&self.precision) || is_unfinished && is_coarse(&self.before.1)
    }

    /// The block at this place of the component's `values`, with what is missing estimated.
    pub fn block<const N: usize>(&self, values: &[i16], row: usize, column: usize) -> [i16; 64] {
        let known = if row < self.before.0 {
            &self.precision
        } else {
            &self.before.1
        };
        let at = row * self.layout.padded_w + column;
        let mut block = [0; 64];
        block[..block_len(N)].copy_from_slice(&values[at * block_len(N)..][..block_len(N)]);
        let means = self.means::<N>(values, row, column);
        let has_means_only = known[1..].iter().all(Option::is_none);
        let kernels: &[Kernel] = if has_means_only { &OF_MEANS } else { &OF_MORE };
        for (k, kernel) in (1..).zip(kernels) {
            let (y, x) = (usize::from(ZIGZAG[k] / 8), usize::from(ZIGZAG[k] % 8));
            if y >= N || x >= N || known[k] == Some(0) {
                continue;
            }
            let value = &mut block[y * lanes(N) + x];
            if *value == 0 {
                let limit = known[k].map_or(i32::from(i16::MAX), |low| (1 << low) - 1);
                *value = self.estimate(kernel, &means, k).clamp(-limit, limit) as i16;
            }
        }
        if has_means_only {
            block[0] = self.estimate(&DC, &means, 0) as i16;
        }
        block
    }

    /// In steps of coefficient `k`.
    fn estimate(&self, kernel: &Kernel, means: &Kernel, k: usize) -> i32 {
        let sum: i64 = kernel
            .iter()
            .flatten()
            .zip(means.iter().flatten())
            .map(|(weight, mean)| i64::from(*weight) * i64::from(*mean))
            .sum();
        let step = i64::from(self.quantization[k]);
        let size = (sum.abs() * i64::from(self.quantization[0]) + 128 * step) / (256 * step);
        let limited = size.min(i64::from(i16::MAX)) as i32;
        if sum < 0 { -limited } else { limited }
    }

    /// The means of a block and of those around it; at an edge the outermost ones count again.
    fn means<const N: usize>(&self, values: &[i16], row: usize, column: usize) -> Kernel {
        let (last_row, last_column) = (self.layout.blocks_h - 1, self.layout.blocks_w - 1);
        let place =
            |at: usize, offset: usize, last: usize| (at + offset).saturating_sub(2).min(last);
        std::array::from_fn(|y| {
            std::array::from_fn(|x| {
                let (row, column) = (place(row, y, last_row), place(column, x, last_column));
                i32::from(values[(row * self.layout.padded_w + column) * block_len(N)])
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_leave_a_flat_picture_flat() {
        for kernel in OF_MEANS.iter().chain(&OF_MORE) {
            assert_eq!(kernel.iter().flatten().sum::<i32>(), 0, "{kernel:?}");
        }
        assert_eq!(DC.iter().flatten().sum::<i32>(), 256);
    }
}
