//! The thumbnail's file: baseline JPEG, 4:2:0, JFIF, no other metadata.

use crate::error::ImagingError;
use crate::raster::Ycc;
use thumbforge_codecs::jpeg::encode::{self, Planes};

/// Encodes a picture with halved chroma at a quality of 1–100 (the scale of libjpeg).
///
/// # Errors
/// None that a caller could cause: a side that no JPEG can have is [`ImagingError::Internal`].
pub(super) fn encode(picture: &Ycc, quality: u8) -> Result<Vec<u8>, ImagingError> {
    let side =
        |side: u32| u16::try_from(side).map_err(|error| ImagingError::Internal(error.to_string()));
    let planes = Planes {
        width: side(picture.size.width)?,
        height: side(picture.size.height)?,
        y: &picture.y,
        cb: &picture.cb,
        cr: &picture.cr,
    };
    Ok(encode::encode(&planes, quality))
}
