//! A picture on a larger canvas.

use super::color::rgb_to_ycc;
use super::fit::Canvas;
use crate::geometry::Size;
use crate::raster::{Layout, Raster, Small, Ycc};
use crate::reduce::weighted;
use crate::variant::Color;

/// Puts a picture in sRGB on a canvas. A background that is not opaque, or not grey around a grey
/// picture, gives the picture the channels that it lacks. Expects no halved chroma.
pub(crate) fn put_on(small: Small, canvas: Canvas, background: Color) -> Small {
    match small {
        Small::Ycc(ycc) if background.alpha == 255 => {
            Small::Ycc(on_planes(&ycc, canvas, background))
        }
        small => Small::Raster(on_raster(&widened(small, background), canvas, background)),
    }
}

fn on_planes(ycc: &Ycc, canvas: Canvas, background: Color) -> Ycc {
    let Color {
        red, green, blue, ..
    } = background;
    let ground = rgb_to_ycc(Size::new(1, 1), &[red, green, blue]);
    let put = |plane: &[u8], ground: u8| put::<1>(plane, ycc.size, canvas, [ground]);
    Ycc {
        size: canvas.size,
        chroma: canvas.size,
        y: put(&ycc.y, ground.y[0]),
        cb: put(&ycc.cb, ground.cb[0]),
        cr: put(&ycc.cr, ground.cr[0]),
    }
}

/// The picture in a layout that can hold the background.
fn widened(small: Small, background: Color) -> Raster {
    let raster = match small {
        Small::Ycc(ycc) => Raster::whole(ycc.size, Layout::Rgb, super::color::ycc_to_rgb(&ycc)),
        Small::Raster(raster) => raster,
    };
    let is_grey = background.red == background.green && background.green == background.blue;
    let needs_color = !is_grey && background.alpha > 0;
    let needs_alpha = background.alpha < 255;
    let layout = match (raster.layout, needs_color, needs_alpha) {
        (Layout::Luma, false, true) => Layout::LumaAlpha,
        (Layout::Luma, true, false) => Layout::Rgb,
        (Layout::Luma | Layout::Rgb, _, true) | (Layout::LumaAlpha, true, _) => Layout::Rgba,
        (same, ..) => same,
    };
    let from = raster.layout;
    if layout == from {
        return raster;
    }
    let mut pixels = Vec::with_capacity(raster.size.area() * layout.channels());
    for pixel in raster.pixels.chunks_exact(from.channels()) {
        let colours = match from {
            Layout::Luma | Layout::LumaAlpha => [pixel[0]; 3],
            _ => [pixel[0], pixel[1], pixel[2]],
        };
        let alpha = match from {
            Layout::LumaAlpha => pixel[1],
            Layout::Rgba => pixel[3],
            _ => 255,
        };
        match layout {
            Layout::LumaAlpha => pixels.extend([colours[0], alpha]),
            Layout::Rgb => pixels.extend(colours),
            _ => pixels.extend([colours[0], colours[1], colours[2], alpha]),
        }
    }
    Raster::whole(raster.size, layout, pixels)
}

fn on_raster(raster: &Raster, canvas: Canvas, background: Color) -> Raster {
    let alpha = background.alpha;
    let [red, green, blue] =
        [background.red, background.green, background.blue].map(|sample| weighted(sample, alpha));
    let (pixels, size) = (&raster.pixels, raster.size);
    let pixels = match raster.layout.channels() {
        1 => put::<1>(pixels, size, canvas, [red]),
        2 => put::<2>(pixels, size, canvas, [red, alpha]),
        3 => put::<3>(pixels, size, canvas, [red, green, blue]),
        _ => put::<4>(pixels, size, canvas, [red, green, blue, alpha]),
    };
    Raster::whole(canvas.size, raster.layout, pixels)
}

fn put<const CHANNELS: usize>(
    pixels: &[u8],
    size: Size,
    canvas: Canvas,
    ground: [u8; CHANNELS],
) -> Vec<u8> {
    let mut out = ground.repeat(canvas.size.area());
    let rows = pixels.chunks_exact(size.width as usize * CHANNELS);
    for (row, pixels) in (canvas.top as usize..).zip(rows) {
        let start = (row * canvas.size.width as usize + canvas.left as usize) * CHANNELS;
        out[start..start + pixels.len()].copy_from_slice(pixels);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANVAS: Canvas = Canvas {
        size: Size {
            width: 3,
            height: 1,
        },
        left: 1,
        top: 0,
    };

    fn on(layout: Layout, pixel: &[u8], background: &str) -> (Layout, Vec<u8>) {
        let raster = Raster::whole(Size::new(1, 1), layout, pixel.to_vec());
        match put_on(
            Small::Raster(raster),
            CANVAS,
            Color::parse(background).unwrap(),
        ) {
            Small::Raster(raster) => (raster.layout, raster.pixels),
            Small::Ycc(_) => panic!("a raster stays one"),
        }
    }

    #[test]
    fn the_picture_lies_where_it_should_on_its_background() {
        assert_eq!(
            on(Layout::Luma, &[7], "#fff"),
            (Layout::Luma, vec![255, 7, 255])
        );
        assert_eq!(
            on(Layout::Luma, &[7], "#0000"),
            (Layout::LumaAlpha, vec![0, 0, 7, 255, 0, 0])
        );
        assert_eq!(
            on(Layout::Luma, &[7], "#f00"),
            (Layout::Rgb, vec![255, 0, 0, 7, 7, 7, 255, 0, 0])
        );
        assert_eq!(
            on(Layout::Rgb, &[1, 2, 3], "#ff000080"),
            (
                Layout::Rgba,
                vec![128, 0, 0, 128, 1, 2, 3, 255, 128, 0, 0, 128]
            )
        );
    }

    #[test]
    fn planes_stay_planes_on_an_opaque_background() {
        let pixel = rgb_to_ycc(Size::new(1, 1), &[9, 9, 9]);
        let Small::Ycc(ycc) = put_on(Small::Ycc(pixel), CANVAS, Color::WHITE) else {
            panic!("planes stay planes");
        };
        assert_eq!((ycc.size, ycc.y), (CANVAS.size, vec![255, 9, 255]));
    }
}
