//! Making, reading and comparing pictures.

use std::path::PathBuf;

use std::sync::LazyLock;

use thumbforge_imaging::{ImagingError, Limits, Source, SourceImage, Variant, make};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;

pub static SPEC: LazyLock<Variant> = LazyLock::new(|| Variant::thumbnail(256, 95));

/// The usual thumbnail, and the facts of its source.
#[derive(Debug, PartialEq)]
pub struct Thumbnail {
    pub jpeg: Vec<u8>,
    pub width: u32,
    pub height: u32,
    pub dominant_color: String,
    pub thumbhash: Vec<u8>,
    pub source: SourceImage,
}

pub fn thumbnail(bytes: &[u8], spec: &Variant, limits: &Limits) -> Result<Thumbnail, ImagingError> {
    let mut made = make(bytes, std::slice::from_ref(spec), limits)?;
    let mut rendition = made.renditions.remove(0);
    Ok(Thumbnail {
        jpeg: rendition.files.remove(0).bytes,
        width: rendition.width,
        height: rendition.height,
        dominant_color: made.summary.dominant_color,
        thumbhash: made.summary.thumbhash,
        source: made.source,
    })
}

/// What the header of an image declares, and what a thumbnail of it will take.
#[derive(Debug)]
pub struct Probe {
    pub width: u32,
    pub height: u32,
    pub memory_bytes: usize,
}

pub fn probe(bytes: &[u8], spec: &Variant, limits: &Limits) -> Result<Probe, ImagingError> {
    let source = Source::open(bytes, limits)?;
    let plan = source
        .plan(std::slice::from_ref(spec), limits)
        .map_err(|refused| refused.error)?;
    let facts = source.facts();
    Ok(Probe {
        width: facts.width,
        height: facts.height,
        memory_bytes: plan.memory_bytes,
    })
}

pub fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .join("tests/fixtures")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn try_thumbnail(bytes: &[u8]) -> Result<Thumbnail, ImagingError> {
    thumbnail(bytes, &SPEC, &Limits::default())
}

pub fn thumbnail_of(bytes: &[u8]) -> Thumbnail {
    try_thumbnail(bytes).unwrap()
}

/// An interleaved picture of 8 bits a sample.
#[derive(Debug, Clone)]
pub struct Picture {
    pub width: usize,
    pub height: usize,
    pub channels: usize,
    pub samples: Vec<u8>,
}

impl Picture {
    /// Decodes a JPEG to RGB.
    pub fn rgb(jpeg: &[u8]) -> Self {
        Self::decode(jpeg, ColorSpace::RGB, 3)
    }

    /// Decodes a JPEG to YCbCr.
    pub fn ycc(jpeg: &[u8]) -> Self {
        Self::decode(jpeg, ColorSpace::YCbCr, 3)
    }

    fn decode(jpeg: &[u8], space: ColorSpace, channels: usize) -> Self {
        let options = DecoderOptions::default().jpeg_set_out_colorspace(space);
        let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
        let samples = decoder.decode().unwrap();
        let info = decoder.info().unwrap();
        Self {
            width: info.width.into(),
            height: info.height.into(),
            channels,
            samples,
        }
    }

    pub fn of(width: usize, height: usize, colour: impl Fn(usize, usize) -> [u8; 3]) -> Self {
        let samples = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .flat_map(|(x, y)| colour(x, y))
            .collect();
        Self {
            width,
            height,
            channels: 3,
            samples,
        }
    }

    /// A picture with much detail, the same every time.
    pub fn textured(width: usize, height: usize) -> Self {
        Self::of(width, height, |x, y| {
            let hash = (x / 3 * 7919 + y / 3 * 104_729) % 251;
            [
                hash as u8,
                (x * 255 / width) as u8,
                (y * 255 / height) as u8,
            ]
        })
    }

    pub fn at(&self, x: usize, y: usize) -> &[u8] {
        &self.samples[(y * self.width + x) * self.channels..][..self.channels]
    }

    pub fn row(&self, y: usize) -> &[u8] {
        &self.samples[y * self.width * self.channels..][..self.width * self.channels]
    }

    fn moved(
        &self,
        width: usize,
        height: usize,
        from: impl Fn(usize, usize) -> (usize, usize),
    ) -> Self {
        let samples = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .flat_map(|(x, y)| {
                let (x, y) = from(x, y);
                self.at(x, y)
            })
            .copied()
            .collect();
        Self {
            width,
            height,
            channels: self.channels,
            samples,
        }
    }

    pub fn mirrored(&self) -> Self {
        self.moved(self.width, self.height, |x, y| (self.width - 1 - x, y))
    }

    pub fn upside_down(&self) -> Self {
        self.moved(self.width, self.height, |x, y| (x, self.height - 1 - y))
    }

    pub fn transposed(&self) -> Self {
        self.moved(self.height, self.width, |x, y| (y, x))
    }

    pub fn to_png(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width as u32, self.height as u32);
        encoder.set_color(match self.channels {
            1 => png::ColorType::Grayscale,
            2 => png::ColorType::GrayscaleAlpha,
            3 => png::ColorType::Rgb,
            _ => png::ColorType::Rgba,
        });
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&self.samples).unwrap();
        writer.finish().unwrap();
        bytes
    }

    pub fn to_jpeg(&self, color: jpeg_encoder::ColorType) -> Vec<u8> {
        let mut bytes = Vec::new();
        jpeg_encoder::Encoder::new(&mut bytes, 95)
            .encode(&self.samples, self.width as u16, self.height as u16, color)
            .unwrap();
        bytes
    }
}

/// Peak signal to noise ratio in dB of two pictures of one size.
pub fn psnr(one: &Picture, other: &Picture) -> f64 {
    assert_eq!((one.width, one.height), (other.width, other.height));
    let squares: f64 = one
        .samples
        .iter()
        .zip(&other.samples)
        .map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2))
        .sum();
    let mean = squares / one.samples.len() as f64;
    10.0 * (255.0_f64.powi(2) / mean.max(1e-9)).log10()
}
