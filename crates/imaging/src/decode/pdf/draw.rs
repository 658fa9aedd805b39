//! Drawing, by `hayro`: on white, with fonts of its own, nothing fetched.

use hayro::hayro_interpret::InterpreterSettings;
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings};

use super::{corrupt, page};
use crate::decode::Decoded;
use crate::error::ImagingError;
use crate::geometry::Size;
use crate::limits::Limits;
use crate::picture::Pixels;
use crate::raster::{Layout, Raster};

/// Draws the first page in this size. Only for a process that is locked down.
pub(crate) fn draw(
    bytes: &[u8],
    target: Size,
    limits: &Limits,
) -> Result<Decoded<'static>, ImagingError> {
    page::with_first(bytes, limits, |page| {
        let size = page::size(page);
        limits.check_pixels(size.width, size.height)?;
        let (width, height) = page::points(page);
        let settings = PixmapSettings {
            x_scale: scale(width, target.width),
            y_scale: scale(height, target.height),
            bg_color: WHITE,
        };
        let pixmap = hayro::render(
            page,
            &RenderCache::new(),
            &InterpreterSettings::default(),
            &RenderSettings::default(),
            &settings,
        );
        limits.check_deadline()?;
        let drawn = Size::new(pixmap.width().into(), pixmap.height().into());
        if drawn != target {
            return Err(corrupt("it can't be drawn in its size"));
        }
        let (pixels, _) = pixmap.data_as_u8_slice().as_chunks::<4>();
        let rgb = pixels.iter().flat_map(|[r, g, b, _]| [*r, *g, *b]);
        Ok(Decoded {
            pixels: Pixels::Raster(Raster::whole(target, Layout::Rgb, rgb.collect())),
            rows: size.height,
            truncated: false,
        })
    })
}

/// The least scale at which the renderer, which rounds down, gives a side of so many pixels.
fn scale(points: f32, pixels: u32) -> f32 {
    let pixels = pixels as f32;
    let mut scale = pixels / points;
    while points * scale < pixels {
        scale = scale.next_up();
    }
    scale
}
