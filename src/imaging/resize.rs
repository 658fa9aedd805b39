//! Resampling with Lanczos3 to the size of the thumbnail.

use std::cell::RefCell;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::error::ImagingError;
use super::geometry::Size;
use super::raster::Raster;

thread_local! {
    /// Keeps its intermediate buffers from one image to the next.
    static RESIZER: RefCell<Resizer> = RefCell::new(Resizer::new());
}

/// Resamples what `raster.span` covers to `size`.
///
/// # Errors
/// None that a caller could cause; a fault in the resampler is [`ImagingError::Internal`].
pub(crate) fn resize(raster: Raster, size: Size) -> Result<Raster, ImagingError> {
    let exact = (f64::from(size.width), f64::from(size.height));
    if raster.size == size && raster.span == exact {
        return Ok(raster);
    }
    let pixels = resize_samples(
        &raster.pixels,
        raster.layout.channels(),
        raster.size,
        raster.span,
        size,
    )?;
    Ok(Raster {
        size,
        span: exact,
        layout: raster.layout,
        pixels,
    })
}

/// Resamples interleaved samples; `span` is how many columns and rows the picture covers.
pub(crate) fn resize_samples(
    samples: &[u8],
    channels: usize,
    from: Size,
    span: (f64, f64),
    to: Size,
) -> Result<Vec<u8>, ImagingError> {
    let pixel_type = match channels {
        1 => PixelType::U8,
        2 => PixelType::U8x2,
        3 => PixelType::U8x3,
        _ => PixelType::U8x4,
    };
    let source = ImageRef::new(from.width, from.height, samples, pixel_type).map_err(internal)?;
    let mut out = Image::new(to.width, to.height, pixel_type);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
        .crop(0.0, 0.0, span.0, span.1)
        // The samples are premultiplied already.
        .use_alpha(false);
    RESIZER
        .with_borrow_mut(|resizer| resizer.resize(&source, &mut out, &options))
        .map_err(internal)?;
    Ok(out.into_vec())
}

fn internal(error: impl std::fmt::Display) -> ImagingError {
    ImagingError::Internal(error.to_string())
}
