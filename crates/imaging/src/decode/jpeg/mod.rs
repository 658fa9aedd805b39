//! JPEG (ITU-T T.81): by the scaled decoder of this crate where it can, else by a full one.

mod full;
mod scaled;
mod segments;

use std::borrow::Cow;

use self::segments::{Segments, marker};
use super::{Decoded, Target, be_u16};
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::header::{EmbeddedProfile, Header, Kind};
use crate::limits::Limits;
use crate::metadata::{ExifFacts, photoshop};
use thumbforge_codecs::jpeg::{self as codec, JpegError, read_header};

const EXIF_PREFIX: &[u8] = b"Exif\0\0";
const PHOTOSHOP_PREFIX: &[u8] = b"Photoshop 3.0\0";
const ICC_PREFIX: &[u8] = b"ICC_PROFILE\0";

/// A file that proves to be unusual, but not corrupt, only while it is decoded goes to the full
/// decoder if that takes no more than this. The scaled decoder's estimate must hold, or a hundred
/// megapixels would be reserved for each picture in case it is damaged.
const FALLBACK_BYTES: usize = 32 << 20;

pub(super) fn inspect<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Header<'a>, ImagingError> {
    let mut frame = None;
    let (mut exif, mut photoshop_exif) = (None, None);
    let mut icc_chunks = Vec::new();
    for (index, (kind, data)) in Segments::new(bytes).enumerate() {
        limits.check_chunks(u32::try_from(index + 1).unwrap_or(u32::MAX))?;
        match kind {
            marker::APP1 if exif.is_none() => exif = data.strip_prefix(EXIF_PREFIX),
            marker::APP13 if photoshop_exif.is_none() => {
                let resources = data.strip_prefix(PHOTOSHOP_PREFIX);
                photoshop_exif = resources.and_then(photoshop::exif);
            }
            marker::APP2 => icc_chunks.extend(data.strip_prefix(ICC_PREFIX)),
            marker::DHT | marker::JPG | marker::DAC => {}
            marker::SOF0..=marker::SOF15 if frame.is_none() => frame = Some((kind, data)),
            _ => {}
        }
    }
    let (kind, data) = frame.ok_or_else(|| corrupt("it has no frame header"))?;
    let (Some(height), Some(width), Some(&components)) =
        (be_u16(data, 1), be_u16(data, 3), data.get(5))
    else {
        return Err(corrupt("its frame header is too short"));
    };
    if let Some(kind) = unsupported_kind(kind, data[0]) {
        return Err(ImagingError::UnsupportedKind {
            format: Format::Jpeg,
            kind,
        });
    }
    let size = Size::new(width.into(), height.into());
    Ok(Header {
        size,
        has_alpha: false,
        frames: 1,
        icc: joined_profile(&icc_chunks, limits.max_icc_bytes),
        exif: exif
            .or(photoshop_exif)
            .map(ExifFacts::read)
            .unwrap_or_default(),
        kind: Kind::Jpeg(JpegFacts {
            components,
            evenly_sampled: is_evenly_sampled(data),
            progressive: kind == marker::SOF2,
            scaled: read_header(bytes)
                .ok()
                .filter(|header| (header.width, header.height) == (size.width, size.height)),
        }),
    })
}

/// Kinds that neither decoder takes, by the marker of the frame (T.81, table B.1) and its bits a
/// sample.
fn unsupported_kind(frame: u8, precision: u8) -> Option<&'static str> {
    match (frame, precision) {
        (0xc3 | 0xc7 | 0xcb | 0xcf, _) => Some("a lossless JPEG"),
        (0xc5 | 0xc6 | 0xcd | 0xce, _) => Some("a hierarchical JPEG"),
        (0xc9 | 0xca, _) => Some("an arithmetic-coded JPEG"),
        (_, 8) => None,
        (_, 12) => Some("a JPEG of 12 bits a sample"),
        (_, 16) => Some("a JPEG of 16 bits a sample"),
        _ => None,
    }
}

/// True if the first component of a frame header has the most samples, and all others a whole
/// fraction of them.
fn is_evenly_sampled(frame: &[u8]) -> bool {
    let components = frame.get(6..).unwrap_or_default().chunks_exact(3);
    let mut factors = components.map(|component| (component[1] >> 4, component[1] & 15));
    let Some((h, v)) = factors.next() else {
        return false;
    };
    let divides = |part: u8, whole: u8| part > 0 && part <= whole && whole.is_multiple_of(part);
    divides(1, h) && divides(1, v) && factors.all(|part| divides(part.0, h) && divides(part.1, v))
}

/// Joins the profile from its chunks, which begin with their number, from 1, and their count
/// (ICC.1:2022, annex B.4). Of several with one number the first counts. Anything else out of order
/// makes it unreadable.
fn joined_profile<'a>(chunks: &[&'a [u8]], max_bytes: usize) -> EmbeddedProfile<'a> {
    let mut parts: Vec<(u8, &[u8])> = Vec::with_capacity(chunks.len());
    let mut counts = Vec::with_capacity(chunks.len());
    for chunk in chunks {
        let Some(([number, count], data)) = chunk.split_first_chunk() else {
            return EmbeddedProfile::None;
        };
        parts.push((*number, data));
        counts.push(usize::from(*count));
    }
    parts.sort_by_key(|(number, _)| *number);
    parts.dedup_by_key(|(number, _)| *number);
    let is_complete = parts
        .iter()
        .zip(1_u8..)
        .all(|((number, _), expected)| *number == expected)
        && counts.iter().all(|count| *count == parts.len());
    let bytes: usize = parts.iter().map(|(_, data)| data.len()).sum();
    match parts.as_slice() {
        [] => EmbeddedProfile::None,
        _ if !is_complete || bytes > max_bytes => EmbeddedProfile::None,
        [(_, data)] => EmbeddedProfile::Plain(Cow::Borrowed(data)),
        _ => EmbeddedProfile::Plain(Cow::Owned(
            parts
                .into_iter()
                .flat_map(|(_, data)| data)
                .copied()
                .collect(),
        )),
    }
}

/// The coding of a JPEG, as far as it decides the decoder and its cost.
#[derive(Debug)]
pub(crate) struct JpegFacts {
    components: u8,
    /// The first component has the most samples, the others whole fractions of them.
    evenly_sampled: bool,
    progressive: bool,
    /// What the scaled decoder needs, if it takes the file.
    scaled: Option<codec::Header>,
}

impl JpegFacts {
    pub(super) fn memory_bytes(&self, size: Size, target: Size) -> usize {
        let full = self.full_memory_bytes(size, target);
        match &self.scaled {
            Some(scaled) if full > FALLBACK_BYTES => scaled::memory_bytes(scaled, target),
            Some(scaled) => scaled::memory_bytes(scaled, target).max(full),
            None => full,
        }
    }

    pub(super) fn decode<'s>(
        &self,
        bytes: &[u8],
        size: Size,
        target: Target,
        limits: &Limits,
        scratch: &'s mut codec::Scratch,
    ) -> Result<Decoded<'s>, ImagingError> {
        limits.check_deadline()?;
        if let Some(scaled) = &self.scaled {
            match scaled::decode(bytes, scaled, target.size, limits, scratch)? {
                scaled::Attempt::Decoded(decoded) => return Ok(decoded),
                scaled::Attempt::Declined(reason) => {
                    let is_large = self.full_memory_bytes(size, target.size) > FALLBACK_BYTES;
                    if is_large || !matches!(reason, JpegError::Unsupported(_)) {
                        return Err(corrupt(reason));
                    }
                }
            }
        }
        if !matches!(self.components, 1 | 3 | 4) {
            return Err(corrupt("it has neither one nor three nor four components"));
        }
        if !self.evenly_sampled {
            // The full decoder shows stripes instead of such a picture, without an error.
            return Err(corrupt("its sampling factors are not supported"));
        }
        full::decode(bytes, self.components, (size, target.size), limits)
    }

    fn full_memory_bytes(&self, size: Size, target: Size) -> usize {
        full::memory_bytes(self.components, self.progressive, size, target)
    }
}

fn corrupt(reason: impl std::fmt::Display) -> ImagingError {
    ImagingError::corrupt(Format::Jpeg, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_joined_in_order_and_refused_when_incomplete() {
        let joined = |chunks: &[&'static [u8]]| match joined_profile(chunks, 100) {
            EmbeddedProfile::Plain(bytes) => Some(bytes.into_owned()),
            _ => None,
        };
        assert_eq!(joined(&[b"\x01\x01abc"]), Some(b"abc".to_vec()));
        assert_eq!(
            joined(&[b"\x02\x02cd", b"\x01\x02ab"]),
            Some(b"abcd".to_vec())
        );
        assert_eq!(
            joined(&[b"\x01\x01abc", b"\x01\x01abc"]),
            Some(b"abc".to_vec())
        );
        assert_eq!(
            joined(&[b"\x01\x02ab", b"\x02\x02cd", b"\x01\x02xy"]),
            Some(b"abcd".to_vec())
        );
        for broken in [
            &[&b"\x01\x02ab"[..]][..],
            &[b"\x00\x01ab"],
            &[b"\x01\x02ab", b"\x01\x02cd"],
            &[b"\x01"],
            &[],
        ] {
            assert_eq!(joined(broken), None, "{broken:?}");
        }
        let part = [&b"\x01\x01"[..], &[0; 101]].concat();
        assert!(matches!(
            joined_profile(&[&part], 101),
            EmbeddedProfile::Plain(_)
        ));
        assert!(matches!(
            joined_profile(&[&part], 100),
            EmbeddedProfile::None
        ));
    }
}
