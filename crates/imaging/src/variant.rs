//! A request to the engine: one rendition of a source.

pub use thumbforge_codecs::jpeg::encode::Coding as JpegCoding;

use crate::formats::Format;

/// Longest side that a caller may ask for, in pixels.
pub const MAX_SIDE: u32 = 8192;

/// A rendition: its size, the part of the source that it shows, and how it is encoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// In pixels, at least 1. One of width and height may be left out, for [`Fit::Inside`] only.
    pub width: Option<u32>,
    /// In pixels, at least 1.
    pub height: Option<u32>,
    pub fit: Fit,
    /// Which part [`Fit::Cover`] keeps, and where [`Fit::Contain`] puts the picture.
    pub gravity: Gravity,
    pub formats: Formats,
    /// 1–100; `None` means the default of each format.
    pub quality: Option<u8>,
    /// The same pixels, in fewer bytes for more time.
    pub jpeg_coding: JpegCoding,
    /// The best quality whose file is no larger.
    pub max_bytes: Option<u64>,
    /// Around the picture in [`Fit::Contain`], and under alpha where the format keeps none.
    /// `None` means transparent where the format keeps alpha, else white.
    pub background: Option<Color>,
    /// Whether sources smaller than the variant are scaled up.
    pub enlarge: bool,
    /// Standard deviation of a Gaussian blur, in pixels of the output.
    pub blur: Option<f32>,
    /// Strength of an unsharp mask of radius 1: 1 doubles the contrast of details.
    pub sharpen: Option<f32>,
    pub grayscale: bool,
    /// Whether a WebP shows all frames of a source that moves.
    pub animated: bool,
}

/// How a source is brought into the box of width × height.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fit {
    /// The whole picture, as large as fits; the aspect is kept.
    #[default]
    Inside,
    /// Fills the box; the rest is cut off.
    Cover,
    /// The whole picture, on a canvas of exactly the box.
    Contain,
    /// Stretched to exactly the box.
    Fill,
}

/// Which part of a picture counts most.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Gravity {
    #[default]
    Center,
    North,
    NorthEast,
    East,
    SouthEast,
    South,
    SouthWest,
    West,
    NorthWest,
    /// The most salient part, found in the picture itself.
    Attention,
    /// A focal point: shares of width and height, 0–1, from the upper left of the picture as seen.
    Point {
        x: f32,
        y: f32,
    },
}

/// The formats in which a variant is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Formats {
    /// WebP, and JPEG as the fallback; PNG instead of JPEG where the source has alpha.
    Auto,
    /// In the order of preference; the last is the fallback. Never empty.
    List(Vec<Format>),
}

impl Formats {
    /// The formats for a source with or without alpha.
    pub fn of_source(&self, has_alpha: bool) -> Vec<Format> {
        match self {
            Self::Auto if has_alpha => vec![Format::Webp, Format::Png],
            Self::Auto => vec![Format::Webp, Format::Jpeg],
            Self::List(formats) => formats.clone(),
        }
    }
}

/// A colour in sRGB with straight alpha.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color {
    pub red: u8,
    pub green: u8,
    pub blue: u8,
    pub alpha: u8,
}

impl Color {
    pub const WHITE: Self = Self {
        red: 255,
        green: 255,
        blue: 255,
        alpha: 255,
    };
    pub const TRANSPARENT: Self = Self {
        red: 0,
        green: 0,
        blue: 0,
        alpha: 0,
    };

    /// Reads `#rgb`, `#rgba`, `#rrggbb` or `#rrggbbaa` (CSS Color 4, section 5.2).
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text
            .strip_prefix('#')?
            .chars()
            .map(|digit| digit.to_digit(16).map(|value| value as u8))
            .collect::<Option<_>>()?;
        let channels: Vec<u8> = match digits.len() {
            3 | 4 => digits.iter().map(|digit| digit * 17).collect(),
            6 | 8 => digits
                .chunks(2)
                .map(|pair| pair[0] * 16 + pair[1])
                .collect(),
            _ => return None,
        };
        Some(Self {
            red: channels[0],
            green: channels[1],
            blue: channels[2],
            alpha: channels.get(3).copied().unwrap_or(255),
        })
    }
}

impl Variant {
    /// The usual thumbnail: the longest side at most `max_side`, as a JPEG.
    pub fn thumbnail(max_side: u32, quality: u8) -> Self {
        Self {
            width: Some(max_side),
            height: Some(max_side),
            fit: Fit::Inside,
            gravity: Gravity::Center,
            formats: Formats::List(vec![Format::Jpeg]),
            quality: Some(quality),
            jpeg_coding: JpegCoding::Baseline,
            max_bytes: None,
            background: None,
            enlarge: false,
            blur: None,
            sharpen: None,
            grayscale: false,
            animated: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_as_css_writes_them() {
        let color = |red, green, blue, alpha| {
            Some(Color {
                red,
                green,
                blue,
                alpha,
            })
        };
        assert_eq!(Color::parse("#fff"), Some(Color::WHITE));
        assert_eq!(Color::parse("#0000"), Some(Color::TRANSPARENT));
        assert_eq!(Color::parse("#1A2b3c"), color(0x1a, 0x2b, 0x3c, 255));
        assert_eq!(Color::parse("#1a2b3c80"), color(0x1a, 0x2b, 0x3c, 0x80));
        for text in [
            "", "#", "fff", "#ff", "#fffff", "#ggg", "#1234567", "red", "#ééé",
        ] {
            assert_eq!(Color::parse(text), None, "{text}");
        }
    }
}
