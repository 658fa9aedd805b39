//! SVG (<https://www.w3.org/TR/SVG2/>), plain or in gzip. Only the root element is read here; the
//! picture is drawn in a locked-down process, by a renderer that has no limit of time.

mod draw;
mod layers;
mod root;
mod text;

use super::Decoded;
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::header::{EmbeddedProfile, Header, Kind};
use crate::limits::Limits;
use crate::metadata::ExifFacts;

pub(crate) use root::is_svg;

/// The longest text, in bytes, inflated. Its parsed form takes many times as much.
const MAX_TEXT_BYTES: usize = 16 << 20;

pub(super) fn inspect(bytes: &[u8]) -> Result<Header<'static>, ImagingError> {
    let text_bytes = text::declared_bytes(bytes)?;
    if text_bytes > MAX_TEXT_BYTES {
        return Err(ImagingError::TooMany {
            what: "bytes of SVG",
            max: MAX_TEXT_BYTES as u32,
        });
    }
    Ok(Header {
        size: root::size(&text::beginning(bytes))?,
        // What is not drawn is transparent.
        has_alpha: true,
        frames: 1,
        icc: EmbeddedProfile::None,
        exif: ExifFacts::default(),
        kind: Kind::Svg(SvgFacts { text_bytes }),
    })
}

/// How much there is to parse.
#[derive(Debug)]
pub(crate) struct SvgFacts {
    text_bytes: usize,
}

/// Estimated for the shortest elements; texts of real pictures take a fraction.
const TREE_BYTES_A_BYTE: usize = 40;
/// The fonts' tables, and what the renderer keeps.
const FIXED_BYTES: usize = 8 << 20;
/// Layers that a picture may need at once, each as large as the picture: groups with opacity, masks,
/// and every step of a filter. A small picture may have more, a large one fewer.
const LAYERS: usize = 12;
const LEAST_LAYERS: usize = 3;
const LEAST_LAYER_BYTES: usize = 16 << 20;
const MOST_LAYER_BYTES: usize = 192 << 20;

impl SvgFacts {
    pub(super) fn memory_bytes(&self, target: Size) -> usize {
        self.text_bytes
            .saturating_mul(TREE_BYTES_A_BYTE)
            .saturating_add(target.area().saturating_mul(4))
            .saturating_add(layer_bytes(target))
            .saturating_add(FIXED_BYTES)
    }

    pub(super) fn decode(
        &self,
        bytes: &[u8],
        size: Size,
        target: Size,
        limits: &Limits,
    ) -> Result<Decoded<'static>, ImagingError> {
        limits.check_deadline()?;
        let text = text::whole(bytes, self.text_bytes)?;
        draw::draw(&text, size, target, limits)
    }
}

fn layer_bytes(target: Size) -> usize {
    let layer = target.area().saturating_mul(4);
    let most = MOST_LAYER_BYTES.max(layer.saturating_mul(LEAST_LAYERS));
    layer.saturating_mul(LAYERS).clamp(LEAST_LAYER_BYTES, most)
}

fn corrupt(reason: impl std::fmt::Display) -> ImagingError {
    ImagingError::corrupt(Format::Svg, reason)
}

#[cfg(test)]
mod tests;
