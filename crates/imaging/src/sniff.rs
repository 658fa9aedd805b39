//! Finds the format by the magic bytes; names and content types are not trusted.

use super::error::ImagingError;
use crate::formats::Format;

const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Sizes of the BMP information headers in use (`BITMAPCOREHEADER` to `BITMAPV5HEADER`). `BM` alone
/// is not enough to distinguish a picture from a text.
const BMP_HEADER_SIZES: [u32; 8] = [12, 16, 40, 52, 56, 64, 108, 124];

/// Signatures of what people submit by mistake, so that the error can name it.
const LOOK_ALIKES: &[(usize, &[u8], &str)] = &[
    (0, b"II*\0", "a TIFF image"),
    (0, b"MM\0*", "a TIFF image"),
    (0, b"II+\0", "a TIFF image"),
    (0, b"MM\0+", "a TIFF image"),
    (0, b"%PDF-", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"\0\0\x01\0", "an ICO image"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"\xff\x0a", "a JPEG XL image"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL image"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (4, b"ftypavif", "an AVIF image"),
    (4, b"ftypavis", "an AVIF image"),
    (4, b"ftyphei", "a HEIF image"),
    (4, b"ftypmif1", "a HEIF image"),
    (4, b"ftyp", "a video"),
    (0, b"\x1a\x45\xdf\xa3", "a video"),
];

/// Openings of markup, compared without regard to case after leading white space.
const MARKUP: &[(&[u8], &str)] = &[
    (b"<svg", "an SVG image"),
    (b"<!doctype svg", "an SVG image"),
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
/// [`ImagingError::Empty`], or [`ImagingError::Unsupported`] for anything that is not a JPEG, PNG,
/// GIF, WebP or BMP file.
pub(crate) fn sniff(bytes: &[u8]) -> Result<Format, ImagingError> {
    if bytes.is_empty() {
        return Err(ImagingError::Empty);
    }
    if bytes.starts_with(b"\xff\xd8\xff") {
        Ok(Format::Jpeg)
    } else if bytes.starts_with(PNG_SIGNATURE) {
        Ok(Format::Png)
    } else if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
        Ok(Format::Gif)
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Ok(Format::Webp)
    } else if is_bmp(bytes) {
        Ok(Format::Bmp)
    } else {
        Err(ImagingError::Unsupported {
            looks_like: look_alike(bytes),
        })
    }
}

fn is_bmp(bytes: &[u8]) -> bool {
    bytes.starts_with(b"BM")
        && bytes
            .get(14..18)
            .and_then(|size| size.try_into().ok())
            .is_some_and(|size| BMP_HEADER_SIZES.contains(&u32::from_le_bytes(size)))
}

fn look_alike(bytes: &[u8]) -> &'static str {
    for (offset, magic, name) in LOOK_ALIKES {
        if bytes.get(*offset..).is_some_and(|at| at.starts_with(magic)) {
            return name;
        }
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = text.trim_ascii_start();
    for (opening, name) in MARKUP {
        if text
            .get(..opening.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(opening))
        {
            return name;
        }
    }
    "not an image of a known format"
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
        ] {
            assert_eq!(sniff(bytes), Ok(format));
        }
    }

    #[test]
    fn what_is_no_image_is_named() {
        for (bytes, name) in [
            (&b"%PDF-1.7"[..], "a PDF document"),
            (b"\xef\xbb\xbf \n<!DOCTYPE html>", "an HTML page"),
            (b"<svg xmlns='x'/>", "an SVG image"),
            (b"\0\0\0\x1cftypavif", "an AVIF image"),
            (b"\0\0\0\x1cftypisom", "a video"),
            (
                b"BMW is a car maker, not a bitmap",
                "not an image of a known format",
            ),
            (b"RIFF\0\0\0\0WAVE", "not an image of a known format"),
            (b"\xff", "not an image of a known format"),
        ] {
            assert_eq!(
                sniff(bytes),
                Err(ImagingError::Unsupported { looks_like: name })
            );
        }
        assert_eq!(sniff(b""), Err(ImagingError::Empty));
    }
}
