//! The items of a HEIF container (ISO/IEC 23008-12), in HEIC and in AVIF.
//!
//! The container is read by `heifer-isobmff`, which has no bounds of its own: it keeps all that is
//! declared, and looks through all of it for each item.

mod bounds;
mod transforms;

use heifer_isobmff::boxes::{ConstructionMethod, Property};
use heifer_isobmff::{HeifFile, ItemId};

pub(super) use bounds::MAX_ITEMS;
pub(super) use transforms::Transforms;

use crate::error::ImagingError;
use crate::formats::Format;
use crate::metadata::ExifFacts;

/// Reads a container that has no more than a picture has.
pub(super) fn read(bytes: &[u8], format: Format) -> Result<HeifFile<'_>, ImagingError> {
    bounds::check(bytes, format)?;
    HeifFile::parse(bytes).map_err(|error| ImagingError::corrupt(format, error))
}

/// The picture of an item's alpha, and whether the colours are weighted by it.
pub(super) fn alpha(file: &HeifFile<'_>, id: ItemId) -> Option<(ItemId, bool)> {
    const KINDS: [&str; 2] = [
        "urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
        "urn:mpeg:hevc:2015:auxid:1",
    ];
    let is_alpha = |auxiliary: &ItemId| {
        let mut properties = file.item_properties(*auxiliary).into_iter().flatten();
        properties.any(|property| {
            matches!(property, Property::AuxiliaryType(kind) if KINDS.contains(&kind.as_str()))
        })
    };
    let auxiliaries = file.referencing_items(id, b"auxl");
    let alpha = auxiliaries.into_iter().take(MAX_ITEMS).find(is_alpha)?;
    let weighting = file.referenced_items(id, b"prem");
    Some((alpha, weighting.contains(&alpha)))
}

/// Whether rows or columns of tiles reach over a whole side, and each of them shows something.
pub(super) fn covers(tile: u32, count: usize, whole: u32) -> bool {
    let covered = u64::from(tile) * count as u64;
    covered >= u64::from(whole) && covered - u64::from(tile) < u64::from(whole)
}

/// The facts in the first EXIF item of a picture, or of its first tile. A broken one counts as none.
pub(super) fn exif(file: &HeifFile<'_>, id: ItemId) -> ExifFacts {
    let first_tile = file.referenced_items(id, b"dimg").first().copied();
    let pictures = [Some(id), first_tile].into_iter().flatten();
    let block = pictures
        .filter_map(|picture| exif_item(file, picture))
        .next()
        .and_then(|item| exif_block(file, item));
    block
        .map(|block| ExifFacts::read(&block))
        .unwrap_or_default()
}

fn exif_item(file: &HeifFile<'_>, picture: ItemId) -> Option<ItemId> {
    let describing = file
        .references
        .iter()
        .filter(|reference| reference.ref_type.0 == *b"cdsc" && reference.to.contains(&picture));
    let is_exif = |id: &ItemId| {
        file.item(*id)
            .is_ok_and(|item| item.item_type.0 == *b"Exif")
    };
    describing
        .map(|reference| reference.from)
        .take(MAX_ITEMS)
        .find(is_exif)
}

/// What stands behind the offset of its beginning (ISO/IEC 23008-12, A.2.1).
fn exif_block(file: &HeifFile<'_>, item: ItemId) -> Option<Vec<u8>> {
    let location = file.item(item).ok()?.location.as_ref()?;
    let lengths = location.extents.iter().map(|extent| extent.length);
    let declared = lengths.clone().fold(0, u64::saturating_add);
    // Zero is "to the end", and an item made of others may copy all of them.
    let is_open = lengths.clone().any(|length| length == 0)
        || location.construction_method == ConstructionMethod::Item;
    if is_open || declared > ExifFacts::MAX_BYTES as u64 {
        return None;
    }
    let data = file.item_data(item).ok()?;
    let offset = u32::from_be_bytes(*data.first_chunk()?) as usize;
    let block = data.get(offset.checked_add(4)?..)?;
    // Some writers keep the prefix that it has in a JPEG.
    Some(block.strip_prefix(b"Exif\0\0").unwrap_or(block).to_vec())
}
