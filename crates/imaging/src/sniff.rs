//! Finds the format by the magic bytes; names and content types are not trusted.

use super::error::ImagingError;
use crate::decode::ico::is_ico;
use crate::decode::raw::is_raw;
use crate::decode::svg::is_svg;
use crate::formats::Format;

/// Where they are, and of which format.
const SIGNATURES: &[(usize, &[u8], Format)] = &[
    (0, b"\xff\xd8\xff", Format::Jpeg),
    (0, b"\x89PNG\r\n\x1a\n", Format::Png),
    (0, b"GIF87a", Format::Gif),
    (0, b"GIF89a", Format::Gif),
    (0, b"BM", Format::Bmp),
    // Both byte orders, and those of BigTIFF.
    (0, b"II*\0", Format::Tiff),
    (0, b"MM\0*", Format::Tiff),
    (0, b"II+\0", Format::Tiff),
    (0, b"MM\0+", Format::Tiff),
    (0, b"qoif", Format::Qoi),
    (0, b"DDS ", Format::Dds),
    (0, b"\xff\x0a", Format::Jxl),
    (0, b"\0\0\0\x0cJXL ", Format::Jxl),
    (0, b"\0\0\0\x0cjP  ", Format::Jpeg2000),
    (0, b"\xff\x4f\xff\x51", Format::Jpeg2000),
    (0, b"8BPS\0\x01", Format::Psd),
    (0, b"8BPS\0\x02", Format::Psd),
];

/// Signatures of what people submit by mistake, so that the error can name it.
const LOOK_ALIKES: &[(usize, &[u8], &str)] = &[
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (4, b"ftyp", "a video"),
    (0, b"\x1a\x45\xdf\xa3", "a video"),
];

/// Openings of markup, compared without regard to case after leading white space.
const MARKUP: &[(&[u8], &str)] = &[
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"<head", "an HTML page"),
    (b"<body", "an HTML page"),
    (b"<script", "an HTML page"),
    (b"<?xml", "an XML document"),
];

/// Finds the format of `bytes`.
///
/// # Errors
/// [`ImagingError::Empty`], or [`ImagingError::Unsupported`] for anything that is of no format that
/// is read.
pub(crate) fn sniff(bytes: &[u8]) -> Result<Format, ImagingError> {
    if bytes.is_empty() {
        return Err(ImagingError::Empty);
    }
    let signed = SIGNATURES
        .iter()
        .find(|(offset, magic, _)| has_at(bytes, *offset, magic))
        .map(|(.., format)| *format);
    let format = match signed {
        // Most begin as a TIFF does.
        Some(Format::Tiff) | None if is_raw(bytes) => Some(Format::Raw),
        Some(Format::Bmp) if !is_bmp(bytes) => None,
        None if is_avif(bytes) => Some(Format::Avif),
        None if is_heif(bytes) => Some(Format::Heif),
        Some(format) => Some(format),
        None if bytes.starts_with(b"RIFF") && has_at(bytes, 8, b"WEBP") => Some(Format::Webp),
        None if is_ico(bytes) => Some(Format::Ico),
        None if is_pnm(bytes) => Some(Format::Pnm),
        None if is_svg(bytes) => Some(Format::Svg),
        // It has no signature.
        None if is_tga(bytes) => Some(Format::Tga),
        None if bytes.starts_with(PDF) => Some(Format::Pdf),
        None => None,
    };
    if let Some(format) = format {
        return Ok(format);
    }
    match look_alike(bytes) {
        // A document in an archive is not one.
        None if has_late_pdf(bytes) => Ok(Format::Pdf),
        looks_like => Err(ImagingError::Unsupported {
            looks_like: looks_like.unwrap_or("not an image of a known format"),
        }),
    }
}

/// A file type box (ISO/IEC 14496-12, 4.3) whose brands name AVIF.
fn is_avif(bytes: &[u8]) -> bool {
    let brands = bytes
        .get(4..8)
        .filter(|kind| *kind == b"ftyp")
        .and_then(|_| {
            let size = bytes.first_chunk().copied().map(u32::from_be_bytes)?;
            bytes.get(8..bytes.len().min(size as usize))
        });
    let mut brands = brands.unwrap_or_default().chunks_exact(4);
    brands.any(|brand| brand == b"avif" || brand == b"avis")
}

fn has_at(bytes: &[u8], offset: usize, magic: &[u8]) -> bool {
    bytes.get(offset..).is_some_and(|at| at.starts_with(magic))
}

/// `BM` alone is not enough to distinguish a picture from a text: the header of the picture must have
/// a size that is in use (`BITMAPCOREHEADER` to `BITMAPV5HEADER`; those of OS/2 2.x end after any
/// field).
fn is_bmp(bytes: &[u8]) -> bool {
    bytes.starts_with(b"BM")
        && bytes
            .get(14..18)
            .and_then(|size| size.try_into().ok())
            .is_some_and(|size| match u32::from_le_bytes(size) {
                12 | 42 | 46 | 108 | 124 => true,
                size => (16..=64).contains(&size) && size.is_multiple_of(4),
            })
}

/// The brands of HEVC in HEIF (ISO/IEC 23008-12, annex B), or the general ones without AV1's.
fn is_heif(bytes: &[u8]) -> bool {
    const HEVC: [&[u8; 4]; 6] = [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"];
    const GENERAL: [&[u8; 4]; 3] = [b"mif1", b"mif2", b"msf1"];
    if !has_at(bytes, 4, b"ftyp") {
        return false;
    }
    let length = bytes
        .first_chunk()
        .map_or(0, |bytes| u32::from_be_bytes(*bytes));
    let end = bytes.len().min(length as usize).min(MAX_BRANDS_BYTES);
    let brands = bytes.get(8..end).unwrap_or_default();
    let (brands, _) = brands.as_chunks::<4>();
    // The second is a version.
    let has = |wanted: &[&[u8; 4]]| {
        let mut named = brands.iter().take(1).chain(brands.iter().skip(2));
        named.any(|brand| wanted.contains(&brand))
    };
    brands.first().is_some_and(|major| HEVC.contains(&major))
        || brands.first().is_some_and(|major| GENERAL.contains(&major)) && !has(&[b"avif", b"avis"])
}

/// Real files name up to ten.
const MAX_BRANDS_BYTES: usize = 1024;

/// `P1` to `P7`, and white space.
fn is_pnm(bytes: &[u8]) -> bool {
    matches!(bytes, [b'P', b'1'..=b'7', b' ' | b'\t'..=b'\r', ..])
}

/// The fields that have few values (Truevision TGA 2.0, C.2).
fn is_tga(bytes: &[u8]) -> bool {
    const HEADER_BYTES: usize = 18;
    let Some(header) = bytes.get(..HEADER_BYTES) else {
        return false;
    };
    let [has_map, kind, map_bits, bits, flags] = [1, 2, 7, 16, 17].map(|at| header[at]);
    let is_kind = match (kind, has_map) {
        (1 | 9, 1) => matches!(bits, 8 | 16) && matches!(map_bits, 15 | 16 | 24 | 32),
        (2 | 10, 0 | 1) => matches!(bits, 15 | 16 | 24 | 32),
        (3 | 11, 0 | 1) => matches!(bits, 8 | 16),
        _ => false,
    };
    // The highest bits are reserved; sides are not 0.
    let has_sides = header[12..14] != [0; 2] && header[14..16] != [0; 2];
    is_kind && flags & 0xc0 == 0 && has_sides
}

const PDF: &[u8] = b"%PDF-";

/// Readers take a header within the first 1024 bytes (ISO 32000-1, annex H, note 13): behind what a
/// mail program or a printer's language put there.
fn has_late_pdf(bytes: &[u8]) -> bool {
    const WITHIN: usize = 1024;
    let beginning = &bytes[..bytes.len().min(WITHIN)];
    memchr::memmem::find(beginning, PDF).is_some()
}

fn look_alike(bytes: &[u8]) -> Option<&'static str> {
    for (offset, magic, name) in LOOK_ALIKES {
        if has_at(bytes, *offset, magic) {
            return Some(name);
        }
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = text.trim_ascii_start();
    for (opening, name) in MARKUP {
        if text
            .get(..opening.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(opening))
        {
            return Some(name);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_their_first_bytes() {
        let mut bmp = b"BM\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
        bmp.extend_from_slice(&40_u32.to_le_bytes());
        for (bytes, format) in [
            (&b"\xff\xd8\xff\xe0"[..], Format::Jpeg),
            (b"\x89PNG\r\n\x1a\n", Format::Png),
            (b"GIF87a", Format::Gif),
            (b"GIF89a", Format::Gif),
            (b"RIFF\0\0\0\0WEBPVP8 ", Format::Webp),
            (&bmp, Format::Bmp),
            (b"\0\0\0\x14ftypavif\0\0\0\0mif1", Format::Avif),
            (b"\0\0\0\x14ftypmif1\0\0\0\0avif", Format::Avif),
            (b"II*\0\x08\0\0\0", Format::Tiff),
            (b"MM\0+\0\x08\0\0", Format::Tiff),
            (b"IIRO\x08\0\0\0", Format::Raw),
            (b"FUJIFILMCCD-RAW 0201", Format::Raw),
            (b"\0\0\0\x18ftypcrx ", Format::Raw),
            (b"P5 1 1 255\n\0", Format::Pnm),
            (b"qoif", Format::Qoi),
            (b"DDS |", Format::Dds),
            (b"\n<!-- a drawing --><svg xmlns='x'/>", Format::Svg),
            (b"%PDF-1.7\n", Format::Pdf),
            (b"\x1b%-12345X@PJL\r\n%PDF-1.4\n", Format::Pdf),
        ] {
            assert_eq!(sniff(bytes), Ok(format));
        }
    }

    #[test]
    fn what_is_no_image_is_named() {
        for (bytes, name) in [
            (&b"%PDF"[..], "not an image of a known format"),
            (b"\xef\xbb\xbf \n<!DOCTYPE html>", "an HTML page"),
            (b"<svg", "not an image of a known format"),
            (b"\x1f\x8b\x08\0", "a gzip archive"),
            (b"\0\0\0\x1cftypisom", "a video"),
            (
                b"BMW is a car maker, not a bitmap",
                "not an image of a known format",
            ),
            (b"RIFF\0\0\0\0WAVE", "not an image of a known format"),
            (b"\xff", "not an image of a known format"),
            (b"PK\x03\x04 %PDF-1.7", "a ZIP archive"),
            (b"<html>%PDF-1.7", "an HTML page"),
        ] {
            assert_eq!(
                sniff(bytes),
                Err(ImagingError::Unsupported { looks_like: name })
            );
        }
        assert_eq!(sniff(b""), Err(ImagingError::Empty));
    }
}
