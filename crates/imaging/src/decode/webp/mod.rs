//! WebP (<https://www.rfc-editor.org/rfc/rfc9649>): the picture, or the first frame.
//!
//! Lossy pictures without alpha go to our own decoder. Pictures that are lossless, have alpha or
//! are animated go to another, which gives whole pictures or an error, so that such a file is
//! corrupt if it is truncated.

mod lossy;

use std::borrow::Cow;
use std::time::{Duration, Instant};

use image_webp::{DecodingError, WebPDecoder};
use thumbforge_codecs::vp8::Scratch;
use thumbforge_codecs::vp8l;

use super::deadline_reader::DeadlineReader;
use super::{Decoded, Target, le_u16, le_u32, reduce_picture};
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::header::{ChunkPlace, EmbeddedProfile, Header, Kind};
use crate::limits::Limits;
use crate::metadata::ExifFacts;
use crate::raster::Layout;
use crate::reduce::BoxReducer;

const RIFF_HEADER_BYTES: usize = 12;
const CHUNK_HEADER_BYTES: usize = 8;
const ALPHA_FLAG: u8 = 0x10;
const ANIMATION_FLAG: u8 = 0x02;
const VP8_START_CODE: &[u8] = b"\x9d\x01\x2a";
const VP8L_SIGNATURE: u8 = 0x2f;
/// Code tables, and what the decoders hold besides pictures.
const TABLES_BYTES: usize = 1 << 20;

pub(super) fn inspect<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Header<'a>, ImagingError> {
    let mut facts = Facts::default();
    for (index, chunk) in Chunks::new(bytes).enumerate() {
        limits.check_chunks(u32::try_from(index + 1).unwrap_or(u32::MAX))?;
        facts.add(&chunk);
    }
    let size = facts.size.ok_or_else(|| corrupt("it has no image"))?;
    limits.check_pixels(size.width, size.height)?;
    if facts.lossy_size.is_some_and(|lossy| lossy != Some(size)) || facts.is_contradictory {
        // The decoder makes room for the declared picture, and only then looks at the file.
        return Err(corrupt("its chunks contradict each other"));
    }
    let code_bytes = facts
        .code_bytes(size)
        .ok_or_else(|| corrupt("its codes can't be read"))?;
    Ok(Header {
        size,
        has_alpha: facts.has_alpha,
        frames: facts.frames.max(1),
        icc: facts.icc.map_or(EmbeddedProfile::None, |profile| {
            EmbeddedProfile::Plain(Cow::Borrowed(profile))
        }),
        exif: facts.exif.map(ExifFacts::read).unwrap_or_default(),
        kind: Kind::Webp(WebpFacts {
            lossless: facts.lossless,
            animated: facts.animated,
            lossy_bytes: facts.lossy_bytes,
            code_bytes,
            opaque: facts.opaque(),
        }),
    })
}

#[derive(Default)]
struct Facts<'a> {
    size: Option<Size>,
    has_alpha: bool,
    lossless: bool,
    animated: bool,
    frames: u32,
    lossy_bytes: usize,
    /// What the lossy picture declares, if there is one beside frames.
    lossy_size: Option<Option<Size>>,
    /// The first lossy picture beside frames.
    lossy: Option<ChunkPlace>,
    is_contradictory: bool,
    /// The first lossless stream.
    stream: Option<&'a [u8]>,
    /// The first alpha plane, and the picture's size if that is not the canvas's.
    alpha: Option<(&'a [u8], Option<Size>)>,
    icc: Option<&'a [u8]>,
    exif: Option<&'a [u8]>,
}

impl<'a> Facts<'a> {
    /// The size of an extended file is that of its canvas, which comes first.
    fn add(&mut self, chunk: &Chunk<'a>) {
        let data = chunk.data;
        match chunk.kind {
            b"VP8X" => {
                let side = |offset: usize| Some((le_u32(data, offset)? & 0xff_ffff) + 1);
                if let (Some(width), Some(height), Some(flags)) = (
                    side(4),
                    // The last field has three bytes, so it is read from the byte before it.
                    le_u32(data, 6).map(|field| (field >> 8) + 1),
                    data.first(),
                ) {
                    self.size = Some(Size::new(width, height));
                    self.has_alpha = flags & ALPHA_FLAG != 0;
                    self.animated = flags & ANIMATION_FLAG != 0;
                }
            }
            b"VP8 " => {
                self.lossy_bytes = self.lossy_bytes.max(data.len());
                self.lossy.get_or_insert(chunk.place);
                let size = vp8_size(data);
                self.is_contradictory |= *self.lossy_size.get_or_insert(size) != size;
                self.size = self.size.or(size);
            }
            b"ALPH" if self.alpha.is_none() => self.alpha = Some((data, None)),
            b"VP8L" => {
                self.lossless = true;
                self.stream.get_or_insert(data);
                if let (None, Some((size, has_alpha))) = (self.size, vp8l_facts(data)) {
                    self.size = Some(size);
                    self.has_alpha = has_alpha;
                }
            }
            b"ANMF" => {
                if self.frames == 0 {
                    self.add_frame(data);
                }
                self.frames += 1;
            }
            // Of several the first counts (RFC 9649, sections 2.7.1.4 and 2.7.1.5).
            b"ICCP" if self.icc.is_none() => self.icc = Some(data),
            b"EXIF" if self.exif.is_none() => self.exif = Some(data),
            _ => {}
        }
    }
}

impl<'a> Facts<'a> {
    /// The picture, if our own decoder can decode it.
    fn opaque(&self) -> Option<ChunkPlace> {
        let is_opaque = !self.has_alpha || self.alpha.is_none();
        self.lossy
            .filter(|_| is_opaque && !self.lossless && !self.animated && self.frames == 0)
    }

    /// The first frame: a header, then the chunks of a picture.
    fn add_frame(&mut self, data: &'a [u8]) {
        const FRAME_HEADER_BYTES: usize = 16;
        let side = |offset: usize| Some((le_u32(data, offset)? & 0xff_ffff) + 1);
        let size = side(6)
            .zip(side(9))
            .map(|(width, height)| Size::new(width, height));
        let chunks = Chunks {
            bytes: data,
            position: FRAME_HEADER_BYTES,
        };
        for Chunk { kind, data, .. } in chunks.take(2) {
            match kind {
                b"VP8 " => {
                    self.lossy_bytes = self.lossy_bytes.max(data.len());
                    self.is_contradictory |= vp8_size(data) != size;
                }
                b"VP8L" => _ = self.stream.get_or_insert(data),
                b"ALPH" => _ = self.alpha.get_or_insert((data, size)),
                _ => {}
            }
        }
    }

    /// The memory of the look-up tables of its lossless codes; `None` if these can't be read.
    fn code_bytes(&self, canvas: Size) -> Option<usize> {
        const LOSSLESS: u8 = 1;
        let of_picture = match self.stream {
            Some(stream) => table_bytes(vp8l::code_groups(stream)?, stream),
            None => 0,
        };
        let of_alpha = match self.alpha {
            Some(([flags, stream @ ..], size)) if flags & 3 == LOSSLESS => {
                let size = size.unwrap_or(canvas);
                let groups = vp8l::code_groups_of_alpha(stream, size.width, size.height)?;
                table_bytes(groups, stream)
            }
            _ => 0,
        };
        // One is dropped before the other is made.
        Some(of_picture.max(of_alpha))
    }
}

/// By the decoder's data structures: each group has five tables of up to 1,024 entries, and nodes
/// for the codes that are longer than ten bits, of which a byte of the stream makes a few dozen.
fn table_bytes(groups: u32, stream: &[u8]) -> usize {
    const TABLES: usize = 5 * (4096 + 256);
    const LARGEST_NODES: usize = 100 << 10;
    const NODE_BYTES_A_BYTE: usize = 1024;
    let groups = groups as usize;
    groups * TABLES + (groups * LARGEST_NODES).min(stream.len() * NODE_BYTES_A_BYTE)
}

/// RFC 6386, section 9.1: a key frame's start code, then two sides of 14 bits and a scale.
fn vp8_size(data: &[u8]) -> Option<Size> {
    if data.get(3..6) != Some(VP8_START_CODE) {
        return None;
    }
    let side = |offset| Some(u32::from(le_u16(data, offset)? & 0x3fff));
    Some(Size::new(side(6)?, side(8)?))
}

/// RFC 9649, section 3.4: a signature, then two sides less one of 14 bits, then the alpha bit.
fn vp8l_facts(data: &[u8]) -> Option<(Size, bool)> {
    if data.first() != Some(&VP8L_SIGNATURE) {
        return None;
    }
    let bits = le_u32(data, 1)?;
    let size = Size::new((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1);
    Some((size, bits >> 28 & 1 != 0))
}

struct Chunk<'a> {
    kind: &'a [u8; 4],
    data: &'a [u8],
    place: ChunkPlace,
}

/// Walks the chunks of a RIFF file; a last chunk that is cut off is given as far as it goes.
struct Chunks<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Chunks<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            position: RIFF_HEADER_BYTES,
        }
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let kind = self.bytes.get(self.position..)?.first_chunk()?;
        let length = le_u32(self.bytes, self.position + 4)? as usize;
        let at = self.position + CHUNK_HEADER_BYTES;
        let data = self.bytes.get(at..)?;
        // Chunks begin at even positions.
        self.position = self
            .position
            .checked_add(CHUNK_HEADER_BYTES)?
            .checked_add(length.checked_next_multiple_of(2)?)?;
        Some(Chunk {
            kind,
            data: &data[..length.min(data.len())],
            place: ChunkPlace {
                at,
                declared_bytes: length,
            },
        })
    }
}

/// The coding of a WebP, as far as it decides the decoder and its cost.
#[derive(Debug)]
pub(crate) struct WebpFacts {
    lossless: bool,
    animated: bool,
    /// Of the first picture, if it is lossy.
    lossy_bytes: usize,
    /// Look-up tables of its lossless codes, or of its alpha plane's.
    code_bytes: usize,
    /// What our own decoder needs, if it takes the file.
    opaque: Option<ChunkPlace>,
}

impl WebpFacts {
    pub(super) fn memory_bytes(&self, size: Size, has_alpha: bool, target: Size) -> usize {
        if self.opaque.is_some() {
            return lossy::memory_bytes(size, target);
        }
        let channels = if has_alpha { 4 } else { 3 };
        // Lossless: ARGB and its transforms; lossy: YCbCr 4:2:0 and an alpha plane with its own
        // lossless decode. An animation may be either, and has a canvas besides.
        let per_pixel = match (self.lossless, self.animated, has_alpha) {
            (_, true, _) => 14,
            (true, ..) => 6,
            (false, false, true) => 7,
            (false, false, false) => 2,
        };
        size.area() * (channels + per_pixel)
            + BoxReducer::memory_bytes(size, target, channels)
            + self.code_bytes
            // Read in one go into a buffer that grows, and copied.
            + self.lossy_bytes * 3
            + TABLES_BYTES
    }

    pub(super) fn decode(
        &self,
        bytes: &[u8],
        size: Size,
        target: Target,
        limits: &Limits,
        scratch: &mut Scratch,
    ) -> Result<Decoded<'static>, ImagingError> {
        limits.check_deadline()?;
        if let Some(place) = self.opaque {
            return lossy::decode(bytes, place, size, target, limits, scratch);
        }
        self.check_lossy_time(size, limits)?;
        let source = DeadlineReader::new(bytes, limits.deadline);
        let mut decoder = WebPDecoder::new(source).map_err(failed)?;
        decoder.set_memory_limit(limits.max_memory_bytes);
        if decoder.dimensions() != (size.width, size.height) {
            return Err(corrupt("its chunks contradict each other"));
        }
        let layout = if decoder.has_alpha() {
            Layout::Rgba
        } else {
            Layout::Rgb
        };
        let mut picture = vec![0; size.area() * layout.channels()];
        decoder
            .read_image(&mut picture)
            .map_err(|error| limits.timeout_or(failed(error)))?;
        let rows = size.height as usize;
        let sizes = (size, target.size);
        reduce_picture(&picture, layout, Format::Webp, sizes, rows, limits)
    }

    /// That decoder reads all of a lossy picture before it decodes, so nothing can end it half-way.
    /// So its time is judged before. Measured on a core of an AMD EPYC, and rounded down, so that
    /// no picture is refused for which the deadline leaves time: 5.4 ns a pixel of one colour, and
    /// 60 ns a byte.
    ///
    /// The most it can run over its deadline, on such a core, is what 100 megapixels in 32 MiB
    /// take: 2.6 s.
    fn check_lossy_time(&self, size: Size, limits: &Limits) -> Result<(), ImagingError> {
        const NANOS_PER_PIXEL: u64 = 5;
        const NANOS_PER_BYTE: u64 = 60;
        let Some(deadline) = limits.deadline.filter(|_| self.lossy_bytes > 0) else {
            return Ok(());
        };
        let nanos = (size.area() as u64 * NANOS_PER_PIXEL)
            .saturating_add(self.lossy_bytes as u64 * NANOS_PER_BYTE);
        let left = deadline.saturating_duration_since(Instant::now());
        if left < Duration::from_nanos(nanos) {
            return Err(ImagingError::Timeout);
        }
        Ok(())
    }
}

fn corrupt(reason: impl std::fmt::Display) -> ImagingError {
    ImagingError::corrupt(Format::Webp, reason)
}

fn failed(error: DecodingError) -> ImagingError {
    corrupt(error)
}
