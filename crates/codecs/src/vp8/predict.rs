//! Prediction from the samples around (RFC 6386, section 12).

use super::area::STRIDE;
use super::modes::{Mode, SubMode};

/// A block of `SIDE` samples a side, 16 for luma and 8 for chroma. `has` is whether there are
/// macroblocks above and to the left: DC leaves out missing ones.
pub fn predict_whole<const SIDE: usize>(area: &mut [u8], at: usize, mode: Mode, has: (bool, bool)) {
    let mut above = [0; SIDE];
    above.copy_from_slice(&area[at - STRIDE..][..SIDE]);
    let row_at = |y: usize| at + y * STRIDE;
    match mode {
        Mode::Dc => {
            let sample = [dc::<SIDE>(area, at, &above, has); SIDE];
            for y in 0..SIDE {
                area[row_at(y)..][..SIDE].copy_from_slice(&sample);
            }
        }
        Mode::Vertical => {
            for y in 0..SIDE {
                area[row_at(y)..][..SIDE].copy_from_slice(&above);
            }
        }
        Mode::Horizontal => {
            for y in 0..SIDE {
                let left = area[row_at(y) - 1];
                area[row_at(y)..][..SIDE].copy_from_slice(&[left; SIDE]);
            }
        }
        Mode::TrueMotion => {
            let corner = i16::from(area[at - STRIDE - 1]);
            for y in 0..SIDE {
                let step = i16::from(area[row_at(y) - 1]) - corner;
                let row = above.map(|sample| (i16::from(sample) + step).clamp(0, 255) as u8);
                area[row_at(y)..][..SIDE].copy_from_slice(&row);
            }
        }
    }
}

fn dc<const SIDE: usize>(
    area: &[u8],
    at: usize,
    above: &[u8; SIDE],
    (has_above, has_left): (bool, bool),
) -> u8 {
    let of_above: u32 = above.iter().copied().map(u32::from).sum();
    let of_left: u32 = (0..SIDE)
        .map(|y| u32::from(area[at + y * STRIDE - 1]))
        .sum();
    let side = SIDE as u32;
    let mean = match (has_above, has_left) {
        (true, true) => (of_above + of_left + side) / (2 * side),
        (true, false) => (of_above + side / 2) / side,
        (false, true) => (of_left + side / 2) / side,
        (false, false) => 128,
    };
    mean as u8
}

/// A block of 4 × 4. The samples around it are named as in section 12.3: `e` goes from the lowest
/// one to the left, over the corner, to the eighth above.
pub fn predict_subblock(area: &mut [u8], at: usize, mode: SubMode) {
    let mut e = [0_u16; 13];
    for y in 0..4 {
        e[3 - y] = u16::from(area[at + y * STRIDE - 1]);
    }
    let above = &area[at - STRIDE - 1..at - STRIDE + 8];
    for (edge, sample) in e[4..].iter_mut().zip(above) {
        *edge = u16::from(*sample);
    }
    // Weighted means of two and of three samples, the last of them `i + 1` and `i + 2`.
    let two = |i: usize| ((e[i] + e[i + 1] + 1) >> 1) as u8;
    let three = |i: usize| ((e[i] + 2 * e[i + 1] + e[i + 2] + 2) >> 2) as u8;
    let rows: [[u8; 4]; 4] = match mode {
        SubMode::Dc => {
            let sum: u16 = e[..4].iter().sum::<u16>() + e[5..9].iter().sum::<u16>();
            [[((sum + 4) >> 3) as u8; 4]; 4]
        }
        SubMode::TrueMotion => std::array::from_fn(|y| {
            let step = e[3 - y] as i16 - e[4] as i16;
            std::array::from_fn(|x| (e[5 + x] as i16 + step).clamp(0, 255) as u8)
        }),
        SubMode::Vertical => [std::array::from_fn(|x| three(4 + x)); 4],
        SubMode::Horizontal => {
            // Below the lowest sample there is none: it counts twice.
            let last = ((e[1] + 3 * e[0] + 2) >> 2) as u8;
            [[three(2); 4], [three(1); 4], [three(0); 4], [last; 4]]
        }
        SubMode::LeftDown => {
            let last = ((e[11] + 3 * e[12] + 2) >> 2) as u8;
            let diagonal = |i: usize| if i == 6 { last } else { three(5 + i) };
            std::array::from_fn(|y| std::array::from_fn(|x| diagonal(x + y)))
        }
        SubMode::RightDown => std::array::from_fn(|y| std::array::from_fn(|x| three(3 + x - y))),
        SubMode::VerticalRight => [
            [two(4), two(5), two(6), two(7)],
            [three(3), three(4), three(5), three(6)],
            [three(2), two(4), two(5), two(6)],
            [three(1), three(3), three(4), three(5)],
        ],
        SubMode::VerticalLeft => [
            [two(5), two(6), two(7), two(8)],
            [three(5), three(6), three(7), three(8)],
            [two(6), two(7), two(8), three(9)],
            [three(6), three(7), three(8), three(10)],
        ],
        SubMode::HorizontalDown => [
            [two(3), three(3), three(4), three(5)],
            [two(2), three(2), two(3), three(3)],
            [two(1), three(1), two(2), three(2)],
            [two(0), three(0), two(1), three(1)],
        ],
        SubMode::HorizontalUp => {
            let lowest = e[0] as u8;
            let last = ((e[1] + 3 * e[0] + 2) >> 2) as u8;
            [
                [two(2), three(1), two(1), three(0)],
                [two(1), three(0), two(0), last],
                [two(0), last, lowest, lowest],
                [lowest; 4],
            ]
        }
    };
    for (y, row) in rows.iter().enumerate() {
        area[at + y * STRIDE..][..4].copy_from_slice(row);
    }
}
