//! A decoded source, about as large as its largest variant needs it.

use std::borrow::Cow;

use thumbforge_codecs::{jpeg, vp8};

use super::geometry::Size;
use super::raster::{Layout, Raster};

/// The buffers that decoders keep from picture to picture: fresh ones would cost a third of the
/// time of a JPEG in page faults.
#[derive(Default)]
pub struct Scratch {
    pub(crate) jpeg: jpeg::Scratch,
    pub(crate) vp8: vp8::Scratch,
}

/// The pixels of a source in its own colours, as stored.
pub(crate) enum Pixels<'s> {
    Raster(Raster),
    Planes(Planes<'s>),
}

/// One plane of samples for each channel; those of chroma may be smaller.
pub(crate) struct Planes<'s> {
    pub colors: PlaneColors,
    /// As many as the colours have channels.
    pub planes: Vec<Plane<'s>>,
}

/// What the planes mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlaneColors {
    /// Full-range YCbCr (JFIF).
    Ycc,
    /// YCbCr in the range of ITU-R BT.601: luma from 16 in 219 steps, chroma around 128 in 224.
    LimitedYcc,
    /// Channels that are interleaved once they are small.
    Channels(Layout),
}

/// A plane of samples, maybe within a wider buffer.
pub(crate) struct Plane<'s> {
    pub samples: Cow<'s, [u8]>,
    /// Samples from one row to the next.
    pub stride: usize,
    pub size: Size,
    /// How many of its columns and rows the picture covers; the last ones may be partial.
    pub span: (f64, f64),
}

impl Plane<'static> {
    /// A raster of one channel.
    pub(crate) fn of(raster: Raster) -> Self {
        Self {
            stride: raster.size.width as usize,
            samples: Cow::Owned(raster.pixels),
            size: raster.size,
            span: raster.span,
        }
    }
}
