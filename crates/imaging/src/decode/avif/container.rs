//! The items of a container: which make the picture, and how it is shown.
//!
//! The container is read by `heifer-isobmff`, which has no bounds of its own for how many items,
//! places and references there are, and looks through all for each.

use std::borrow::Cow;

use heifer_isobmff::boxes::{ColorInfo, Property};
use heifer_isobmff::{BoxIter, HeifFile};

use super::{Coding, corrupt};
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;

/// Items of a file: pictures, tiles and texts.
const MAX_ITEMS: usize = 1000;
/// Properties of all items.
const MAX_PROPERTIES: usize = 4000;
/// Bytes of each list of places, references or associations.
const MAX_LIST_BYTES: usize = 256 << 10;
const ALPHA: [&str; 2] = [
    "urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
    "urn:mpeg:hevc:2015:auxid:1",
];

/// What the samples mean, by the numbers of ITU-T H.273.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nclx {
    pub primaries: u16,
    pub transfer: u16,
    pub matrix: u16,
    pub full_range: bool,
}

pub(super) struct Container<'a> {
    file: HeifFile<'a>,
}

/// The picture of a container.
pub(super) struct Picture<'c> {
    /// As stored.
    pub size: Size,
    pub tiles: Tiles,
    pub alpha: Option<Alpha>,
    pub coding: Coding,
    /// As EXIF counts it.
    pub orientation: u8,
    pub icc: Option<&'c [u8]>,
    pub nclx: Option<Nclx>,
}

pub(super) struct Alpha {
    pub tiles: Tiles,
    /// The colours are weighted by it.
    pub is_premultiplied: bool,
}

/// Items that lie side by side, from the upper left.
pub(super) struct Tiles {
    pub items: Vec<u32>,
    pub columns: usize,
    /// Of each; those at the right and at the bottom may reach beyond the picture.
    pub size: Size,
}

impl Tiles {
    pub(super) fn row_pixels(&self) -> usize {
        self.size.area().saturating_mul(self.columns)
    }
}

impl<'a> Container<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, ImagingError> {
        check_counts(bytes)?;
        let file = HeifFile::parse(bytes).map_err(corrupt)?;
        Ok(Self { file })
    }

    pub(super) fn picture(&self) -> Result<Picture<'_>, ImagingError> {
        let id = self.file.primary_id;
        let (size, tiles) = self.tiles(id)?;
        let properties = || self.file.item_properties(id).map_err(corrupt);
        let of_first = || self.file.item_properties(tiles.items[0]).map_err(corrupt);
        let icc = |property| match property {
            &Property::Color(ColorInfo::Icc(ref profile)) if !profile.is_empty() => {
                Some(profile.as_slice())
            }
            _ => None,
        };
        let icc = match properties()?.find_map(icc) {
            Some(profile) => Some(profile),
            None => of_first()?.find_map(icc),
        };
        let nclx = match properties()?.find_map(nclx) {
            Some(colors) => Some(colors),
            None => of_first()?.find_map(nclx),
        };
        let coding = of_first()?.find_map(coding);
        // A writer that leaves it out is no reason to hold too little.
        let coding = coding.unwrap_or(Coding {
            is_deep: true,
            samples_of_two: 6,
        });
        let orientation = properties()?.fold(1, turned);
        let alpha = self.alpha(id, size)?;
        Ok(Picture {
            size,
            tiles,
            alpha,
            coding,
            orientation,
            icc,
            nclx,
        })
    }

    /// The size of an item, and of what it is composed.
    fn tiles(&self, id: u32) -> Result<(Size, Tiles), ImagingError> {
        let item = self.file.item(id).map_err(corrupt)?;
        match &item.item_type.0 {
            b"av01" => {
                let size = self.size(id)?;
                let tiles = Tiles {
                    items: vec![id],
                    columns: 1,
                    size,
                };
                Ok((size, tiles))
            }
            b"grid" => self.grid(id),
            _ => Err(ImagingError::UnsupportedKind {
                format: Format::Avif,
                kind: "a picture of items that are not coded in AV1",
            }),
        }
    }

    fn grid(&self, id: u32) -> Result<(Size, Tiles), ImagingError> {
        let grid = self.file.grid(id).map_err(corrupt)?;
        let size = Size::new(grid.output_width, grid.output_height);
        let (columns, rows) = (usize::from(grid.columns), usize::from(grid.rows));
        let items = self.file.referenced_items(id, b"dimg");
        let (Some(first), true) = (items.first(), items.len() == columns * rows) else {
            return Err(corrupt("its grid lacks tiles"));
        };
        let tile = self.size(*first)?;
        for item in items {
            let is_coded = self.file.item(*item).map_err(corrupt)?.item_type.0 == *b"av01";
            if !is_coded || self.size(*item)? != tile {
                return Err(corrupt("the tiles of its grid differ"));
            }
        }
        let covers = |side: u32, count: usize, whole: u32| {
            let all = u64::from(side) * count as u64;
            all >= whole.into() && all - u64::from(side) < whole.into()
        };
        if !covers(tile.width, columns, size.width) || !covers(tile.height, rows, size.height) {
            return Err(corrupt("the tiles of its grid do not cover it"));
        }
        let tiles = Tiles {
            items: items.to_vec(),
            columns,
            size: tile,
        };
        Ok((size, tiles))
    }

    fn size(&self, id: u32) -> Result<Size, ImagingError> {
        let size = self.file.image_size(id).map_err(corrupt)?;
        let (width, height) = size.ok_or_else(|| corrupt("a picture of it has no size"))?;
        if width == 0 || height == 0 {
            return Err(corrupt("its width or height is zero"));
        }
        Ok(Size::new(width, height))
    }

    fn alpha(&self, picture: u32, size: Size) -> Result<Option<Alpha>, ImagingError> {
        let is_alpha = |id: &u32| {
            let mut properties = self.file.item_properties(*id).into_iter().flatten();
            properties.any(|property| match property {
                Property::AuxiliaryType(kind) => ALPHA.contains(&kind.as_str()),
                _ => false,
            })
        };
        let auxiliary = self.file.referencing_items(picture, b"auxl");
        let Some(id) = auxiliary.into_iter().find(is_alpha) else {
            return Ok(None);
        };
        let (alpha_size, tiles) = match self.size(id) {
            // Some writers leave the size of alpha out.
            Err(_) => {
                let tiles = Tiles {
                    items: vec![id],
                    columns: 1,
                    size,
                };
                (size, tiles)
            }
            Ok(_) => self.tiles(id)?,
        };
        if alpha_size != size {
            return Err(corrupt("its transparency has another size"));
        }
        let premultiplied = self.file.referenced_items(picture, b"prem");
        Ok(Some(Alpha {
            is_premultiplied: premultiplied.contains(&id),
            tiles,
        }))
    }

    pub(super) fn exif(&self) -> Option<Vec<u8>> {
        // A broken block counts as none.
        self.file.exif(self.file.primary_id).ok().flatten()
    }

    /// The code of an item.
    pub(super) fn code(&self, id: u32) -> Result<Cow<'a, [u8]>, ImagingError> {
        self.file.item_data(id).map_err(corrupt)
    }
}

fn nclx(property: &Property) -> Option<Nclx> {
    match property {
        Property::Color(ColorInfo::Nclx {
            primaries,
            transfer,
            matrix,
            full_range,
        }) => Some(Nclx {
            primaries: *primaries,
            transfer: *transfer,
            matrix: *matrix,
            full_range: *full_range,
        }),
        _ => None,
    }
}

/// By `av1C` (AV1-ISOBMFF, 2.3.3), whose third byte has the bits `seq_tier_0`, `high_bitdepth`,
/// `twelve_bit`, `monochrome`, `chroma_subsampling_x` and `…_y` before two others.
fn coding(property: &Property) -> Option<Coding> {
    let flags = match property {
        Property::Unknown(kind, content) if kind.0 == *b"av1C" => *content.get(2)?,
        _ => return None,
    };
    Some(Coding {
        is_deep: flags & 0x40 != 0,
        samples_of_two: match flags >> 2 & 7 {
            0b000 => 6,
            0b010 => 4,
            0b011 => 3,
            _ => 2,
        },
    })
}

/// The orientation after another property: turns and mirrors count in their order.
///
/// Each orientation is a mirror from left to right or none, and then quarter turns clockwise.
fn turned(orientation: u8, property: &Property) -> u8 {
    const TURNS: [[u8; 4]; 2] = [[1, 6, 3, 8], [2, 7, 4, 5]];
    let place = |mirrored: usize| {
        let turns = TURNS[mirrored]
            .iter()
            .position(|known| *known == orientation);
        turns.map(|turns| (mirrored, turns))
    };
    let Some((mirrored, turns)) = place(0).or_else(|| place(1)) else {
        return orientation;
    };
    let (mirrored, turns) = match property {
        Property::Rotation(anticlockwise) => (mirrored, turns + 4 - usize::from(anticlockwise & 3)),
        Property::Mirror(is_top_to_bottom) => {
            let half = if *is_top_to_bottom { 2 } else { 0 };
            (1 - mirrored, 4 - turns + half)
        }
        _ => (mirrored, turns),
    };
    TURNS[mirrored][turns % 4]
}

/// Refuses more items, properties or entries than a picture has, before anything is looked for.
fn check_counts(bytes: &[u8]) -> Result<(), ImagingError> {
    let boxes = |content| BoxIter::new(content).map_while(Result::ok);
    let too_many = |what, max: usize| ImagingError::TooMany {
        what,
        max: max as u32,
    };
    let is_long = |content: &[u8]| content.len() > MAX_LIST_BYTES;
    for meta in boxes(bytes).filter(|found| found.header.box_type.0 == *b"meta") {
        for list in boxes(meta.content.get(4..).unwrap_or_default()) {
            match &list.header.box_type.0 {
                b"iinf" => {
                    // Full box, then a count of two or four bytes.
                    let head = if list.content.first() == Some(&0) {
                        6
                    } else {
                        8
                    };
                    let items = list.content.get(head..).unwrap_or_default();
                    if boxes(items).count() > MAX_ITEMS {
                        return Err(too_many("items", MAX_ITEMS));
                    }
                }
                b"iloc" | b"iref" if is_long(list.content) => {
                    return Err(too_many("bytes in a list", MAX_LIST_BYTES));
                }
                b"iprp" => {
                    for part in boxes(list.content) {
                        match &part.header.box_type.0 {
                            b"ipco" if boxes(part.content).count() > MAX_PROPERTIES => {
                                return Err(too_many("properties", MAX_PROPERTIES));
                            }
                            b"ipma" if is_long(part.content) => {
                                return Err(too_many("bytes in a list", MAX_LIST_BYTES));
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let orientation = properties
                .iter()
                .fold(1, |so_far, next| turned(so_far, next));
            assert_eq!(orientation, expected, "{properties:?}");
        }
    }
}
