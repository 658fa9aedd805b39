//! The headers before the pixels: `BITMAPCOREHEADER` (12 bytes) to `BITMAPV5HEADER` (124), and those
//! of OS/2 2.x, which may end after any field from 16 bytes on.

use std::borrow::Cow;

use super::corrupt;
use super::pixels::{Masks, Palette, Pixels};
use super::runs::Depth;
use crate::decode::{le_u16, le_u32};
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::header::EmbeddedProfile;

/// Where the second header begins: it has its own size first.
const INFO: usize = 14;
const CORE_BYTES: u32 = 12;
const WINDOWS_BYTES: u32 = 40;
/// From here on the header has masks, of red, green and blue; then of alpha.
const MASKS_BYTES: u32 = 52;
const ALPHA_MASK_BYTES: u32 = 56;
const V5_BYTES: u32 = 124;

#[derive(Debug)]
pub(super) struct BmpHeader {
    pub size: Size,
    pub is_top_down: bool,
    /// Where the pixels begin.
    pub data_at: usize,
    pub coding: Coding,
    /// Of pixels up to eight bits.
    pub palette: Palette,
}

#[derive(Debug)]
pub(super) enum Coding {
    Plain(Pixels),
    Runs(Depth),
}

/// The word for the coding of pixels.
mod compression {
    pub const NONE: u32 = 0;
    pub const RUNS_OF_8: u32 = 1;
    pub const RUNS_OF_4: u32 = 2;
    /// Of one bit, in OS/2: a fax.
    pub const MASKS: u32 = 3;
    /// Of 24 bits: runs, in OS/2.
    pub const JPEG: u32 = 4;
    pub const PNG: u32 = 5;
    pub const ALPHA_MASKS: u32 = 6;
}

impl BmpHeader {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, ImagingError> {
        let short = || corrupt("its header is too short");
        let info_bytes = le_u32(bytes, INFO).ok_or_else(short)?;
        let word = |offset: usize| le_u32(bytes, INFO + offset).ok_or_else(short);
        let half = |offset: usize| le_u16(bytes, INFO + offset).ok_or_else(short);
        // A field that the header is too short for is zero.
        let optional = |offset: u32| {
            if info_bytes < offset + 4 {
                Ok(0)
            } else {
                word(offset as usize)
            }
        };
        let is_core = info_bytes == CORE_BYTES;
        let (width, height, bits) = if is_core {
            (half(4)?.into(), i32::from(half(6)?), half(10)?)
        } else {
            (word(4)?, word(8)?.cast_signed(), half(14)?)
        };
        if width > i32::MAX as u32 || height == i32::MIN {
            return Err(corrupt("its width or height is out of range"));
        }
        let (coding, colours) = if is_core {
            (0, 0)
        } else {
            (optional(16)?, optional(32)?)
        };
        let after_info = INFO + info_bytes as usize;
        // A header of 40 bytes has its masks behind it.
        let masks_behind = match coding {
            compression::MASKS if info_bytes == WINDOWS_BYTES && bits != 1 => 12,
            compression::ALPHA_MASKS if info_bytes == WINDOWS_BYTES => 16,
            _ => 0,
        };
        let masks = Masks::new(std::array::from_fn(|channel| {
            let exists = match channel {
                3 => info_bytes >= ALPHA_MASK_BYTES || masks_behind == 16,
                _ => info_bytes >= MASKS_BYTES || masks_behind > 0,
            };
            let is_os2 = info_bytes == 64;
            let mask = le_u32(bytes, INFO + WINDOWS_BYTES as usize + 4 * channel);
            mask.filter(|_| exists && !is_os2).unwrap_or(0)
        }));
        let palette_at = after_info + masks_behind;
        let data_at = match le_u32(bytes, 10).ok_or_else(short)? as usize {
            0 => palette_at + palette_bytes(is_core, bits, colours),
            at => at,
        };
        let entry_bytes = if is_core { 3 } else { 4 };
        let palette = bytes.get(palette_at..).unwrap_or_default();
        // It ends where the pixels begin, whatever it is said to have.
        let room = data_at.checked_sub(palette_at).filter(|room| *room > 0);
        let palette = &palette[..room.unwrap_or(palette.len()).min(palette.len())];
        let count = if colours == 0 { 256 } else { colours as usize };
        let palette = Palette::new(palette, entry_bytes, count);
        Ok(Self {
            size: Size::new(width, height.unsigned_abs()),
            is_top_down: height < 0,
            data_at,
            coding: coding_of(coding, bits, masks, &palette)?,
            palette,
        })
    }

    pub(super) fn has_alpha(&self) -> bool {
        matches!(&self.coding, Coding::Plain(pixels) if pixels.has_alpha())
    }
}

fn palette_bytes(is_core: bool, bits: u16, colours: u32) -> usize {
    let count = match (bits, colours) {
        (1..=8, 0) => 1 << bits,
        (1..=8, colours) => colours as usize,
        _ => 0,
    };
    count * if is_core { 3 } else { 4 }
}

fn coding_of(
    coding: u32,
    bits: u16,
    masks: Masks,
    palette: &Palette,
) -> Result<Coding, ImagingError> {
    let unsupported = |kind| ImagingError::UnsupportedKind {
        format: Format::Bmp,
        kind,
    };
    Ok(match (coding, bits) {
        (compression::NONE, 1 | 2 | 4 | 8) => {
            Coding::Plain(Pixels::Indexed(bits as u8, palette.clone()))
        }
        (compression::NONE, 16) => Coding::Plain(Pixels::Masked(2, Masks::FIVE_BITS)),
        (compression::NONE, 24) => Coding::Plain(Pixels::Bgr(3)),
        (compression::NONE, 32) => Coding::Plain(Pixels::Bgr(4)),
        (compression::MASKS | compression::ALPHA_MASKS, 16) => {
            Coding::Plain(Pixels::Masked(2, masks.or(Masks::FIVE_BITS)))
        }
        (compression::MASKS | compression::ALPHA_MASKS, 32) => {
            Coding::Plain(Pixels::Masked(4, masks.or(Masks::BYTES)))
        }
        (compression::RUNS_OF_8, 8) => Coding::Runs(Depth::Eight),
        (compression::RUNS_OF_4, 4) => Coding::Runs(Depth::Four),
        (compression::JPEG, 24) => Coding::Runs(Depth::TwentyFour),
        (compression::MASKS, 1) => return Err(unsupported("a BMP coded as a fax")),
        (compression::JPEG, _) => return Err(unsupported("a BMP that holds a JPEG")),
        (compression::PNG, _) => return Err(unsupported("a BMP that holds a PNG")),
        _ => {
            return Err(corrupt(format_args!(
                "it has {bits} bits a pixel in coding {coding}"
            )));
        }
    })
}

/// The profile that a `BITMAPV5HEADER` points at, from its own beginning.
pub(super) fn profile(bytes: &[u8]) -> EmbeddedProfile<'_> {
    const EMBEDDED: u32 = u32::from_be_bytes(*b"MBED");
    let word = |offset: usize| le_u32(bytes, INFO + offset);
    if word(0) != Some(V5_BYTES) || word(56) != Some(EMBEDDED) {
        return EmbeddedProfile::None;
    }
    let place = word(112).zip(word(116)).and_then(|(offset, length)| {
        let start = INFO.checked_add(offset as usize)?;
        bytes.get(start..start.checked_add(length as usize)?)
    });
    place
        .filter(|profile| !profile.is_empty())
        .map_or(EmbeddedProfile::None, |profile| {
            EmbeddedProfile::Plain(Cow::Borrowed(profile))
        })
}
