//! Lossy WebP by libwebp's encoder, which sees nothing but our own pixels. Alpha is kept,
//! losslessly.

use ::webp::{Encoder, WebPConfig};

use crate::error::ImagingError;
use crate::raster::{Layout, Raster};

/// libwebp's default effort to make files smaller, 0–6.
const METHOD: i32 = 4;

/// Encodes a picture with straight alpha at a quality of 1–100 (the scale of libwebp).
///
/// # Errors
/// None that a caller could cause: a side that no WebP can have is [`ImagingError::Internal`].
pub(super) fn encode(raster: &Raster, quality: u8) -> Result<Vec<u8>, ImagingError> {
    let internal = |reason: String| ImagingError::Internal(format!("WebP encoder: {reason}"));
    let mut config = WebPConfig::new().map_err(|()| internal("no configuration".to_owned()))?;
    config.quality = quality.into();
    config.method = METHOD;
    let (width, height) = (raster.size.width, raster.size.height);
    let encoded = match raster.layout {
        Layout::Rgb => Encoder::from_rgb(&raster.pixels, width, height).encode_advanced(&config),
        Layout::Rgba => Encoder::from_rgba(&raster.pixels, width, height).encode_advanced(&config),
        Layout::Luma => {
            let rgb: Vec<u8> = raster.pixels.iter().flat_map(|luma| [*luma; 3]).collect();
            Encoder::from_rgb(&rgb, width, height).encode_advanced(&config)
        }
        Layout::LumaAlpha => {
            let pixels = raster.pixels.chunks_exact(2);
            let rgba: Vec<u8> = pixels
                .flat_map(|pixel| [pixel[0], pixel[0], pixel[0], pixel[1]])
                .collect();
            Encoder::from_rgba(&rgba, width, height).encode_advanced(&config)
        }
        Layout::Cmyk | Layout::Ycck => return Err(internal("inks".to_owned())),
    };
    let file = encoded.map_err(|error| internal(format!("{error:?}")))?;
    Ok(file.to_vec())
}
