//! BMP, by the decoder of the `image` crate.
//!
//! It gives whole pictures or an error, so a truncated file is a corrupt one.

use std::io::Cursor;

use image::codecs::bmp::BmpDecoder;
use image::{ColorType, ImageDecoder, ImageError};

use super::deadline_reader::DeadlineReader;
use super::{Decoded, le_u16, le_u32, reduce_picture};
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::header::{EmbeddedProfile, Header, Kind};
use crate::limits::Limits;
use crate::metadata::ExifFacts;
use crate::raster::Layout;
use crate::reduce::BoxReducer;

pub(super) fn inspect(bytes: &[u8]) -> Result<Header<'_>, ImagingError> {
    let decoder = BmpDecoder::new(Cursor::new(bytes)).map_err(failed)?;
    let (width, height) = decoder.dimensions();
    let layout = layout(decoder.color_type())?;
    let size = Size::new(width, height);
    if uncompressed_bytes(bytes, size).is_some_and(|needed| needed > bytes.len()) {
        return Err(corrupt("it is shorter than its header claims"));
    }
    Ok(Header {
        size,
        has_alpha: layout.has_alpha(),
        frames: 1,
        icc: EmbeddedProfile::None,
        exif: ExifFacts::default(),
        kind: Kind::Bmp(BmpFacts {
            channels: layout.channels(),
        }),
    })
}

/// Bytes of the pixels of a file without run-length coding, so that a header that promises more
/// than there is costs nothing. `None` if the header does not give it.
fn uncompressed_bytes(bytes: &[u8], size: Size) -> Option<usize> {
    const CORE_HEADER: u32 = 12;
    const RUN_LENGTH_CODED: [u32; 2] = [1, 2];
    let is_core = le_u32(bytes, 14)? == CORE_HEADER;
    let bits_per_pixel = le_u16(bytes, if is_core { 24 } else { 28 })?;
    if !is_core && RUN_LENGTH_CODED.contains(&le_u32(bytes, 30)?) {
        return None;
    }
    let row = (size.width as usize)
        .checked_mul(bits_per_pixel.into())?
        .div_ceil(32)
        * 4;
    // The last row may lack its padding.
    Some(row.saturating_mul(size.height as usize).saturating_sub(3))
}

fn layout(color_type: ColorType) -> Result<Layout, ImagingError> {
    match color_type {
        ColorType::L8 => Ok(Layout::Luma),
        ColorType::Rgb8 => Ok(Layout::Rgb),
        ColorType::Rgba8 => Ok(Layout::Rgba),
        other => Err(corrupt(format_args!("unexpected pixels: {other:?}"))),
    }
}

/// How a BMP is coded.
#[derive(Debug)]
pub(crate) struct BmpFacts {
    channels: usize,
}

impl BmpFacts {
    pub(super) fn memory_bytes(&self, size: Size, target: Size) -> usize {
        size.area() * self.channels + BoxReducer::memory_bytes(size, target, self.channels)
    }

    pub(super) fn decode(
        &self,
        bytes: &[u8],
        size: Size,
        target: Size,
        limits: &Limits,
    ) -> Result<Decoded<'static>, ImagingError> {
        limits.check_deadline()?;
        let source = DeadlineReader::new(bytes, limits.deadline);
        let decoder = BmpDecoder::new(source).map_err(failed)?;
        let layout = layout(decoder.color_type())?;
        let mut picture = vec![0; size.area() * layout.channels()];
        decoder
            .read_image(&mut picture)
            .map_err(|error| limits.timeout_or(failed(error)))?;
        let rows = size.height as usize;
        reduce_picture(&picture, layout, Format::Bmp, (size, target), rows, limits)
    }
}

fn corrupt(reason: impl std::fmt::Display) -> ImagingError {
    ImagingError::corrupt(Format::Bmp, reason)
}

fn failed(error: ImageError) -> ImagingError {
    corrupt(error)
}
