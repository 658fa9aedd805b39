//! Rows that hold differences (TIFF 6.0, section 14; TIFF Technical Note 3 for floats).

use super::facts::TiffFacts;

/// Undoes the prediction of one row, in place. `work` is a buffer that is kept.
pub(super) fn undo(facts: &TiffFacts, row: &mut [u8], work: &mut Vec<u8>) {
    let samples = facts.samples_in_chunk();
    let bytes = usize::from(facts.depth.bits) / 8;
    match (facts.predictor, bytes, facts.depth.is_little_endian) {
        (2, 1, _) => sum_bytes(row, samples),
        (2, 2, true) => sum(
            row,
            samples,
            u16::from_le_bytes,
            u16::to_le_bytes,
            u16::wrapping_add,
        ),
        (2, 2, false) => sum(
            row,
            samples,
            u16::from_be_bytes,
            u16::to_be_bytes,
            u16::wrapping_add,
        ),
        (2, 4, true) => sum(
            row,
            samples,
            u32::from_le_bytes,
            u32::to_le_bytes,
            u32::wrapping_add,
        ),
        (2, 4, false) => sum(
            row,
            samples,
            u32::from_be_bytes,
            u32::to_be_bytes,
            u32::wrapping_add,
        ),
        (2, 8, true) => sum(
            row,
            samples,
            u64::from_le_bytes,
            u64::to_le_bytes,
            u64::wrapping_add,
        ),
        (2, 8, false) => sum(
            row,
            samples,
            u64::from_be_bytes,
            u64::to_be_bytes,
            u64::wrapping_add,
        ),
        (3, ..) => undo_floats(row, samples, bytes, facts.depth.is_little_endian, work),
        _ => {}
    }
}

fn sum_bytes(row: &mut [u8], samples: usize) {
    match samples {
        3 => sum(row, 3, |[byte]| byte, |byte| [byte], u8::wrapping_add),
        4 => sum(row, 4, |[byte]| byte, |byte| [byte], u8::wrapping_add),
        _ => sum(row, samples, |[byte]| byte, |byte| [byte], u8::wrapping_add),
    }
}

#[inline]
fn sum<T: Copy, const BYTES: usize>(
    row: &mut [u8],
    samples: usize,
    read: impl Fn([u8; BYTES]) -> T,
    write: impl Fn(T) -> [u8; BYTES],
    add: impl Fn(T, T) -> T,
) {
    let (row, _) = row.as_chunks_mut::<BYTES>();
    for index in samples..row.len() {
        let before = read(row[index - samples]);
        row[index] = write(add(read(row[index]), before));
    }
}

/// All highest bytes come first, then the next ones; each byte is a difference.
fn undo_floats(
    row: &mut [u8],
    samples: usize,
    bytes: usize,
    is_little_endian: bool,
    work: &mut Vec<u8>,
) {
    sum_bytes(row, samples);
    work.clear();
    work.extend_from_slice(row);
    let count = row.len() / bytes;
    for (index, float) in row.chunks_exact_mut(bytes).enumerate() {
        for (place, byte) in float.iter_mut().enumerate() {
            let plane = if is_little_endian {
                bytes - 1 - place
            } else {
                place
            };
            *byte = work[plane * count + index];
        }
    }
}
