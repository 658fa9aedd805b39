//! The header before the macroblocks (RFC 6386, sections 9.1 to 9.11 and 19.2).

use super::bool_reader::BoolReader;
use super::error::Vp8Error;
use super::tables::{AC_STEPS, DC_STEPS};
use super::token_defaults::TOKEN_DEFAULTS;
use super::token_updates::TOKEN_UPDATES;
use super::tokens::TokenTables;

const FRAME_TAG_BYTES: usize = 3;
const KEY_FRAME_HEADER_BYTES: usize = 10;
const START_CODE: &[u8] = b"\x9d\x01\x2a";
const MAX_PARTITIONS: usize = 8;
const SEGMENTS: usize = 4;

/// The size that a key frame declares, in pixels; up to 16,383 each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameSize {
    pub width: u16,
    pub height: u16,
}

impl FrameSize {
    /// In macroblocks of 16 × 16.
    pub fn macroblocks(self) -> (usize, usize) {
        let side = |pixels: u16| usize::from(pixels).div_ceil(16);
        (side(self.width), side(self.height))
    }
}

/// Reads the size of a key frame, and no more. The scaling that it asks players for is ignored, as
/// in all WebP decoders.
///
/// # Errors
/// Not a key frame, or a start code that is wrong or missing.
pub fn read_size(data: &[u8]) -> Result<FrameSize, Vp8Error> {
    let header = data
        .get(..KEY_FRAME_HEADER_BYTES)
        .ok_or(Vp8Error::Truncated)?;
    if header[0] & 1 != 0 {
        return Err(Vp8Error::Corrupt("it is not a key frame"));
    }
    if &header[FRAME_TAG_BYTES..6] != START_CODE {
        return Err(Vp8Error::Corrupt("it has no start code"));
    }
    let side = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]) & 0x3fff;
    let size = FrameSize {
        width: side(6),
        height: side(8),
    };
    if size.width == 0 || size.height == 0 {
        return Err(Vp8Error::Corrupt("its width or height is zero"));
    }
    Ok(size)
}

/// Steps of the quantiser: of DC, then of the other coefficients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Steps {
    pub luma: [i16; 2],
    /// Of the block of luma's DC values.
    pub second: [i16; 2],
    pub chroma: [i16; 2],
}

/// The values that macroblocks of one segment share.
#[derive(Debug, Clone, Copy, Default)]
pub struct Segment {
    pub steps: Steps,
    /// Of the loop filter, before what the mode of a macroblock adds; 0 to 63.
    pub filter_level: i32,
}

/// Section 9.6: the loop filter.
#[derive(Debug, Clone, Copy, Default)]
pub struct FilterHeader {
    /// Only luma, by the simple filter.
    pub is_simple: bool,
    /// 0: no filter at all.
    pub level: u8,
    pub sharpness: u8,
    /// What macroblocks that are predicted from their own frame add to their level, and those of
    /// sub-blocks besides.
    pub intra_delta: i32,
    pub subblock_delta: i32,
}

/// What the header holds of a frame, and the readers of its partitions.
pub struct Frame<'a> {
    pub size: FrameSize,
    pub filter: FilterHeader,
    pub segments: [Segment; SEGMENTS],
    /// Probabilities of the segment tree, if macroblocks name their segment.
    pub segment_tree: Option<[u8; 3]>,
    /// The probability that a macroblock has coefficients, if macroblocks can lack them.
    pub not_skipped: Option<u8>,
    pub modes: BoolReader<'a>,
    pub partitions: Vec<BoolReader<'a>>,
}

impl<'a> Frame<'a> {
    /// `declared_bytes` is the length by the container; `data` may be shorter, if the file was cut
    /// off.
    pub fn read(
        data: &'a [u8],
        declared_bytes: usize,
        tokens: &mut TokenTables,
    ) -> Result<Self, Vp8Error> {
        let size = read_size(data)?;
        let first_bytes = (u32::from_le_bytes([data[0], data[1], data[2], 0]) >> 5) as usize;
        let first_end = KEY_FRAME_HEADER_BYTES + first_bytes;
        if first_end > declared_bytes {
            return Err(Vp8Error::Corrupt("its first partition is too long"));
        }
        // Without all the modes there is hardly a row of the picture.
        let first = data
            .get(KEY_FRAME_HEADER_BYTES..first_end)
            .ok_or(Vp8Error::Truncated)?;
        let mut reader = reader(first)?;
        // Colour space and clamping: there is one colour space, and samples are always clamped.
        reader.literal(2);
        let segmentation = reader.flag().then(|| Segmentation::read(&mut reader));
        let filter = read_filter(&mut reader);
        let partition_count = 1 << reader.literal(2);
        let segments = read_segments(&mut reader, segmentation.as_ref(), filter.level);
        // Whether the probabilities are for this frame only: there is no other.
        reader.flag();
        read_token_probabilities(&mut reader, tokens);
        let not_skipped = reader.flag().then(|| reader.literal(8) as u8);
        if reader.has_run_out() {
            return Err(Vp8Error::Corrupt("its first partition is too short"));
        }
        Ok(Self {
            size,
            filter,
            segments,
            segment_tree: segmentation.and_then(|segmentation| segmentation.tree),
            not_skipped,
            modes: reader,
            partitions: split(data, declared_bytes, first_end, partition_count)?,
        })
    }
}

/// Section 9.3.
struct Segmentation {
    tree: Option<[u8; 3]>,
    is_absolute: bool,
    quantizer: [i32; SEGMENTS],
    filter_level: [i32; SEGMENTS],
}

impl Segmentation {
    fn read(reader: &mut BoolReader<'_>) -> Self {
        let (has_map, has_features) = (reader.flag(), reader.flag());
        let mut read = Self {
            tree: None,
            is_absolute: true,
            quantizer: [0; SEGMENTS],
            filter_level: [0; SEGMENTS],
        };
        if has_features {
            read.is_absolute = reader.flag();
            read.quantizer = read
                .quantizer
                .map(|_| reader.optional_signed(7).unwrap_or(0));
            read.filter_level = read
                .filter_level
                .map(|_| reader.optional_signed(6).unwrap_or(0));
        }
        read.tree = has_map.then(|| {
            [(); 3].map(|()| {
                if reader.flag() {
                    reader.literal(8) as u8
                } else {
                    255
                }
            })
        });
        read
    }
}

fn read_filter(reader: &mut BoolReader<'_>) -> FilterHeader {
    let mut filter = FilterHeader {
        is_simple: reader.flag(),
        level: reader.literal(6) as u8,
        sharpness: reader.literal(3) as u8,
        ..FilterHeader::default()
    };
    // Section 9.6: by reference frame, then by mode. A key frame has use for the first of each.
    if reader.flag() && reader.flag() {
        let deltas = [(); 8].map(|()| reader.optional_signed(6).unwrap_or(0));
        (filter.intra_delta, filter.subblock_delta) = (deltas[0], deltas[4]);
    }
    filter
}

/// Section 9.6 of the quantiser's indices, and 14.1 of its steps.
fn read_segments(
    reader: &mut BoolReader<'_>,
    segmentation: Option<&Segmentation>,
    filter_level: u8,
) -> [Segment; SEGMENTS] {
    let base = reader.literal(7) as i32;
    let [luma_dc, second_dc, second_ac, chroma_dc, chroma_ac] =
        [(); 5].map(|()| reader.optional_signed(4).unwrap_or(0));
    std::array::from_fn(|index| {
        let (mut quantizer, mut level) = (base, i32::from(filter_level));
        if let Some(segmentation) = segmentation {
            if segmentation.is_absolute {
                (quantizer, level) = (0, 0);
            }
            quantizer += segmentation.quantizer[index];
            level += segmentation.filter_level[index];
        }
        let step =
            |table: &[i16; 128], delta: i32| table[(quantizer + delta).clamp(0, 127) as usize];
        let second_step = i32::from(step(&AC_STEPS, second_ac)) * 155 / 100;
        Segment {
            steps: Steps {
                luma: [step(&DC_STEPS, luma_dc), step(&AC_STEPS, 0)],
                second: [step(&DC_STEPS, second_dc) * 2, second_step.max(8) as i16],
                chroma: [
                    step(&DC_STEPS, chroma_dc).min(132),
                    step(&AC_STEPS, chroma_ac),
                ],
            },
            filter_level: level.clamp(0, 63),
        }
    })
}

/// Section 13.4.
fn read_token_probabilities(reader: &mut BoolReader<'_>, tokens: &mut TokenTables) {
    let mut probabilities = TOKEN_DEFAULTS;
    let ours = probabilities.as_flattened_mut().as_flattened_mut();
    let updates = TOKEN_UPDATES.as_flattened().as_flattened();
    for (ours, updates) in ours.iter_mut().zip(updates) {
        for (probability, update) in ours.iter_mut().zip(updates) {
            if reader.read(*update) {
                *probability = reader.literal(8) as u8;
            }
        }
    }
    tokens.set(&probabilities);
}

/// Section 9.5: the sizes of all partitions but the last, three bytes each, then the partitions.
fn split<'a>(
    data: &'a [u8],
    declared_bytes: usize,
    sizes_at: usize,
    count: usize,
) -> Result<Vec<BoolReader<'a>>, Vp8Error> {
    debug_assert!(count <= MAX_PARTITIONS);
    let mut at = sizes_at + 3 * (count - 1);
    let sizes = data.get(sizes_at..at).ok_or(Vp8Error::Truncated)?;
    let mut partitions = Vec::with_capacity(count);
    for size in sizes.chunks_exact(3) {
        let end = at + u32::from_le_bytes([size[0], size[1], size[2], 0]) as usize;
        if end > declared_bytes {
            return Err(Vp8Error::Corrupt("its partitions are too long"));
        }
        partitions.push(reader_of(data, at, end)?);
        at = end;
    }
    partitions.push(reader_of(data, at, data.len())?);
    Ok(partitions)
}

/// Of a file that was cut off, what is there.
fn reader_of(data: &[u8], start: usize, end: usize) -> Result<BoolReader<'_>, Vp8Error> {
    let end = end.min(data.len());
    reader(&data[start.min(end)..end])
}

/// The coder's value is always less than its range, which begins at 255 (section 7.3). So no
/// encoder writes 255 as the first byte, and decoders make different pictures of what follows it.
fn reader(partition: &[u8]) -> Result<BoolReader<'_>, Vp8Error> {
    match partition.first() {
        Some(&u8::MAX) => Err(Vp8Error::Corrupt("a partition begins as none can")),
        _ => Ok(BoolReader::new(partition)),
    }
}
