//! What the thumbnail looks like in a few bytes.

use super::geometry::Size;
use super::raster::Ycc;
use super::render::color::ycc_pixel_to_rgb;

/// A few bytes to show before the picture is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// `#rrggbb`.
    pub dominant_color: String,
    /// ThumbHash (<https://evanw.github.io/thumbhash/>), raw bytes.
    pub thumbhash: Vec<u8>,
}

impl Summary {
    /// For a picture with halved chroma.
    pub(crate) fn of(picture: &Ycc) -> Self {
        Self {
            dominant_color: dominant_color(picture),
            thumbhash: thumbhash(picture),
        }
    }
}

/// Longest side of the picture that is hashed. A ThumbHash keeps at most seven half-waves along a
/// side, so a larger picture would only cost time.
const HASHED_SIDE: u32 = 16;

/// The ThumbHash (<https://evanw.github.io/thumbhash/>) of a picture.
pub(crate) fn thumbhash(picture: &Ycc) -> Vec<u8> {
    let longest = picture.size.width.max(picture.size.height);
    let scaled = |side: u32| {
        let rounded = (u64::from(side) * u64::from(HASHED_SIDE) + u64::from(longest) / 2)
            / u64::from(longest);
        u32::try_from(rounded).unwrap_or(HASHED_SIDE).max(1)
    };
    let small = if longest <= HASHED_SIDE {
        picture.size
    } else {
        Size::new(scaled(picture.size.width), scaled(picture.size.height))
    };
    let [y, cb, cr] = [
        (&picture.y, picture.size),
        (&picture.cb, picture.chroma),
        (&picture.cr, picture.chroma),
    ]
    .map(|(plane, size)| average_areas(plane, size, small));
    let rgba: Vec<u8> = (0..small.area())
        .flat_map(|index| {
            let [r, g, b] = ycc_pixel_to_rgb(y[index], cb[index], cr[index]);
            [r, g, b, 255]
        })
        .collect();
    thumbhash::rgba_to_thumb_hash(small.width as usize, small.height as usize, &rgba)
}

/// Averages a plane over a grid of nearly equal areas, of at least one sample each: halved
/// chroma may be smaller than the grid.
fn average_areas(plane: &[u8], from: Size, to: Size) -> Vec<u8> {
    let areas = |from: u32, to: u32| {
        let (from, to) = (from as usize, to as usize);
        (0..to).map(move |index| {
            let start = index * from / to;
            start..((index + 1) * from / to).max(start + 1)
        })
    };
    let mut out = Vec::with_capacity(to.area());
    let mut column_sums = vec![0_u32; from.width as usize];
    for rows in areas(from.height, to.height) {
        column_sums.fill(0);
        for y in rows.clone() {
            let row = &plane[y * from.width as usize..][..from.width as usize];
            for (sum, sample) in column_sums.iter_mut().zip(row) {
                *sum += u32::from(*sample);
            }
        }
        for columns in areas(from.width, to.width) {
            let count = (rows.len() * columns.len()) as u32;
            let sum: u32 = column_sums[columns].iter().sum();
            out.push(((sum + count / 2) / count) as u8);
        }
    }
    out
}

/// The most common colour of the picture, as `#rrggbb`: the mean of the fullest of 16 × 16 × 16
/// boxes in YCbCr. Each sample of halved chroma counts, with the luma above and left.
pub(crate) fn dominant_color(picture: &Ycc) -> String {
    #[derive(Clone, Copy, Default)]
    struct Bin {
        count: u32,
        y: u32,
        cb: u32,
        cr: u32,
    }
    let mut bins = vec![Bin::default(); 1 << 12];
    let rows = picture.y.chunks(2 * picture.size.width as usize);
    let chroma = picture.chroma.width as usize;
    let chroma_rows = picture.cb.chunks(chroma).zip(picture.cr.chunks(chroma));
    for (luma, (cb, cr)) in rows.zip(chroma_rows) {
        for ((&y, &cb), &cr) in luma.iter().step_by(2).zip(cb).zip(cr) {
            let bin = usize::from(y >> 4) << 8 | usize::from(cb >> 4) << 4 | usize::from(cr >> 4);
            let bin = &mut bins[bin];
            bin.count += 1;
            bin.y += u32::from(y);
            bin.cb += u32::from(cb);
            bin.cr += u32::from(cr);
        }
    }
    let fullest = bins
        .into_iter()
        .max_by_key(|bin| bin.count)
        .unwrap_or_default();
    let mean = |sum: u32| {
        (sum + fullest.count / 2)
            .checked_div(fullest.count)
            .unwrap_or(0) as u8
    };
    let [r, g, b] = ycc_pixel_to_rgb(mean(fullest.y), mean(fullest.cb), mean(fullest.cr));
    format!("#{r:02x}{g:02x}{b:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::color::rgb_to_ycc;

    fn picture(size: Size, colour: impl Fn(u32, u32) -> [u8; 3]) -> Ycc {
        let rgb: Vec<u8> = (0..size.height)
            .flat_map(|y| (0..size.width).map(move |x| (x, y)))
            .flat_map(|(x, y)| colour(x, y))
            .collect();
        rgb_to_ycc(size, &rgb).with_halved_chroma()
    }

    #[test]
    fn the_dominant_colour_is_the_most_frequent_one() {
        let flag = picture(Size::new(30, 20), |x, _| {
            if x < 20 { [250, 20, 20] } else { [20, 20, 250] }
        });
        let [r, g, b] = [1, 3, 5].map(|at| {
            let text = dominant_color(&flag);
            u8::from_str_radix(&text[at..at + 2], 16).unwrap()
        });
        assert!(r.abs_diff(250) <= 2 && g.abs_diff(20) <= 2 && b.abs_diff(20) <= 2);
    }

    #[test]
    fn the_hash_shows_the_average_colour_and_the_shape() {
        let size = Size::new(256, 128);
        let orange = thumbhash(&picture(size, |_, _| [240, 120, 30]));
        let (r, g, b, a) = thumbhash::thumb_hash_to_average_rgba(&orange).unwrap();
        for (shown, expected) in [(r, 240.0), (g, 120.0), (b, 30.0), (a, 255.0)] {
            assert!(
                (shown * 255.0 - expected).abs() < 12.0,
                "{shown} {expected}"
            );
        }
        let ratio = thumbhash::thumb_hash_to_approximate_aspect_ratio(&orange).unwrap();
        assert!((ratio - 2.0).abs() < 0.4, "{ratio}");
    }

    #[test]
    fn a_single_pixel_has_a_hash_and_a_colour() {
        let pixel = picture(Size::new(1, 1), |_, _| [0, 0, 0]);
        assert_eq!(dominant_color(&pixel), "#000000");
        assert!(!thumbhash(&pixel).is_empty());
    }
}
