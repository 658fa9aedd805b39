//! The items of a container: which make the picture, and how it is shown.

use std::borrow::Cow;

use heifer_isobmff::HeifFile;
use heifer_isobmff::boxes::{ColorInfo, Property};

use super::{Coding, corrupt};
use crate::decode::items::{self, MAX_ITEMS, Transforms, covers};
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::metadata::ExifFacts;

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
    pub transforms: Transforms,
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

impl Picture<'_> {
    /// The pixels that are decoded at once: a row of tiles, of the colours or of alpha.
    pub(super) fn coded_pixels(&self) -> usize {
        let alpha = self.alpha.as_ref();
        let of_alpha = alpha.map_or(0, |alpha| alpha.tiles.row_pixels());
        self.tiles.row_pixels().max(of_alpha)
    }
}

impl Tiles {
    pub(super) fn row_pixels(&self) -> usize {
        self.size.area().saturating_mul(self.columns)
    }
}

impl<'a> Container<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, ImagingError> {
        let file = items::read(bytes, Format::Avif)?;
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
        let transforms = Transforms::of(&self.file, id, size, Format::Avif)?;
        let alpha = self.alpha(id, size)?;
        Ok(Picture {
            size,
            tiles,
            alpha,
            coding,
            transforms,
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
        if items.len() > MAX_ITEMS {
            return Err(corrupt("its grid shows a tile more than once"));
        }
        let tile = self.size(*first)?;
        for item in items {
            let is_coded = self.file.item(*item).map_err(corrupt)?.item_type.0 == *b"av01";
            if !is_coded || self.size(*item)? != tile {
                return Err(corrupt("the tiles of its grid differ"));
            }
        }
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
        let Some((id, is_premultiplied)) = items::alpha(&self.file, picture) else {
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
        Ok(Some(Alpha {
            is_premultiplied,
            tiles,
        }))
    }

    pub(super) fn exif(&self) -> ExifFacts {
        items::exif(&self.file, self.file.primary_id)
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
