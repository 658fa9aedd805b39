//! How much each pixel of a small picture differs from what is around it.
//!
//! Centre and surround at several scales are those of L. Itti, C. Koch and E. Niebur, "A model of
//! saliency-based visual attention for rapid scene analysis", 1998. Means of boxes stand for their
//! pyramids, as with S. Montabone and A. Soto, 2010: a texture differs little from the same texture
//! around it, which details alone do not distinguish from a subject.

use crate::geometry::Size;
use crate::raster::Ycc;

/// How far the boxes of centre and surround reach, in pixels.
const SCALES: [(usize, usize); 3] = [(1, 7), (3, 14), (7, 28)];
/// A difference of colour is rarer than one of brightness.
const CHROMA_WEIGHT: f32 = 2.0;

/// The sum of the differences at all scales. The chroma must not be halved.
pub(crate) fn differences(picture: &Ycc) -> Vec<f32> {
    let planes = [
        (Sums::of(picture.size, &picture.y), 1.0),
        (Sums::of(picture.size, &picture.cb), CHROMA_WEIGHT),
        (Sums::of(picture.size, &picture.cr), CHROMA_WEIGHT),
    ];
    let (width, height) = (picture.size.width as usize, picture.size.height as usize);
    let mut differences = Vec::with_capacity(picture.size.area());
    for y in 0..height {
        for x in 0..width {
            let at_scale = |(centre, surround): &(usize, usize)| -> f32 {
                let squares = planes.iter().map(|(sums, weight)| {
                    let difference = sums.mean(x, y, *centre) - sums.mean(x, y, *surround);
                    (weight * difference).powi(2)
                });
                squares.sum::<f32>().sqrt()
            };
            differences.push(SCALES.iter().map(at_scale).sum());
        }
    }
    differences
}

/// Sums of all samples above and to the left, so that the mean of any box takes four of them.
struct Sums {
    width: usize,
    height: usize,
    sums: Vec<u32>,
}

impl Sums {
    fn of(size: Size, plane: &[u8]) -> Self {
        let (width, height) = (size.width as usize, size.height as usize);
        let mut sums = vec![0; (width + 1) * (height + 1)];
        for y in 0..height {
            let mut row = 0;
            for x in 0..width {
                row += u32::from(plane[y * width + x]);
                sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1] + row;
            }
        }
        Self {
            width,
            height,
            sums,
        }
    }

    /// Of the pixels that are at most `reach` away from one on both axes.
    fn mean(&self, x: usize, y: usize, reach: usize) -> f32 {
        let (left, right) = (x.saturating_sub(reach), (x + reach + 1).min(self.width));
        let (top, bottom) = (y.saturating_sub(reach), (y + reach + 1).min(self.height));
        let at = |x: usize, y: usize| self.sums[y * (self.width + 1) + x];
        let sum = at(right, bottom) + at(left, top) - at(left, bottom) - at(right, top);
        sum as f32 / ((right - left) * (bottom - top)) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::color::rgb_to_ycc;

    fn picture(colour: impl Fn(u32, u32) -> [u8; 3]) -> Ycc {
        let size = Size::new(90, 60);
        let places = (0..size.height).flat_map(|y| (0..size.width).map(move |x| (x, y)));
        let rgb: Vec<u8> = places.flat_map(|(x, y)| colour(x, y)).collect();
        rgb_to_ycc(size, &rgb)
    }

    #[test]
    fn means_are_of_what_lies_within_the_picture() {
        let sums = Sums::of(Size::new(3, 2), &[10, 20, 30, 40, 50, 60]);
        assert_eq!(sums.mean(0, 0, 0), 10.0);
        assert_eq!(sums.mean(0, 0, 1), 30.0);
        assert_eq!(sums.mean(1, 1, 1), 35.0);
        assert_eq!(sums.mean(2, 1, 99), 35.0);
    }

    #[test]
    fn a_subject_differs_more_than_a_texture() {
        let is_subject = |x: u32, y: u32| (60..70).contains(&x) && (25..35).contains(&y);
        let mixed = picture(|x, y| match (x, is_subject(x, y)) {
            (_, true) => [170; 3],
            (0..40, _) => [[60; 3], [140; 3]][(x + y) as usize % 2],
            _ => [100; 3],
        });
        let differences = differences(&mixed);
        let at = |x: usize, y: usize| differences[y * 90 + x];
        assert!(
            at(65, 30) > 4.0 * at(15, 30),
            "{} {}",
            at(65, 30),
            at(15, 30)
        );
        let even = super::differences(&picture(|_, _| [100, 90, 200]));
        assert!(even.iter().all(|difference| *difference == 0.0));
    }
}
