//! Alpha onto a background, for formats that keep none; and the planes that JPEG encodes.

use super::color::{grey_to_ycc, rgb_to_ycc};
use crate::raster::{Layout, Raster, Small, Ycc};
use crate::variant::Color;

/// Lays a picture in sRGB on a background, whose own alpha does not count.
pub(crate) fn flatten(small: Small, background: Color) -> Ycc {
    let raster = match small {
        Small::Ycc(ycc) => return ycc,
        Small::Raster(raster) => raster,
    };
    let size = raster.size;
    let Color {
        red, green, blue, ..
    } = background;
    match raster.layout {
        Layout::Luma => grey_to_ycc(size, raster.pixels),
        Layout::LumaAlpha if red == green && green == blue => {
            grey_to_ycc(size, laid_on::<2, 1>(&raster.pixels, [red]))
        }
        Layout::LumaAlpha => {
            let rgba: Vec<u8> = raster
                .pixels
                .chunks_exact(2)
                .flat_map(|pixel| [pixel[0], pixel[0], pixel[0], pixel[1]])
                .collect();
            rgb_to_ycc(size, &laid_on::<4, 3>(&rgba, [red, green, blue]))
        }
        Layout::Rgba => rgb_to_ycc(size, &laid_on::<4, 3>(&raster.pixels, [red, green, blue])),
        Layout::Rgb | Layout::Cmyk | Layout::Ycck => rgb_to_ycc(size, &raster.pixels),
    }
}

/// The background shines through where premultiplied pixels lack alpha.
fn laid_on<const CHANNELS: usize, const COLOURS: usize>(
    pixels: &[u8],
    background: [u8; COLOURS],
) -> Vec<u8> {
    let mut out = vec![0; pixels.len() / CHANNELS * COLOURS];
    let (pixels, _) = pixels.as_chunks::<CHANNELS>();
    let (colours, _) = out.as_chunks_mut::<COLOURS>();
    for (pixel, colours) in pixels.iter().zip(colours) {
        let alpha = pixel[COLOURS];
        // Most pixels are opaque.
        if alpha == 255 {
            colours.copy_from_slice(&pixel[..COLOURS]);
            continue;
        }
        for (index, colour) in colours.iter_mut().enumerate() {
            let behind = u32::from(background[index]) * u32::from(255 - alpha);
            // Lanczos overshoots: a colour may exceed its alpha.
            *colour = pixel[index].min(alpha) + ((behind + 127) / 255) as u8;
        }
    }
    out
}

/// The picture as interleaved samples with straight alpha: [`Layout::Luma`], [`Layout::LumaAlpha`],
/// [`Layout::Rgb`] or [`Layout::Rgba`].
pub(crate) fn straight(small: Small) -> Raster {
    let raster = match small {
        Small::Ycc(ycc) => {
            let rgb = super::color::ycc_to_rgb(&ycc);
            return Raster::whole(ycc.size, Layout::Rgb, rgb);
        }
        Small::Raster(raster) => raster,
    };
    let pixels = match raster.layout {
        Layout::LumaAlpha => unpremultiplied::<2>(&raster.pixels),
        Layout::Rgba => unpremultiplied::<4>(&raster.pixels),
        _ => return raster,
    };
    Raster { pixels, ..raster }
}

fn unpremultiplied<const CHANNELS: usize>(pixels: &[u8]) -> Vec<u8> {
    let mut out = pixels.to_vec();
    for pixel in out.chunks_exact_mut(CHANNELS) {
        let alpha = u32::from(pixel[CHANNELS - 1]);
        for sample in &mut pixel[..CHANNELS - 1] {
            let colour = (u32::from(*sample) * 255 + alpha / 2).checked_div(alpha);
            *sample = colour.unwrap_or(0).min(255) as u8;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;

    #[test]
    fn the_background_shines_through() {
        let half_black = Raster::whole(Size::new(1, 1), Layout::Rgba, vec![0, 0, 0, 128]);
        let green = Color::parse("#00ff00").unwrap();
        let ycc = flatten(Small::Raster(half_black), green);
        let rgb = super::super::color::ycc_to_rgb(&ycc);
        assert!(
            rgb[0] <= 2 && rgb[1].abs_diff(127) <= 2 && rgb[2] <= 2,
            "{rgb:?}"
        );
    }

    #[test]
    fn straight_alpha_gives_colours_back() {
        let small = Raster::whole(
            Size::new(2, 1),
            Layout::Rgba,
            vec![100, 50, 0, 128, 0, 0, 0, 0],
        );
        let raster = straight(Small::Raster(small));
        assert_eq!(raster.pixels, [199, 100, 0, 128, 0, 0, 0, 0]);
    }
}
