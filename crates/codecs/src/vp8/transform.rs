//! The inverse transforms (RFC 6386, section 14), in 16 bits as in the decoders in use.

use super::area::STRIDE;

/// One pass over four columns at once. Of section 14.3's constants, the sine is more than half: it
/// is taken less one.
#[inline(always)]
fn pass(rows: [[i16; 4]; 4]) -> [[i16; 4]; 4] {
    const COSINE_LESS_ONE: i32 = 20_091;
    const SINE_LESS_ONE: i32 = 35_468 - (1 << 16);
    let lanes = |f: &dyn Fn(usize) -> i16| [f(0), f(1), f(2), f(3)];
    let scaled = |row: [i16; 4], factor: i32| {
        row.map(|value| value.wrapping_add(((i32::from(value) * factor) >> 16) as i16))
    };
    let sum = |a: [i16; 4], b: [i16; 4]| lanes(&|i| a[i].wrapping_add(b[i]));
    let difference = |a: [i16; 4], b: [i16; 4]| lanes(&|i| a[i].wrapping_sub(b[i]));
    let [first, second, third, fourth] = rows;
    let (a, b) = (sum(first, third), difference(first, third));
    let c = difference(
        scaled(second, SINE_LESS_ONE),
        scaled(fourth, COSINE_LESS_ONE),
    );
    let d = sum(
        scaled(second, COSINE_LESS_ONE),
        scaled(fourth, SINE_LESS_ONE),
    );
    [sum(a, d), sum(b, c), difference(b, c), difference(a, d)]
}

#[inline(always)]
fn transposed(rows: [[i16; 4]; 4]) -> [[i16; 4]; 4] {
    std::array::from_fn(|y| std::array::from_fn(|x| rows[x][y]))
}

/// Adds a block to its prediction.
pub fn add_full(block: &[i16; 16], area: &mut [u8], at: usize) {
    let rows = std::array::from_fn(|y| std::array::from_fn(|x| block[y * 4 + x]));
    let mut columns = transposed(pass(rows));
    columns[0] = columns[0].map(|value| value.wrapping_add(4));
    let rows = transposed(pass(columns).map(|row| row.map(|value| value >> 3)));
    for (y, row) in rows.iter().enumerate() {
        add_row(row, area, at + y * STRIDE);
    }
}

/// Adds a block that has only DC.
pub fn add_flat(dc: i16, area: &mut [u8], at: usize) {
    let value = dc.wrapping_add(4) >> 3;
    for y in 0..4 {
        add_row(&[value; 4], area, at + y * STRIDE);
    }
}

#[inline(always)]
fn add_row(row: &[i16; 4], area: &mut [u8], at: usize) {
    let samples: &mut [u8; 4] = (&mut area[at..at + 4]).try_into().expect("four samples");
    for (sample, value) in samples.iter_mut().zip(row) {
        *sample = i16::from(*sample).saturating_add(*value).clamp(0, 255) as u8;
    }
}

/// The Walsh-Hadamard transform of luma's DC values (section 14.3), each to its block.
pub fn spread_second(second: &[i16; 16], blocks: &mut [[i16; 16]; 24]) {
    let mut columns = [[0_i32; 4]; 4];
    for (x, column) in columns.iter_mut().enumerate() {
        let [a, b, c, d] = [0, 4, 8, 12].map(|row| i32::from(second[row + x]));
        *column = butterfly(a, b, c, d);
    }
    for y in 0..4 {
        let row = butterfly(columns[0][y], columns[1][y], columns[2][y], columns[3][y]);
        for (x, value) in row.into_iter().enumerate() {
            blocks[y * 4 + x][0] = ((value + 3) >> 3) as i16;
        }
    }
}

#[inline(always)]
fn butterfly(a: i32, b: i32, c: i32, d: i32) -> [i32; 4] {
    let (outer, inner) = (a + d, b + c);
    let (outer_difference, inner_difference) = (a - d, b - c);
    [
        outer + inner,
        inner_difference + outer_difference,
        outer - inner,
        outer_difference - inner_difference,
    ]
}
