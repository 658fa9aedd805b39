//! PNG and the default image of APNG (<https://www.w3.org/TR/png-3/>), row by row.

mod colours;
pub(super) mod frames;
mod interlaced;
mod raw_profile;

use std::io::Cursor;

use ::png::{BitDepth, ColorType, DecodingError, Info, Reader, Transformations};

use self::colours::Colours;
use self::raw_profile::RawProfile;
use super::{Decoded, ROWS_PER_DEADLINE_CHECK, be_u32, finish_rows};
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::header::{Header, Kind};
use crate::limits::Limits;
use crate::metadata::ExifFacts;
use crate::raster::Layout;
use crate::reduce::BoxReducer;
use thumbforge_codecs::png::{Chunk, Chunks, RowReader, Shape};

/// The most that the decoder may buffer of chunks other than pixels.
const MAX_BUFFERED_CHUNK_BYTES: usize = 8 << 20;
/// Window, tables and read-ahead of the inflater.
const INFLATER_BYTES: usize = 512 << 10;

const CHUNKS_PER_DEADLINE_CHECK: u32 = 1024;

/// Bits of the colour type field in `IHDR`.
const PALETTE_USED: u8 = 1;
const COLOUR_USED: u8 = 2;
const ALPHA_USED: u8 = 4;

pub(super) fn inspect<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Header<'a>, ImagingError> {
    let corrupt = |reason: &str| ImagingError::corrupt(Format::Png, reason);
    let mut chunks = Chunks::new(bytes);
    let first = chunks.next().ok_or_else(|| corrupt("it has no header"))?;
    if first.kind != b"IHDR" {
        return Err(corrupt("it does not begin with its header"));
    }
    let ihdr = first.data;
    let (Some(width), Some(height), Some(&colour_type), Some(&interlace)) =
        (be_u32(ihdr, 0), be_u32(ihdr, 4), ihdr.get(9), ihdr.get(12))
    else {
        return Err(corrupt("its header is too short"));
    };

    let mut has_transparent_colour = false;
    let mut colours = Colours::default();
    let mut has_pixels = false;
    // The chunk made for it comes before what stands in for it.
    let (mut exif, mut raw_profile) = (None, None);
    let mut frames = 0;
    let mut largest_chunk_bytes = 0;
    let mut count = 1;
    for Chunk { kind, data, .. } in chunks {
        count += 1;
        limits.check_chunks(count)?;
        if count.is_multiple_of(CHUNKS_PER_DEADLINE_CHECK) {
            limits.check_deadline()?;
        }
        if !matches!(kind, b"IDAT" | b"fdAT") {
            largest_chunk_bytes = largest_chunk_bytes.max(data.len());
        }
        match kind {
            b"tRNS" => has_transparent_colour = true,
            // There may be one of each; of several the first counts, as in the other formats.
            b"eXIf" if exif.is_none() => exif = Some(data),
            b"tEXt" | b"zTXt" if raw_profile.is_none() => {
                raw_profile = RawProfile::of(kind, data);
            }
            b"fcTL" => frames += 1,
            b"IDAT" => has_pixels = true,
            b"IEND" => break,
            // What comes after the pixels was not meant for them.
            _ if !has_pixels => colours.add(kind, data),
            _ => {}
        }
    }
    let has_alpha = colour_type & ALPHA_USED != 0 || has_transparent_colour;
    let is_colour = colour_type & (COLOUR_USED | PALETTE_USED) != 0;
    Ok(Header {
        size: Size::new(width, height),
        has_alpha,
        frames: frames.max(1),
        icc: colours.profile(),
        exif: match (exif, raw_profile) {
            (Some(block), _) => ExifFacts::read(block),
            (None, Some(text)) => text.exif().unwrap_or_default(),
            (None, None) => ExifFacts::default(),
        },
        kind: Kind::Png(PngFacts {
            channels: if is_colour { 3 } else { 1 } + usize::from(has_alpha),
            interlaced: interlace != 0,
            largest_chunk_bytes: largest_chunk_bytes.min(MAX_BUFFERED_CHUNK_BYTES),
        }),
    })
}

/// How a PNG is coded.
#[derive(Debug)]
pub(crate) struct PngFacts {
    /// Of the pixels as they are given out: 8 bits each, palette and `tRNS` expanded.
    channels: usize,
    interlaced: bool,
    /// The largest chunk that the decoder buffers whole.
    largest_chunk_bytes: usize,
}

impl PngFacts {
    pub(super) fn memory_bytes(&self, size: Size, target: Size) -> usize {
        let full_picture = if self.interlaced {
            size.area() * self.channels
        } else {
            0
        };
        BoxReducer::memory_bytes(size, target, self.channels)
            + row_buffers_bytes(size, self.channels).max(our_rows_bytes(size, self.channels))
            + full_picture
            + self.largest_chunk_bytes
            + INFLATER_BYTES
    }

    pub(super) fn decode(
        &self,
        bytes: &[u8],
        size: Size,
        target: Size,
        limits: &Limits,
    ) -> Result<Decoded<'static>, ImagingError> {
        let mut decoder = ::png::Decoder::new_with_limits(
            Cursor::new(bytes),
            ::png::Limits {
                bytes: row_buffers_bytes(size, 4) + MAX_BUFFERED_CHUNK_BYTES,
            },
        );
        decoder.set_ignore_text_chunk(true);
        // We inflate the profile, within its own limit.
        decoder.set_ignore_iccp_chunk(true);
        decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
        let mut reader = decoder.read_info().map_err(corrupt)?;
        check_palette(reader.info())?;
        let layout = match reader.output_color_type().0 {
            ColorType::Grayscale => Layout::Luma,
            ColorType::GrayscaleAlpha => Layout::LumaAlpha,
            ColorType::Rgb => Layout::Rgb,
            ColorType::Rgba => Layout::Rgba,
            ColorType::Indexed => return Err(corrupt("its palette could not be expanded")),
        };
        let mut reducer = BoxReducer::new(size, target, layout);
        let mut is_coarse = false;
        let rows_decoded = if let Some(rows) = usual_rows(bytes, reader.info(), size) {
            drop(reader);
            push_rows(rows, limits, &mut reducer)?
        } else if reader.info().interlaced {
            let shown = interlaced::decode(&mut reader, size, layout, limits, &mut reducer)?;
            is_coarse = shown.is_coarse;
            shown.rows
        } else {
            decode_rows(&mut reader, size, layout, limits, &mut reducer)?
        };
        let mut decoded = finish_rows(reducer, Format::Png, rows_decoded, size.height)?;
        decoded.truncated |= is_coarse;
        Ok(decoded)
    }
}

/// The decoder holds two rows of at most 16 bits a sample, and we one of 8.
fn row_buffers_bytes(size: Size, channels: usize) -> usize {
    size.width as usize * channels * 8
}

/// Memory of [`RowReader`]; none if the rows are too wide for it.
fn our_rows_bytes(size: Size, channels: usize) -> usize {
    RowReader::memory_bytes(shape(size, channels)).unwrap_or(0)
}

fn shape(size: Size, channels: usize) -> Shape {
    Shape {
        width: size.width as usize,
        height: size.height as usize,
        bytes_per_pixel: channels,
    }
}

/// The decoder panics at a colour that is cut off, or whose number is beyond eight bits (found by
/// fuzzing). The palette that a truecolour picture may suggest is not read.
fn check_palette(info: &Info<'_>) -> Result<(), ImagingError> {
    let is_indexed = info.color_type == ColorType::Indexed;
    match &info.palette {
        Some(palette)
            if is_indexed && (!palette.len().is_multiple_of(3) || palette.len() > 3 * 256) =>
        {
            Err(corrupt("its palette is not a list of up to 256 colours"))
        }
        _ => Ok(()),
    }
}

fn corrupt(reason: impl std::fmt::Display) -> ImagingError {
    ImagingError::corrupt(Format::Png, reason)
}

/// A reader of our own for the usual picture: its samples are bytes, and need no conversion.
fn usual_rows<'a>(bytes: &'a [u8], info: &Info<'_>, size: Size) -> Option<RowReader<'a>> {
    let channels = match info.color_type {
        ColorType::Grayscale => Layout::Luma,
        ColorType::GrayscaleAlpha => Layout::LumaAlpha,
        ColorType::Rgb => Layout::Rgb,
        ColorType::Rgba => Layout::Rgba,
        ColorType::Indexed => return None,
    }
    .channels();
    // The first frame of an animation may claim to be smaller than the picture.
    let is_whole = info
        .frame_control
        .is_none_or(|frame| (frame.width, frame.height) == (size.width, size.height));
    let is_usual = info.bit_depth == BitDepth::Eight
        && !info.interlaced
        && info.trns.is_none()
        && is_whole
        && (info.width, info.height) == (size.width, size.height);
    is_usual
        .then(|| RowReader::new(bytes, shape(size, channels)))
        .flatten()
}

/// As [`decode_rows`].
fn push_rows(
    mut reader: RowReader<'_>,
    limits: &Limits,
    reducer: &mut BoxReducer,
) -> Result<u32, ImagingError> {
    limits.check_deadline()?;
    while let Some(rows) = reader.next_rows() {
        for row in rows {
            reducer.push_row(row);
        }
        limits.check_deadline()?;
    }
    match reader.damage() {
        Some(damage) if reducer.rows_pushed() == 0 => Err(corrupt(damage)),
        _ => Ok(reducer.rows_pushed()),
    }
}

/// Pushes all rows up to the first that can't be read, and returns how many.
///
/// Damage and an early end are treated alike: what was decoded before it is right.
fn decode_rows(
    reader: &mut Reader<Cursor<&[u8]>>,
    size: Size,
    layout: Layout,
    limits: &Limits,
    reducer: &mut BoxReducer,
) -> Result<u32, ImagingError> {
    let mut row = vec![0; size.width as usize * layout.channels()];
    for index in 0..size.height {
        if index.is_multiple_of(ROWS_PER_DEADLINE_CHECK as u32) {
            limits.check_deadline()?;
        }
        match reader.read_row(&mut row) {
            Ok(Some(_)) => reducer.push_row(&row),
            Ok(None) => return Ok(index),
            Err(DecodingError::LimitsExceeded) => return Err(corrupt("a chunk is too large")),
            Err(error) if index == 0 => return Err(corrupt(error)),
            Err(_) => return Ok(index),
        }
    }
    Ok(size.height)
}
