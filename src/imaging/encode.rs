//! The thumbnail's file: baseline JPEG, 4:2:0, JFIF, no other metadata.

use jpeg_encoder::{Encoder, ImageBuffer, JpegColorType, SamplingFactor};

use super::error::ImagingError;
use super::raster::Ycc;

/// Encodes a picture with halved chroma at a quality of 1–100 (the scale of libjpeg).
///
/// # Errors
/// None that a caller could cause; a fault in the encoder is [`ImagingError::Internal`].
pub(crate) fn encode(picture: &Ycc, quality: u8) -> Result<Vec<u8>, ImagingError> {
    let internal = |error: &dyn std::fmt::Display| ImagingError::Internal(error.to_string());
    let side = |side: u32| u16::try_from(side).map_err(|error| internal(&error));
    let planes = Planes {
        width: side(picture.size.width)?,
        height: side(picture.size.height)?,
        y: &picture.y,
        cb: &picture.cb,
        cr: &picture.cr,
    };
    let mut jpeg = Vec::with_capacity(picture.size.area() / 4 + 1024);
    let mut encoder = Encoder::new(&mut jpeg, quality.clamp(1, 100));
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder
        .encode_image(planes)
        .map_err(|error| internal(&error))?;
    Ok(jpeg)
}

/// The encoder takes chroma in full size and, to halve it, keeps every second sample of every
/// second row: it is given each averaged sample four times.
struct Planes<'a> {
    width: u16,
    height: u16,
    y: &'a [u8],
    cb: &'a [u8],
    cr: &'a [u8],
}

impl ImageBuffer for Planes<'_> {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        JpegColorType::Ycbcr
    }

    fn width(&self) -> u16 {
        self.width
    }

    fn height(&self) -> u16 {
        self.height
    }

    fn fill_buffers(&self, y: u16, buffers: &mut [Vec<u8>; 4]) {
        let width = usize::from(self.width);
        let start = usize::from(y) * width;
        buffers[0].extend_from_slice(&self.y[start..start + width]);
        let half = width.div_ceil(2);
        let start = usize::from(y / 2) * half;
        for (plane, buffer) in [self.cb, self.cr].into_iter().zip(&mut buffers[1..3]) {
            let row = &plane[start..start + half];
            let begun = buffer.len();
            buffer.resize(begun + 2 * half, 0);
            for (pair, sample) in buffer[begun..].chunks_exact_mut(2).zip(row) {
                pair.copy_from_slice(&[*sample; 2]);
            }
            buffer.truncate(begun + width);
        }
    }
}
