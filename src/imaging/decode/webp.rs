//! WebP (<https://www.rfc-editor.org/rfc/rfc9649>): the picture, or the first frame.
//!
//! The decoder gives whole pictures or an error, so a truncated file is a corrupt one.

use std::borrow::Cow;
use std::io::Cursor;

use image_webp::{DecodingError, WebPDecoder};

use super::{Decoded, finish_rows, le_u16, le_u32};
use crate::domain::SourceFormat;
use crate::imaging::error::ImagingError;
use crate::imaging::geometry::Size;
use crate::imaging::header::{Coding, EmbeddedProfile, Header};
use crate::imaging::limits::Limits;
use crate::imaging::raster::Layout;
use crate::imaging::reduce::BoxReducer;

const RIFF_HEADER_BYTES: usize = 12;
const CHUNK_HEADER_BYTES: usize = 8;
const ALPHA_FLAG: u8 = 0x10;
const ANIMATION_FLAG: u8 = 0x02;
const VP8_START_CODE: &[u8] = b"\x9d\x01\x2a";
const VP8L_SIGNATURE: u8 = 0x2f;
/// Code tables, and what the decoders hold besides pictures.
const TABLES_BYTES: usize = 1 << 20;

pub(super) fn inspect<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Header<'a>, ImagingError> {
    let mut facts = Facts::default();
    for (index, (kind, data)) in Chunks::new(bytes).enumerate() {
        limits.check_chunks(u32::try_from(index + 1).unwrap_or(u32::MAX))?;
        facts.add(kind, data);
    }
    Ok(Header {
        format: SourceFormat::Webp,
        size: facts.size.ok_or_else(|| corrupt("it has no image"))?,
        has_alpha: facts.has_alpha,
        frames: facts.frames.max(1),
        icc: facts.icc.map_or(EmbeddedProfile::None, |profile| {
            EmbeddedProfile::Plain(Cow::Borrowed(profile))
        }),
        exif: facts.exif,
        coding: Coding::Webp {
            lossless: facts.lossless,
            animated: facts.animated,
        },
    })
}

#[derive(Default)]
struct Facts<'a> {
    size: Option<Size>,
    has_alpha: bool,
    lossless: bool,
    animated: bool,
    frames: u32,
    icc: Option<&'a [u8]>,
    exif: Option<&'a [u8]>,
}

impl<'a> Facts<'a> {
    /// The size of an extended file is that of its canvas, which comes first.
    fn add(&mut self, kind: &[u8; 4], data: &'a [u8]) {
        match kind {
            b"VP8X" => {
                let side = |offset: usize| Some((le_u32(data, offset)? & 0xff_ffff) + 1);
                if let (Some(width), Some(height), Some(flags)) = (
                    side(4),
                    // The last field has three bytes, so it is read from the byte before it.
                    le_u32(data, 6).map(|field| (field >> 8) + 1),
                    data.first(),
                ) {
                    self.size = Some(Size::new(width, height));
                    self.has_alpha = flags & ALPHA_FLAG != 0;
                    self.animated = flags & ANIMATION_FLAG != 0;
                }
            }
            b"VP8 " if self.size.is_none() => self.size = vp8_size(data),
            b"VP8L" => {
                self.lossless = true;
                if let (None, Some((size, has_alpha))) = (self.size, vp8l_facts(data)) {
                    self.size = Some(size);
                    self.has_alpha = has_alpha;
                }
            }
            b"ANMF" => self.frames += 1,
            b"ICCP" => self.icc = Some(data),
            // Some writers keep the prefix that EXIF has in JPEG.
            b"EXIF" => self.exif = Some(data.strip_prefix(b"Exif\0\0").unwrap_or(data)),
            _ => {}
        }
    }
}

/// RFC 6386, section 9.1: a key frame's start code, then two sides of 14 bits and a scale.
fn vp8_size(data: &[u8]) -> Option<Size> {
    if data.get(3..6) != Some(VP8_START_CODE) {
        return None;
    }
    let side = |offset| Some(u32::from(le_u16(data, offset)? & 0x3fff));
    Some(Size::new(side(6)?, side(8)?))
}

/// RFC 9649, section 3.4: a signature, then two sides less one of 14 bits, then the alpha bit.
fn vp8l_facts(data: &[u8]) -> Option<(Size, bool)> {
    if data.first() != Some(&VP8L_SIGNATURE) {
        return None;
    }
    let bits = le_u32(data, 1)?;
    let size = Size::new((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1);
    Some((size, bits >> 28 & 1 != 0))
}

/// Walks the chunks of a RIFF file; a last chunk that is cut off is given as far as it goes.
struct Chunks<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Chunks<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            position: RIFF_HEADER_BYTES,
        }
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = (&'a [u8; 4], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let kind = self.bytes.get(self.position..)?.first_chunk()?;
        let length = le_u32(self.bytes, self.position + 4)? as usize;
        let data = self.bytes.get(self.position + CHUNK_HEADER_BYTES..)?;
        // Chunks begin at even positions.
        self.position = self
            .position
            .checked_add(CHUNK_HEADER_BYTES)?
            .checked_add(length.checked_next_multiple_of(2)?)?;
        Some((kind, &data[..length.min(data.len())]))
    }
}

pub(super) fn memory_bytes(header: &Header<'_>, thumbnail: Size) -> usize {
    let Coding::Webp { lossless, animated } = header.coding else {
        return usize::MAX;
    };
    let channels = channels(header);
    // Lossless: ARGB and its transforms; lossy: YCbCr 4:2:0 and an alpha plane with its own
    // lossless decode. An animation may be either, and has a canvas besides.
    let per_pixel = match (lossless, animated, header.has_alpha) {
        (_, true, _) => 14,
        (true, ..) => 6,
        (false, false, true) => 7,
        (false, false, false) => 2,
    };
    header.size.area() * (channels + per_pixel)
        + BoxReducer::memory_bytes(header.size, thumbnail, channels)
        + TABLES_BYTES
}

fn channels(header: &Header<'_>) -> usize {
    if header.has_alpha { 4 } else { 3 }
}

pub(super) fn decode(
    bytes: &[u8],
    header: &Header<'_>,
    thumbnail: Size,
    limits: &Limits,
) -> Result<Decoded, ImagingError> {
    limits.check_deadline()?;
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(failed)?;
    decoder.set_memory_limit(limits.max_memory_bytes);
    if decoder.dimensions() != (header.size.width, header.size.height) {
        return Err(corrupt("its chunks contradict each other"));
    }
    let layout = if decoder.has_alpha() {
        Layout::Rgba
    } else {
        Layout::Rgb
    };
    let mut picture = vec![0; header.size.area() * layout.channels()];
    decoder.read_image(&mut picture).map_err(failed)?;
    limits.check_deadline()?;
    let mut reducer = BoxReducer::new(header.size, thumbnail, layout);
    for row in picture.chunks_exact(header.size.width as usize * layout.channels()) {
        reducer.push_row(row);
    }
    finish_rows(
        reducer,
        header.format,
        header.size.height,
        header.size.height,
        thumbnail,
    )
}

fn corrupt(reason: impl std::fmt::Display) -> ImagingError {
    ImagingError::corrupt(SourceFormat::Webp, reason)
}

fn failed(error: DecodingError) -> ImagingError {
    corrupt(error)
}
