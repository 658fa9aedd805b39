//! One file a format: `inspect` reads the header, `decode` gives the picture in the size of the
//! thumbnail.

mod avif;
mod bmp;
mod boxes;
mod deadline_reader;
mod embedded;
mod gif;
mod heif;
pub(crate) mod ico;
mod items;
mod jpeg;
mod jpeg2000;
mod jxl;
mod lab;
mod pdf;
mod png;
mod psd;
pub(crate) mod raw;
mod samples;
pub(crate) mod svg;
mod tiff;
mod webp;
mod whole;

pub(crate) use avif::AvifFacts;
pub(crate) use bmp::BmpFacts;
pub(crate) use embedded::EmbeddedFacts;
pub(crate) use gif::GifFacts;
pub(crate) use heif::HeifFacts;
pub(crate) use jpeg::JpegFacts;
pub(crate) use jpeg2000::Jpeg2000Facts;
pub(crate) use jxl::JxlFacts;
pub(crate) use pdf::PdfFacts;
pub(crate) use png::PngFacts;
pub(crate) use psd::PsdFacts;
pub(crate) use svg::SvgFacts;
pub(crate) use tiff::TiffFacts;
pub(crate) use webp::WebpFacts;
pub(crate) use whole::WholeFacts;

use super::animation::frames::Animation;
use super::error::ImagingError;
use super::formats::Format;
use super::geometry::Size;
use super::header::{Header, Kind};
use super::limits::Limits;
use super::picture::{Pixels, Scratch};
use super::raster::Layout;
use super::reduce::BoxReducer;
use super::sniff::sniff;

/// The target of a decode.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    /// The size of the whole picture at the largest scale that any variant needs, before its
    /// orientation. The decoded picture is at least twice as large, or as large as the source; one
    /// that is drawn is exactly as large.
    pub size: Size,
    /// Chroma planes are needed only in half of that size.
    pub halve_chroma: bool,
}

/// The pixels of a source, about as large as its variants need them.
pub(crate) struct Decoded<'s> {
    pub pixels: Pixels<'s>,
    /// The rows of the source that hold its picture; rows below show as white.
    pub rows: u32,
    /// The file ended early or is damaged.
    pub truncated: bool,
}

/// Reads the header, without decoding any pixel.
///
/// # Errors
/// Not an image, a broken header, more pixels or chunks than allowed, or a format of which only a
/// locked-down process may read as much as its header.
pub(crate) fn inspect<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Header<'a>, ImagingError> {
    let header = match sniff(bytes)? {
        Format::Jpeg => jpeg::inspect(bytes, limits),
        Format::Png => png::inspect(bytes, limits),
        Format::Gif => gif::inspect(bytes, limits),
        Format::Webp => webp::inspect(bytes, limits),
        Format::Bmp => bmp::inspect(bytes),
        Format::Tiff => tiff::inspect(bytes, limits),
        Format::Ico => ico::inspect(bytes, limits),
        format @ (Format::Pnm | Format::Tga | Format::Qoi | Format::Dds) => {
            whole::inspect(bytes, format)
        }
        Format::Raw => raw::inspect(bytes, limits),
        Format::Heif => heif::inspect(bytes, limits),
        Format::Jxl => jxl::inspect(bytes, limits),
        Format::Jpeg2000 => jpeg2000::inspect(bytes, limits),
        Format::Psd => psd::inspect(bytes, limits),
        Format::Avif => avif::inspect(bytes, limits),
        Format::Svg => svg::inspect(bytes),
        format @ Format::Pdf => Err(ImagingError::NeedsLockdown { format }),
    }?;
    check_size(&header, limits)?;
    Ok(header)
}

fn check_size(header: &Header<'_>, limits: &Limits) -> Result<(), ImagingError> {
    if header.size.width == 0 || header.size.height == 0 {
        return Err(ImagingError::corrupt(
            header.format(),
            "its width or height is zero",
        ));
    }
    limits.check_pixels(header.size.width, header.size.height)
}

/// The size of a source of which [`inspect`] reads no header. Only for a process that is locked
/// down.
///
/// # Errors
/// As [`inspect`].
pub(crate) fn measure(bytes: &[u8], limits: &Limits) -> Result<Size, ImagingError> {
    let header = match sniff(bytes)? {
        format @ Format::Pdf => measured(format, pdf::measure(bytes, limits)?, bytes.len(), limits),
        _ => inspect(bytes, limits),
    }?;
    Ok(header.size)
}

/// The header of a source that another process measured.
///
/// # Errors
/// A size that is nothing or too much, or a format that is not measured.
pub(crate) fn measured(
    format: Format,
    size: Size,
    source_bytes: usize,
    limits: &Limits,
) -> Result<Header<'static>, ImagingError> {
    let header = match format {
        Format::Pdf => pdf::header(size, source_bytes),
        other => {
            let fault = format!("{} images are not measured", other.name());
            return Err(ImagingError::Internal(fault));
        }
    };
    check_size(&header, limits)?;
    Ok(header)
}

/// Estimated peak of the memory that decoding takes, in bytes, without the source itself.
pub(crate) fn memory_bytes(header: &Header<'_>, target: Size) -> usize {
    match &header.kind {
        Kind::Jpeg(facts) => facts.memory_bytes(header.size, target),
        Kind::Png(facts) => facts.memory_bytes(header.size, target),
        Kind::Gif(facts) => facts.memory_bytes(header.size, target),
        Kind::Webp(facts) => facts.memory_bytes(header.size, header.has_alpha, target),
        Kind::Bmp(facts) => facts.memory_bytes(header.size, target),
        Kind::Tiff(facts) => facts.memory_bytes(header.size, target),
        Kind::Heif(facts) => facts.memory_bytes(header.size, target),
        Kind::Jxl(facts) => facts.memory_bytes(header.size, target),
        Kind::Jpeg2000(facts) => facts.memory_bytes(header.size, target),
        Kind::Psd(facts) => facts.memory_bytes(header.size, target),
        Kind::Whole(facts) => facts.memory_bytes(header.size, target),
        Kind::Embedded(facts) => facts.memory_bytes(header.size, target),
        Kind::Avif(facts) => facts.memory_bytes(header.size, target),
        Kind::Svg(facts) => facts.memory_bytes(target),
        Kind::Pdf(facts) => facts.memory_bytes(target),
    }
}

/// Decodes the (first) picture as far as the target needs it.
///
/// # Errors
/// A corrupt file, one of which fewer than half of the rows could be decoded, or the deadline.
pub(crate) fn decode<'s>(
    bytes: &[u8],
    header: &Header<'_>,
    target: Target,
    limits: &Limits,
    scratch: &'s mut Scratch,
) -> Result<Decoded<'s>, ImagingError> {
    let size = header.size;
    match &header.kind {
        Kind::Jpeg(facts) => facts.decode(bytes, size, target, limits, &mut scratch.jpeg),
        Kind::Png(facts) => facts.decode(bytes, size, target.size, limits),
        Kind::Gif(facts) => facts.decode(bytes, size, target.size, limits),
        Kind::Webp(facts) => facts.decode(bytes, size, target, limits, &mut scratch.vp8),
        Kind::Bmp(facts) => facts.decode(bytes, size, target.size, limits),
        Kind::Tiff(facts) => facts.decode(bytes, size, target.size, limits),
        Kind::Heif(facts) => facts.decode(bytes, size, target.size, limits),
        Kind::Jxl(facts) => facts.decode(bytes, size, target.size, limits),
        Kind::Jpeg2000(facts) => facts.decode(bytes, size, target.size, limits),
        Kind::Psd(facts) => facts.decode(bytes, size, target.size, limits),
        Kind::Whole(facts) => facts.decode(bytes, size, target.size, limits),
        Kind::Embedded(facts) => facts.decode(bytes, size, target, limits, &mut scratch.jpeg),
        Kind::Avif(facts) => facts.decode(bytes, target.size, limits),
        Kind::Svg(facts) => facts.decode(bytes, size, target.size, limits),
        Kind::Pdf(_) => pdf::draw(bytes, target.size, limits),
    }
}

/// Reads the header, whatever it takes, and decodes. Only for a process that is locked down.
///
/// # Errors
/// As [`inspect`] and [`decode`].
pub(crate) fn decode_whole<'s>(
    bytes: &[u8],
    target: Target,
    limits: &Limits,
    scratch: &'s mut Scratch,
) -> Result<Decoded<'s>, ImagingError> {
    match sniff(bytes)? {
        Format::Pdf => pdf::draw(bytes, target.size, limits),
        _ => decode(bytes, &inspect(bytes, limits)?, target, limits, scratch),
    }
}

/// Shows the frames of an animation in their order, and returns how often they play (0: for ever).
///
/// # Errors
/// A broken frame, the deadline, or that of `animation`.
pub(crate) fn frames(
    bytes: &[u8],
    header: &Header<'_>,
    limits: &Limits,
    animation: &mut dyn Animation,
) -> Result<u32, ImagingError> {
    // A frame takes no more memory than the canvas, for which memory is reserved.
    match &header.kind {
        Kind::Gif(_) => gif::frames::frames(bytes, header.size, limits, animation),
        Kind::Webp(_) => webp::frames::frames(bytes, header, limits, animation),
        Kind::Png(_) => png::frames::frames(bytes, header.size, limits, animation),
        _ => Ok(0),
    }
}

/// The policy for files that end early: with at least half of the rows there is a picture,
/// marked as truncated, whose missing rows are white; with less there is none.
fn check_rows(format: Format, rows_decoded: u32, rows: u32) -> Result<(), ImagingError> {
    if u64::from(rows_decoded) * 2 < u64::from(rows) {
        return Err(ImagingError::Truncated {
            format,
            rows_decoded,
            rows,
        });
    }
    Ok(())
}

/// Applies that policy to a reduced picture, and fills its missing rows.
fn finish_rows(
    mut reducer: BoxReducer,
    format: Format,
    rows_decoded: u32,
    rows: u32,
) -> Result<Decoded<'static>, ImagingError> {
    check_rows(format, rows_decoded, rows)?;
    reducer.fill_with_white();
    let height = reducer.source().height;
    Ok(Decoded {
        pixels: Pixels::Raster(reducer.finish()),
        rows: height,
        truncated: rows_decoded < rows,
    })
}

/// Averages the first `rows_decoded` rows of a picture that was decoded whole.
fn reduce_picture(
    picture: &[u8],
    layout: Layout,
    format: Format,
    (size, target): (Size, Size),
    rows_decoded: usize,
    limits: &Limits,
) -> Result<Decoded<'static>, ImagingError> {
    let mut reducer = BoxReducer::new(size, target, layout);
    let rows = picture.chunks_exact(size.width as usize * layout.channels());
    for (index, row) in rows.take(rows_decoded).enumerate() {
        if index.is_multiple_of(ROWS_PER_DEADLINE_CHECK) {
            limits.check_deadline()?;
        }
        reducer.push_row(row);
    }
    finish_rows(reducer, format, rows_decoded as u32, size.height)
}

/// Rows between two looks at the clock.
pub(crate) const ROWS_PER_DEADLINE_CHECK: usize = 32;

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
