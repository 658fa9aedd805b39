//! The used part of an ICC profile, taken out of its tag directory (ICC.1:2022, section 7) before
//! anything is parsed.
//!
//! Tags may share their bytes, and so may the records of a text. A profile of some KiB can make a
//! reader that copies each take any memory and time. So the reader of colours gets a profile with
//! only the tags that a conversion to sRGB needs, each once, each bounded in size, and no text at
//! all; the name is read here.

use std::ops::Range;

/// Real profiles have 10 to 40 tags.
const MAX_TAGS: usize = 100;
const HEADER_BYTES: usize = 128;
const COUNT_BYTES: usize = 4;
const ENTRY_BYTES: usize = 12;

/// Points, matrices and code points: at most 44 bytes.
const MAX_VALUE_BYTES: usize = 64;
/// The most that is read.
const MAX_CURVE_ENTRIES: usize = 40_000;
const MAX_CURVE_BYTES: usize = 12 + 2 * MAX_CURVE_ENTRIES;
/// A look-up table of 4 inks with 23 steps each in 16 bits takes 1.7 MB.
const MAX_LUT_BYTES: usize = 2 << 20;

/// Of all tags that a conversion uses.
pub(crate) const MAX_USED_BYTES: usize =
    MAX_LUT_BYTES + CURVES.len() * MAX_CURVE_BYTES + VALUES.len() * MAX_VALUE_BYTES;

const VALUES: [&[u8; 4]; 6] = [b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt", b"chad", b"cicp"];
const CURVES: [&[u8; 4]; 4] = [b"rTRC", b"gTRC", b"bTRC", b"kTRC"];

/// The most characters that are looked at and shown.
const MAX_NAME_CHARACTERS: usize = 255;
const MAX_NAME_RECORDS: usize = 100;

/// A profile whose directory could be read.
pub(super) struct IccTags<'a> {
    bytes: &'a [u8],
}

impl<'a> IccTags<'a> {
    /// `None` if the directory is cut short or has more than [`MAX_TAGS`] tags.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let count = u32_at(bytes, HEADER_BYTES)?;
        let end = HEADER_BYTES + COUNT_BYTES + count.min(MAX_TAGS + 1) * ENTRY_BYTES;
        (count <= MAX_TAGS && end <= bytes.len()).then_some(Self { bytes })
    }

    /// A profile with the same header, and only the tags that a conversion to sRGB needs. A tag
    /// beyond its bound is cut; its reader refuses it if it misses the rest. `None` if a needed tag
    /// lies outside the profile.
    pub(super) fn for_conversion(&self) -> Option<Vec<u8>> {
        let bounds = VALUES
            .iter()
            .map(|name| (*name, MAX_VALUE_BYTES))
            .chain(CURVES.iter().map(|name| (*name, MAX_CURVE_BYTES)));
        let mut kept = Vec::new();
        for (name, max_bytes) in bounds {
            if let Some(range) = self.range(name) {
                kept.push((name, self.data(range, max_bytes)?));
            }
        }
        let table = self.table_of_intent()?;
        // In its place, the one of the perceptual intent (ICC.1:2022, 8.10.2).
        if let Some(range) = self.range(table).or_else(|| self.range(b"A2B0")) {
            kept.push((table, self.data(range, MAX_LUT_BYTES)?));
        }
        Some(self.with_tags(&kept))
    }

    /// The table of the profile's own intent, the only one that its reader is asked for.
    fn table_of_intent(&self) -> Option<&'static [u8; 4]> {
        Some(match u32_at(self.bytes, 64)? {
            1 | 3 => b"A2B1",
            2 => b"A2B2",
            _ => b"A2B0",
        })
    }

    fn data(&self, range: Range<usize>, max_bytes: usize) -> Option<&[u8]> {
        let data = self.bytes.get(range)?;
        Some(&data[..data.len().min(max_bytes)])
    }

    /// The description: the English one, or else the first language's.
    pub(super) fn name(&self) -> Option<String> {
        let tag = self.bytes.get(self.range(b"desc")?)?;
        match tag.get(..4)? {
            b"desc" => description(tag),
            b"mluc" => localized(tag),
            b"text" => Some(latin(tag.get(8..)?)),
            _ => None,
        }
    }

    /// The first tag of that name; those too small to have a type count as missing.
    fn range(&self, name: &[u8; 4]) -> Option<Range<usize>> {
        let directory = &self.bytes[HEADER_BYTES + COUNT_BYTES..];
        let count = u32_at(self.bytes, HEADER_BYTES)?;
        let entry = directory
            .chunks_exact(ENTRY_BYTES)
            .take(count)
            .find(|entry| entry[..4] == *name)?;
        let (offset, bytes) = (u32_at(entry, 4)?, u32_at(entry, 8)?);
        (bytes >= 8).then(|| offset..offset.saturating_add(bytes))
    }

    fn with_tags(&self, tags: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut offset = HEADER_BYTES + COUNT_BYTES + tags.len() * ENTRY_BYTES;
        let size = offset + tags.iter().map(|(_, data)| padded(data)).sum::<usize>();
        let mut profile = Vec::with_capacity(size);
        profile.extend_from_slice(&self.bytes[..HEADER_BYTES]);
        profile[..4].copy_from_slice(&(size as u32).to_be_bytes());
        profile.extend_from_slice(&(tags.len() as u32).to_be_bytes());
        for (name, data) in tags {
            profile.extend_from_slice(*name);
            profile.extend_from_slice(&(offset as u32).to_be_bytes());
            profile.extend_from_slice(&(data.len() as u32).to_be_bytes());
            offset += padded(data);
        }
        for (_, data) in tags {
            profile.extend_from_slice(data);
            profile.resize(profile.len().next_multiple_of(4), 0);
        }
        profile
    }
}

fn padded(data: &[u8]) -> usize {
    data.len().next_multiple_of(4)
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<usize> {
    let word = bytes.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_be_bytes(word.try_into().ok()?) as usize)
}

/// Type `desc` of version 2: ASCII, and then Unicode.
fn description(tag: &[u8]) -> Option<String> {
    let ascii_end = 12_usize.checked_add(u32_at(tag, 8)?)?;
    let ascii = latin(tag.get(12..ascii_end)?);
    if !ascii.trim().is_empty() {
        return Some(ascii);
    }
    let units = u32_at(tag, ascii_end.checked_add(4)?)?;
    let start = ascii_end.checked_add(8)?;
    utf16(tag.get(start..start.checked_add(units.checked_mul(2)?)?)?)
}

/// Type `mluc` of version 4: records of language, country, length and offset.
fn localized(tag: &[u8]) -> Option<String> {
    let records = tag.get(16..)?;
    let mut records = records
        .chunks_exact(12)
        .take(u32_at(tag, 8)?.min(MAX_NAME_RECORDS));
    let first = records.clone().next()?;
    let record = records
        .find(|record| record.starts_with(b"en"))
        .unwrap_or(first);
    let (bytes, offset) = (u32_at(record, 4)?, u32_at(record, 8)?);
    utf16(tag.get(offset..offset.checked_add(bytes)?)?)
}

fn latin(text: &[u8]) -> String {
    let text = &text[..text.len().min(MAX_NAME_CHARACTERS)];
    let end = text.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&text[..end.unwrap_or(text.len())]).into_owned()
}

fn utf16(text: &[u8]) -> Option<String> {
    let units = text
        .chunks_exact(2)
        .take(MAX_NAME_CHARACTERS)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let text: String = char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    (!text.is_empty()).then_some(text)
}
