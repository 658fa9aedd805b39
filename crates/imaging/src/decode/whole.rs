//! The formats that the `image` crate decodes whole: TGA, PNM, QOI, and DDS in blocks.
//!
//! Its decoders give whole pictures or an error, so a truncated file is a corrupt one.

use std::io::{BufRead, Seek};

use image::codecs::dds::DdsDecoder;
use image::codecs::ico::IcoDecoder;
use image::codecs::pnm::PnmDecoder;
use image::codecs::qoi::QoiDecoder;
use image::codecs::tga::TgaDecoder;
use image::{ColorType, ImageDecoder, ImageError};

use super::deadline_reader::DeadlineReader;
use super::samples::rounded;
use super::{Decoded, ROWS_PER_DEADLINE_CHECK, finish_rows};
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::header::{EmbeddedProfile, Header, Kind};
use crate::limits::Limits;
use crate::metadata::ExifFacts;
use crate::raster::Layout;
use crate::reduce::BoxReducer;

/// Palettes and rows of the decoders.
const DECODER_BYTES: usize = 512 << 10;

/// How it is decoded.
#[derive(Debug)]
pub(crate) struct WholeFacts {
    pub format: Format,
    /// As the decoder gives it.
    layout: Layout,
    is_short: bool,
    /// The fourth byte of each pixel means nothing.
    is_opaque: bool,
    /// The decoder wants another file than this one: so many bytes of its own, then those from here
    /// to there.
    pub(super) part: Option<Part>,
}

/// A part of a file behind a header of its own.
#[derive(Debug)]
pub(super) struct Part {
    pub header: Vec<u8>,
    pub at: usize,
    pub end: usize,
}

impl Part {
    fn file(&self, bytes: &[u8]) -> Vec<u8> {
        let data = bytes.get(self.at..self.end).unwrap_or_default();
        [&self.header, data].concat()
    }
}

fn decoder<'r>(
    format: Format,
    source: impl BufRead + Seek + 'r,
) -> Result<Box<dyn ImageDecoder + 'r>, ImageError> {
    Ok(match format {
        Format::Tga => Box::new(TgaDecoder::new(source)?),
        Format::Pnm => Box::new(PnmDecoder::new(source)?),
        Format::Qoi => Box::new(QoiDecoder::new(source)?),
        Format::Dds => Box::new(DdsDecoder::new(source)?),
        _ => Box::new(IcoDecoder::new(source)?),
    })
}

fn failed(format: Format, error: &ImageError) -> ImagingError {
    match error {
        ImageError::Unsupported(_) => ImagingError::UnsupportedKind {
            format,
            kind: "an image in unusual samples",
        },
        _ => ImagingError::corrupt(format, error),
    }
}

pub(super) fn inspect<'a>(bytes: &'a [u8], format: Format) -> Result<Header<'a>, ImagingError> {
    inspect_part(bytes, format, None)
}

pub(super) fn inspect_part<'a>(
    bytes: &'a [u8],
    format: Format,
    part: Option<Part>,
) -> Result<Header<'a>, ImagingError> {
    let file = part.as_ref().map(|part| part.file(bytes));
    let source = DeadlineReader::new(file.as_deref().unwrap_or(bytes), None);
    let decoder = decoder(format, source).map_err(|error| failed(format, &error))?;
    let (width, height) = decoder.dimensions();
    let (layout, is_short) = match decoder.color_type() {
        ColorType::L8 => (Layout::Luma, false),
        ColorType::La8 => (Layout::LumaAlpha, false),
        ColorType::Rgb8 => (Layout::Rgb, false),
        ColorType::Rgba8 => (Layout::Rgba, false),
        ColorType::L16 => (Layout::Luma, true),
        ColorType::La16 => (Layout::LumaAlpha, true),
        ColorType::Rgb16 => (Layout::Rgb, true),
        ColorType::Rgba16 => (Layout::Rgba, true),
        other => {
            let reason = format!("unexpected pixels: {other:?}");
            return Err(ImagingError::corrupt(format, reason));
        }
    };
    let is_opaque = format == Format::Tga && layout == Layout::Rgba && has_no_attributes(bytes);
    Ok(Header {
        size: Size::new(width, height),
        has_alpha: layout.has_alpha() && !is_opaque,
        frames: 1,
        icc: EmbeddedProfile::None,
        exif: ExifFacts::default(),
        kind: Kind::Whole(WholeFacts {
            format,
            layout,
            is_short,
            is_opaque,
            part,
        }),
    })
}

/// A TGA says how many bits of a pixel are alpha (C.2, field 5.6); its decoder takes none for all.
fn has_no_attributes(bytes: &[u8]) -> bool {
    bytes.get(17).is_some_and(|flags| flags & 15 == 0)
}

impl WholeFacts {
    const fn shown_layout(&self) -> Layout {
        if self.is_opaque {
            Layout::Rgb
        } else {
            self.layout
        }
    }

    fn row_bytes(&self, size: Size) -> usize {
        size.width as usize * self.layout.channels() * if self.is_short { 2 } else { 1 }
    }

    pub(super) fn memory_bytes(&self, size: Size, target: Size) -> usize {
        let part = self.part.as_ref();
        let part = part.map_or(0, |part| part.end - part.at);
        self.row_bytes(size) * (size.height as usize + 2)
            + BoxReducer::memory_bytes(size, target, self.shown_layout().channels())
            + part
            + DECODER_BYTES
    }

    pub(super) fn decode(
        &self,
        bytes: &[u8],
        size: Size,
        target: Size,
        limits: &Limits,
    ) -> Result<Decoded<'static>, ImagingError> {
        limits.check_deadline()?;
        let file = self.part.as_ref().map(|part| part.file(bytes));
        let source = DeadlineReader::new(file.as_deref().unwrap_or(bytes), limits.deadline);
        let failed = |error| limits.timeout_or(failed(self.format, &error));
        let decoder = decoder(self.format, source).map_err(failed)?;
        let stride = self.row_bytes(size);
        let expected = stride * size.height as usize;
        if decoder.total_bytes() != expected as u64 {
            let reason = "its headers contradict each other";
            return Err(ImagingError::corrupt(self.format, reason));
        }
        let mut picture = vec![0; expected];
        decoder.read_image_boxed(&mut picture).map_err(failed)?;
        let mut reducer = BoxReducer::new(size, target, self.shown_layout());
        let mut narrow = vec![0; size.width as usize * self.shown_layout().channels()];
        for (index, row) in picture.chunks_exact(stride).enumerate() {
            if index.is_multiple_of(ROWS_PER_DEADLINE_CHECK) {
                limits.check_deadline()?;
            }
            if self.is_short {
                let (shorts, _) = row.as_chunks::<2>();
                for (out, short) in narrow.iter_mut().zip(shorts) {
                    *out = rounded(u16::from_ne_bytes(*short));
                }
                reducer.push_row(&narrow);
            } else if self.is_opaque {
                let (pixels, _) = row.as_chunks::<4>();
                let (out, _) = narrow.as_chunks_mut::<3>();
                for (out, [r, g, b, _]) in out.iter_mut().zip(pixels) {
                    *out = [*r, *g, *b];
                }
                reducer.push_row(&narrow);
            } else {
                reducer.push_row(row);
            }
        }
        finish_rows(reducer, self.format, size.height, size.height)
    }
}
