//! Which part of a picture draws the eye: what differs from its surroundings, and colours of skin.
//!
//! `surround.rs` names the source of the first. Skin is judged as by D. Chai and K. N. Ngan, "Face
//! segmentation using skin-color map in videophone applications", 1999. No face is recognised: a
//! wall of wood may count as one. Of places that show about as much, the one nearer to the centre
//! wins, where most photographers put their subjects (B. W. Tatler, "The central fixation bias in
//! scene viewing", 2007).

use super::surround::differences;
use crate::geometry::Size;
use crate::raster::Ycc;

/// Longest side of the picture that is looked at, in pixels.
pub(crate) const SIDE: u32 = 128;

/// Of full skin, where the mean of all differences is 1.
const SKIN_WEIGHT: f32 = 1.0;
/// What the outermost pixels of a crop count, of what its middle counts: a subject that is cut is
/// half lost.
const EDGE_SHARE: f64 = 0.4;
/// What a crop loses by the square of its distance from the centre, in sides of the picture: an
/// eighth at a quarter of the side.
const CENTRE_BIAS: f64 = 2.0;

/// How much each pixel of a small picture counts.
pub(crate) struct Saliency {
    size: Size,
    scores: Vec<f32>,
}

impl Saliency {
    /// For a picture whose chroma is not halved.
    pub(crate) fn of(picture: &Ycc) -> Self {
        let differences = differences(picture);
        let mean = differences.iter().sum::<f32>() / differences.len().max(1) as f32;
        let chroma = picture.cb.iter().zip(&picture.cr);
        let pixels = differences.iter().zip(picture.y.iter().zip(chroma));
        let scores = pixels.map(|(difference, (luma, (cb, cr)))| {
            // An even picture has no differences, but may have skin.
            let difference = if mean > 0.0 { difference / mean } else { 0.0 };
            difference + SKIN_WEIGHT * skin(*luma, f32::from(*cb), f32::from(*cr))
        });
        Self {
            size: picture.size,
            scores: scores.collect(),
        }
    }

    /// Where a part of this size shows the most, in pixels of the source as seen.
    pub(crate) fn best_place(&self, source: Size, part: (f64, f64)) -> (f64, f64) {
        let columns = self.sums(|column, _| column, self.size.width);
        let rows = self.sums(|_, row| row, self.size.height);
        (
            best_start(&columns, source.width, part.0),
            best_start(&rows, source.height, part.1),
        )
    }

    /// The scores of each column, or of each row.
    fn sums(&self, line: impl Fn(usize, usize) -> usize, count: u32) -> Vec<f64> {
        let mut sums = vec![0.0; count as usize];
        for (index, score) in self.scores.iter().enumerate() {
            let width = self.size.width as usize;
            sums[line(index % width, index / width)] += f64::from(*score);
        }
        sums
    }
}

/// 0–1: how near a colour is to the middle of skin colours, whatever its shade.
fn skin(luma: u8, cb: f32, cr: f32) -> f32 {
    // Cb from 77 to 127, Cr from 133 to 173; black and white have no colour to judge.
    if !(40..=245).contains(&luma) {
        return 0.0;
    }
    let distance = ((cb - 102.0) / 25.0).hypot((cr - 153.0) / 20.0);
    (1.0 - distance).max(0.0)
}

/// The start of the window, in pixels of a side of the source, that gathers the most.
fn best_start(sums: &[f64], side: u32, part: f64) -> f64 {
    let (side, count) = (f64::from(side), sums.len() as f64);
    let free = (side - part).max(0.0);
    let window = part / side * count;
    let centre = (count - window) / 2.0;
    let score = |start: f64| -> f64 {
        let scores = sums.iter().enumerate().map(|(index, sum)| {
            let middle = index as f64 + 0.5;
            // 1 in the middle of the window, and -1 or 1 at its ends.
            let place = (middle - start) / window * 2.0 - 1.0;
            if place.abs() > 1.0 {
                0.0
            } else {
                sum * (1.0 - (1.0 - EDGE_SHARE) * place * place)
            }
        });
        let off = (start - centre) / count;
        scores.sum::<f64>() * (1.0 - CENTRE_BIAS * off * off)
    };
    let steps = (count - window).ceil().max(0.0) as u32 * 2;
    let mut best = (score(centre), centre);
    for step in 0..=steps {
        let start = (count - window) * f64::from(step) / f64::from(steps.max(1));
        let found = score(start);
        // A little more is no reason to leave the centre.
        if found > best.0 * 1.0001 {
            best = (found, start);
        }
    }
    (best.1 / count * side).clamp(0.0, free)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::color::rgb_to_ycc;

    /// A grey picture with a patch of noise in a colour, from `left` on.
    fn with_patch(left: u32, colour: [u8; 3]) -> Ycc {
        let size = Size::new(128, 64);
        let mut seed = 1_u32;
        let rgb: Vec<u8> = (0..size.height)
            .flat_map(|y| (0..size.width).map(move |x| (x, y)))
            .flat_map(|(x, y)| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = (seed >> 28) as u8;
                if (left..left + 16).contains(&x) && (20..44).contains(&y) {
                    colour.map(|sample| sample.saturating_add(noise))
                } else {
                    [128; 3]
                }
            })
            .collect();
        rgb_to_ycc(size, &rgb)
    }

    #[test]
    fn a_crop_goes_where_something_is() {
        for left in [0, 10, 56, 90, 112] {
            for colour in [[200, 150, 120], [30, 30, 30], [20, 200, 40]] {
                let saliency = Saliency::of(&with_patch(left, colour));
                let (x, y) = saliency.best_place(Size::new(1280, 640), (640.0, 640.0));
                let (start, end) = (f64::from(left) * 10.0, f64::from(left + 16) * 10.0);
                assert!(x <= start && end <= x + 640.0, "{left} {colour:?}: {x}");
                assert_eq!(y, 0.0);
            }
        }
    }

    #[test]
    fn where_nothing_stands_out_the_centre_stays() {
        let even = rgb_to_ycc(Size::new(100, 50), &[90; 100 * 50 * 3]);
        let place = Saliency::of(&even).best_place(Size::new(100, 50), (50.0, 50.0));
        assert_eq!(place, (25.0, 0.0));
        let pixel = rgb_to_ycc(Size::new(1, 1), &[9; 3]);
        let place = Saliency::of(&pixel).best_place(Size::new(1, 1), (1.0, 1.0));
        assert_eq!(place, (0.0, 0.0));
    }
}
