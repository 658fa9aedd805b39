//! A strip or tile that is a JPEG, with the tables of all of them in one field (TIFF Technical
//! Note 2).

use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::facts::{Colors, TiffFacts, corrupt};
use crate::decode::deadline_reader::DeadlineReader;
use crate::error::ImagingError;
use crate::limits::Limits;

const START: &[u8] = b"\xff\xd8";

/// Whether the first frame header is that of a progressive picture.
pub(super) fn is_progressive(data: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[0xff, kind, high, low]) = data.get(at..at + 4) {
        match kind {
            0xc2 => return true,
            0xc0 | 0xc1 | 0xda => return false,
            // Padding.
            0xff => at += 1,
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])),
        }
    }
    false
}

/// Memory for a chunk of that many samples, and its bytes together with the tables.
pub(super) fn memory_bytes(samples: usize, row_samples: usize, progressive: bool) -> usize {
    // As in the full decoder of JPEG files.
    let picture = samples.saturating_mul(if progressive { 3 } else { 1 });
    picture.saturating_add(row_samples.saturating_mul(64))
}

/// Decodes a chunk to interleaved samples of the width of the chunk, in as many rows as it has.
pub(super) fn decode(
    facts: &TiffFacts,
    data: &[u8],
    tables: &[u8],
    is_progressive_expected: bool,
    rows: u32,
    limits: &Limits,
) -> Result<Vec<u8>, ImagingError> {
    limits.check_deadline()?;
    if is_progressive(data) != is_progressive_expected {
        return Err(corrupt("its parts are coded in different ways"));
    }
    let data = data.strip_prefix(START).unwrap_or(data);
    let tables = tables.strip_prefix(START).unwrap_or_default();
    let tables = tables.strip_suffix(b"\xff\xd9").unwrap_or(tables);
    let whole = [START, tables, data].concat();
    let scans = memchr::memmem::find_iter(&whole, b"\xff\xda").count();
    if scans > limits.max_jpeg_scans as usize {
        return Err(ImagingError::TooMany {
            what: "scans",
            max: limits.max_jpeg_scans,
        });
    }
    let width = facts.chunk.width as usize;
    let options = DecoderOptions::default()
        .set_max_width(width)
        .set_max_height(facts.chunk.height as usize)
        .set_strict_mode(false)
        .jpeg_set_max_scans(limits.max_jpeg_scans as usize);
    let source = DeadlineReader::new(&whole, limits.deadline);
    let mut decoder = JpegDecoder::new_with_options(source, options);
    decoder.decode_headers().map_err(corrupt)?;
    let input = decoder.input_colorspace().unwrap_or(ColorSpace::Luma);
    let output = match (facts.samples_in_chunk(), facts.colors) {
        // What the directory calls RGB is not converted, whatever the JPEG says.
        (3, Colors::Rgb) if facts.jpeg_is_ycc => ColorSpace::RGB,
        _ => input,
    };
    decoder.set_options(options.jpeg_set_out_colorspace(output));
    let (found_width, found_height) = decoder.dimensions().unwrap_or_default();
    let stride = width * facts.samples_in_chunk();
    if found_width != width || decoder.output_buffer_size() != Some(found_height * stride) {
        return Err(corrupt("its JPEG is not what its header claims"));
    }
    let mut pixels = vec![128; found_height * stride];
    decoder
        .decode_into(&mut pixels)
        .map_err(|error| limits.timeout_or(corrupt(error)))?;
    pixels.truncate(rows as usize * stride);
    Ok(pixels)
}
