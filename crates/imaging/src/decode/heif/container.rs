//! What the container says of the primary picture.

use std::borrow::Cow;

use heifer::heifer_hevc_dec::nal::NalUnit;
use heifer::heifer_hevc_dec::params::ParameterSets;
use heifer::heifer_isobmff::boxes::{ColorInfo, Property};
use heifer::heifer_isobmff::{HeifFile, ItemId};
use moxcms::ColorProfile;

use crate::decode::boxes::cut_box;
use crate::decode::items::{self, MAX_ITEMS, covers};
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::header::EmbeddedProfile;
use crate::limits::Limits;
use crate::metadata::Colorimetry;

pub(super) fn corrupt(reason: impl std::fmt::Display) -> ImagingError {
    ImagingError::corrupt(Format::Heif, reason)
}

pub(super) fn unsupported(kind: &'static str) -> ImagingError {
    ImagingError::UnsupportedKind {
        format: Format::Heif,
        kind,
    }
}

/// The file as its parser takes it: a box that the file ends within goes on to its end, which the
/// length 0 says (ISO/IEC 14496-12, 4.2). Usually it is the last, with the coded pictures.
pub(super) fn mended(bytes: &[u8]) -> Cow<'_, [u8]> {
    let Some(cut) = cut_box(bytes) else {
        return Cow::Borrowed(bytes);
    };
    let mut bytes = bytes.to_vec();
    if let Some(length) = bytes.get_mut(cut..cut + 4) {
        length.fill(0);
    }
    Cow::Owned(bytes)
}

pub(super) fn parse(bytes: &[u8]) -> Result<HeifFile<'_>, ImagingError> {
    items::read(bytes, Format::Heif)
}

/// A coded picture, or one of tiles.
#[derive(Debug)]
pub(super) struct Shape {
    /// The item of the whole.
    pub id: ItemId,
    /// Without its turns and its clean aperture.
    pub size: Size,
    pub tile: Size,
    /// The coded pictures, row by row.
    pub tiles: Vec<ItemId>,
    pub columns: usize,
}

impl Shape {
    /// The samples that a coded picture has at most: it is coded in blocks of up to 64.
    pub(super) fn coded_pixels(&self) -> u64 {
        let side = |side: u32| u64::from(side).next_multiple_of(64) + 64;
        side(self.tile.width) * side(self.tile.height)
    }

    /// One band in bytes, and what the decoder holds of one tile.
    pub(super) fn memory_bytes(&self) -> usize {
        let band = (self.columns * self.tile.area()).saturating_mul(4);
        let coded = usize::try_from(self.coded_pixels()).unwrap_or(usize::MAX);
        band.saturating_add(coded.saturating_mul(DECODER_BYTES_A_PIXEL))
    }
}

/// Three planes of 16 bits, a copy without their padding, and two bytes for the choices of blocks.
const DECODER_BYTES_A_PIXEL: usize = 14;

pub(super) fn shape(
    file: &HeifFile<'_>,
    id: ItemId,
    limits: &Limits,
) -> Result<Shape, ImagingError> {
    let item = file.item(id).map_err(corrupt)?;
    let (size, tiles, columns) = match &item.item_type.0 {
        b"hvc1" => (None, vec![id], 1),
        b"grid" => {
            let grid = file.grid(id).map_err(corrupt)?;
            let tiles = file.referenced_items(id, b"dimg").to_vec();
            let columns = usize::from(grid.columns);
            if tiles.is_empty() || tiles.len() != columns * usize::from(grid.rows) {
                return Err(corrupt("its tiles are not as many as it claims"));
            }
            if tiles.len() > MAX_ITEMS {
                return Err(corrupt("it shows a tile more than once"));
            }
            let size = Size::new(grid.output_width, grid.output_height);
            (Some(size), tiles, columns)
        }
        b"av01" => return Err(unsupported("an image in AV1")),
        b"iovl" => return Err(unsupported("an image that is laid over others")),
        _ => return Err(unsupported("an image in an unusual coding")),
    };
    limits.check_chunks(u32::try_from(tiles.len()).unwrap_or(u32::MAX))?;
    let size_of = |id| {
        let size = file.image_size(id).map_err(corrupt)?;
        let (width, height) = size.ok_or_else(|| corrupt("it has no size"))?;
        limits.check_pixels(width, height)?;
        Ok(Size::new(width, height))
    };
    let tile = size_of(tiles[0])?;
    let size = size.unwrap_or(tile);
    limits.check_pixels(size.width, size.height)?;
    if tile.area() == 0 || size.area() == 0 {
        return Err(corrupt("a side is zero"));
    }
    let rows = tiles.len() / columns;
    if !covers(tile.width, columns, size.width) || !covers(tile.height, rows, size.height) {
        return Err(corrupt("its tiles do not cover it"));
    }
    for &id in &tiles {
        if file.item(id).map_err(corrupt)?.item_type.0 != *b"hvc1" || size_of(id)? != tile {
            return Err(unsupported("an image of tiles that differ"));
        }
    }
    Ok(Shape {
        id,
        size,
        tile,
        tiles,
        columns,
    })
}

/// The embedded profile, or one for the numbers of ITU-T H.273 in the container or the stream.
pub(super) fn colours(
    file: &HeifFile<'_>,
    id: ItemId,
) -> Result<EmbeddedProfile<'static>, ImagingError> {
    const DISPLAY_P3: u16 = 12;
    const BT_2020: u16 = 9;
    // A tile of a tile is no picture of ours.
    let first_tile = file.referenced_items(id, b"dimg").first().copied();
    let items = [Some(id), first_tile];
    let numbers = items.into_iter().flatten().find_map(|item| {
        let mut properties = file.item_properties(item).ok()?;
        let in_container = properties.find_map(|property| match property {
            Property::Color(ColorInfo::Nclx {
                primaries,
                transfer,
                ..
            }) => Some((*primaries, *transfer)),
            _ => None,
        });
        in_container.or_else(|| in_stream(file, item))
    });
    let highlights =
        numbers.and_then(|(primaries, transfer)| Colorimetry::of_highlights(primaries, transfer));
    // A profile beside them is for readers that know no highlights.
    if let Some(highlights) = highlights {
        return Ok(EmbeddedProfile::Described(highlights));
    }
    for item in items.into_iter().flatten() {
        let properties = file.item_properties(item).map_err(corrupt)?;
        for property in properties {
            if let Property::Color(ColorInfo::Icc(profile)) = property
                && !profile.is_empty()
            {
                return Ok(EmbeddedProfile::Plain(Cow::Owned(profile.clone())));
            }
        }
    }
    let profile = match numbers {
        Some((DISPLAY_P3, _)) => ColorProfile::new_display_p3(),
        Some((BT_2020, _)) => ColorProfile::new_bt2020(),
        _ => return Ok(EmbeddedProfile::None),
    };
    let profile = profile.encode().map_err(corrupt)?;
    Ok(EmbeddedProfile::Plain(Cow::Owned(profile)))
}

/// What the parameters of the stream say, if they do.
fn in_stream(file: &HeifFile<'_>, id: ItemId) -> Option<(u16, u16)> {
    const UNSPECIFIED: u8 = 2;
    let config = file.hevc_config(id).ok()??;
    let mut sets = ParameterSets::default();
    for unit in &config.nal_units {
        sets.add(&NalUnit::parse(unit).ok()?).ok()?;
    }
    sets.sps.iter().flatten().find_map(|set| {
        let usability = set.vui.as_ref()?;
        let numbers = (
            usability.colour_primaries,
            usability.transfer_characteristics,
        );
        (numbers.0 != UNSPECIFIED && numbers.1 != UNSPECIFIED)
            .then_some((numbers.0.into(), numbers.1.into()))
    })
}
