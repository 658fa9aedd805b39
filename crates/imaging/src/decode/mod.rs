//! One file a format: `inspect` reads the header, `decode` gives the picture in the size of the
//! thumbnail.

mod bmp;
mod deadline_reader;
mod gif;
mod jpeg;
mod png;
mod webp;

use std::time::Instant;

use super::error::ImagingError;
use super::geometry::Size;
use super::header::Header;
use super::limits::Limits;
use super::raster::{Layout, Small};
use super::reduce::BoxReducer;
use super::resize::resize;
use super::sniff::sniff;
use crate::source_image::SourceFormat;

/// What is to be decoded to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    /// Of the thumbnail, before its orientation.
    pub size: Size,
    /// Chroma planes may be given in half the size, as they will be encoded.
    pub halve_chroma: bool,
}

/// A decoded picture in the size of the thumbnail.
pub(crate) struct Decoded {
    pub small: Small,
    /// The file ended early; the missing rows are white.
    pub truncated: bool,
    /// When decoding had ended and the resampling began.
    pub resized_since: Instant,
}

/// Reads what the header tells, without decoding any pixel.
///
/// # Errors
/// Not an image, a broken header, or more pixels or chunks than allowed.
pub(crate) fn inspect<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Header<'a>, ImagingError> {
    let header = match sniff(bytes)? {
        SourceFormat::Jpeg => jpeg::inspect(bytes, limits),
        SourceFormat::Png => png::inspect(bytes, limits),
        SourceFormat::Gif => gif::inspect(bytes, limits),
        SourceFormat::Webp => webp::inspect(bytes, limits),
        SourceFormat::Bmp => bmp::inspect(bytes),
    }?;
    if header.size.width == 0 || header.size.height == 0 {
        return Err(ImagingError::corrupt(
            header.format,
            "its width or height is zero",
        ));
    }
    limits.check_pixels(header.size.width, header.size.height)?;
    Ok(header)
}

/// Estimated peak of the memory that decoding takes, in bytes, without the source itself.
pub(crate) fn memory_bytes(header: &Header<'_>, thumbnail: Size) -> usize {
    match header.format {
        SourceFormat::Jpeg => jpeg::memory_bytes(header, thumbnail),
        SourceFormat::Png => png::memory_bytes(header, thumbnail),
        SourceFormat::Gif => gif::memory_bytes(header, thumbnail),
        SourceFormat::Webp => webp::memory_bytes(header, thumbnail),
        SourceFormat::Bmp => bmp::memory_bytes(header, thumbnail),
    }
}

/// Decodes the (first) picture to the size of the thumbnail.
///
/// # Errors
/// A corrupt file, one of which less than half of the rows could be decoded, or the deadline.
pub(crate) fn decode(
    bytes: &[u8],
    header: &Header<'_>,
    target: Target,
    limits: &Limits,
) -> Result<Decoded, ImagingError> {
    let thumbnail = target.size;
    match header.format {
        SourceFormat::Jpeg => jpeg::decode(bytes, header, target, limits),
        SourceFormat::Png => png::decode(bytes, header, thumbnail, limits),
        SourceFormat::Gif => gif::decode(bytes, header, thumbnail, limits),
        SourceFormat::Webp => webp::decode(bytes, header, target, limits),
        SourceFormat::Bmp => bmp::decode(bytes, header, thumbnail, limits),
    }
}

/// The policy for files that end early: with at least half of the rows there is a thumbnail,
/// marked as truncated, whose missing rows are white; with less there is none.
fn finish_rows(
    mut reducer: BoxReducer,
    format: SourceFormat,
    rows_decoded: u32,
    rows: u32,
    thumbnail: Size,
) -> Result<Decoded, ImagingError> {
    if u64::from(rows_decoded) * 2 < u64::from(rows) {
        return Err(ImagingError::Truncated {
            format,
            rows_decoded,
            rows,
        });
    }
    reducer.fill_with_white();
    let resized_since = Instant::now();
    Ok(Decoded {
        resized_since,
        small: Small::Raster(resize(reducer.finish(), thumbnail)?),
        truncated: rows_decoded < rows,
    })
}

/// What chroma planes are resampled to: if they are to be halved, half of each side that is even. Of an odd side the last chroma
/// sample lies half outside of the picture: such a side is halved behind the resampling, or all samples would be spread a little
/// too far.
fn chroma_size(thumbnail: Size, halved: bool) -> Size {
    let side = |side: u32| {
        if halved && side.is_multiple_of(2) {
            side / 2
        } else {
            side
        }
    };
    Size::new(side(thumbnail.width), side(thumbnail.height))
}

/// Averages the first `rows_decoded` rows of a picture that was decoded whole.
fn reduce_picture(
    picture: &[u8],
    layout: Layout,
    header: &Header<'_>,
    rows_decoded: usize,
    thumbnail: Size,
    limits: &Limits,
) -> Result<Decoded, ImagingError> {
    let mut reducer = BoxReducer::new(header.size, thumbnail, layout);
    let rows = picture.chunks_exact(header.size.width as usize * layout.channels());
    for (index, row) in rows.take(rows_decoded).enumerate() {
        if index.is_multiple_of(ROWS_PER_DEADLINE_CHECK) {
            limits.check_deadline()?;
        }
        reducer.push_row(row);
    }
    finish_rows(
        reducer,
        header.format,
        rows_decoded as u32,
        header.size.height,
        thumbnail,
    )
}

/// Rows between two looks at the clock.
const ROWS_PER_DEADLINE_CHECK: usize = 32;

/// Big-endian integers at `offset`, for the container formats.
fn be_u32(bytes: &[u8], offset: usize) -> Option<u32> {
    let field = bytes.get(offset..offset.checked_add(4)?)?;
    field.try_into().ok().map(u32::from_be_bytes)
}

fn le_u32(bytes: &[u8], offset: usize) -> Option<u32> {
    let field = bytes.get(offset..offset.checked_add(4)?)?;
    field.try_into().ok().map(u32::from_le_bytes)
}

fn le_u16(bytes: &[u8], offset: usize) -> Option<u16> {
    let field = bytes.get(offset..offset.checked_add(2)?)?;
    field.try_into().ok().map(u16::from_le_bytes)
}

fn be_u16(bytes: &[u8], offset: usize) -> Option<u16> {
    let field = bytes.get(offset..offset.checked_add(2)?)?;
    field.try_into().ok().map(u16::from_be_bytes)
}
