//! AVIF by ravif (rav1e without assembly), at its highest speed: the dearest of the formats.

use ravif::{BitDepth, Encoder, Img, RGB8, RGBA8};

use crate::error::ImagingError;
use crate::raster::{Layout, Raster};

/// 1–10. A picture of 256 pixels takes about 30 ms at 10, and 120 ms at 8.
const SPEED: u8 = 10;

/// Encodes a picture with straight alpha at a quality of 1–100 (the scale of ravif).
///
/// # Errors
/// None that a caller could cause: a fault in the encoder is [`ImagingError::Internal`].
pub(super) fn encode(raster: &Raster, quality: u8) -> Result<Vec<u8>, ImagingError> {
    let encoder = Encoder::new()
        .with_quality(quality.into())
        .with_alpha_quality(quality.into())
        .with_speed(SPEED)
        .with_bit_depth(BitDepth::Eight)
        // The worker pool has a thread for each core already.
        .with_num_threads(Some(1));
    let (width, height) = (raster.size.width as usize, raster.size.height as usize);
    let rgb = |pixels: Vec<RGB8>| encoder.encode_rgb(Img::new(&pixels[..], width, height));
    let rgba = |pixels: Vec<RGBA8>| encoder.encode_rgba(Img::new(&pixels[..], width, height));
    let samples = &raster.pixels;
    let encoded = match raster.layout {
        Layout::Luma => rgb(samples.iter().map(|y| RGB8::new(*y, *y, *y)).collect()),
        Layout::Rgb => rgb(samples
            .chunks_exact(3)
            .map(|pixel| RGB8::new(pixel[0], pixel[1], pixel[2]))
            .collect()),
        Layout::LumaAlpha => rgba(
            samples
                .chunks_exact(2)
                .map(|pixel| RGBA8::new(pixel[0], pixel[0], pixel[0], pixel[1]))
                .collect(),
        ),
        Layout::Rgba => rgba(
            samples
                .chunks_exact(4)
                .map(|pixel| RGBA8::new(pixel[0], pixel[1], pixel[2], pixel[3]))
                .collect(),
        ),
        Layout::Cmyk | Layout::Ycck => {
            return Err(ImagingError::Internal("AVIF encoder: inks".to_owned()));
        }
    };
    encoded
        .map(|file| file.avif_file)
        .map_err(|error| ImagingError::Internal(format!("AVIF encoder: {error}")))
}
