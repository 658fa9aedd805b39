//! Blur, sharpening and grey, on pictures in sRGB in the size of the output. Expects no halved
//! chroma.

use super::color::rgb_to_ycc;
use crate::geometry::Size;
use crate::raster::{Layout, Raster, Small, Ycc};

/// Standard deviation of the blur that sharpening subtracts, in pixels.
const SHARPEN_RADIUS: f32 = 1.0;
/// Up to this deviation the kernel is applied as it is; beyond, three boxes come near enough.
const LARGEST_KERNEL: f32 = 3.0;

/// Drops the colours, by the luma of ITU-R BT.601; alpha stays.
pub(crate) fn grey(small: Small) -> Small {
    let raster = match small {
        Small::Ycc(ycc) => return Small::Raster(Raster::whole(ycc.size, Layout::Luma, ycc.y)),
        Small::Raster(raster) => raster,
    };
    let size = raster.size;
    match raster.layout {
        Layout::Rgb => {
            let luma = rgb_to_ycc(size, &raster.pixels).y;
            Small::Raster(Raster::whole(size, Layout::Luma, luma))
        }
        Layout::Rgba => {
            let rgb: Vec<u8> = raster
                .pixels
                .chunks_exact(4)
                .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]])
                .collect();
            let luma = rgb_to_ycc(size, &rgb).y;
            let alpha = raster.pixels.iter().skip(3).step_by(4);
            let pixels = luma.iter().zip(alpha).flat_map(|(y, a)| [*y, *a]).collect();
            Small::Raster(Raster::whole(size, Layout::LumaAlpha, pixels))
        }
        _ => Small::Raster(raster),
    }
}

/// A Gaussian blur of this standard deviation in pixels.
pub(crate) fn blur(small: Small, deviation: f32) -> Small {
    match small {
        Small::Ycc(ycc) => {
            let blurred = |plane: &[u8]| blurred(plane, ycc.size, 1, deviation);
            Small::Ycc(Ycc {
                y: blurred(&ycc.y),
                cb: blurred(&ycc.cb),
                cr: blurred(&ycc.cr),
                ..ycc
            })
        }
        Small::Raster(raster) => {
            let channels = raster.layout.channels();
            let pixels = blurred(&raster.pixels, raster.size, channels, deviation);
            Small::Raster(Raster { pixels, ..raster })
        }
    }
}

/// An unsharp mask: adds what a blur takes away, `strength` times.
pub(crate) fn sharpen(small: Small, strength: f32) -> Small {
    let sharper = |samples: &[u8], size, channels| -> Vec<u8> {
        let blurred = blurred(samples, size, channels, SHARPEN_RADIUS);
        let pairs = samples.iter().zip(&blurred);
        pairs
            .map(|(&sample, &blurred)| {
                let (sample, blurred) = (f32::from(sample), f32::from(blurred));
                // `as` saturates.
                (sample + strength * (sample - blurred) + 0.5) as u8
            })
            .collect()
    };
    match small {
        // Nobody sees the sharpness of colours.
        Small::Ycc(ycc) => Small::Ycc(Ycc {
            y: sharper(&ycc.y, ycc.size, 1),
            ..ycc
        }),
        Small::Raster(raster) => {
            let channels = raster.layout.channels();
            let mut pixels = sharper(&raster.pixels, raster.size, channels);
            if raster.layout.has_alpha() {
                // Alpha stays, and no premultiplied colour exceeds it.
                let stored = raster.pixels.chunks_exact(channels);
                for (pixel, stored) in pixels.chunks_exact_mut(channels).zip(stored) {
                    let alpha = stored[channels - 1];
                    pixel
                        .iter_mut()
                        .for_each(|sample| *sample = (*sample).min(alpha));
                    pixel[channels - 1] = alpha;
                }
            }
            Small::Raster(Raster { pixels, ..raster })
        }
    }
}

fn blurred(samples: &[u8], size: Size, channels: usize, deviation: f32) -> Vec<u8> {
    let (width, height) = (size.width as usize, size.height as usize);
    let passes: Vec<Vec<f32>> = if deviation <= LARGEST_KERNEL {
        vec![gaussian(deviation)]
    } else {
        box_sizes(deviation)
            .map(|side| vec![1.0 / side as f32; side])
            .to_vec()
    };
    let mut picture = samples.to_vec();
    let mut line = Vec::new();
    for kernel in &passes {
        // Rows, then columns: start, step and number of samples of each line.
        for row in 0..height {
            for channel in 0..channels {
                let start = row * width * channels + channel;
                filter_line(&mut picture, (start, channels, width), kernel, &mut line);
            }
        }
        for column in 0..width * channels {
            filter_line(
                &mut picture,
                (column, width * channels, height),
                kernel,
                &mut line,
            );
        }
    }
    picture
}

/// Three boxes whose blurs together have this deviation (P. Kovesi, "Fast almost-Gaussian
/// filtering", 2010). All are odd.
fn box_sizes(deviation: f32) -> [usize; 3] {
    let ideal = (4.0 * deviation * deviation + 1.0).sqrt();
    let mut lower = ideal as usize;
    if lower.is_multiple_of(2) {
        lower -= 1;
    }
    let side = lower as f32;
    let smaller = (12.0 * deviation * deviation - 3.0 * side * side - 12.0 * side - 9.0)
        / (-4.0 * side - 4.0);
    let smaller = smaller.round() as usize;
    [0, 1, 2].map(|index| if index < smaller { lower } else { lower + 2 })
}

/// The weights of a Gaussian, whose sum is 1.
fn gaussian(deviation: f32) -> Vec<f32> {
    let radius = (3.0 * deviation).ceil().max(1.0) as i32;
    let weight = |x: i32| (-((x * x) as f32) / (2.0 * deviation * deviation)).exp();
    let sum: f32 = (-radius..=radius).map(weight).sum();
    (-radius..=radius).map(|x| weight(x) / sum).collect()
}

/// Filters samples that lie a step apart. Beyond its ends a line continues with its last value.
fn filter_line(
    samples: &mut [u8],
    (start, step, count): (usize, usize, usize),
    kernel: &[f32],
    line: &mut Vec<f32>,
) {
    let radius = kernel.len() / 2;
    line.clear();
    let at = |index: usize| f32::from(samples[start + index * step]);
    line.extend(std::iter::repeat_n(at(0), radius));
    line.extend((0..count).map(at));
    line.extend(std::iter::repeat_n(at(count - 1), radius));
    let is_box = kernel[0] == kernel[radius] && kernel.len() > 1;
    if is_box {
        // Sums of whole numbers below 2²⁴ are exact in 32 bits.
        let mut sum: f32 = line[..kernel.len()].iter().sum();
        for index in 0..count {
            samples[start + index * step] = (sum * kernel[0] + 0.5) as u8;
            if index + 1 < count {
                sum += line[index + kernel.len()] - line[index];
            }
        }
    } else {
        for index in 0..count {
            let window = line[index..].iter().zip(kernel);
            let sum: f32 = window.map(|(sample, weight)| sample * weight).sum();
            samples[start + index * step] = (sum + 0.5) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luma(width: u32, height: u32, pixels: Vec<u8>) -> Small {
        Small::Raster(Raster::whole(
            Size::new(width, height),
            Layout::Luma,
            pixels,
        ))
    }

    fn pixels(small: Small) -> Vec<u8> {
        match small {
            Small::Raster(raster) => raster.pixels,
            Small::Ycc(_) => panic!("not a raster"),
        }
    }

    /// A white point in black, blurred.
    fn spread(deviation: f32) -> Vec<u8> {
        let side = 121;
        let mut point = vec![0; side * side];
        // A patch, or a wide blur would leave less than a half of a sample.
        for row in 40..81 {
            point[row * side + 40..row * side + 81].fill(255);
        }
        pixels(blur(luma(121, 121, point), deviation))
    }

    #[test]
    fn a_blur_spreads_as_wide_as_its_deviation() {
        for deviation in [1.0_f32, 2.0, 3.0, 3.5, 8.0, 12.0] {
            let blurred = spread(deviation);
            let row = &blurred[60 * 121..61 * 121];
            // One deviation outside an edge a Gaussian leaves 15.9 % of the step.
            let at = 80.5 + deviation;
            let (left, share) = (at as usize, at.fract());
            let value = f32::from(row[left]) * (1.0 - share) + f32::from(row[left + 1]) * share;
            assert!((value - 0.159 * 255.0).abs() < 10.0, "{deviation}: {value}");
        }
    }

    #[test]
    fn what_is_even_stays_as_it_is() {
        for deviation in [0.3, 1.0, 5.0, 100.0] {
            let even = pixels(blur(luma(9, 7, vec![77; 63]), deviation));
            assert!(
                even.iter().all(|sample| sample.abs_diff(77) <= 1),
                "{deviation}"
            );
        }
        assert_eq!(pixels(sharpen(luma(9, 7, vec![77; 63]), 5.0)), vec![77; 63]);
        assert_eq!(pixels(blur(luma(1, 1, vec![200]), 50.0)), vec![200]);
    }

    #[test]
    fn sharpening_makes_edges_steeper() {
        let edge = [vec![100; 8], vec![150; 8]].concat();
        let sharper = pixels(sharpen(luma(16, 1, edge), 1.0));
        assert!(sharper[7] < 95 && sharper[8] > 155, "{sharper:?}");
        assert_eq!((sharper[0], sharper[15]), (100, 150));
    }

    #[test]
    fn grey_keeps_luma_and_alpha() {
        let raster = Raster::whole(Size::new(1, 1), Layout::Rgba, vec![100, 0, 0, 128]);
        let Small::Raster(grey) = grey(Small::Raster(raster)) else {
            panic!("a raster stays one");
        };
        assert_eq!(
            (grey.layout, grey.pixels),
            (Layout::LumaAlpha, vec![30, 128])
        );
    }
}
