//! AVIF (<https://aomediacodec.github.io/av1-avif/>): a HEIF container whose items are coded in
//! AV1. Its pixels are decoded only in a locked-down process.

mod colors;
mod container;
mod pixels;

use std::borrow::Cow;

use super::Decoded;
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::header::{EmbeddedProfile, Header, Kind};
use crate::limits::Limits;
use crate::metadata::{Colorimetry, ExifFacts};
use crate::reduce::BoxReducer;
use container::Container;

pub(super) fn inspect<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Header<'a>, ImagingError> {
    let container = Container::read(bytes)?;
    let picture = container.picture()?;
    limits.check_pixels(picture.size.width, picture.size.height)?;
    let exif = ExifFacts {
        // The container turns the picture; a camera's orientation is left over from its source.
        orientation: picture.transforms.orientation,
        ..container.exif()
    };
    // One beyond the limit is not read: it is not copied either.
    let highlights = picture
        .nclx
        .and_then(|numbers| Colorimetry::of_highlights(numbers.primaries, numbers.transfer));
    let icc = match (highlights, picture.icc) {
        // A profile beside the numbers is for readers that know no highlights.
        (Some(highlights), _) => EmbeddedProfile::Described(highlights),
        (None, Some(profile)) if profile.len() > limits.max_icc_bytes => EmbeddedProfile::None,
        (None, Some(profile)) => EmbeddedProfile::Plain(Cow::Owned(profile.to_vec())),
        (None, None) => colors::profile(picture.nclx).map_or(EmbeddedProfile::None, |profile| {
            EmbeddedProfile::Plain(Cow::Owned(profile))
        }),
    };
    Ok(Header {
        size: picture.transforms.size,
        has_alpha: picture.alpha.is_some(),
        frames: 1,
        icc,
        exif,
        kind: Kind::Avif(AvifFacts {
            coded_pixels: picture.coded_pixels(),
            coding: picture.coding,
            alpha_bytes: picture.alpha.as_ref().map(|_| picture.size.area()),
        }),
    })
}

/// How an AVIF is coded, as far as it decides its cost.
#[derive(Debug)]
pub(crate) struct AvifFacts {
    /// Pixels that are decoded at once: a row of tiles.
    coded_pixels: usize,
    coding: Coding,
    /// What is held of it while the colours are decoded.
    alpha_bytes: Option<usize>,
}

/// How the samples of a picture are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Coding {
    /// More than 8 bits a sample.
    is_deep: bool,
    /// Samples of two pixels: 2 in grey, 3 in 4:2:0, 6 in 4:4:4.
    samples_of_two: usize,
}

impl Coding {
    /// What the decoder holds at its peak, with some reserve. Measured over its program's own
    /// memory, with 12 megapixels: 8 bytes in 4:2:0, 13 in 4:4:4, 23 in 4:4:4 of 10 bits.
    const fn bytes_of_two_pixels(self) -> usize {
        let of_a_sample = if self.is_deep { 8 } else { 4 };
        10 + self.samples_of_two * of_a_sample
    }
}

/// Its threads and tables.
const FIXED_BYTES: usize = 16 << 20;

impl AvifFacts {
    pub(super) fn memory_bytes(&self, size: Size, target: Size) -> usize {
        let coded = self.coding.bytes_of_two_pixels();
        let channels = if self.alpha_bytes.is_some() { 4 } else { 3 };
        (self.coded_pixels.saturating_mul(coded) / 2)
            .saturating_add(self.alpha_bytes.unwrap_or(0))
            .saturating_add(BoxReducer::memory_bytes(size, target, channels))
            .saturating_add(FIXED_BYTES)
    }

    pub(super) fn decode(
        &self,
        bytes: &[u8],
        target: Size,
        limits: &Limits,
    ) -> Result<Decoded<'static>, ImagingError> {
        let container = Container::read(bytes)?;
        pixels::decode(&container, target, limits)
    }
}

fn corrupt(reason: impl std::fmt::Display) -> ImagingError {
    ImagingError::corrupt(Format::Avif, reason)
}

#[cfg(test)]
mod tests;
