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

    /// A pixel of opaque white.
    pub(crate) const fn white(self) -> &'static [u8] {
        match self {
            Self::Luma => &[255],
            Self::LumaAlpha => &[255; 2],
            Self::Rgb => &[255; 3],
            Self::Rgba | Self::Cmyk => &[255; 4],
            // The first three are inks: luma 0 is none.
            Self::Ycck => &[0, 128, 128, 255],
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

/// A picture in the size of an output.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Small {
    Raster(Raster),
    Ycc(Ycc),
}

impl Small {
    pub(crate) const fn size(&self) -> Size {
        match self {
            Self::Raster(raster) => raster.size,
            Self::Ycc(ycc) => ycc.size,
        }
    }

    /// Makes all rows from `row` on opaque white.
    pub(crate) fn whiten_below(&mut self, row: usize) {
        match self {
            Self::Raster(raster) => {
                let stride = raster.size.width as usize * raster.layout.channels();
                let below = &mut raster.pixels[row * stride..];
                for pixel in below.chunks_exact_mut(raster.layout.channels()) {
                    pixel.copy_from_slice(raster.layout.white());
                }
            }
            Self::Ycc(ycc) => {
                ycc.y[row * ycc.size.width as usize..].fill(255);
                let row = row * ycc.chroma.height as usize / ycc.size.height as usize;
                let start = row * ycc.chroma.width as usize;
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
    /// The size of the planes `cb` and `cr`: that of the picture, or [`halved`] as it is encoded.
    pub chroma: Size,
    pub y: Vec<u8>,
    pub cb: Vec<u8>,
    pub cr: Vec<u8>,
}

/// The size of chroma planes in 4:2:0.
pub(crate) const fn halved(size: Size) -> Size {
    Size::new(size.width.div_ceil(2), size.height.div_ceil(2))
}

/// The size to which chroma planes are resampled if they are halved: half of each side that is
/// even. On an odd side the last chroma sample lies half outside the picture. Such a side is halved
/// after the resampling, or all samples would be spread a little too far.
pub(crate) const fn chroma_size(size: Size) -> Size {
    const fn side(side: u32) -> u32 {
        if side.is_multiple_of(2) {
            side / 2
        } else {
            side
        }
    }
    Size::new(side(size.width), side(size.height))
}

impl Ycc {
    /// Averages chroma to [`halved`] size in each direction in which it is not yet.
    pub(crate) fn with_halved_chroma(self) -> Self {
        let chroma = halved(self.size);
        let across = self.chroma.width != chroma.width;
        let down = self.chroma.height != chroma.height;
        if !across && !down {
            return self;
        }
        let width = self.chroma.width as usize;
        Self {
            chroma,
            cb: average_pairs(&self.cb, width, across, down),
            cr: average_pairs(&self.cr, width, across, down),
            ..self
        }
    }
}

/// Averages each pair of samples in the given directions; at an odd edge, those that there are.
fn average_pairs(plane: &[u8], width: usize, across: bool, down: bool) -> Vec<u8> {
    let (columns, rows) = (1 + usize::from(across), 1 + usize::from(down));
    let mut out = Vec::with_capacity(plane.len() / columns / rows + width);
    for pair in plane.chunks(rows * width) {
        let (upper, lower) = pair.split_at(width);
        let lower = if lower.is_empty() { upper } else { lower };
        for (upper, lower) in upper.chunks(columns).zip(lower.chunks(columns)) {
            let sum = |samples: &[u8]| {
                u16::from(samples[0]) + u16::from(*samples.last().unwrap_or(&samples[0]))
            };
            out.push(((sum(upper) + sum(lower) + 2) / 4) as u8);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chroma_is_averaged_also_at_odd_edges() {
        assert_eq!(average_pairs(&[0, 10, 20, 30], 2, true, true), [15]);
        let odd = [0, 10, 100, 20, 30, 200, 7, 9, 11];
        assert_eq!(average_pairs(&odd, 3, true, true), [15, 150, 8, 11]);
        assert_eq!(
            average_pairs(&odd, 3, true, false),
            [5, 100, 25, 200, 8, 11]
        );
        assert_eq!(average_pairs(&odd, 3, false, true), [10, 20, 150, 7, 9, 11]);
    }
}
