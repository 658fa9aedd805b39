//! WebP (<https://www.rfc-editor.org/rfc/rfc9649>): the picture, or the first frame.
//!
//! Lossy pictures go to our own decoder, those with alpha if they become much smaller. All others,
//! and animations, go to another, which gives whole pictures or an error, so that such a file is
//! corrupt if it is truncated.

mod container;
pub(super) mod frames;
mod lossy;
mod translucent;

use std::borrow::Cow;
use std::time::{Duration, Instant};

use image_webp::{DecodingError, WebPDecoder};
use thumbforge_codecs::vp8::Scratch;
use thumbforge_codecs::vp8l;

use super::deadline_reader::DeadlineReader;
use super::{
    Decoded, ROWS_PER_DEADLINE_CHECK, Target, finish_rows, le_u16, le_u32, reduce_picture,
};
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
        // What a frame leaves of the canvas is transparent.
        has_alpha: facts.has_alpha || facts.small_frame(size).is_some(),
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
            translucent: facts.translucent(),
            unhinted: facts.unhinted(),
            copied_bytes: 2 * facts.copied_bytes(bytes, size),
            small_frame: facts.small_frame(size),
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
    /// The first alpha plane beside frames.
    alpha_at: Option<ChunkPlace>,
    /// The first frame.
    frame: Option<FramePlace>,
    /// The first lossless stream.
    stream: Option<&'a [u8]>,
    stream_at: Option<ChunkPlace>,
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
            b"ALPH" if self.alpha.is_none() => {
                self.alpha = Some((data, None));
                self.alpha_at = Some(chunk.place);
            }
            b"VP8L" => {
                self.lossless = true;
                self.stream.get_or_insert(data);
                self.stream_at.get_or_insert(chunk.place);
                if let (None, Some((size, has_alpha))) = (self.size, vp8l_facts(data)) {
                    self.size = Some(size);
                    self.has_alpha = has_alpha;
                }
            }
            b"ANMF" => {
                if self.frames == 0 {
                    self.add_frame(chunk);
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

    /// The lossy picture and its alpha plane, if our own decoder can decode it.
    fn translucent(&self) -> Option<(ChunkPlace, ChunkPlace)> {
        self.lossy
            .zip(self.alpha_at)
            .filter(|_| self.has_alpha && !self.lossless && !self.animated && self.frames == 0)
    }

    /// A lossless picture that says that its alpha is not used: which is a hint, and may be wrong.
    fn unhinted(&self) -> Option<ChunkPlace> {
        self.stream_at.filter(|_| {
            !self.has_alpha && self.lossy.is_none() && !self.animated && self.frames == 0
        })
    }

    /// The first frame of an animation, if it leaves something of the canvas free.
    fn small_frame(&self, canvas: Size) -> Option<FramePlace> {
        let is_within = |frame: &FramePlace| {
            u64::from(frame.left) + u64::from(frame.size.width) <= canvas.width.into()
                && u64::from(frame.top) + u64::from(frame.size.height) <= canvas.height.into()
        };
        self.frame
            .filter(|frame| self.animated && frame.size != canvas && is_within(frame))
    }

    fn copied_bytes(&self, bytes: &[u8], canvas: Size) -> usize {
        let frame = self.small_frame(canvas).map(|frame| frame.chunks);
        let alpha = self.translucent().map(|(_, alpha)| alpha);
        let copied = frame.or(alpha).or(self.unhinted());
        copied.map_or(0, |place| data_at(bytes, place).len())
    }

    /// The first frame: a header, then the chunks of a picture.
    fn add_frame(&mut self, chunk: &Chunk<'a>) {
        const FRAME_HEADER_BYTES: usize = 16;
        let data = chunk.data;
        let side = |offset: usize| Some((le_u32(data, offset)? & 0xff_ffff) + 1);
        let size = side(6)
            .zip(side(9))
            .map(|(width, height)| Size::new(width, height));
        if let (Some(size), Some(x), Some(y)) = (size, le_u32(data, 0), le_u32(data, 3)) {
            self.frame = Some(FramePlace {
                left: 2 * (x & 0xff_ffff),
                top: 2 * (y & 0xff_ffff),
                size,
                chunks: ChunkPlace {
                    at: chunk.place.at + FRAME_HEADER_BYTES,
                    declared_bytes: data.len().saturating_sub(FRAME_HEADER_BYTES),
                },
                // One without an alpha plane is opaque, whatever the others are.
                has_alpha: self.has_alpha
                    && data.get(FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + 4) != Some(&b"VP8 "[..]),
            });
        }
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

/// Where a frame is in the file and on the canvas.
#[derive(Debug, Clone, Copy)]
struct FramePlace {
    left: u32,
    top: u32,
    size: Size,
    chunks: ChunkPlace,
    has_alpha: bool,
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
    /// The same with an alpha plane, the second.
    translucent: Option<(ChunkPlace, ChunkPlace)>,
    unhinted: Option<ChunkPlace>,
    small_frame: Option<FramePlace>,
    /// Bytes of the file that are copied for the other decoder.
    copied_bytes: usize,
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
            + self.copied_bytes
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
        if let Some(places) = self
            .translucent
            .filter(|_| translucent::is_fit(size, target.size))
        {
            return translucent::decode(bytes, places, size, target.size, limits, scratch);
        }
        self.check_lossy_time(size, limits)?;
        if let Some(frame) = &self.small_frame {
            return decode_on_canvas(bytes, frame, size, target.size, limits);
        }
        if let Some(place) = self.unhinted {
            let file = container::of_lossless(data_at(bytes, place));
            let (_, mut picture) = decode_file(&file, size, limits)?;
            let layout = if picture.chunks_exact(4).all(|pixel| pixel[3] == 255) {
                drop_alpha(&mut picture);
                Layout::Rgb
            } else {
                Layout::Rgba
            };
            return reduce(&picture, layout, size, target.size, limits);
        }
        let (layout, picture) = decode_file(bytes, size, limits)?;
        reduce(&picture, layout, size, target.size, limits)
    }

    /// That decoder reads all of a lossy picture before it decodes, so nothing can end it half-way.
    /// So its time is judged before. Measured on a core of an AMD EPYC, and rounded down, so that
    /// no picture is refused for which the deadline leaves time: 5.4 ns a pixel of one colour, and
    /// 60 ns a byte.
    ///
    /// The most it can run over its deadline, on such a core, is what 48 megapixels in 32 MiB take,
    /// which need 512 MiB: 2.3 s.
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

fn data_at(bytes: &[u8], place: ChunkPlace) -> &[u8] {
    let data = bytes.get(place.at..).unwrap_or_default();
    &data[..data.len().min(place.declared_bytes)]
}

/// The whole picture of a file that must have this size.
fn decode_file(
    file: &[u8],
    size: Size,
    limits: &Limits,
) -> Result<(Layout, Vec<u8>), ImagingError> {
    let source = DeadlineReader::new(file, limits.deadline);
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
    Ok((layout, picture))
}

fn reduce(
    picture: &[u8],
    layout: Layout,
    size: Size,
    target: Size,
    limits: &Limits,
) -> Result<Decoded<'static>, ImagingError> {
    let rows = size.height as usize;
    reduce_picture(picture, layout, Format::Webp, (size, target), rows, limits)
}

/// Moves the colours of RGBA together.
fn drop_alpha(picture: &mut Vec<u8>) {
    let pixels = picture.len() / 4;
    for index in 0..pixels {
        picture.copy_within(4 * index..4 * index + 3, 3 * index);
    }
    picture.truncate(3 * pixels);
}

/// A frame that is smaller than its canvas, of which the rest is transparent.
fn decode_on_canvas(
    bytes: &[u8],
    frame: &FramePlace,
    canvas: Size,
    target: Size,
    limits: &Limits,
) -> Result<Decoded<'static>, ImagingError> {
    let file = container::of_frame(frame.size, frame.has_alpha, data_at(bytes, frame.chunks));
    let (layout, picture) = decode_file(&file, frame.size, limits)?;
    let channels = layout.channels();
    let mut reducer = BoxReducer::new(canvas, target, Layout::Rgba);
    let mut row = vec![0; canvas.width as usize * 4];
    for y in 0..canvas.height {
        if y.is_multiple_of(ROWS_PER_DEADLINE_CHECK as u32) {
            limits.check_deadline()?;
        }
        row.fill(0);
        let line = y.checked_sub(frame.top).filter(|y| *y < frame.size.height);
        if let Some(line) = line {
            let stride = frame.size.width as usize * channels;
            let pixels = picture[line as usize * stride..][..stride].chunks_exact(channels);
            let places = row.chunks_exact_mut(4).skip(frame.left as usize);
            for (out, pixel) in places.zip(pixels) {
                out[3] = 255;
                out[..channels].copy_from_slice(pixel);
            }
        }
        reducer.push_row(&row);
    }
    finish_rows(reducer, Format::Webp, canvas.height, canvas.height)
}

fn corrupt(reason: impl std::fmt::Display) -> ImagingError {
    ImagingError::corrupt(Format::Webp, reason)
}

fn failed(error: DecodingError) -> ImagingError {
    corrupt(error)
}
