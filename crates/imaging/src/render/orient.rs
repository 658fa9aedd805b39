//! EXIF orientation (EXIF 2.32, tag 0x0112), applied to the small picture.

use super::resample::Region;
use crate::geometry::Size;
use crate::raster::{Raster, Small, Ycc};

/// True if width and height are swapped.
pub(crate) const fn swaps_sides(orientation: u8) -> bool {
    matches!(orientation, 5..=8)
}

/// The size as seen of a picture stored in this size.
pub(crate) const fn seen_size(stored: Size, orientation: u8) -> Size {
    if swaps_sides(orientation) {
        Size::new(stored.height, stored.width)
    } else {
        stored
    }
}

/// True if halved chroma may be turned as it is: its samples lie between the pixels of an even
/// side, but on the last pixel of an odd one; after mirroring they would fall on the first pixel.
pub(crate) const fn may_turn_halved_chroma(stored: Size, orientation: u8) -> bool {
    orientation == 1 || (stored.width.is_multiple_of(2) && stored.height.is_multiple_of(2))
}

/// Where a region of the picture as seen is stored.
pub(crate) fn stored_region(seen: Region, stored: Size, orientation: u8) -> Region {
    let Region {
        x,
        y,
        width,
        height,
    } = seen;
    let (from_right, from_bottom) = {
        let seen = seen_size(stored, orientation);
        (
            f64::from(seen.width) - x - width,
            f64::from(seen.height) - y - height,
        )
    };
    let (x, y) = match orientation {
        2 => (from_right, y),
        3 => (from_right, from_bottom),
        4 => (x, from_bottom),
        5 => (y, x),
        6 => (y, from_right),
        7 => (from_bottom, from_right),
        8 => (from_bottom, x),
        _ => (x, y),
    };
    let (width, height) = if swaps_sides(orientation) {
        (height, width)
    } else {
        (width, height)
    };
    Region {
        x: x.max(0.0),
        y: y.max(0.0),
        width,
        height,
    }
}

/// Turns a picture upright.
pub(crate) fn upright(small: Small, orientation: u8) -> Small {
    if !matches!(orientation, 2..=8) {
        return small;
    }
    match small {
        Small::Ycc(picture) => Small::Ycc(Ycc {
            size: seen_size(picture.size, orientation),
            chroma: seen_size(picture.chroma, orientation),
            y: upright_pixels::<1>(&picture.y, picture.size, orientation),
            cb: upright_pixels::<1>(&picture.cb, picture.chroma, orientation),
            cr: upright_pixels::<1>(&picture.cr, picture.chroma, orientation),
        }),
        Small::Raster(raster) => {
            let (pixels, size) = (&raster.pixels, raster.size);
            let pixels = match raster.layout.channels() {
                1 => upright_pixels::<1>(pixels, size, orientation),
                2 => upright_pixels::<2>(pixels, size, orientation),
                3 => upright_pixels::<3>(pixels, size, orientation),
                _ => upright_pixels::<4>(pixels, size, orientation),
            };
            Small::Raster(Raster::whole(
                seen_size(size, orientation),
                raster.layout,
                pixels,
            ))
        }
    }
}

fn upright_pixels<const CHANNELS: usize>(pixels: &[u8], stored: Size, orientation: u8) -> Vec<u8> {
    let (width, height) = (stored.width as usize, stored.height as usize);
    let seen = seen_size(stored, orientation);
    let mut out = Vec::with_capacity(pixels.len());
    for y in 0..seen.height as usize {
        for x in 0..seen.width as usize {
            // Where the pixel seen at (x, y) is stored.
            let (column, row) = match orientation {
                2 => (width - 1 - x, y),
                3 => (width - 1 - x, height - 1 - y),
                4 => (x, height - 1 - y),
                5 => (y, x),
                6 => (y, height - 1 - x),
                7 => (width - 1 - y, height - 1 - x),
                8 => (width - 1 - y, x),
                _ => (x, y),
            };
            let at = (row * width + column) * CHANNELS;
            out.extend_from_slice(&pixels[at..at + CHANNELS]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::Layout;

    /// How the picture is stored when `F` is seen:
    /// ```text
    /// 1 2
    /// 3 4
    /// 5 6
    /// ```
    #[test]
    fn each_orientation_shows_the_same_picture() {
        let seen = [1, 2, 3, 4, 5, 6];
        for (orientation, stored) in [
            (1, [1, 2, 3, 4, 5, 6]),
            (2, [2, 1, 4, 3, 6, 5]),
            (3, [6, 5, 4, 3, 2, 1]),
            (4, [5, 6, 3, 4, 1, 2]),
            (5, [1, 3, 5, 2, 4, 6]),
            (6, [2, 4, 6, 1, 3, 5]),
            (7, [6, 4, 2, 5, 3, 1]),
            (8, [5, 3, 1, 6, 4, 2]),
        ] {
            let size = if swaps_sides(orientation) {
                Size::new(3, 2)
            } else {
                Size::new(2, 3)
            };
            let raster = Raster::whole(size, Layout::Luma, stored.to_vec());
            let Small::Raster(upright) = upright(Small::Raster(raster), orientation) else {
                unreachable!("a raster stays one");
            };
            assert_eq!(upright.size, Size::new(2, 3), "{orientation}");
            assert_eq!(upright.pixels, seen, "{orientation}");
            // The pixel seen in the upper right.
            let corner = Region {
                x: 1.0,
                y: 0.0,
                width: 1.0,
                height: 1.0,
            };
            let place = stored_region(corner, size, orientation);
            let index = place.y as usize * size.width as usize + place.x as usize;
            assert_eq!(stored[index], 2, "{orientation}");
        }
    }
}
