//! Camera RAW: the largest JPEG in the file, which the camera made as its preview. Its size is what
//! is reported; the sensor's samples are not developed.
//!
//! Most are built as TIFF is: CR2 (Canon), NEF (Nikon), ARW (Sony), DNG, ORF (Olympus), RW2
//! (Panasonic). CR3 is an ISO base media file, RAF (Fujifilm) has a directory of its own.

use super::boxes::{MAX_BOXES, MediaBox, boxes, find};
use super::{be_u32, embedded};
use crate::error::ImagingError;
use crate::formats::Format;
use crate::header::Header;
use crate::ifd::{Field, Ifd, Ifds};
use crate::limits::Limits;
use crate::metadata::ExifFacts;

const RAF: &[u8] = b"FUJIFILMCCD-RAW ";
/// Of ORF and RW2, in place of TIFF's number.
const OTHER_NUMBERS: [&[u8; 4]; 4] = [b"IIRO", b"IIRS", b"MMOR", b"IIU\0"];

mod tag {
    pub const COMPRESSION: u16 = 259;
    pub const PHOTOMETRIC: u16 = 262;
    pub const STRIP_OFFSETS: u16 = 273;
    pub const STRIP_BYTES: u16 = 279;
    pub const ORIENTATION: u16 = 274;
    pub const CHILDREN: u16 = 330;
    pub const JPEG: u16 = 513;
    pub const JPEG_BYTES: u16 = 514;
    pub const EXIF: u16 = 34_665;
    pub const MAKER_NOTE: u16 = 37_500;
    pub const DNG_VERSION: u16 = 50_706;
    /// The whole JPEG, in RW2.
    pub const PANASONIC_JPEG: u16 = 0x2e;
    /// A directory in Olympus's note, and in it the preview.
    pub const OLYMPUS_SETTINGS: u16 = 0x2020;
    pub const OLYMPUS_JPEG: u16 = 0x101;
    pub const OLYMPUS_JPEG_BYTES: u16 = 0x102;
}

/// Directories of one file that are looked at.
const MAX_DIRECTORIES: usize = 32;
/// Cameras write up to five.
const MAX_PREVIEWS: usize = 32;

/// What the file says of a JPEG in it.
struct Preview {
    at: u64,
    bytes: u64,
    /// Where its own directory gives one.
    orientation: Option<u8>,
}

/// A TIFF is a RAW if one of its pictures is of a sensor: in the colours of its filter, linear, or
/// in a compression that only cameras write.
pub(crate) fn is_raw(bytes: &[u8]) -> bool {
    const SENSOR_COLOURS: [u64; 2] = [32_803, 34_892];
    const SENSOR_CODINGS: [u64; 3] = [32_767, 34_713, 65_535];
    if bytes.starts_with(RAF)
        || bytes.get(4..12) == Some(b"ftypcrx ")
        || OTHER_NUMBERS
            .iter()
            .any(|number| bytes.starts_with(*number))
    {
        return true;
    }
    let Some(file) = Ifds::read(bytes) else {
        return false;
    };
    let is_canon = bytes.get(8..10) == Some(b"CR");
    let is_of = |ifd: Ifd<'_>, tag, values: &[u64]| {
        ifd.number(tag).is_some_and(|value| values.contains(&value))
    };
    is_canon
        || directories(file).iter().any(|ifd| {
            ifd.field(tag::DNG_VERSION).is_some()
                || is_of(*ifd, tag::PHOTOMETRIC, &SENSOR_COLOURS)
                || is_of(*ifd, tag::COMPRESSION, &SENSOR_CODINGS)
        })
}

/// The chain, and the children of each.
fn directories(file: Ifds<'_>) -> Vec<Ifd<'_>> {
    let chain = std::iter::successors(file.first(), |ifd| ifd.next());
    let mut all: Vec<Ifd<'_>> = Vec::new();
    for ifd in chain.take(MAX_DIRECTORIES / 4) {
        all.push(ifd);
        let left = MAX_DIRECTORIES.saturating_sub(all.len());
        all.extend(ifd.children(tag::CHILDREN, left));
    }
    all
}

pub(super) fn inspect<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Header<'a>, ImagingError> {
    let (previews, exif) = if bytes.starts_with(RAF) {
        (fujifilm_previews(bytes), None)
    } else if let Some(file) = Ifds::read(bytes) {
        (tiff_previews(file), Some(ExifFacts::of_file(file)))
    } else {
        canon_previews(bytes)
    };
    let mut largest: Option<(u64, Header<'a>, Option<u8>)> = None;
    let mut first_error = None;
    for preview in previews.iter().take(MAX_PREVIEWS) {
        let place = (preview.at, preview.bytes);
        match embedded::inspect(bytes, Format::Raw, place, limits) {
            Ok(header) => {
                let area = header.size.area() as u64;
                let is_larger = largest.as_ref().is_none_or(|(most, ..)| area > *most);
                if area <= limits.max_pixels && is_larger {
                    largest = Some((area, header, preview.orientation));
                }
            }
            // The sensor's samples are a lossless JPEG in many.
            Err(error) => _ = first_error.get_or_insert(error),
        }
    }
    match (largest, first_error) {
        (Some((_, mut header, orientation)), _) => {
            if let Some(exif) = exif {
                header.exif = exif;
            }
            if let Some(orientation) = orientation {
                header.exif.orientation = orientation;
            }
            Ok(header)
        }
        (None, Some(error @ ImagingError::TooMany { .. })) => Err(error),
        _ => Err(ImagingError::UnsupportedKind {
            format: Format::Raw,
            kind: "a file without a JPEG of its picture",
        }),
    }
}

fn tiff_previews(file: Ifds<'_>) -> Vec<Preview> {
    let mut previews = Vec::new();
    for ifd in directories(file) {
        let orientation = ifd
            .number(tag::ORIENTATION)
            .and_then(|value| u8::try_from(value).ok())
            .filter(|value| (1..=8).contains(value));
        let mut add = |at: Option<u64>, bytes: Option<u64>| {
            if let (Some(at), Some(bytes)) = (at, bytes) {
                previews.push(Preview {
                    at,
                    bytes,
                    orientation,
                });
            }
        };
        add(ifd.number(tag::JPEG), ifd.number(tag::JPEG_BYTES));
        let is_one_strip = ifd
            .field(tag::STRIP_OFFSETS)
            .is_some_and(|field| field.count == 1);
        if is_one_strip && matches!(ifd.number(tag::COMPRESSION), Some(6 | 7)) {
            add(ifd.number(tag::STRIP_OFFSETS), ifd.number(tag::STRIP_BYTES));
        }
        if let Some(place) = ifd.field(tag::PANASONIC_JPEG).and_then(Field::place) {
            add(Some(place.0), Some(place.1));
        }
        for shot in ifd.children(tag::EXIF, 1) {
            previews.extend(olympus_preview(file, shot));
        }
    }
    previews
}

/// Its note has offsets from its own beginning, or from the file's in cameras before 2006.
fn olympus_preview(file: Ifds<'_>, shot: Ifd<'_>) -> Option<Preview> {
    let (at, length) = shot.field(tag::MAKER_NOTE)?.place()?;
    let start = usize::try_from(at).ok()?;
    let end = start
        .checked_add(usize::try_from(length).ok()?)?
        .min(file.bytes.len());
    let note = file.bytes.get(start..end)?;
    let (base, first) = if note.starts_with(b"OLYMPUS\0") {
        (at, 12)
    } else if note.starts_with(b"OM SYSTEM\0") {
        (at, 16)
    } else if note.starts_with(b"OLYMP\0") {
        (0, at + 8)
    } else {
        return None;
    };
    let within = file.from(usize::try_from(base).ok()?)?;
    let notes = within.at(first)?;
    let field = notes.field(tag::OLYMPUS_SETTINGS)?;
    // The directory itself, or where it is.
    let settings = match field.place() {
        Some((place, _)) => within.at(place.checked_sub(base)?)?,
        None => within.at(field.get(0)?)?,
    };
    Some(Preview {
        at: settings.number(tag::OLYMPUS_JPEG)?.checked_add(base)?,
        bytes: settings.number(tag::OLYMPUS_JPEG_BYTES)?,
        orientation: None,
    })
}

/// Offset and length stand after the names of camera and firmware.
fn fujifilm_previews(bytes: &[u8]) -> Vec<Preview> {
    let place = be_u32(bytes, 84).zip(be_u32(bytes, 88));
    let preview = place.map(|(at, bytes)| Preview {
        at: at.into(),
        bytes: bytes.into(),
        orientation: None,
    });
    preview.into_iter().collect()
}

/// CR3: a preview in a box of its own, and the whole picture as the first sample of a track.
fn canon_previews(bytes: &[u8]) -> (Vec<Preview>, Option<ExifFacts>) {
    const UUID_BYTES: usize = 16;
    let mut previews = Vec::new();
    let mut exif = None;
    for found in boxes(bytes).take(MAX_BOXES) {
        match &found.kind {
            b"moov" => {
                for inner in boxes(found.data).take(MAX_BOXES) {
                    match &inner.kind {
                        b"uuid" => {
                            let canon = inner.data.get(UUID_BYTES..).unwrap_or_default();
                            let part = |kind| find(canon, kind).map(|part| part.data);
                            if let Some(image) = part(b"CMT1") {
                                exif.get_or_insert_with(|| {
                                    ExifFacts::of_parts(image, part(b"CMT2"))
                                });
                            }
                        }
                        b"trak" => previews.extend(first_sample(inner.data)),
                        _ => {}
                    }
                }
            }
            b"uuid" => previews.extend(canon_preview(found)),
            _ => {}
        }
    }
    (previews, exif)
}

/// The JPEG begins within the first bytes of the box and fills the rest of it.
fn canon_preview(found: MediaBox<'_>) -> Option<Preview> {
    let at = memchr::memmem::find(found.data, b"PRVW")?;
    let head = found
        .data
        .get(at..at.checked_add(64)?.min(found.data.len()))?;
    let start = at + memchr::memmem::find(head, b"\xff\xd8\xff")?;
    Some(Preview {
        at: (found.at + start) as u64,
        bytes: (found.data.len() - start) as u64,
        orientation: None,
    })
}

/// ISO/IEC 14496-12, 8.7: sizes and places of the samples of a track.
fn first_sample(track: &[u8]) -> Option<Preview> {
    let path: [&[u8; 4]; 3] = [b"mdia", b"minf", b"stbl"];
    let table = path
        .iter()
        .try_fold(track, |data, kind| Some(find(data, kind)?.data))?;
    let sizes = find(table, b"stsz")?.data;
    let bytes = match be_u32(sizes, 4)? {
        0 => be_u32(sizes, 12)?,
        same => same,
    };
    let at = match find(table, b"co64") {
        Some(places) => u64::from_be_bytes(*places.data.get(8..)?.first_chunk()?),
        None => be_u32(find(table, b"stco")?.data, 8)?.into(),
    };
    Some(Preview {
        at,
        bytes: bytes.into(),
        orientation: None,
    })
}
