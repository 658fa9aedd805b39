//! The facts of an image before it is decoded.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::ZlibDecoder;

use super::decode::{
    AvifFacts, BmpFacts, EmbeddedFacts, GifFacts, HeifFacts, Jpeg2000Facts, JpegFacts, JxlFacts,
    PdfFacts, PngFacts, PsdFacts, SvgFacts, TiffFacts, WebpFacts, WholeFacts,
};
use super::geometry::Size;
use super::metadata::{Colorimetry, ExifFacts, icc_tags};
use crate::formats::Format;

/// The facts of a file's header and chunks.
#[derive(Debug)]
pub(crate) struct Header<'a> {
    /// As stored, before EXIF orientation; both sides are at least 1.
    pub size: Size,
    pub has_alpha: bool,
    /// Animation frames, at least 1.
    pub frames: u32,
    pub icc: EmbeddedProfile<'a>,
    pub exif: ExifFacts,
    pub kind: Kind,
}

/// What each format needs to know to decode its pixels.
#[derive(Debug)]
pub(crate) enum Kind {
    Jpeg(JpegFacts),
    Png(PngFacts),
    Gif(GifFacts),
    Webp(WebpFacts),
    Bmp(BmpFacts),
    Tiff(TiffFacts),
    Heif(HeifFacts),
    Jxl(JxlFacts),
    Jpeg2000(Jpeg2000Facts),
    Psd(PsdFacts),
    Whole(WholeFacts),
    /// A JPEG or PNG within a file of another format.
    Embedded(EmbeddedFacts),
    Avif(AvifFacts),
    Svg(SvgFacts),
    Pdf(PdfFacts),
}

impl Header<'_> {
    pub(crate) const fn format(&self) -> Format {
        match &self.kind {
            Kind::Jpeg(_) => Format::Jpeg,
            Kind::Png(_) => Format::Png,
            Kind::Gif(_) => Format::Gif,
            Kind::Webp(_) => Format::Webp,
            Kind::Bmp(_) => Format::Bmp,
            Kind::Tiff(_) => Format::Tiff,
            Kind::Heif(_) => Format::Heif,
            Kind::Jxl(_) => Format::Jxl,
            Kind::Jpeg2000(_) => Format::Jpeg2000,
            Kind::Psd(_) => Format::Psd,
            Kind::Whole(facts) => facts.format,
            Kind::Embedded(facts) => facts.format,
            Kind::Avif(_) => Format::Avif,
            Kind::Svg(_) => Format::Svg,
            Kind::Pdf(_) => Format::Pdf,
        }
    }

    /// The same facts, apart from the bytes that they were read from.
    pub(crate) fn into_owned(self) -> Header<'static> {
        Header {
            size: self.size,
            has_alpha: self.has_alpha,
            frames: self.frames,
            icc: self.icc.into_owned(),
            exif: self.exif,
            kind: self.kind,
        }
    }
}

/// Where the data of a chunk lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkPlace {
    pub at: usize,
    /// By its header; the file may end before.
    pub declared_bytes: usize,
}

/// An ICC profile as the file holds it, or what stands in its place.
#[derive(Debug)]
pub enum EmbeddedProfile<'a> {
    None,
    Plain(Cow<'a, [u8]>),
    /// A zlib stream.
    Deflated(Cow<'a, [u8]>),
    /// Numbers in place of a profile.
    Described(Colorimetry),
}

impl EmbeddedProfile<'_> {
    fn into_owned(self) -> EmbeddedProfile<'static> {
        match self {
            Self::None => EmbeddedProfile::None,
            Self::Described(colorimetry) => EmbeddedProfile::Described(colorimetry),
            Self::Plain(bytes) => EmbeddedProfile::Plain(Cow::Owned(bytes.into_owned())),
            Self::Deflated(stream) => EmbeddedProfile::Deflated(Cow::Owned(stream.into_owned())),
        }
    }

    /// The most memory that reading it takes: the profile, the part of it that is used, its parsed
    /// form, in which a byte of a table is a float, and the tables of the conversion. A profile of
    /// more than `max_bytes` is not read.
    pub fn memory_bytes(&self, max_bytes: usize) -> usize {
        const TIMES_PARSED: usize = 6;
        let bytes = match self {
            Self::None | Self::Described(_) => 0,
            Self::Plain(bytes) => bytes.len(),
            Self::Deflated(stream) => {
                declared_bytes(&mut ZlibDecoder::new(stream.as_ref())).unwrap_or(0)
            }
        };
        if bytes > max_bytes {
            return 0;
        }
        bytes + bytes.min(icc_tags::MAX_USED_BYTES) * TIMES_PARSED
    }
}

/// A profile begins with its own size in bytes (ICC.1:2022, 7.2.2): no more of a deflated one is
/// inflated.
pub(super) fn declared_bytes(profile: &mut impl Read) -> Option<usize> {
    let mut size = [0; 4];
    profile.read_exact(&mut size).ok()?;
    Some(u32::from_be_bytes(size) as usize)
}
