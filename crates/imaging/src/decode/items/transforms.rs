//! What is done to the picture of an item before it is shown.

use heifer_isobmff::HeifFile;
use heifer_isobmff::ItemId;
use heifer_isobmff::boxes::Property;

use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;

/// A cut, and then turns and mirrors in their order (ISO/IEC 23000-22, 7.3.6.7).
#[derive(Debug, PartialEq, Eq)]
pub(in crate::decode) struct Transforms {
    /// After the clean aperture, before the turns.
    pub size: Size,
    /// What the clean aperture leaves out on the left and above.
    pub skipped: (u32, u32),
    /// As EXIF numbers it.
    pub orientation: u8,
}

impl Transforms {
    /// Of an item whose picture has this size.
    pub(in crate::decode) fn of(
        file: &HeifFile<'_>,
        id: ItemId,
        size: Size,
        format: Format,
    ) -> Result<Self, ImagingError> {
        let properties = file
            .item_properties(id)
            .map_err(|error| ImagingError::corrupt(format, error))?;
        Self::read(properties, size, format)
    }

    fn read<'p>(
        properties: impl IntoIterator<Item = &'p Property>,
        size: Size,
        format: Format,
    ) -> Result<Self, ImagingError> {
        let mut done = Self {
            size,
            skipped: (0, 0),
            orientation: 1,
        };
        for property in properties {
            match *property {
                Property::CleanAperture { .. } if done.orientation != 1 => {
                    // Nobody writes this order.
                    return Err(ImagingError::UnsupportedKind {
                        format,
                        kind: "an image that is cut after it was turned",
                    });
                }
                Property::CleanAperture {
                    width,
                    height,
                    horiz_offset,
                    vert_offset,
                } => {
                    let broken = |reason| ImagingError::corrupt(format, reason);
                    let (left, columns) =
                        aperture(done.size.width, width, horiz_offset).map_err(broken)?;
                    let (above, rows) =
                        aperture(done.size.height, height, vert_offset).map_err(broken)?;
                    done.skipped = (done.skipped.0 + left, done.skipped.1 + above);
                    done.size = Size::new(columns, rows);
                }
                Property::Rotation(quarters) => {
                    for _ in 0..quarters % 4 {
                        // A quarter against the clock.
                        done.turn([8, 5, 6, 7, 4, 1, 2, 3]);
                    }
                }
                Property::Mirror(true) => done.turn([4, 3, 2, 1, 8, 7, 6, 5]),
                Property::Mirror(false) => done.turn([2, 1, 4, 3, 6, 5, 8, 7]),
                _ => {}
            }
        }
        Ok(done)
    }

    /// `next` has what becomes of each orientation.
    fn turn(&mut self, next: [u8; 8]) {
        self.orientation = next[usize::from(self.orientation - 1)];
    }
}

/// ISO/IEC 14496-12, 12.1.4: the first sample, and how many there are.
fn aperture(whole: u32, size: (u32, u32), offset: (i32, u32)) -> Result<(u32, u32), &'static str> {
    if size.1 == 0 || offset.1 == 0 {
        return Err("its clean aperture is no fraction");
    }
    let size = (f64::from(size.0) / f64::from(size.1)).round();
    let center = f64::from(offset.0) / f64::from(offset.1) + (f64::from(whole) - 1.0) / 2.0;
    let first = (center - (size - 1.0) / 2.0).round().max(0.0);
    let last = (first + size).min(whole.into());
    if last <= first {
        return Err("its clean aperture is empty");
    }
    Ok((first as u32, (last - first) as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(properties: &[&Property]) -> Result<Transforms, ImagingError> {
        let properties = properties.iter().copied();
        Transforms::read(properties, Size::new(64, 48), Format::Avif)
    }

    #[test]
    fn turns_and_mirrors_add_up_in_their_order() {
        let left_to_right = Property::Mirror(false);
        let top_to_bottom = Property::Mirror(true);
        let quarter = Property::Rotation(1);
        for (properties, expected) in [
            (vec![], 1),
            (vec![&quarter], 8),
            (vec![&quarter, &quarter], 3),
            (vec![&quarter, &quarter, &quarter], 6),
            (vec![&left_to_right], 2),
            (vec![&top_to_bottom], 4),
            (vec![&left_to_right, &top_to_bottom], 3),
            // A quarter to the left, then mirrored: the transposed picture is 5, its opposite 7.
            (vec![&quarter, &left_to_right], 7),
            (vec![&quarter, &top_to_bottom], 5),
            (vec![&left_to_right, &quarter], 5),
        ] {
            let orientation = read(&properties).unwrap().orientation;
            assert_eq!(orientation, expected, "{properties:?}");
        }
    }

    #[test]
    fn an_aperture_is_cut_out_around_the_middle() {
        let aperture = |width, horiz_offset| Property::CleanAperture {
            width,
            height: (48, 1),
            horiz_offset,
            vert_offset: (0, 1),
        };
        let cut = |property| read(&[&property]).map(|done| (done.skipped.0, done.size.width));
        assert_eq!(cut(aperture((63, 1), (-1, 2))), Ok((0, 63)));
        assert_eq!(cut(aperture((63, 1), (1, 2))), Ok((1, 63)));
        assert_eq!(cut(aperture((32, 1), (0, 1))), Ok((16, 32)));
        assert_eq!(cut(aperture((99, 1), (0, 1))), Ok((0, 64)));
        for broken in [
            aperture((63, 0), (0, 1)),
            aperture((63, 1), (0, 0)),
            aperture((0, 1), (0, 1)),
            aperture((9, 1), (900, 1)),
        ] {
            assert!(cut(broken).is_err());
        }
        let turned = [&Property::Rotation(1), &aperture((32, 1), (0, 1))];
        assert!(matches!(
            read(&turned),
            Err(ImagingError::UnsupportedKind { .. })
        ));
    }
}
