//! Sizes, and the box that is averaged before the resampling.

/// How much larger than the thumbnail a picture stays when averaging reduces it, so that Lanczos
/// still decides how it looks.
const OVERSAMPLING: u32 = 2;

/// Most rows that are averaged at once: their sum must fit in 16 bits (255 × 257 = 65,535).
pub(crate) const MAX_BOX_ROWS: u32 = 257;

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub width: u32,
    pub height: u32,
}

impl Size {
    pub(crate) const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    pub(crate) const fn area(self) -> usize {
        self.width as usize * self.height as usize
    }
}

#[cfg(test)]
/// The thumbnail of a source of this size: longest side at most `max_side`, never larger than
/// the source, aspect kept to the nearest pixel, at least one pixel.
pub(crate) fn thumbnail_size(source: Size, max_side: u32) -> Size {
    let max_side = max_side.max(1);
    let longest = source.width.max(source.height);
    if longest <= max_side {
        return source;
    }
    let scaled = |side: u32| {
        let (side, longest) = (u64::from(side), u64::from(longest));
        let rounded = (side * u64::from(max_side) + longest / 2) / longest;
        u32::try_from(rounded).unwrap_or(max_side).max(1)
    };
    Size::new(scaled(source.width), scaled(source.height))
}

/// Columns and rows that may be averaged into one pixel while the result stays at least
/// twice as large as the thumbnail.
pub(crate) fn averaging_box(source: Size, thumbnail: Size) -> Size {
    Size::new(
        (source.width / (OVERSAMPLING * thumbnail.width)).max(1),
        (source.height / (OVERSAMPLING * thumbnail.height)).clamp(1, MAX_BOX_ROWS),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_rounded_to_the_nearest_pixel() {
        for (source, max_side, expected) in [
            ((4000, 3000), 256, (256, 192)),
            ((3000, 4000), 256, (192, 256)),
            ((1000, 667), 256, (256, 171)),
            ((100, 50), 256, (100, 50)),
            ((256, 256), 256, (256, 256)),
            ((65_535, 1), 16, (16, 1)),
            ((1, 1), 16, (1, 1)),
        ] {
            let size = thumbnail_size(Size::new(source.0, source.1), max_side);
            assert_eq!((size.width, size.height), expected, "{source:?}");
        }
    }

    proptest! {
        #[test]
        fn a_thumbnail_never_exceeds_source_or_limit(
            width in 1_u32..=u32::MAX, height in 1_u32..=u32::MAX, max_side in 16_u32..=70_000,
        ) {
            let size = thumbnail_size(Size::new(width, height), max_side);
            prop_assert!(size.width >= 1 && size.height >= 1);
            prop_assert!(size.width <= width.min(max_side) && size.height <= height.min(max_side));
        }

        #[test]
        fn averaging_leaves_twice_the_thumbnail(
            width in 1_u32..=100_000, height in 1_u32..=100_000, max_side in 16_u32..=4096,
        ) {
            let source = Size::new(width, height);
            let thumbnail = thumbnail_size(source, max_side);
            let averaged = averaging_box(source, thumbnail);
            prop_assert!(averaged.width == 1 || width / averaged.width >= 2 * thumbnail.width);
            prop_assert!(averaged.height == 1 || height / averaged.height >= 2 * thumbnail.height);
        }
    }
}
