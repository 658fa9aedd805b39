//! Which part of a picture draws the eye.

use crate::geometry::Size;
use crate::raster::Ycc;

/// Longest side of what is looked at, in pixels.
pub(crate) const SIDE: u32 = 128;

/// How much each pixel of a small picture counts.
pub(crate) struct Saliency {
    size: Size,
    scores: Vec<f32>,
}

impl Saliency {
    pub(crate) fn of(picture: &Ycc) -> Self {
        Self {
            size: picture.size,
            scores: vec![0.0; picture.size.area()],
        }
    }

    pub(crate) fn best_place(&self, source: Size, part: (f64, f64)) -> (f64, f64) {
        let _ = (&self.scores, self.size);
        (
            (f64::from(source.width) - part.0) / 2.0,
            (f64::from(source.height) - part.1) / 2.0,
        )
    }
}
