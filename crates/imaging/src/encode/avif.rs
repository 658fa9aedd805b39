//! AVIF by ravif (rav1e without assembly), at its highest speed: the dearest of the formats.

use ravif::{BitDepth, Encoder, Img, RGBA8};

use crate::error::ImagingError;
use crate::raster::{Layout, Raster};

/// 1–10. A picture of 256 pixels takes about 30 ms at 10, and 120 ms at 8.
const SPEED: u8 = 10;

const ALPHA_QUALITY: f32 = 100.0;

/// Encodes a picture with straight alpha at a quality of 1–100 (the scale of ravif).
///
/// # Errors
/// None that a caller could cause: a fault in the encoder is [`ImagingError::Internal`].
pub(super) fn encode(raster: &Raster, quality: u8) -> Result<Vec<u8>, ImagingError> {
    let encoder = Encoder::new()
        .with_quality(quality.into())
        // What is transparent or opaque should stay so.
        .with_alpha_quality(ALPHA_QUALITY)
        .with_speed(SPEED)
        .with_bit_depth(BitDepth::Eight)
        // The worker pool has a thread for each core already.
        .with_num_threads(Some(1));
    let (width, height) = (raster.size.width as usize, raster.size.height as usize);
    // Opaque pixels leave out the alpha. For pictures without it there is a method too, but one that
    // is inlined, and would compile all of rav1e a second time here.
    let channels = raster.layout.channels();
    let pixel: fn(&[u8]) -> RGBA8 = match raster.layout {
        Layout::Luma => |y| RGBA8::new(y[0], y[0], y[0], 255),
        Layout::LumaAlpha => |ya| RGBA8::new(ya[0], ya[0], ya[0], ya[1]),
        Layout::Rgb => |rgb| RGBA8::new(rgb[0], rgb[1], rgb[2], 255),
        Layout::Rgba => |rgba| RGBA8::new(rgba[0], rgba[1], rgba[2], rgba[3]),
        Layout::Cmyk | Layout::Ycck => {
            return Err(ImagingError::Internal("AVIF encoder: inks".to_owned()));
        }
    };
    let pixels: Vec<RGBA8> = raster.pixels.chunks_exact(channels).map(pixel).collect();
    let encoded = encoder.encode_rgba(Img::new(&pixels[..], width, height));
    encoded
        .map(|file| file.avif_file)
        .map_err(|error| ImagingError::Internal(format!("AVIF encoder: {error}")))
}
