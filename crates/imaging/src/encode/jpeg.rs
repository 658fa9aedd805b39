//! JPEG: 4:2:0 or grey, JFIF, no other metadata.

use thumbforge_codecs::jpeg::encode::{Coding, GreyPlane, Planes, encode_as};

use crate::error::ImagingError;
use crate::raster::Ycc;

/// Encodes a picture with halved chroma at a quality of 1–100 (the scale of libjpeg). A picture
/// without colours is written without them, unless it is to be [`Coding::Baseline`].
///
/// # Errors
/// None that a caller could cause: a side that no JPEG can have is [`ImagingError::Internal`].
pub(super) fn encode(picture: &Ycc, quality: u8, coding: Coding) -> Result<Vec<u8>, ImagingError> {
    let side =
        |side: u32| u16::try_from(side).map_err(|error| ImagingError::Internal(error.to_string()));
    let (width, height) = (side(picture.size.width)?, side(picture.size.height)?);
    let is_neutral = |plane: &[u8]| plane.iter().all(|sample| *sample == 128);
    if coding != Coding::Baseline && is_neutral(&picture.cb) && is_neutral(&picture.cr) {
        let grey = GreyPlane {
            width,
            height,
            y: &picture.y,
        };
        return Ok(encode_as(grey, quality, coding));
    }
    let planes = Planes {
        width,
        height,
        y: &picture.y,
        cb: &picture.cb,
        cr: &picture.cr,
    };
    Ok(encode_as(planes, quality, coding))
}
