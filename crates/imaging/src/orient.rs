//! EXIF orientation (EXIF 2.32, tag 0x0112), applied to the small picture.

use super::geometry::Size;
use super::raster::Ycc;

/// True if width and height change places.
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
/// side, but on the last pixel of an odd one, and would lie on the first behind a mirror.
pub(crate) const fn may_turn_halved_chroma(stored: Size, orientation: u8) -> bool {
    orientation == 1 || (stored.width.is_multiple_of(2) && stored.height.is_multiple_of(2))
}

/// Turns a picture upright.
pub(crate) fn upright(picture: Ycc, orientation: u8) -> Ycc {
    if !matches!(orientation, 2..=8) {
        return picture;
    }
    Ycc {
        size: seen_size(picture.size, orientation),
        chroma: seen_size(picture.chroma, orientation),
        y: upright_plane(&picture.y, picture.size, orientation),
        cb: upright_plane(&picture.cb, picture.chroma, orientation),
        cr: upright_plane(&picture.cr, picture.chroma, orientation),
    }
}

fn upright_plane(plane: &[u8], stored: Size, orientation: u8) -> Vec<u8> {
    let (width, height) = (stored.width as usize, stored.height as usize);
    let seen = seen_size(stored, orientation);
    let mut out = Vec::with_capacity(plane.len());
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
            out.push(plane[row * width + column]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is stored when `F` is seen:
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
            let picture = Ycc {
                size,
                chroma: size,
                y: stored.to_vec(),
                cb: stored.to_vec(),
                cr: stored.to_vec(),
            };
            let upright = upright(picture, orientation);
            assert_eq!(upright.size, Size::new(2, 3), "{orientation}");
            assert_eq!(upright.y, seen, "{orientation}");
        }
    }
}
