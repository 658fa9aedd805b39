//! A JPEG that lies whole within a file of another format, or a PNG within an icon.

use thumbforge_codecs::jpeg::Scratch;

use super::{Decoded, JpegFacts, PngFacts, Target, jpeg, png};
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::header::{Header, Kind};
use crate::limits::Limits;

/// Where it is, and how it is coded.
#[derive(Debug)]
pub(crate) struct EmbeddedFacts {
    /// Of the file around it.
    pub format: Format,
    at: usize,
    end: usize,
    coding: Coding,
}

#[derive(Debug)]
enum Coding {
    Jpeg(JpegFacts),
    Png(PngFacts),
}

/// The header of the picture of `length` bytes at `at`; the file may end before.
pub(super) fn inspect<'a>(
    bytes: &'a [u8],
    format: Format,
    (at, length): (u64, u64),
    limits: &Limits,
) -> Result<Header<'a>, ImagingError> {
    let end = at.saturating_add(length).min(bytes.len() as u64) as usize;
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    let inner = bytes.get(at..end).unwrap_or_default();
    let header = if inner.starts_with(b"\xff\xd8\xff") {
        jpeg::inspect(inner, limits)?
    } else if format == Format::Ico && inner.starts_with(b"\x89PNG\r\n\x1a\n") {
        png::inspect(inner, limits)?
    } else {
        return Err(ImagingError::corrupt(
            format,
            "the picture in it is missing",
        ));
    };
    let coding = match header.kind {
        Kind::Jpeg(facts) => Coding::Jpeg(facts),
        Kind::Png(facts) => Coding::Png(facts),
        _ => {
            return Err(ImagingError::Internal(
                "a picture of another kind".to_owned(),
            ));
        }
    };
    let kind = Kind::Embedded(EmbeddedFacts {
        format,
        at,
        end,
        coding,
    });
    Ok(Header { kind, ..header })
}

impl EmbeddedFacts {
    pub(super) fn memory_bytes(&self, size: Size, target: Size) -> usize {
        match &self.coding {
            Coding::Jpeg(facts) => facts.memory_bytes(size, target),
            Coding::Png(facts) => facts.memory_bytes(size, target),
        }
    }

    pub(super) fn decode<'s>(
        &self,
        bytes: &[u8],
        size: Size,
        target: Target,
        limits: &Limits,
        scratch: &'s mut Scratch,
    ) -> Result<Decoded<'s>, ImagingError> {
        let inner = bytes.get(self.at..self.end).unwrap_or_default();
        match &self.coding {
            Coding::Jpeg(facts) => facts.decode(inner, size, target, limits, scratch),
            Coding::Png(facts) => facts.decode(inner, size, target.size, limits),
        }
    }
}
