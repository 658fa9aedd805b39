//! ICO and CUR: the largest picture, of which each is a PNG, or a bitmap with a mask.

use super::whole::{Part, inspect_part};
use super::{embedded, le_u16, le_u32};
use crate::error::ImagingError;
use crate::formats::Format;
use crate::header::Header;
use crate::limits::Limits;

const HEADER_BYTES: usize = 6;
const ENTRY_BYTES: usize = 16;
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
/// 256 × 256 pixels in 32 bits with their mask take 271 KB.
const MAX_BITMAP_BYTES: usize = 1 << 20;

/// One picture of the directory.
struct Entry {
    at: usize,
    bytes: usize,
    area: u32,
    /// Of a cursor: where it points.
    bits: u16,
}

/// Two zeros, 1 for icons or 2 for cursors, and a directory whose first entry lies behind it.
pub(crate) fn is_ico(bytes: &[u8]) -> bool {
    let is_header = bytes.starts_with(b"\0\0\x01\0") || bytes.starts_with(b"\0\0\x02\0");
    let count = usize::from(le_u16(bytes, 4).unwrap_or(0));
    let first = le_u32(bytes, HEADER_BYTES + 12).unwrap_or(0) as usize;
    is_header && count > 0 && first >= HEADER_BYTES + count * ENTRY_BYTES
}

pub(super) fn inspect<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Header<'a>, ImagingError> {
    let count = le_u16(bytes, 4).unwrap_or(0);
    limits.check_chunks(count.into())?;
    let mut entries: Vec<Entry> = (0..usize::from(count))
        .map_while(|index| entry(bytes, HEADER_BYTES + index * ENTRY_BYTES))
        .collect();
    entries.sort_by_key(|entry| std::cmp::Reverse((entry.area, entry.bits)));
    let mut first_error = None;
    // One whose header is broken makes way for a smaller one.
    for entry in entries.iter().take(MAX_TRIES) {
        match inspect_entry(bytes, entry, limits) {
            Ok(header) => return Ok(header),
            Err(error) => _ = first_error.get_or_insert(error),
        }
    }
    Err(first_error.unwrap_or_else(|| ImagingError::corrupt(Format::Ico, "it has no picture")))
}

const MAX_TRIES: usize = 16;

/// `None` if the directory ends before.
fn entry(bytes: &[u8], at: usize) -> Option<Entry> {
    let place = le_u32(bytes, at + 12)? as usize;
    let picture = bytes.get(place..).unwrap_or_default();
    // The sides in the directory are bytes; those of the picture itself are right.
    let (width, height) = if picture.starts_with(PNG) {
        let side = |at| super::be_u32(picture, at).unwrap_or(0);
        (side(16), side(20))
    } else {
        let side = |at| le_u32(picture, at).unwrap_or(0);
        (side(4), side(8) / 2)
    };
    Some(Entry {
        at: place,
        bytes: le_u32(bytes, at + 8)? as usize,
        area: width.saturating_mul(height),
        bits: le_u16(bytes, at + 6)?,
    })
}

fn inspect_entry<'a>(
    bytes: &'a [u8],
    entry: &Entry,
    limits: &Limits,
) -> Result<Header<'a>, ImagingError> {
    let picture = bytes.get(entry.at..).unwrap_or_default();
    if picture.starts_with(PNG) {
        let place = (entry.at as u64, entry.bytes as u64);
        return embedded::inspect(bytes, Format::Ico, place, limits);
    }
    // Some writers count wrong. The mask may be missing.
    let (pixels, mask) = bitmap_bytes(picture);
    let length = if entry.bytes < pixels {
        pixels + mask
    } else {
        entry.bytes
    };
    let length = length.min(picture.len()).min(MAX_BITMAP_BYTES);
    let side = |at| match le_u32(picture, at) {
        Some(side @ 1..=256) => Ok((side % 256) as u8),
        _ => Err(ImagingError::corrupt(
            Format::Ico,
            "a side is 0 or too long",
        )),
    };
    let height = le_u32(picture, 8).unwrap_or(0) / 2;
    let height = if (1..=256).contains(&height) {
        (height % 256) as u8
    } else {
        return Err(ImagingError::corrupt(
            Format::Ico,
            "a side is 0 or too long",
        ));
    };
    // An icon of this picture alone: the sides in the directory may be wrong, and a cursor has
    // other numbers there.
    let mut header = vec![0, 0, 1, 0, 1, 0, side(4)?, height, 0, 0, 1, 0, 32, 0];
    header.extend((length as u32).to_le_bytes());
    header.extend(((HEADER_BYTES + ENTRY_BYTES) as u32).to_le_bytes());
    let part = Part {
        header,
        at: entry.at,
        end: entry.at + length,
    };
    inspect_part(bytes, Format::Ico, Some(part))
}

/// What a bitmap takes by its own header, and what its mask.
fn bitmap_bytes(bitmap: &[u8]) -> (usize, usize) {
    let number = |at| le_u32(bitmap, at).unwrap_or(0) as usize;
    let (width, height) = (number(4).min(256), (number(8) / 2).min(256));
    let bits = le_u16(bitmap, 14).unwrap_or(0).min(32).into();
    let palette = match (bits, number(32)) {
        (1..=8, 0) => 1 << bits,
        (1..=8, colours) => colours.min(1 << bits),
        _ => 0,
    };
    let row = |bits: usize| (width * bits).div_ceil(32) * 4;
    let pixels = number(0).min(HEADER_MAX_BYTES) + palette * 4 + row(bits) * height;
    (pixels, row(1) * height)
}

/// Of the longest header that there is, `BITMAPV5HEADER`.
const HEADER_MAX_BYTES: usize = 124;
