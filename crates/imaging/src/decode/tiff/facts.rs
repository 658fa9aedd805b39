//! What the first directory of a TIFF says of its picture (TIFF 6.0, sections 8 and 13 to 23).

use crate::decode::samples::Depth;
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::ifd::{Field, Ifd};
use crate::raster::Layout;

/// The numbers of the fields that are read.
pub(super) mod tag {
    pub const WIDTH: u16 = 256;
    pub const HEIGHT: u16 = 257;
    pub const BITS: u16 = 258;
    pub const COMPRESSION: u16 = 259;
    pub const PHOTOMETRIC: u16 = 262;
    pub const FILL_ORDER: u16 = 266;
    pub const STRIP_OFFSETS: u16 = 273;
    pub const SAMPLES: u16 = 277;
    pub const ROWS_PER_STRIP: u16 = 278;
    pub const STRIP_BYTES: u16 = 279;
    pub const PLANAR: u16 = 284;
    pub const GROUP_3_OPTIONS: u16 = 292;
    pub const PREDICTOR: u16 = 317;
    pub const COLOUR_MAP: u16 = 320;
    pub const TILE_WIDTH: u16 = 322;
    pub const TILE_HEIGHT: u16 = 323;
    pub const TILE_OFFSETS: u16 = 324;
    pub const TILE_BYTES: u16 = 325;
    pub const INK_SET: u16 = 332;
    pub const EXTRA_SAMPLES: u16 = 338;
    pub const SAMPLE_FORMAT: u16 = 339;
    pub const JPEG_TABLES: u16 = 347;
    pub const OLD_JPEG: u16 = 513;
    pub const OLD_JPEG_BYTES: u16 = 514;
    pub const YCC_COEFFICIENTS: u16 = 529;
    pub const YCC_SUBSAMPLING: u16 = 530;
    pub const REFERENCE_BLACK_WHITE: u16 = 532;
    pub const ICC: u16 = 34675;
}

/// More are scientific stacks.
const MAX_SAMPLES: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    /// CCITT, each row for itself; `rows_end_on_bytes` in the kind without markers.
    Runs {
        rows_end_on_bytes: bool,
    },
    Group4,
    Lzw,
    Jpeg {
        is_progressive: bool,
    },
    Deflate,
    PackBits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colors {
    Grey {
        white_is_zero: bool,
    },
    Rgb,
    Palette,
    /// 255 means full ink.
    Cmyk,
    Ycc {
        /// Columns and rows that share their chroma.
        shared: (u8, u8),
    },
    Lab {
        /// Two's complement for a and b, else 128 is none.
        is_signed: bool,
    },
}

impl Colors {
    pub(super) const fn channels(self) -> usize {
        match self {
            Self::Grey { .. } | Self::Palette => 1,
            Self::Rgb | Self::Ycc { .. } | Self::Lab { .. } => 3,
            Self::Cmyk => 4,
        }
    }
}

/// How a TIFF is coded.
#[derive(Debug, Clone)]
pub(crate) struct TiffFacts {
    pub(super) compression: Compression,
    pub(super) colors: Colors,
    /// Chunks are JPEGs whose YCbCr becomes RGB as they are decoded.
    pub(super) jpeg_is_ycc: bool,
    pub(super) depth: Depth,
    /// Of each pixel, also those that are not used.
    pub(super) samples: usize,
    /// The sample that is alpha, and whether the colours are weighted by it.
    pub(super) alpha: Option<(usize, bool)>,
    pub(super) is_planar: bool,
    /// Of differences (2), or of the bytes of floats (3).
    pub(super) predictor: u64,
    pub(super) bits_are_reversed: bool,
    pub(super) is_tiled: bool,
    /// Of a strip or tile.
    pub(super) chunk: Size,
    /// The longest chunk in the file.
    pub(super) chunk_bytes: usize,
}

pub(super) fn corrupt(reason: impl std::fmt::Display) -> ImagingError {
    ImagingError::corrupt(Format::Tiff, reason)
}

fn unsupported(kind: &'static str) -> ImagingError {
    ImagingError::UnsupportedKind {
        format: Format::Tiff,
        kind,
    }
}

pub(super) fn size(ifd: Ifd<'_>) -> Result<Size, ImagingError> {
    let side = |tag| ifd.number(tag).and_then(|side| u32::try_from(side).ok());
    match (side(tag::WIDTH), side(tag::HEIGHT)) {
        (Some(width), Some(height)) => Ok(Size::new(width, height)),
        _ => Err(corrupt("it has no width or height")),
    }
}

impl TiffFacts {
    pub(super) fn read(ifd: Ifd<'_>, size: Size) -> Result<Self, ImagingError> {
        let number = |tag, default| ifd.number(tag).unwrap_or(default);
        let samples = number(tag::SAMPLES, 1) as usize;
        if samples == 0 || samples > MAX_SAMPLES {
            return Err(unsupported("an image of more than 32 samples a pixel"));
        }
        let compression = compression(ifd)?;
        let depth = depth(ifd)?;
        let is_planar = number(tag::PLANAR, 1) == 2 && samples > 1;
        let mut colors = colors(ifd, samples)?;
        let mut jpeg_is_ycc = false;
        match compression {
            Compression::Jpeg { .. } => {
                if depth.bits != 8 {
                    return Err(unsupported("a JPEG of more than 8 bits"));
                }
                // Its decoder gives RGB.
                if !is_planar && matches!(colors, Colors::Ycc { .. }) {
                    (colors, jpeg_is_ycc) = (Colors::Rgb, true);
                }
            }
            Compression::Runs { .. } | Compression::Group4 if (depth.bits, samples) != (1, 1) => {
                return Err(corrupt("a facsimile has one bit a pixel"));
            }
            _ => {}
        }
        if let Colors::Ycc { shared } = colors {
            if is_planar && shared != (1, 1) {
                return Err(unsupported("an image of planes of different sizes"));
            }
            let is_read = depth.bits == 8 && (shared == (1, 1) || samples == 3);
            if !is_read {
                return Err(unsupported(
                    "a YCbCr image of more than 8 bits or 3 samples",
                ));
            }
        }
        if matches!(colors, Colors::Palette) && (depth.bits > 8 || depth.is_float) {
            return Err(unsupported(
                "an image with a palette of more than 256 colours",
            ));
        }
        if samples < colors.channels() {
            return Err(corrupt("its pixels have too few samples"));
        }
        let predictor = number(tag::PREDICTOR, 1);
        let is_predicted = matches!(compression, Compression::Lzw | Compression::Deflate);
        let mut facts = Self {
            compression,
            colors,
            jpeg_is_ycc,
            depth,
            samples,
            alpha: alpha(ifd, colors, samples),
            is_planar,
            predictor: if is_predicted { predictor } else { 1 },
            bits_are_reversed: number(tag::FILL_ORDER, 1) == 2
                && !matches!(compression, Compression::Jpeg { .. }),
            is_tiled: ifd.field(tag::TILE_WIDTH).is_some(),
            chunk: size,
            chunk_bytes: 0,
        };
        facts.check_predictor()?;
        facts.chunk = chunk(ifd, size, facts.is_tiled)?;
        Ok(facts)
    }

    fn check_predictor(&self) -> Result<(), ImagingError> {
        let is_known = match self.predictor {
            1 => true,
            2 => matches!(self.depth.bits, 8 | 16 | 32 | 64) && self.shared_rows() == 1,
            3 => self.depth.is_float,
            _ => false,
        };
        if is_known {
            Ok(())
        } else {
            Err(unsupported("an image of differences of an unknown kind"))
        }
    }

    /// Samples of a pixel within one chunk.
    pub(super) const fn samples_in_chunk(&self) -> usize {
        if self.is_planar { 1 } else { self.samples }
    }

    /// Planes that are read: colours come first, and alpha after them.
    pub(super) fn planes(&self) -> usize {
        match (self.is_planar, self.alpha) {
            (false, _) => 1,
            (true, None) => self.colors.channels(),
            (true, Some((index, _))) => index + 1,
        }
    }

    /// Rows of pixels in one row of a chunk: more than one where they share their chroma.
    pub(super) const fn shared_rows(&self) -> u32 {
        match self.colors {
            Colors::Ycc { shared } => shared.1 as u32,
            _ => 1,
        }
    }

    /// Bytes of a row of a chunk.
    pub(super) fn row_bytes(&self) -> usize {
        let width = self.chunk.width as usize;
        match self.colors {
            Colors::Ycc { shared: (h, v) } if (h, v) != (1, 1) => {
                let block = usize::from(h) * usize::from(v) + 2;
                width.div_ceil(h.into()).saturating_mul(block)
            }
            _ => self
                .depth
                .row_bytes(width.saturating_mul(self.samples_in_chunk())),
        }
    }

    pub(super) const fn layout(&self) -> Layout {
        match (self.colors, self.alpha) {
            (Colors::Grey { .. }, None) => Layout::Luma,
            (Colors::Grey { .. }, Some(_)) => Layout::LumaAlpha,
            (Colors::Cmyk, _) => Layout::Cmyk,
            (_, None) => Layout::Rgb,
            (_, Some(_)) => Layout::Rgba,
        }
    }
}

fn compression(ifd: Ifd<'_>) -> Result<Compression, ImagingError> {
    let options = ifd.number(tag::GROUP_3_OPTIONS).unwrap_or(0);
    Ok(match ifd.number(tag::COMPRESSION).unwrap_or(1) {
        1 => Compression::None,
        2 | 32_771 => Compression::Runs {
            rows_end_on_bytes: true,
        },
        3 if options & 1 == 0 => Compression::Runs {
            rows_end_on_bytes: false,
        },
        3 => return Err(unsupported("a facsimile of Group 3 in two dimensions")),
        4 => Compression::Group4,
        5 => Compression::Lzw,
        6 => return Err(unsupported("a JPEG of the kind that TIFF 6.0 had first")),
        7 => Compression::Jpeg {
            is_progressive: false,
        },
        8 | 32_946 => Compression::Deflate,
        32_773 => Compression::PackBits,
        34_676 | 34_677 => return Err(unsupported("an image in LogLuv")),
        33_003 | 33_005 | 34_712 => return Err(unsupported("an image in JPEG 2000")),
        34_887 => return Err(unsupported("an image in LERC")),
        34_925 => return Err(unsupported("an image in LZMA")),
        50_000 => return Err(unsupported("an image in Zstandard")),
        50_001 => return Err(unsupported("an image in WebP")),
        50_002 | 52_546 => return Err(unsupported("an image in JPEG XL")),
        _ => return Err(unsupported("an image in an unknown compression")),
    })
}

fn depth(ifd: Ifd<'_>) -> Result<Depth, ImagingError> {
    let bits = ifd.number(tag::BITS).unwrap_or(1);
    let mut all = ifd.field(tag::BITS).into_iter().flat_map(Field::numbers);
    if all.any(|other| other != bits) {
        return Err(unsupported("an image whose samples differ in their depth"));
    }
    let is_float = match ifd.number(tag::SAMPLE_FORMAT).unwrap_or(1) {
        1 | 4 => false,
        2 => return Err(unsupported("an image of signed samples")),
        3 => true,
        _ => return Err(unsupported("an image of complex samples")),
    };
    let is_known = if is_float {
        matches!(bits, 16 | 32 | 64)
    } else {
        matches!(bits, 1..=16 | 24 | 32 | 64)
    };
    if !is_known {
        return Err(unsupported("an image of samples of an unusual depth"));
    }
    Ok(Depth {
        bits: bits as u8,
        is_float,
        is_little_endian: ifd.file().is_little_endian,
    })
}

fn colors(ifd: Ifd<'_>, samples: usize) -> Result<Colors, ImagingError> {
    let photometric = ifd.number(tag::PHOTOMETRIC);
    Ok(match photometric {
        Some(0) => Colors::Grey {
            white_is_zero: true,
        },
        Some(1 | 4) => Colors::Grey {
            white_is_zero: false,
        },
        Some(2) => Colors::Rgb,
        Some(3) => Colors::Palette,
        Some(5) if ifd.number(tag::INK_SET).unwrap_or(1) == 1 && samples >= 4 => Colors::Cmyk,
        Some(5) => return Err(unsupported("an image of other inks than four")),
        Some(6) => {
            let field = ifd.field(tag::YCC_SUBSAMPLING);
            let shared = |index| field.and_then(|field| field.get(index)).unwrap_or(2);
            match (shared(0), shared(1)) {
                (h @ (1 | 2 | 4), v @ (1 | 2 | 4)) => Colors::Ycc {
                    shared: (h as u8, v as u8),
                },
                _ => return Err(corrupt("its chroma has an impossible size")),
            }
        }
        Some(8) => Colors::Lab { is_signed: true },
        Some(9) => Colors::Lab { is_signed: false },
        // Some writers leave it out.
        None if samples >= 3 => Colors::Rgb,
        None => Colors::Grey {
            white_is_zero: false,
        },
        _ => return Err(unsupported("an image in unusual colours")),
    })
}

/// The first sample beyond the colours whose meaning is alpha.
fn alpha(ifd: Ifd<'_>, colors: Colors, samples: usize) -> Option<(usize, bool)> {
    const PREMULTIPLIED: u64 = 1;
    const STRAIGHT: u64 = 2;
    // Layouts of inks have no alpha.
    if matches!(colors, Colors::Cmyk) {
        return None;
    }
    let meanings = ifd.field(tag::EXTRA_SAMPLES)?.numbers();
    let extra = colors.channels()..samples;
    extra
        .zip(meanings)
        .find(|(_, meaning)| matches!(*meaning, PREMULTIPLIED | STRAIGHT))
        .map(|(index, meaning)| (index, meaning == PREMULTIPLIED))
}

fn chunk(ifd: Ifd<'_>, size: Size, is_tiled: bool) -> Result<Size, ImagingError> {
    let side = |tag| ifd.number(tag).map(|side| side.min(u32::MAX.into()) as u32);
    let chunk = if is_tiled {
        Size::new(
            side(tag::TILE_WIDTH).unwrap_or(0),
            side(tag::TILE_HEIGHT).unwrap_or(0),
        )
    } else {
        let rows = side(tag::ROWS_PER_STRIP).unwrap_or(u32::MAX);
        Size::new(size.width, rows.min(size.height))
    };
    if chunk.width == 0 || chunk.height == 0 {
        return Err(corrupt("its strips or tiles are empty"));
    }
    Ok(chunk)
}
