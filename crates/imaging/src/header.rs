//! What is known of an image before it is decoded.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::ZlibDecoder;

use super::geometry::Size;
use super::metadata::{ExifFacts, icc_tags};
use crate::source_image::SourceFormat;
use thumbforge_codecs::jpeg;

/// The facts of a file's header and chunks.
#[derive(Debug)]
pub(crate) struct Header<'a> {
    pub format: SourceFormat,
    /// As stored, before EXIF orientation; both sides are at least 1.
    pub size: Size,
    pub has_alpha: bool,
    /// Animation frames, at least 1.
    pub frames: u32,
    pub icc: EmbeddedProfile<'a>,
    /// The TIFF structure of an EXIF block, without prefix.
    pub exif: Option<&'a [u8]>,
    pub coding: Coding,
}

impl Header<'_> {
    pub(crate) fn exif_facts(&self) -> ExifFacts {
        self.exif.map(ExifFacts::read).unwrap_or_default()
    }
}

/// How the pixels are coded, as far as it decides what decoding costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Coding {
    Jpeg {
        components: u8,
        /// The first component has the most samples, the others whole fractions of them.
        evenly_sampled: bool,
        progressive: bool,
        /// What the scaled decoder needs, if it takes the file.
        scaled: Option<jpeg::Header>,
    },
    Png {
        /// Of the pixels as they are given out: 8 bits each, palette and `tRNS` expanded.
        channels: u8,
        interlaced: bool,
        /// The largest chunk that the decoder buffers whole.
        largest_chunk_bytes: usize,
    },
    Gif {
        /// Of the first frame.
        frame: Size,
        interlaced: bool,
        /// Where its pixels begin in the file.
        data_at: usize,
    },
    Webp {
        lossless: bool,
        animated: bool,
        /// Of the first picture, if it is lossy.
        lossy_bytes: usize,
        /// Look-up tables of its lossless codes, or of its alpha plane's.
        code_bytes: usize,
        /// What our own decoder takes, if it takes the file.
        opaque: Option<ChunkPlace>,
    },
    Bmp {
        channels: u8,
    },
}

/// Where the data of a chunk lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkPlace {
    pub at: usize,
    /// By its header; the file may end before.
    pub declared_bytes: usize,
}

/// An ICC profile as the file holds it.
#[derive(Debug)]
pub enum EmbeddedProfile<'a> {
    None,
    Plain(Cow<'a, [u8]>),
    /// A zlib stream.
    Deflated(&'a [u8]),
}

impl EmbeddedProfile<'_> {
    /// The most that reading it takes: the profile, what is used of it, its parsed form, in
    /// which a byte of a table is a float, and the tables of the conversion. One of more than
    /// `max_bytes` is not read.
    pub fn memory_bytes(&self, max_bytes: usize) -> usize {
        const TIMES_PARSED: usize = 6;
        let bytes = match self {
            Self::None => 0,
            Self::Plain(bytes) => bytes.len(),
            Self::Deflated(stream) => declared_bytes(&mut ZlibDecoder::new(*stream)).unwrap_or(0),
        };
        if bytes > max_bytes {
            return 0;
        }
        bytes + bytes.min(icc_tags::MAX_USED_BYTES) * TIMES_PARSED
    }
}

/// A profile begins with its own size in bytes (ICC.1:2022, 7.2.2): no more of a deflated one is inflated.
pub(super) fn declared_bytes(profile: &mut impl Read) -> Option<usize> {
    let mut size = [0; 4];
    profile.read_exact(&mut size).ok()?;
    Some(u32::from_be_bytes(size) as usize)
}
