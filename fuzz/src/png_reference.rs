//! Our reader of rows beside the png crate.

#[path = "../../crates/codecs/src/png/tests/reference.rs"]
mod reference;

use std::io::Cursor;

use png::{BitDepth, ColorType};
use thumbforge_codecs::png::{RowReader, Shape};

/// Small, so that many files a second are tried.
const MAX_SAMPLES: usize = 1 << 20;

/// Reads the rows with both. Files that are not ours to read are left alone.
///
/// # Errors
/// A sentence, if ours are fewer or others, or if ours end early without reporting it.
pub fn compare(bytes: &[u8]) -> Result<(), String> {
    let Some(shape) = shape(bytes) else {
        return Ok(());
    };
    let (Some(mut reader), Some((expected, error))) =
        (RowReader::new(bytes, shape), reference::read(bytes))
    else {
        return Ok(());
    };
    let mut rows = Vec::new();
    while let Some(next) = reader.next_rows() {
        rows.extend(next.map(<[u8]>::to_vec));
    }
    let (read, damage) = (rows.len(), reader.damage());
    if read < expected.len() {
        return Err(format!(
            "{read} rows ({damage:?}) of {} ({error:?})",
            expected.len()
        ));
    }
    if let Some(row) = (0..expected.len()).find(|row| rows[*row] != expected[*row]) {
        return Err(format!("row {row} differs"));
    }
    if damage.is_some() != (read < shape.height) {
        return Err(format!("{read} rows of {}, {damage:?}", shape.height));
    }
    Ok(())
}

fn shape(bytes: &[u8]) -> Option<Shape> {
    let reader = png::Decoder::new(Cursor::new(bytes)).read_info().ok()?;
    let info = reader.info();
    let bytes_per_pixel = match info.color_type {
        ColorType::Indexed => return None,
        other => other.samples(),
    };
    let is_whole = info
        .frame_control
        .is_none_or(|frame| (frame.width, frame.height) == (info.width, info.height));
    let (width, height) = (info.width as usize, info.height as usize);
    let samples = width.checked_mul(height)?.checked_mul(bytes_per_pixel)?;
    let is_ours =
        info.bit_depth == BitDepth::Eight && !info.interlaced && is_whole && samples <= MAX_SAMPLES;
    is_ours.then_some(Shape {
        width,
        height,
        bytes_per_pixel,
    })
}
