//! The boxes of ISO base media files (ISO/IEC 14496-12, 4.2), and of what took its form.

/// A box, its data as far as the file holds it.
#[derive(Clone, Copy)]
pub(super) struct MediaBox<'a> {
    pub kind: [u8; 4],
    /// Where its data begins in what was walked.
    pub at: usize,
    pub data: &'a [u8],
}

/// The boxes that follow each other in `bytes`; ends where the structure is lost.
pub(super) fn boxes(bytes: &[u8]) -> impl Iterator<Item = MediaBox<'_>> {
    let mut position = 0;
    std::iter::from_fn(move || {
        let rest: &[u8] = bytes.get(position..)?;
        let short = u32::from_be_bytes(*rest.first_chunk()?);
        let kind = *rest.get(4..)?.first_chunk()?;
        let (header, length) = match short {
            // To the end of the file.
            0 => (8, rest.len()),
            1 => {
                let long = u64::from_be_bytes(*rest.get(8..)?.first_chunk()?);
                (16, usize::try_from(long).ok()?)
            }
            length => (8, length as usize),
        };
        if length < header {
            return None;
        }
        let at = position + header;
        let data = &rest[header.min(rest.len())..length.min(rest.len())];
        position = position.checked_add(length)?;
        Some(MediaBox { kind, at, data })
    })
}

/// The first of a kind.
pub(super) fn find<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<MediaBox<'a>> {
    boxes(bytes)
        .take(MAX_BOXES)
        .find(|found| found.kind == *kind)
}

/// Where the box begins that the file ends within.
pub(super) fn cut_box(bytes: &[u8]) -> Option<usize> {
    let mut start = 0;
    for found in boxes(bytes).take(MAX_BOXES) {
        let rest = bytes.get(start..)?;
        let length = match u32::from_be_bytes(*rest.first_chunk()?) {
            0 => return None,
            1 => u64::from_be_bytes(*rest.get(8..)?.first_chunk()?),
            length => length.into(),
        };
        if length > rest.len() as u64 {
            return Some(start);
        }
        start = found.at + found.data.len();
    }
    None
}

/// On one level; real files have some dozen.
pub(super) const MAX_BOXES: usize = 1000;
