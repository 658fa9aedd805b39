//! PNG: grey, RGB, either with alpha, or a palette where that loses nothing.

use std::collections::HashMap;

use ::png::{BitDepth, ColorType, Compression, Encoder, Filter};

use crate::error::ImagingError;
use crate::raster::{Layout, Raster};

const MAX_COLOURS: usize = 256;

/// Encodes a picture with straight alpha.
///
/// # Errors
/// None that a caller could cause: a fault in the encoder is [`ImagingError::Internal`].
pub(super) fn encode(raster: &Raster) -> Result<Vec<u8>, ImagingError> {
    let raster = without_needless_channels(raster);
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, raster.size.width, raster.size.height);
    encoder.set_compression(Compression::Balanced);
    let palette = Palette::of(&raster);
    let samples = match &palette {
        Some(palette) => {
            encoder.set_color(ColorType::Indexed);
            encoder.set_depth(palette.depth());
            encoder.set_palette(palette.colours());
            if let Some(alphas) = palette.alphas() {
                encoder.set_trns(alphas);
            }
            // Neighbours in a palette are not neighbours in colour.
            encoder.set_filter(Filter::NoFilter);
            palette.packed(&raster)
        }
        None => {
            encoder.set_color(match raster.layout {
                Layout::Luma => ColorType::Grayscale,
                Layout::LumaAlpha => ColorType::GrayscaleAlpha,
                Layout::Rgba => ColorType::Rgba,
                _ => ColorType::Rgb,
            });
            encoder.set_depth(BitDepth::Eight);
            encoder.set_filter(Filter::Adaptive);
            raster.pixels.clone()
        }
    };
    let mut writer = encoder.write_header().map_err(internal)?;
    writer.write_image_data(&samples).map_err(internal)?;
    writer.finish().map_err(internal)?;
    Ok(file)
}

fn internal(error: ::png::EncodingError) -> ImagingError {
    ImagingError::Internal(format!("PNG encoder: {error}"))
}

/// Drops alpha that is opaque throughout, and colours that are grey throughout.
fn without_needless_channels(raster: &Raster) -> Raster {
    let channels = raster.layout.channels();
    let pixels = || raster.pixels.chunks_exact(channels);
    let is_opaque = !raster.layout.has_alpha() || pixels().all(|pixel| pixel[channels - 1] == 255);
    let is_grey = channels < 3
        || pixels().all(|pixel| {
            let is_clear = channels == 4 && pixel[3] == 0;
            is_clear || (pixel[0] == pixel[1] && pixel[1] == pixel[2])
        });
    let layout = match (is_grey, is_opaque) {
        (true, true) => Layout::Luma,
        (true, false) => Layout::LumaAlpha,
        (false, true) => Layout::Rgb,
        (false, false) => Layout::Rgba,
    };
    let kept = |pixel: &[u8]| -> Vec<u8> {
        let colours = if is_grey { &pixel[..1] } else { &pixel[..3] };
        let alpha = if is_opaque {
            &[][..]
        } else {
            &pixel[channels - 1..]
        };
        [colours, alpha].concat()
    };
    if layout == raster.layout {
        return raster.clone();
    }
    let pixels = pixels().flat_map(kept).collect();
    Raster::whole(raster.size, layout, pixels)
}

/// The colours of a picture that has few.
struct Palette {
    /// Those that are not opaque come first: the list of alphas ends with the last of them.
    rgba: Vec<[u8; 4]>,
    index: HashMap<[u8; 4], u8>,
}

impl Palette {
    /// `None` for a picture with more colours, or for a grey one, which is as small without.
    fn of(raster: &Raster) -> Option<Self> {
        if !matches!(raster.layout, Layout::Rgb | Layout::Rgba) {
            return None;
        }
        let mut index = HashMap::new();
        let mut rgba: Vec<[u8; 4]> = Vec::new();
        for pixel in raster.pixels.chunks_exact(raster.layout.channels()) {
            let colour = colour(pixel);
            if index.insert(colour, 0).is_none() {
                rgba.push(colour);
            }
            if rgba.len() > MAX_COLOURS {
                return None;
            }
        }
        rgba.sort_by_key(|colour| colour[3] == 255);
        for (place, colour) in rgba.iter().enumerate() {
            index.insert(*colour, place as u8);
        }
        Some(Self { rgba, index })
    }

    fn depth(&self) -> BitDepth {
        match self.rgba.len() {
            0..=2 => BitDepth::One,
            3..=4 => BitDepth::Two,
            5..=16 => BitDepth::Four,
            _ => BitDepth::Eight,
        }
    }

    fn colours(&self) -> Vec<u8> {
        self.rgba
            .iter()
            .flat_map(|colour| [colour[0], colour[1], colour[2]])
            .collect()
    }

    fn alphas(&self) -> Option<Vec<u8>> {
        let alphas: Vec<u8> = self
            .rgba
            .iter()
            .map(|colour| colour[3])
            .filter(|alpha| *alpha < 255)
            .collect();
        (!alphas.is_empty()).then_some(alphas)
    }

    /// The indices, several in a byte, the first in its highest bits (PNG, section 7.2).
    fn packed(&self, raster: &Raster) -> Vec<u8> {
        let bits = self.depth() as usize;
        let channels = raster.layout.channels();
        let mut packed = Vec::new();
        for row in raster
            .pixels
            .chunks_exact(raster.size.width as usize * channels)
        {
            let indices: Vec<u8> = row
                .chunks_exact(channels)
                .map(|pixel| self.index[&colour(pixel)])
                .collect();
            for group in indices.chunks(8 / bits) {
                let places = (1..).map(|place| 8 - place * bits);
                packed.push(
                    group
                        .iter()
                        .zip(places)
                        .fold(0, |byte, (index, place)| byte | index << place),
                );
            }
        }
        packed
    }
}

fn colour(pixel: &[u8]) -> [u8; 4] {
    [
        pixel[0],
        pixel[1],
        pixel[2],
        pixel.get(3).copied().unwrap_or(255),
    ]
}
