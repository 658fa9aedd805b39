//! The full decoder: for four components and whatever else the scaled one does not take.

use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::corrupt;
use super::segments::marker;
use crate::decode::deadline_reader::DeadlineReader;
use crate::decode::{Decoded, reduce_picture};
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::limits::Limits;
use crate::raster::Layout;
use crate::reduce::BoxReducer;

pub(super) fn memory_bytes(components: u8, progressive: bool, size: Size, target: Size) -> usize {
    let components = usize::from(components);
    // The picture, and for a progressive one all its coefficients in 16 bits.
    let per_pixel = if progressive {
        components * 3
    } else {
        components
    };
    // A row of blocks in 16 bits, twice for the upsampling.
    let block_rows = size.width as usize * components * 16 * 2 * 2;
    size.area() * per_pixel + block_rows + BoxReducer::memory_bytes(size, target, components)
}

/// Decodes all of the picture.
///
/// What the decoder finds wrong is first treated as an early end: it then gives what it has, with
/// mid-grey below, and the rows above the grey count as decoded.
pub(super) fn decode(
    bytes: &[u8],
    components: u8,
    (size, target): (Size, Size),
    limits: &Limits,
) -> Result<Decoded<'static>, ImagingError> {
    check_scans(bytes, limits)?;
    let mut is_damaged = false;
    let (layout, picture) = match decode_full(bytes, size, components, true, limits) {
        Ok(decoded) => decoded,
        Err(_) => {
            is_damaged = true;
            limits.check_deadline()?;
            decode_full(bytes, size, components, false, limits)?
        }
    };
    let stride = size.width as usize * layout.channels();
    let rows = size.height as usize;
    let rows_decoded = if is_damaged {
        rows - grey_rows_below(&picture, stride)
    } else {
        rows.min(rows_possible(bytes, size))
    };
    reduce_picture(
        &picture,
        layout,
        Format::Jpeg,
        (size, target),
        rows_decoded,
        limits,
    )
}

/// Counts the scans by their markers: in coded data no other byte than 0 or a restart marker
/// follows `0xFF`.
fn check_scans(bytes: &[u8], limits: &Limits) -> Result<(), ImagingError> {
    let scans = memchr::memchr_iter(0xff, bytes)
        .filter(|index| bytes.get(index + 1) == Some(&marker::SOS))
        .count();
    if scans > limits.max_jpeg_scans as usize {
        return Err(ImagingError::TooMany {
            what: "scans",
            max: limits.max_jpeg_scans,
        });
    }
    Ok(())
}

fn decode_full(
    bytes: &[u8],
    size: Size,
    components: u8,
    strict: bool,
    limits: &Limits,
) -> Result<(Layout, Vec<u8>), ImagingError> {
    let source = DeadlineReader::new(bytes, limits.deadline);
    let options = DecoderOptions::default()
        .set_max_width(size.width as usize)
        .set_max_height(size.height as usize)
        .set_strict_mode(strict)
        .jpeg_set_max_scans(limits.max_jpeg_scans as usize);
    let mut decoder = JpegDecoder::new_with_options(source, options);
    decoder.decode_headers().map_err(corrupt)?;
    let (layout, output) = layout(components, decoder.input_colorspace());
    decoder.set_options(options.jpeg_set_out_colorspace(output));
    let expected = size.area() * layout.channels();
    if decoder.output_buffer_size() != Some(expected) {
        return Err(corrupt("its headers contradict each other"));
    }
    let mut picture = vec![128; expected];
    decoder
        .decode_into(&mut picture)
        .map_err(|error| limits.timeout_or(corrupt(error)))?;
    Ok((layout, picture))
}

fn layout(components: u8, input: Option<ColorSpace>) -> (Layout, ColorSpace) {
    match (components, input) {
        (1, _) => (Layout::Luma, ColorSpace::Luma),
        // Four components are passed on as they are stored: inks are converted when the picture is
        // small.
        (4, Some(ColorSpace::YCCK)) => (Layout::Ycck, ColorSpace::YCCK),
        (4, _) => (Layout::Cmyk, ColorSpace::CMYK),
        _ => (Layout::Rgb, ColorSpace::RGB),
    }
}

/// Rows that a file of this length can hold at most.
///
/// The decoder takes a scan that ends early for a complete one if an end marker follows: 693 bytes
/// that claim 16000 × 3000 pixels pass. Each block of 8 × 8 takes at least one bit.
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
