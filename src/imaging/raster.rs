//! Pictures in memory.

use super::geometry::Size;

/// What the samples of a pixel mean; 8 bits each, interleaved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    Luma,
    /// Premultiplied.
    LumaAlpha,
    Rgb,
    /// Premultiplied.
    Rgba,
    /// As Adobe stores it: 255 means no ink.
    Cmyk,
    /// The same after YCbCr coding of the first three inks, K as it is.
    Ycck,
}

impl Layout {
    pub(crate) const fn channels(self) -> usize {
        match self {
            Self::Luma => 1,
            Self::LumaAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk | Self::Ycck => 4,
        }
    }

    pub(crate) const fn has_alpha(self) -> bool {
        matches!(self, Self::LumaAlpha | Self::Rgba)
    }
}

/// An interleaved picture.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Raster {
    pub size: Size,
    /// How many of its columns and rows the picture really covers; the last ones may be partial.
    pub span: (f64, f64),
    pub layout: Layout,
    pub pixels: Vec<u8>,
}

impl Raster {
    /// A picture that fills all its columns and rows.
    pub(crate) fn whole(size: Size, layout: Layout, pixels: Vec<u8>) -> Self {
        Self {
            size,
            span: (f64::from(size.width), f64::from(size.height)),
            layout,
            pixels,
        }
    }
}

/// A picture in the size of the thumbnail, in the colours of its source.
pub(crate) enum Small {
    Raster(Raster),
    Ycc(Ycc),
}

impl Small {
    /// Makes all rows from `row` on opaque white.
    pub(crate) fn whiten_below(&mut self, row: usize) {
        match self {
            Self::Raster(raster) => {
                let stride = raster.size.width as usize * raster.layout.channels();
                raster.pixels[row * stride..].fill(255);
            }
            Self::Ycc(ycc) => {
                let start = row * ycc.size.width as usize;
                ycc.y[start..].fill(255);
                ycc.cb[start..].fill(128);
                ycc.cr[start..].fill(128);
            }
        }
    }
}

/// A small picture in full-range YCbCr (JFIF, ITU-R BT.601), one byte per sample and plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ycc {
    pub size: Size,
    pub y: Vec<u8>,
    pub cb: Vec<u8>,
    pub cr: Vec<u8>,
}
