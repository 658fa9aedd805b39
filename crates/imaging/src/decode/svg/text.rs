//! The text of an SVG: out of gzip (RFC 1952), in UTF-8.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::GzDecoder;

use super::corrupt;
use crate::error::ImagingError;

const GZIP: &[u8] = b"\x1f\x8b\x08";
/// Within so many bytes the root element has begun: behind comments, a document type with its
/// entities, and the namespaces of editors.
const BEGINNING_BYTES: usize = 64 << 10;

/// No DEFLATE stream becomes so many times as long (zlib's technical details: 1032).
const MOST_TIMES: usize = 1033;

/// The length of the text: of a compressed one as its last field declares it (2.3.1, ISIZE). That is
/// anything if the file is cut off.
pub(super) fn declared_bytes(bytes: &[u8]) -> Result<usize, ImagingError> {
    let Some(size) = bytes.last_chunk().filter(|_| bytes.starts_with(GZIP)) else {
        return Ok(bytes.len());
    };
    let declared = u32::from_le_bytes(*size) as usize;
    if declared > bytes.len().saturating_mul(MOST_TIMES) {
        return Err(corrupt("its gzip can't hold what it declares"));
    }
    Ok(declared)
}

/// As much of the text as the root element needs. What can't be inflated is left out.
pub(super) fn beginning(bytes: &[u8]) -> Cow<'_, [u8]> {
    if !bytes.starts_with(GZIP) {
        return Cow::Borrowed(&bytes[..bytes.len().min(BEGINNING_BYTES)]);
    }
    let mut text = Vec::new();
    let mut inflated = GzDecoder::new(bytes).take(BEGINNING_BYTES as u64);
    // What came before a fault is text all the same: decoding tells of the fault.
    let _ = inflated.read_to_end(&mut text);
    Cow::Owned(text)
}

/// The whole text. Only what was declared is inflated.
pub(super) fn whole(bytes: &[u8], declared_bytes: usize) -> Result<Cow<'_, str>, ImagingError> {
    let bytes = if bytes.starts_with(GZIP) {
        let mut text = Vec::new();
        let mut inflated = GzDecoder::new(bytes).take(declared_bytes as u64 + 1);
        inflated
            .read_to_end(&mut text)
            .map_err(|error| corrupt(format_args!("its gzip: {error}")))?;
        if text.len() > declared_bytes {
            return Err(corrupt("its gzip holds more than it declares"));
        }
        Cow::Owned(text)
    } else {
        Cow::Borrowed(bytes)
    };
    Ok(match bytes {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Cow::Owned(text),
            Err(error) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
        },
    })
}
