//! What a container may hold at most, before it is read.

use crate::decode::boxes::{MAX_BOXES, boxes};
use crate::decode::{be_u16, be_u32};
use crate::error::ImagingError;
use crate::formats::Format;

/// Pictures, tiles and texts. A picture of 200 megapixels in tiles of 256 pixels has 3,100.
pub(in crate::decode) const MAX_ITEMS: usize = 4000;
const MAX_PROPERTIES: usize = 4000;
/// Of the lists of items, their places, references and properties: a parser that compares each with
/// each takes a fraction of a second for this much. A picture of 200 megapixels in tiles has 60 KiB.
const MAX_LIST_BYTES: usize = 256 << 10;
/// Parts of which all items consist. An extent takes no byte of the file if it declares none.
const MAX_EXTENTS: usize = 10_000;
/// Profiles above all.
const MAX_PROPERTY_BYTES: usize = 8 << 20;
/// Parameters of HEVC: an empty one takes two bytes of the file, and twelve times as much in memory.
const MAX_PARAMETER_BYTES: usize = 256 << 10;

/// Refuses what is more than a picture has.
pub(super) fn check(bytes: &[u8], format: Format) -> Result<(), ImagingError> {
    let mut found = Found::default();
    at_most("boxes", boxes(bytes).count(), MAX_BOXES)?;
    let mut metas = boxes(bytes).filter(|found| found.kind == *b"meta");
    if let Some(meta) = metas.next() {
        found.count_meta(meta.data.get(4..).unwrap_or_default());
    }
    if metas.next().is_some() {
        return Err(ImagingError::corrupt(format, "it has two lists of items"));
    }
    at_most("boxes", found.boxes, MAX_BOXES)?;
    at_most("bytes in its lists", found.list_bytes, MAX_LIST_BYTES)?;
    at_most("items", found.items, MAX_ITEMS)?;
    at_most("parts of items", found.extents, MAX_EXTENTS)?;
    at_most("properties", found.properties, MAX_PROPERTIES)?;
    at_most(
        "bytes of properties",
        found.property_bytes,
        MAX_PROPERTY_BYTES,
    )?;
    at_most(
        "bytes of parameters",
        found.parameter_bytes,
        MAX_PARAMETER_BYTES,
    )
}

fn at_most(what: &'static str, found: usize, max: usize) -> Result<(), ImagingError> {
    if found <= max {
        return Ok(());
    }
    Err(ImagingError::TooMany {
        what,
        max: max as u32,
    })
}

/// What the box of metadata declares.
#[derive(Default)]
struct Found {
    boxes: usize,
    list_bytes: usize,
    items: usize,
    extents: usize,
    properties: usize,
    property_bytes: usize,
    parameter_bytes: usize,
}

impl Found {
    fn count_meta(&mut self, meta: &[u8]) {
        for part in boxes(meta) {
            self.boxes += 1;
            match &part.kind {
                b"iinf" => {
                    self.list_bytes += part.data.len();
                    // A version and flags, then a count of two or four bytes.
                    let head = if part.data.first() == Some(&0) { 6 } else { 8 };
                    self.items += boxes(part.data.get(head..).unwrap_or_default()).count();
                }
                b"iloc" => {
                    self.list_bytes += part.data.len();
                    self.extents += extents(part.data).unwrap_or_default();
                }
                b"iref" => self.list_bytes += part.data.len(),
                b"iprp" => self.count_properties(part.data),
                _ => {}
            }
        }
    }

    fn count_properties(&mut self, data: &[u8]) {
        for part in boxes(data) {
            self.boxes += 1;
            match &part.kind {
                b"ipma" => self.list_bytes += part.data.len(),
                b"ipco" => {
                    self.property_bytes += part.data.len();
                    for property in boxes(part.data) {
                        self.properties += 1;
                        if property.kind == *b"hvcC" {
                            self.parameter_bytes += property.data.len();
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// The extents that a list of places declares (ISO/IEC 14496-12, 8.11.3), up to where it ends early;
/// `None` if it has no head.
fn extents(list: &[u8]) -> Option<usize> {
    let version = *list.first()?;
    let (sizes, more_sizes) = (*list.get(4)?, *list.get(5)?);
    let (offset, length, base) = (sizes >> 4, sizes & 15, more_sizes >> 4);
    let index = if version >= 1 { more_sizes & 15 } else { 0 };
    let extent_bytes = usize::from(offset) + usize::from(length) + usize::from(index);
    let (count, mut at) = if version < 2 {
        (u32::from(be_u16(list, 6)?), 8)
    } else {
        (be_u32(list, 6)?, 10)
    };
    let id_bytes = if version < 2 { 2 } else { 4 };
    let method_bytes = if version >= 1 { 2 } else { 0 };
    let mut extents = 0_usize;
    for _ in 0..count {
        // An item's number, how it is made, where its data is, and the base of its offsets.
        at += id_bytes + method_bytes + 2 + usize::from(base);
        let Some(its_extents) = be_u16(list, at) else {
            break;
        };
        extents = extents.saturating_add(its_extents.into());
        at += 2 + usize::from(its_extents) * extent_bytes;
    }
    Some(extents)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media_box(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
        let data = parts.concat();
        [&(data.len() as u32 + 8).to_be_bytes()[..], kind, &data].concat()
    }

    fn of_parts(parts: &[Vec<u8>]) -> Vec<u8> {
        media_box(b"meta", &[&[0; 4], &parts.concat()])
    }

    /// Places of items with so many extents each, of these field sizes.
    fn places(
        version: u8,
        sizes: [u8; 2],
        items: u16,
        extents: u16,
        extent_bytes: usize,
    ) -> Vec<u8> {
        let method: &[u8] = if version == 0 { &[] } else { &[0, 1] };
        let item = [&[0, 1][..], method, &[0, 0], &extents.to_be_bytes()].concat();
        let item = [item, vec![0; usize::from(extents) * extent_bytes]].concat();
        let head = [&[version, 0, 0, 0][..], &sizes, &items.to_be_bytes()].concat();
        media_box(b"iloc", &[&head, &item.repeat(items.into())])
    }

    #[test]
    fn what_a_picture_does_not_have_is_refused_before_it_is_read() {
        let info = media_box(b"infe", &[&[2, 0, 0, 0, 0, 1, 0, 0], b"Exif\0"]);
        let infos = |count| media_box(b"iinf", &[&[0; 6], &info.repeat(count)]);
        let property = media_box(b"ispe", &[&[0; 12]]);
        let properties = |kind: &[u8; 4], count: usize| {
            let list = property.repeat(count);
            media_box(b"iprp", &[&media_box(kind, &[&list])])
        };
        let profile = media_box(b"colr", &[b"prof", &vec![0; MAX_PROPERTY_BYTES]]);
        let parameters = media_box(b"hvcC", &[&vec![0; 1 << 16]]);
        for (what, part) in [
            ("items", infos(MAX_ITEMS + 1)),
            // Extents without a byte: 65,535 of them take six.
            ("parts of items", places(0, [0, 0], 1, u16::MAX, 0)),
            ("parts of items", places(0, [0x44, 0], 11, 1000, 8)),
            ("parts of items", places(1, [0x44, 4], 11, 1000, 12)),
            (
                "bytes in its lists",
                media_box(b"iref", &[&vec![0; MAX_LIST_BYTES + 1]]),
            ),
            (
                "bytes in its lists",
                properties(b"ipma", MAX_LIST_BYTES / 20 + 1),
            ),
            ("properties", properties(b"ipco", MAX_PROPERTIES + 1)),
            (
                "bytes of properties",
                media_box(b"iprp", &[&media_box(b"ipco", &[&profile])]),
            ),
            (
                "bytes of parameters",
                media_box(b"iprp", &[&media_box(b"ipco", &[&parameters.repeat(5)])]),
            ),
            ("boxes", media_box(b"free", &[]).repeat(MAX_BOXES + 1)),
        ] {
            let error = check(&of_parts(&[part]), Format::Heif).unwrap_err();
            assert!(error.to_string().ends_with(what), "{what}: {error}");
        }
        // None of them alone is too much, all together are.
        let lists = media_box(b"ipma", &[&vec![0; MAX_LIST_BYTES / 2]]);
        let many = media_box(b"iprp", &[&lists.repeat(3)]);
        assert!(check(&of_parts(&[many]), Format::Avif).is_err());
        let twice = of_parts(&[infos(1)]).repeat(2);
        assert!(check(&twice, Format::Avif).is_err());
        let fine = [
            infos(MAX_ITEMS),
            places(1, [0x44, 0], 1000, 1, 8),
            properties(b"ipco", 100),
        ];
        assert_eq!(check(&of_parts(&fine), Format::Avif), Ok(()));
    }
}
