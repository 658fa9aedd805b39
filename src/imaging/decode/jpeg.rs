//! JPEG (ITU-T T.81): the header, and the full decoder that takes what is unusual.

use std::borrow::Cow;

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::{Decoded, ROWS_PER_DEADLINE_CHECK, be_u16, finish_rows};
use crate::domain::SourceFormat;
use crate::imaging::error::ImagingError;
use crate::imaging::geometry::Size;
use crate::imaging::header::{Coding, EmbeddedProfile, Header};
use crate::imaging::limits::Limits;
use crate::imaging::raster::Layout;
use crate::imaging::reduce::BoxReducer;

/// Markers, the second byte after `0xFF` (T.81, table B.1).
mod marker {
    pub(super) const TEM: u8 = 0x01;
    pub(super) const SOF0: u8 = 0xc0;
    pub(super) const SOF2: u8 = 0xc2;
    pub(super) const DHT: u8 = 0xc4;
    pub(super) const JPG: u8 = 0xc8;
    pub(super) const DAC: u8 = 0xcc;
    pub(super) const SOF15: u8 = 0xcf;
    pub(super) const RST0: u8 = 0xd0;
    pub(super) const SOI: u8 = 0xd8;
    pub(super) const EOI: u8 = 0xd9;
    pub(super) const SOS: u8 = 0xda;
    pub(super) const APP1: u8 = 0xe1;
    pub(super) const APP2: u8 = 0xe2;
}

const EXIF_PREFIX: &[u8] = b"Exif\0\0";
const ICC_PREFIX: &[u8] = b"ICC_PROFILE\0";

pub(super) fn inspect<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Header<'a>, ImagingError> {
    let mut frame = None;
    let mut exif = None;
    let mut icc_chunks = Vec::new();
    for (index, (kind, data)) in Segments::new(bytes).enumerate() {
        limits.check_chunks(u32::try_from(index + 1).unwrap_or(u32::MAX))?;
        match kind {
            marker::APP1 if exif.is_none() => exif = data.strip_prefix(EXIF_PREFIX),
            marker::APP2 => icc_chunks.extend(data.strip_prefix(ICC_PREFIX)),
            marker::DHT | marker::JPG | marker::DAC => {}
            marker::SOF0..=marker::SOF15 if frame.is_none() => frame = Some((kind, data)),
            _ => {}
        }
    }
    let (kind, data) = frame.ok_or_else(|| corrupt("it has no frame header"))?;
    let (Some(height), Some(width), Some(&components)) =
        (be_u16(data, 1), be_u16(data, 3), data.get(5))
    else {
        return Err(corrupt("its frame header is too short"));
    };
    Ok(Header {
        format: SourceFormat::Jpeg,
        size: Size::new(width.into(), height.into()),
        has_alpha: false,
        frames: 1,
        icc: joined_profile(&icc_chunks, limits.max_icc_bytes),
        exif,
        coding: Coding::Jpeg {
            components,
            progressive: kind == marker::SOF2,
        },
    })
}

/// Joins the profile from its chunks, which begin with their number, from 1, and their count
/// (ICC.1:2022, annex B.4). Anything out of order makes it unreadable.
fn joined_profile<'a>(chunks: &[&'a [u8]], max_bytes: usize) -> EmbeddedProfile<'a> {
    let mut parts: Vec<(u8, &[u8])> = Vec::with_capacity(chunks.len());
    for chunk in chunks {
        match chunk.split_first_chunk() {
            Some(([number, count], data)) if usize::from(*count) == chunks.len() => {
                parts.push((*number, data));
            }
            _ => return EmbeddedProfile::None,
        }
    }
    parts.sort_by_key(|(number, _)| *number);
    let is_complete = parts
        .iter()
        .zip(1_u8..)
        .all(|((number, _), expected)| *number == expected);
    let bytes: usize = parts.iter().map(|(_, data)| data.len()).sum();
    match parts.as_slice() {
        [] => EmbeddedProfile::None,
        _ if !is_complete || bytes > max_bytes => EmbeddedProfile::None,
        [(_, data)] => EmbeddedProfile::Plain(Cow::Borrowed(data)),
        _ => EmbeddedProfile::Plain(Cow::Owned(
            parts
                .into_iter()
                .flat_map(|(_, data)| data)
                .copied()
                .collect(),
        )),
    }
}

/// Walks the marker segments up to the first scan, and gives each marker with its data.
struct Segments<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Segments<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            // Decoders skip garbage between segments, and so do we.
            while *self.bytes.get(self.position)? != 0xff {
                self.position += 1;
            }
            let kind = *self.bytes.get(self.position + 1)?;
            match kind {
                // Fill bytes and stuffing.
                0xff => self.position += 1,
                0 | marker::TEM | marker::RST0..=marker::SOI => self.position += 2,
                marker::SOS | marker::EOI => return None,
                _ => {
                    let length = usize::from(be_u16(self.bytes, self.position + 2)?);
                    let start = self.position + 4;
                    self.position += 2 + length.max(2);
                    let end = self.position.min(self.bytes.len());
                    return Some((kind, self.bytes.get(start..end)?));
                }
            }
        }
    }
}

fn layout(components: u8, input: Option<ColorSpace>) -> (Layout, ColorSpace) {
    match (components, input) {
        (1, _) => (Layout::Luma, ColorSpace::Luma),
        // Four components are given out as they are stored: inks are converted when small.
        (4, Some(ColorSpace::YCCK)) => (Layout::Ycck, ColorSpace::YCCK),
        (4, _) => (Layout::Cmyk, ColorSpace::CMYK),
        _ => (Layout::Rgb, ColorSpace::RGB),
    }
}

pub(super) fn memory_bytes(header: &Header<'_>, thumbnail: Size) -> usize {
    let Coding::Jpeg {
        components,
        progressive,
    } = header.coding
    else {
        return usize::MAX;
    };
    let components = usize::from(components);
    // The picture, and for a progressive one all its coefficients in 16 bits.
    let per_pixel = if progressive {
        components * 3
    } else {
        components
    };
    // A row of blocks in 16 bits, twice for the upsampling.
    let block_rows = header.size.width as usize * components * 16 * 2 * 2;
    header.size.area() * per_pixel
        + block_rows
        + BoxReducer::memory_bytes(header.size, thumbnail, components)
}

/// Decodes all of the picture.
///
/// What the decoder finds wrong is first taken for an early end: it then gives what it has,
/// with mid-grey below, and the rows above the grey count as decoded.
pub(super) fn decode(
    bytes: &[u8],
    header: &Header<'_>,
    thumbnail: Size,
    limits: &Limits,
) -> Result<Decoded, ImagingError> {
    limits.check_deadline()?;
    let Coding::Jpeg { components, .. } = header.coding else {
        return Err(ImagingError::Internal("not a JPEG header".to_owned()));
    };
    let mut is_damaged = false;
    let (layout, picture) = match decode_full(bytes, header.size, components, true, limits) {
        Ok(decoded) => decoded,
        Err(_) => {
            is_damaged = true;
            limits.check_deadline()?;
            decode_full(bytes, header.size, components, false, limits)?
        }
    };
    limits.check_deadline()?;

    let stride = header.size.width as usize * layout.channels();
    let rows = header.size.height as usize;
    let rows_decoded = if is_damaged {
        rows - grey_rows_below(&picture, stride)
    } else {
        rows.min(rows_possible(bytes, header.size))
    };
    let mut reducer = BoxReducer::new(header.size, thumbnail, layout);
    for (index, row) in picture.chunks_exact(stride).take(rows_decoded).enumerate() {
        if index.is_multiple_of(ROWS_PER_DEADLINE_CHECK) {
            limits.check_deadline()?;
        }
        reducer.push_row(row);
    }
    finish_rows(reducer, header.format, rows_decoded as u32, rows as u32)
}

fn decode_full(
    bytes: &[u8],
    size: Size,
    components: u8,
    strict: bool,
    limits: &Limits,
) -> Result<(Layout, Vec<u8>), ImagingError> {
    let options = DecoderOptions::default()
        .set_max_width(size.width as usize)
        .set_max_height(size.height as usize)
        .set_strict_mode(strict)
        .jpeg_set_max_scans(limits.max_jpeg_scans as usize);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(corrupt)?;
    let (layout, output) = layout(components, decoder.input_colorspace());
    decoder.set_options(options.jpeg_set_out_colorspace(output));
    let expected = size.area() * layout.channels();
    if decoder.output_buffer_size() != Some(expected) {
        return Err(corrupt("its headers contradict each other"));
    }
    let mut picture = vec![128; expected];
    decoder.decode_into(&mut picture).map_err(corrupt)?;
    Ok((layout, picture))
}

/// Rows that a file of this length can hold at most.
///
/// The decoder takes a scan that ends early for a complete one if an end marker follows: 693
/// bytes that claim 16000 × 3000 pixels pass. Each block of 8 × 8 takes at least one bit.
fn rows_possible(bytes: &[u8], size: Size) -> usize {
    let block_rows = bytes.len() * 8 / (size.width as usize).div_ceil(8);
    block_rows * 8
}

/// Rows at the bottom that are mid-grey throughout: what the decoder leaves undecoded.
fn grey_rows_below(picture: &[u8], stride: usize) -> usize {
    picture
        .rchunks_exact(stride)
        .take_while(|row| row.iter().all(|sample| *sample == 128))
        .count()
}

fn corrupt(reason: impl std::fmt::Display) -> ImagingError {
    ImagingError::corrupt(SourceFormat::Jpeg, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_joined_in_order_and_refused_when_incomplete() {
        let joined = |chunks: &[&'static [u8]]| match joined_profile(chunks, 100) {
            EmbeddedProfile::Plain(bytes) => Some(bytes.into_owned()),
            _ => None,
        };
        assert_eq!(joined(&[b"\x01\x01abc"]), Some(b"abc".to_vec()));
        assert_eq!(
            joined(&[b"\x02\x02cd", b"\x01\x02ab"]),
            Some(b"abcd".to_vec())
        );
        for broken in [
            &[&b"\x01\x02ab"[..]][..],
            &[b"\x00\x01ab"],
            &[b"\x01\x02ab", b"\x01\x02cd"],
            &[b"\x01"],
            &[],
        ] {
            assert_eq!(joined(broken), None, "{broken:?}");
        }
    }
}
