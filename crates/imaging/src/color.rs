//! Colours of the small picture: inks and profiles to sRGB, alpha onto white, RGB to YCbCr.
//!
//! The conversion follows the resampling: at most a few ten thousand pixels are converted
//! instead of millions, and the resampling happens in the source's own encoding, as in the
//! other thumbnailers. A thumbnail of a conversion differs from a conversion of the thumbnail
//! only where the profile's curve is far from sRGB's.

use super::geometry::Size;
use super::metadata::IccProfile;
use super::raster::{Layout, Raster, Small, Ycc};

/// Converts a small picture to YCbCr of sRGB on white.
pub(crate) fn to_ycc(small: Small, profile: Option<&IccProfile>) -> Ycc {
    let profile = profile.filter(|profile| !profile.is_srgb());
    match (small, profile) {
        (Small::Raster(raster), profile) => raster_to_ycc(raster, profile),
        (Small::Ycc(ycc), None) => ycc,
        (Small::Ycc(ycc), Some(profile)) => {
            let srgb = convert(profile, &ycc_to_rgb(&ycc), 3);
            srgb.map_or_else(|| ycc.clone(), |srgb| rgb_to_ycc(ycc.size, &srgb))
        }
    }
}

fn raster_to_ycc(raster: Raster, profile: Option<&IccProfile>) -> Ycc {
    let size = raster.size;
    match raster.layout {
        Layout::Luma => {
            let converted = profile.and_then(|profile| convert(profile, &raster.pixels, 1));
            match converted {
                Some(rgb) => rgb_to_ycc(size, &rgb),
                None => grey_to_ycc(size, raster.pixels),
            }
        }
        Layout::Rgb => {
            let converted = profile.and_then(|profile| convert(profile, &raster.pixels, 3));
            rgb_to_ycc(size, converted.as_deref().unwrap_or(&raster.pixels))
        }
        Layout::LumaAlpha => {
            let converted = profile.and_then(|profile| {
                let (luma, alpha) = split_alpha::<2>(&raster.pixels);
                convert(profile, &luma, 1).map(|rgb| on_white(rgb, &alpha))
            });
            match converted {
                Some(rgb) => rgb_to_ycc(size, &rgb),
                None => grey_to_ycc(size, premultiplied_on_white::<2>(&raster.pixels)),
            }
        }
        Layout::Rgba => {
            let converted = profile.and_then(|profile| {
                let (rgb, alpha) = split_alpha::<4>(&raster.pixels);
                convert(profile, &rgb, 3).map(|rgb| on_white(rgb, &alpha))
            });
            let rgb = converted.unwrap_or_else(|| premultiplied_on_white::<4>(&raster.pixels));
            rgb_to_ycc(size, &rgb)
        }
        Layout::Cmyk | Layout::Ycck => {
            let paper = match raster.layout {
                Layout::Ycck => ycck_to_cmyk(&raster.pixels),
                _ => raster.pixels,
            };
            let inks: Vec<u8> = paper.iter().map(|sample| 255 - sample).collect();
            let rgb = profile
                .and_then(|profile| convert(profile, &inks, 4))
                .unwrap_or_else(|| mix_inks(&paper));
            rgb_to_ycc(size, &rgb)
        }
    }
}

/// A profile for other channels than the picture's is ignored, as libpng and browsers do.
fn convert(profile: &IccProfile, pixels: &[u8], channels: usize) -> Option<Vec<u8>> {
    (profile.channels() == channels)
        .then(|| profile.to_srgb(pixels))
        .flatten()
}

/// Separates premultiplied pixels into colours as they were, and alpha.
fn split_alpha<const CHANNELS: usize>(pixels: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut colours = Vec::with_capacity(pixels.len() / CHANNELS * (CHANNELS - 1));
    let mut alphas = Vec::with_capacity(pixels.len() / CHANNELS);
    for pixel in pixels.chunks_exact(CHANNELS) {
        let alpha = u32::from(pixel[CHANNELS - 1]);
        for sample in &pixel[..CHANNELS - 1] {
            let colour = (u32::from(*sample) * 255 + alpha / 2).checked_div(alpha);
            // Lanczos overshoots: a colour may exceed its alpha.
            colours.push(colour.unwrap_or(0).min(255) as u8);
        }
        alphas.push(alpha as u8);
    }
    (colours, alphas)
}

fn on_white(mut rgb: Vec<u8>, alpha: &[u8]) -> Vec<u8> {
    for (pixel, alpha) in rgb.chunks_exact_mut(3).zip(alpha) {
        let alpha = u32::from(*alpha);
        for sample in pixel {
            let sum = u32::from(*sample) * alpha + 255 * (255 - alpha);
            *sample = ((sum + 127) / 255) as u8;
        }
    }
    rgb
}

/// Lays premultiplied pixels on white: what they lack to full alpha is the white that shines through.
fn premultiplied_on_white<const CHANNELS: usize>(pixels: &[u8]) -> Vec<u8> {
    let mut colours = vec![0; pixels.len() / CHANNELS * (CHANNELS - 1)];
    let pixels = pixels.chunks_exact(CHANNELS);
    for (pixel, out) in pixels.zip(colours.chunks_exact_mut(CHANNELS - 1)) {
        let alpha = pixel[CHANNELS - 1];
        for (sample, out) in pixel.iter().zip(out) {
            // Lanczos overshoots: a colour may exceed its alpha.
            *out = (*sample).min(alpha) + (255 - alpha);
        }
    }
    colours
}

/// Undoes the YCbCr coding of the first three inks; K stays.
///
/// The decoded "RGB" is the ink itself (255 = full), so its complement is what paper shows.
fn ycck_to_cmyk(pixels: &[u8]) -> Vec<u8> {
    pixels
        .chunks_exact(4)
        .flat_map(|pixel| {
            let [c, m, y] = ycc_pixel_to_rgb(pixel[0], pixel[1], pixel[2]);
            [255 - c, 255 - m, 255 - y, pixel[3]]
        })
        .collect()
}

/// Without a profile, inks take away light independently.
fn mix_inks(paper: &[u8]) -> Vec<u8> {
    paper
        .chunks_exact(4)
        .flat_map(|pixel| {
            let black = u32::from(pixel[3]);
            let mix = |sample: u8| ((u32::from(sample) * black + 127) / 255) as u8;
            [mix(pixel[0]), mix(pixel[1]), mix(pixel[2])]
        })
        .collect()
}

/// JFIF 1.02, page 3, in 16-bit fixed point.
pub(crate) fn rgb_to_ycc(size: Size, rgb: &[u8]) -> Ycc {
    const HALF: i32 = 1 << 15;
    // 128.5 less one step, as in libjpeg: the largest value must not round up to 256.
    const BIAS: i32 = (128 << 16) + HALF - 1;
    let mut ycc = grey_to_ycc(size, vec![0; size.area()]);
    let chroma = ycc.cb.iter_mut().zip(&mut ycc.cr);
    for ((pixel, y), (cb, cr)) in rgb.chunks_exact(3).zip(&mut ycc.y).zip(chroma) {
        let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(i32::from);
        *y = ((19_595 * r + 38_470 * g + 7_471 * b + HALF) >> 16) as u8;
        *cb = ((-11_059 * r - 21_709 * g + 32_768 * b + BIAS) >> 16) as u8;
        *cr = ((32_768 * r - 27_439 * g - 5_329 * b + BIAS) >> 16) as u8;
    }
    ycc
}

/// A picture without colours.
fn grey_to_ycc(size: Size, luma: Vec<u8>) -> Ycc {
    Ycc {
        size,
        chroma: size,
        cb: vec![128; luma.len()],
        cr: vec![128; luma.len()],
        y: luma,
    }
}

fn ycc_to_rgb(ycc: &Ycc) -> Vec<u8> {
    ycc.y
        .iter()
        .zip(&ycc.cb)
        .zip(&ycc.cr)
        .flat_map(|((y, cb), cr)| ycc_pixel_to_rgb(*y, *cb, *cr))
        .collect()
}

/// JFIF 1.02, page 4, in 16-bit fixed point.
pub(crate) fn ycc_pixel_to_rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    [
        y + ((91_881 * cr + HALF) >> 16),
        y + ((-22_554 * cb - 46_802 * cr + HALF) >> 16),
        y + ((116_130 * cb + HALF) >> 16),
    ]
    .map(|sample| sample.clamp(0, 255) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raster(layout: Layout, pixel: &[u8]) -> Raster {
        Raster::whole(Size::new(1, 1), layout, pixel.to_vec())
    }

    fn rgb(layout: Layout, pixel: &[u8]) -> [u8; 3] {
        let rgb = ycc_to_rgb(&to_ycc(Small::Raster(raster(layout, pixel)), None));
        [rgb[0], rgb[1], rgb[2]]
    }

    #[test]
    fn every_grey_keeps_its_value_and_has_no_colour() {
        for grey in 0..=255 {
            let ycc = rgb_to_ycc(Size::new(1, 1), &[grey; 3]);
            assert_eq!((ycc.y[0], ycc.cb[0], ycc.cr[0]), (grey, 128, 128));
            assert_eq!(ycc_pixel_to_rgb(grey, 128, 128), [grey; 3]);
        }
    }

    #[test]
    fn colours_survive_the_way_to_ycc_and_back() {
        for r in (0..=255).step_by(15) {
            for g in (0..=255).step_by(15) {
                for b in (0..=255).step_by(15) {
                    let back = rgb(Layout::Rgb, &[r, g, b]);
                    for (before, after) in [r, g, b].iter().zip(back) {
                        assert!(before.abs_diff(after) <= 2, "{r} {g} {b}: {back:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn alpha_is_laid_on_white() {
        assert_eq!(rgb(Layout::Rgba, &[0, 0, 0, 0]), [255; 3]);
        assert_eq!(rgb(Layout::Rgba, &[0, 0, 0, 255]), [0; 3]);
        // Black at half: premultiplied it is black too.
        assert_eq!(rgb(Layout::LumaAlpha, &[0, 128]), [127; 3]);
    }

    #[test]
    fn no_ink_is_white_and_black_ink_is_black() {
        assert_eq!(rgb(Layout::Cmyk, &[255, 255, 255, 255]), [255; 3]);
        assert_eq!(rgb(Layout::Cmyk, &[255, 255, 255, 0]), [0; 3]);
        assert_eq!(rgb(Layout::Ycck, &[0, 128, 128, 255]), [255; 3]);
        assert_eq!(rgb(Layout::Ycck, &[255, 128, 128, 255]), [0; 3]);
    }
}
