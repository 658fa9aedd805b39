//! Colours of the small picture: inks and profiles to sRGB.
//!
//! The conversion follows the resampling: at most the pixels of the output are converted instead of
//! millions, and the resampling happens in the source's own encoding, as in other thumbnailers. A
//! thumbnail of a conversion differs from a conversion of the thumbnail only where the profile's
//! curve is far from sRGB's.

use crate::geometry::Size;
use crate::metadata::IccProfile;
use crate::raster::{Layout, Raster, Small, Ycc};
use crate::reduce::weighted;

/// Converts a picture to sRGB: [`Layout::Luma`], [`Layout::Rgb`], either with alpha, or YCbCr.
/// `profile` is `None` if it is sRGB's.
pub(crate) fn to_srgb(small: Small, profile: Option<&IccProfile>) -> Small {
    match small {
        Small::Ycc(ycc) => {
            match profile.and_then(|profile| profile.to_srgb(&ycc_to_rgb(&ycc), 3)) {
                Some(rgb) => Small::Raster(Raster::whole(ycc.size, Layout::Rgb, rgb)),
                None => Small::Ycc(ycc),
            }
        }
        Small::Raster(raster) => Small::Raster(raster_to_srgb(raster, profile)),
    }
}

fn raster_to_srgb(raster: Raster, profile: Option<&IccProfile>) -> Raster {
    let size = raster.size;
    let whole = |layout, pixels| Raster::whole(size, layout, pixels);
    match raster.layout {
        Layout::Luma | Layout::Rgb => {
            let channels = raster.layout.channels();
            let converted = profile.and_then(|profile| profile.to_srgb(&raster.pixels, channels));
            converted.map_or(raster, |rgb| whole(Layout::Rgb, rgb))
        }
        Layout::LumaAlpha => {
            let converted = profile.and_then(|profile| {
                let (luma, alpha) = split_alpha::<2>(&raster.pixels);
                profile
                    .to_srgb(&luma, 1)
                    .map(|rgb| with_alpha(&rgb, &alpha))
            });
            converted.map_or(raster, |rgba| whole(Layout::Rgba, rgba))
        }
        Layout::Rgba => {
            let converted = profile.and_then(|profile| {
                let (rgb, alpha) = split_alpha::<4>(&raster.pixels);
                profile.to_srgb(&rgb, 3).map(|rgb| with_alpha(&rgb, &alpha))
            });
            converted.map_or(raster, |rgba| whole(Layout::Rgba, rgba))
        }
        Layout::Cmyk | Layout::Ycck => {
            let paper = match raster.layout {
                Layout::Ycck => ycck_to_cmyk(&raster.pixels),
                _ => raster.pixels,
            };
            let inks: Vec<u8> = paper.iter().map(|sample| 255 - sample).collect();
            let rgb = profile
                .and_then(|profile| profile.to_srgb(&inks, 4))
                .unwrap_or_else(|| mix_inks(&paper));
            whole(Layout::Rgb, rgb)
        }
    }
}

/// Separates premultiplied pixels into colours as they were, and alpha.
pub(crate) fn split_alpha<const CHANNELS: usize>(pixels: &[u8]) -> (Vec<u8>, Vec<u8>) {
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

/// Joins colours and alpha to premultiplied pixels.
fn with_alpha(rgb: &[u8], alpha: &[u8]) -> Vec<u8> {
    rgb.chunks_exact(3)
        .zip(alpha)
        .flat_map(|(pixel, &alpha)| {
            let weighted = |sample| weighted(sample, alpha);
            [
                weighted(pixel[0]),
                weighted(pixel[1]),
                weighted(pixel[2]),
                alpha,
            ]
        })
        .collect()
}

/// Undoes the YCbCr coding of the first three inks; K stays.
///
/// The decoded "RGB" is the ink itself (255 = full), so its complement is the colour on paper.
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
pub(crate) fn grey_to_ycc(size: Size, luma: Vec<u8>) -> Ycc {
    Ycc {
        size,
        chroma: size,
        cb: vec![128; luma.len()],
        cr: vec![128; luma.len()],
        y: luma,
    }
}

/// Halved chroma counts for each of the pixels that it was averaged from.
pub(crate) fn ycc_to_rgb(ycc: &Ycc) -> Vec<u8> {
    let (width, chroma_width) = (ycc.size.width as usize, ycc.chroma.width as usize);
    let across = usize::from(ycc.chroma.width != ycc.size.width);
    let down = usize::from(ycc.chroma.height != ycc.size.height);
    let mut rgb = Vec::with_capacity(ycc.size.area() * 3);
    for (row, luma) in ycc.y.chunks_exact(width).enumerate() {
        let chroma = (row >> down) * chroma_width;
        for (column, y) in luma.iter().enumerate() {
            let index = chroma + (column >> across);
            rgb.extend(ycc_pixel_to_rgb(*y, ycc.cb[index], ycc.cr[index]));
        }
    }
    rgb
}

/// Brings luma and chroma from the range of ITU-R BT.601 (luma from 16 in 219 steps, chroma around
/// 128 in 224) to that of JFIF, which has all 256 values.
pub(crate) fn to_full_range(planes: &mut [Vec<u8>]) {
    for (index, plane) in planes.iter_mut().enumerate() {
        let (from, to, steps) = if index == 0 {
            (16.0, 0.0, 219.0)
        } else {
            (128.0, 128.0, 224.0)
        };
        let table: [u8; 256] = std::array::from_fn(|sample| {
            ((sample as f32 - from) * (255.0 / steps) + to).round() as u8
        });
        for sample in plane {
            *sample = table[usize::from(*sample)];
        }
    }
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
    use crate::render::flatten::flatten;
    use crate::variant::Color;

    fn raster(layout: Layout, pixel: &[u8]) -> Raster {
        Raster::whole(Size::new(1, 1), layout, pixel.to_vec())
    }

    fn rgb(layout: Layout, pixel: &[u8]) -> [u8; 3] {
        let small = to_srgb(Small::Raster(raster(layout, pixel)), None);
        let rgb = ycc_to_rgb(&flatten(small, Color::WHITE));
        [rgb[0], rgb[1], rgb[2]]
    }

    #[test]
    fn black_white_and_grey_are_the_same_in_both_ranges() {
        let mut planes = [vec![0, 16, 126, 235, 255], vec![0, 16, 128, 240, 255]];
        to_full_range(&mut planes);
        assert_eq!(planes[0], [0, 0, 128, 255, 255]);
        assert_eq!(planes[1], [0, 1, 128, 255, 255]);
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
