//! The part of a source that a variant shows, and its size.

use super::resample::Region;
use crate::geometry::Size;
use crate::variant::{Fit, Gravity, Variant};

/// How a source becomes a variant, in terms of the picture as seen (after EXIF orientation).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Geometry {
    /// The part of the source that is shown. For [`Gravity::Attention`] it is centred until the
    /// picture is there to look at.
    pub region: Region,
    /// The size to which the part is resampled.
    pub size: Size,
    pub canvas: Option<Canvas>,
}

/// The canvas under the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Canvas {
    pub size: Size,
    /// Where the picture's upper left corner lies.
    pub left: u32,
    pub top: u32,
}

impl Geometry {
    /// Of a source as seen.
    pub(crate) fn new(variant: &Variant, source: Size) -> Self {
        Self::scaled(variant, source, variant.enlarge)
    }

    /// Of a source that is drawn: it fills every variant.
    pub(crate) fn drawn(variant: &Variant, source: Size) -> Self {
        Self::scaled(variant, source, true)
    }

    fn scaled(variant: &Variant, source: Size, enlarge: bool) -> Self {
        match variant.fit {
            Fit::Inside => Self::whole(source, inside(variant, source, enlarge)),
            Fit::Fill => {
                let side = |wanted: Option<u32>, source: u32| match wanted {
                    Some(wanted) if enlarge => wanted,
                    Some(wanted) => wanted.min(source),
                    None => source,
                };
                let size = Size::new(
                    side(variant.width, source.width),
                    side(variant.height, source.height),
                );
                Self::whole(source, size)
            }
            Fit::Contain => {
                let size = inside(variant, source, enlarge);
                let canvas = Size::new(
                    variant.width.unwrap_or(size.width),
                    variant.height.unwrap_or(size.height),
                );
                let (x, y) = shares(variant.gravity);
                let place = |free: u32, share: f64| (f64::from(free) * share).round() as u32;
                Self {
                    canvas: Some(Canvas {
                        size: canvas,
                        left: place(canvas.width - size.width, x),
                        top: place(canvas.height - size.height, y),
                    }),
                    ..Self::whole(source, size)
                }
            }
            Fit::Cover => cover(variant, source, enlarge),
        }
    }

    /// The picture in the file.
    pub(crate) fn output(&self) -> Size {
        self.canvas.map_or(self.size, |canvas| canvas.size)
    }

    fn whole(source: Size, size: Size) -> Self {
        Self {
            region: Region::whole(source),
            size,
            canvas: None,
        }
    }
}

/// As large as fits, the aspect kept to the nearest pixel, at least one pixel.
fn inside(variant: &Variant, source: Size, enlarge: bool) -> Size {
    let (width, height) = (u64::from(source.width), u64::from(source.height));
    let (wanted_width, wanted_height) = match (variant.width, variant.height) {
        (Some(wanted_width), Some(wanted_height)) => (wanted_width.into(), wanted_height.into()),
        (Some(wanted_width), None) => (u64::from(wanted_width), u64::MAX),
        (None, Some(wanted_height)) => (u64::MAX, u64::from(wanted_height)),
        (None, None) => return source,
    };
    if !enlarge && wanted_width >= width && wanted_height >= height {
        return source;
    }
    let scaled = |side: u64, wanted: u64, limiting: u64| {
        let rounded = (side * wanted + limiting / 2) / limiting;
        u32::try_from(rounded).unwrap_or(u32::MAX).max(1)
    };
    let width_limits = u128::from(wanted_width) * u128::from(height)
        <= u128::from(wanted_height) * u128::from(width);
    if width_limits {
        Size::new(wanted_width as u32, scaled(height, wanted_width, width))
    } else {
        Size::new(scaled(width, wanted_height, height), wanted_height as u32)
    }
}

/// The largest part with the aspect of the box.
fn cover(variant: &Variant, source: Size, enlarge: bool) -> Geometry {
    let (source_width, source_height) = (f64::from(source.width), f64::from(source.height));
    let width = f64::from(variant.width.unwrap_or(source.width));
    let height = f64::from(variant.height.unwrap_or(source.height));
    let scale = (width / source_width).max(height / source_height);
    let mut part = (
        (width / scale).min(source_width),
        (height / scale).min(source_height),
    );
    let size = if scale > 1.0 && !enlarge {
        // The aspect is kept, the box is not filled. Whole pixels need no resampling.
        part = (part.0.round().max(1.0), part.1.round().max(1.0));
        Size::new(part.0 as u32, part.1 as u32)
    } else {
        Size::new(width as u32, height as u32)
    };
    let (mut x, mut y) = place(variant.gravity, source, part);
    if (f64::from(size.width), f64::from(size.height)) == part {
        (x, y) = (x.floor(), y.floor());
    }
    Geometry {
        region: Region {
            x,
            y,
            width: part.0,
            height: part.1,
        },
        size,
        canvas: None,
    }
}

/// Where a part of this size lies in the source.
fn place(gravity: Gravity, source: Size, part: (f64, f64)) -> (f64, f64) {
    let free = (
        (f64::from(source.width) - part.0).max(0.0),
        (f64::from(source.height) - part.1).max(0.0),
    );
    match gravity {
        Gravity::Point { x, y } => {
            let centred = |share: f32, side: u32, part: f64, free: f64| {
                (f64::from(share) * f64::from(side) - part / 2.0).clamp(0.0, free)
            };
            (
                centred(x, source.width, part.0, free.0),
                centred(y, source.height, part.1, free.1),
            )
        }
        gravity => {
            let (x, y) = shares(gravity);
            (free.0 * x, free.1 * y)
        }
    }
}

/// Shares of the free space to the left and above.
fn shares(gravity: Gravity) -> (f64, f64) {
    match gravity {
        Gravity::Center | Gravity::Attention => (0.5, 0.5),
        Gravity::North => (0.5, 0.0),
        Gravity::NorthEast => (1.0, 0.0),
        Gravity::East => (1.0, 0.5),
        Gravity::SouthEast => (1.0, 1.0),
        Gravity::South => (0.5, 1.0),
        Gravity::SouthWest => (0.0, 1.0),
        Gravity::West => (0.0, 0.5),
        Gravity::NorthWest => (0.0, 0.0),
        Gravity::Point { x, y } => (x.into(), y.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::thumbnail_size;
    use proptest::prelude::*;

    fn variant(fit: Fit, width: u32, height: u32) -> Variant {
        Variant {
            width: Some(width),
            height: Some(height),
            fit,
            ..Variant::thumbnail(1, 85)
        }
    }

    fn size(width: u32, height: u32) -> Size {
        Size::new(width, height)
    }

    #[test]
    fn each_fit_gives_its_size() {
        for (fit, enlarge, source, output) in [
            (Fit::Inside, false, (4000, 3000), (320, 240)),
            (Fit::Inside, false, (100, 50), (100, 50)),
            (Fit::Inside, true, (100, 50), (320, 160)),
            (Fit::Cover, false, (4000, 3000), (320, 320)),
            (Fit::Cover, false, (100, 50), (50, 50)),
            (Fit::Cover, true, (100, 50), (320, 320)),
            (Fit::Cover, false, (65_000, 1), (1, 1)),
            (Fit::Contain, false, (100, 50), (320, 320)),
            (Fit::Contain, true, (1, 1), (320, 320)),
            (Fit::Fill, false, (4000, 30), (320, 30)),
            (Fit::Fill, true, (4000, 30), (320, 320)),
            (Fit::Fill, false, (1, 1), (1, 1)),
        ] {
            let variant = Variant {
                enlarge,
                ..variant(fit, 320, 320)
            };
            let geometry = Geometry::new(&variant, size(source.0, source.1));
            assert_eq!(
                geometry.output(),
                size(output.0, output.1),
                "{fit:?} {source:?}"
            );
        }
    }

    #[test]
    fn gravity_says_which_part_stays() {
        let source = size(400, 100);
        for (gravity, left) in [
            (Gravity::Center, 150.0),
            (Gravity::West, 0.0),
            (Gravity::SouthEast, 300.0),
            (Gravity::North, 150.0),
            (Gravity::Point { x: 0.25, y: 0.9 }, 50.0),
            (Gravity::Point { x: 0.0, y: 0.0 }, 0.0),
            (Gravity::Point { x: 1.0, y: 1.0 }, 300.0),
        ] {
            let variant = Variant {
                gravity,
                ..variant(Fit::Cover, 50, 50)
            };
            let region = Geometry::new(&variant, source).region;
            assert_eq!((region.x, region.y), (left, 0.0), "{gravity:?}");
            assert_eq!((region.width, region.height), (100.0, 100.0));
        }
    }

    #[test]
    fn gravity_says_which_part_of_a_high_picture_stays() {
        for (gravity, top) in [
            (Gravity::Center, 150.0),
            (Gravity::North, 0.0),
            (Gravity::NorthEast, 0.0),
            (Gravity::West, 150.0),
            (Gravity::South, 300.0),
            (Gravity::SouthWest, 300.0),
            (Gravity::Point { x: 0.9, y: 0.25 }, 50.0),
        ] {
            let variant = Variant {
                gravity,
                ..variant(Fit::Cover, 50, 50)
            };
            let region = Geometry::new(&variant, size(100, 400)).region;
            assert_eq!((region.x, region.y), (0.0, top), "{gravity:?}");
        }
    }

    #[test]
    fn one_side_alone_keeps_the_aspect() {
        let only_width = Variant {
            height: None,
            ..variant(Fit::Inside, 200, 1)
        };
        assert_eq!(
            Geometry::new(&only_width, size(1000, 667)).size,
            size(200, 133)
        );
    }

    proptest! {
        #[test]
        fn a_square_box_gives_the_usual_thumbnail(
            width in 1_u32..=65_535, height in 1_u32..=65_535, side in 16_u32..=8192,
        ) {
            let source = size(width, height);
            let geometry = Geometry::new(&Variant::thumbnail(side, 85), source);
            prop_assert_eq!(geometry.size, thumbnail_size(source, side));
        }

        #[test]
        fn what_is_shown_lies_within_the_source(
            width in 1_u32..=65_535, height in 1_u32..=65_535,
            wanted_width in 1_u32..=8192, wanted_height in 1_u32..=8192,
            enlarge: bool, x in 0.0_f32..=1.0, y in 0.0_f32..=1.0,
        ) {
            for fit in [Fit::Inside, Fit::Cover, Fit::Contain, Fit::Fill] {
                let variant = Variant {
                    enlarge,
                    gravity: Gravity::Point { x, y },
                    ..variant(fit, wanted_width, wanted_height)
                };
                let Geometry { region, size, canvas } = Geometry::new(&variant, size(width, height));
                prop_assert!(region.x >= 0.0 && region.y >= 0.0);
                prop_assert!(region.x + region.width <= f64::from(width) + 1e-6);
                prop_assert!(region.y + region.height <= f64::from(height) + 1e-6);
                prop_assert!(size.width >= 1 && size.height >= 1);
                prop_assert!(size.width <= wanted_width && size.height <= wanted_height);
                if let Some(canvas) = canvas {
                    prop_assert!(canvas.left + size.width <= canvas.size.width);
                    prop_assert!(canvas.top + size.height <= canvas.size.height);
                }
            }
        }
    }
}
