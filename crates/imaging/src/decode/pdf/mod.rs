//! PDF (ISO 32000-1): its first page, drawn on white. All of it, also what its size is, is found in a
//! locked-down process, by a renderer that has no limit of time or memory.

mod draw;
mod page;

use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::header::{EmbeddedProfile, Header, Kind};
use crate::limits::Limits;
use crate::metadata::ExifFacts;

pub(super) use draw::draw;

/// The size of the first page in pixels of CSS (96 to an inch), rounded. Only for a process that is
/// locked down.
pub(super) fn measure(bytes: &[u8], limits: &Limits) -> Result<Size, ImagingError> {
    page::with_first(bytes, limits, |page| Ok(page::size(page)))
}

/// The header of a document whose first page has this size, as another process says.
pub(super) fn header(size: Size, source_bytes: usize) -> Header<'static> {
    Header {
        size,
        // The page is white.
        has_alpha: false,
        frames: 1,
        icc: EmbeddedProfile::None,
        exif: ExifFacts::default(),
        kind: Kind::Pdf(PdfFacts { source_bytes }),
    }
}

/// How much there is to parse.
#[derive(Debug)]
pub(crate) struct PdfFacts {
    source_bytes: usize,
}

/// Of tables of objects, for each byte of the file.
const TABLE_BYTES_A_BYTE: usize = 2;
/// The page, its groups and masks, and what the renderer keeps of each row.
const LAYERS: usize = 12;
/// Pictures, fonts and contents of the page, inflated. A scan of an A4 page with 600 dots an inch
/// has 35 megapixels.
const CONTENT_BYTES: usize = 160 << 20;

impl PdfFacts {
    /// More than that the other process does not get.
    pub(super) fn memory_bytes(&self, target: Size) -> usize {
        let layers = target.area().saturating_mul(4 * LAYERS);
        self.source_bytes
            .saturating_mul(TABLE_BYTES_A_BYTE)
            .saturating_add(layers)
            .saturating_add(CONTENT_BYTES)
    }
}

fn corrupt(reason: impl std::fmt::Display) -> ImagingError {
    ImagingError::corrupt(Format::Pdf, reason)
}

#[cfg(test)]
mod tests;
