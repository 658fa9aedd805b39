//! The first frame of a GIF (<https://www.w3.org/Graphics/GIF/spec-gif89a.txt>).
//!
//! What is before the pixels is read here, and they by [`Lzw`].

pub(super) mod frames;

use std::borrow::Cow;
use std::ops::Range;

use super::{Decoded, ROWS_PER_DEADLINE_CHECK, finish_rows, le_u16};
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::header::{EmbeddedProfile, Header, Kind};
use crate::limits::Limits;
use crate::metadata::ExifFacts;
use crate::raster::Layout;
use crate::reduce::BoxReducer;
use frames::Control;
use thumbforge_codecs::gif::{self as lzw, Lzw};

const HEADER_BYTES: usize = 13;
const COLOUR_TABLE_FLAG: u8 = 0x80;
const INTERLACE_FLAG: u8 = 0x40;
const TRANSPARENCY_FLAG: u8 = 0x01;
const ICC_APPLICATION: &[u8] = b"ICCRGBG1012";

pub(super) fn inspect<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Header<'a>, ImagingError> {
    let corrupt = |reason: &str| ImagingError::corrupt(Format::Gif, reason);
    let (Some(width), Some(height), Some(&flags)) =
        (le_u16(bytes, 6), le_u16(bytes, 8), bytes.get(10))
    else {
        return Err(corrupt("its header is too short"));
    };
    let global_palette = colour_table(HEADER_BYTES, flags);
    let mut walk = Blocks {
        bytes,
        position: HEADER_BYTES + global_palette.len(),
    };
    let mut first: Option<Frame> = None;
    let mut frames = 0_u32;
    let mut transparent = None;
    let mut icc = EmbeddedProfile::None;
    let mut count = 0;
    while let Some(block) = walk.next_block() {
        count += 1;
        limits.check_chunks(count)?;
        match block {
            Block::Frame(frame) => {
                frames += 1;
                first.get_or_insert(frame);
            }
            Block::GraphicControl(control) if first.is_none() => transparent = control.transparent,
            Block::GraphicControl(_) => {}
            Block::Application { identifier, at } if identifier == ICC_APPLICATION => {
                icc = EmbeddedProfile::Plain(Cow::Owned(sub_blocks(
                    bytes,
                    at,
                    limits.max_icc_bytes + 1,
                )));
            }
            Block::Application { .. } => {}
        }
    }
    let frame = first.ok_or_else(|| corrupt("it has no image"))?;
    limits.check_pixels(frame.size.width, frame.size.height)?;
    // Some encoders leave the logical screen empty, or make it too small: it grows to hold the first
    // frame, as in Pillow, libvips and browsers.
    let size = Size::new(
        u32::from(width).max(frame.left + frame.size.width),
        u32::from(height).max(frame.top + frame.size.height),
    );
    let local_palette = Some(frame.palette).filter(|palette| !palette.is_empty());
    Ok(Header {
        size,
        has_alpha: transparent.is_some(),
        frames,
        icc,
        exif: ExifFacts::default(),
        kind: Kind::Gif(GifFacts {
            placement: Placement {
                left: frame.left as usize,
                top: frame.top as usize,
                width: frame.size.width as usize,
                height: frame.size.height as usize,
            },
            interlaced: frame.interlaced,
            data_at: frame.data_at,
            palette: local_palette.unwrap_or(global_palette),
            transparent,
        }),
    })
}

/// Where the colour table at `start` lies, of which these are the flags; empty if there is none.
fn colour_table(start: usize, flags: u8) -> Range<usize> {
    let bytes = if flags & COLOUR_TABLE_FLAG == 0 {
        0
    } else {
        3 << ((flags & 7) + 1)
    };
    start..start + bytes
}

struct Frame {
    left: u32,
    top: u32,
    size: Size,
    interlaced: bool,
    palette: Range<usize>,
    data_at: usize,
}

enum Block<'a> {
    Frame(Frame),
    GraphicControl(Control),
    /// `at` is where its sub-blocks begin.
    Application {
        identifier: &'a [u8],
        at: usize,
    },
}

struct Blocks<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Blocks<'a> {
    /// The next block of interest; `None` at the trailer, at the end, and where the structure
    /// is lost.
    fn next_block(&mut self) -> Option<Block<'a>> {
        loop {
            let start = self.position;
            match self.bytes.get(start)? {
                0x2c => {
                    let flags = *self.bytes.get(start + 9)?;
                    let palette = colour_table(start + 10, flags);
                    let field = |offset| le_u16(self.bytes, start + offset).map(u32::from);
                    let frame = Frame {
                        left: field(1)?,
                        top: field(3)?,
                        size: Size::new(field(5)?, field(7)?),
                        interlaced: flags & INTERLACE_FLAG != 0,
                        data_at: palette.end,
                        palette,
                    };
                    // One byte of LZW code size, then the data.
                    self.position = skip_sub_blocks(self.bytes, frame.data_at + 1);
                    return Some(Block::Frame(frame));
                }
                0x21 => {
                    let label = *self.bytes.get(start + 1)?;
                    self.position = skip_sub_blocks(self.bytes, start + 2);
                    let length = usize::from(*self.bytes.get(start + 2)?);
                    let data = self.bytes.get(start + 3..start + 3 + length)?;
                    match (label, data.first()) {
                        (0xf9, Some(flags)) => {
                            let index = data.get(3).filter(|_| flags & TRANSPARENCY_FLAG != 0);
                            return Some(Block::GraphicControl(Control {
                                transparent: index.copied(),
                                hundredths: le_u16(data, 1).unwrap_or_default(),
                                disposal: flags >> 2 & 7,
                            }));
                        }
                        (0xff, Some(_)) => {
                            return Some(Block::Application {
                                identifier: data,
                                at: start + 3 + length,
                            });
                        }
                        _ => {}
                    }
                }
                // Padding between blocks, seen in the wild.
                0 => self.position += 1,
                _ => return None,
            }
        }
    }
}

/// The position after the sub-blocks at `position` and their terminator.
fn skip_sub_blocks(bytes: &[u8], mut position: usize) -> usize {
    while let Some(&length) = bytes.get(position) {
        position += 1 + usize::from(length);
        if length == 0 {
            break;
        }
    }
    position
}

/// The data of the sub-blocks at `position`, at most `max_bytes` and another block.
fn sub_blocks(bytes: &[u8], mut position: usize, max_bytes: usize) -> Vec<u8> {
    let mut data = Vec::new();
    while let Some(&length) = bytes.get(position) {
        let block = bytes.get(position + 1..).unwrap_or_default();
        let block = &block[..usize::from(length).min(block.len())];
        if block.is_empty() || data.len() > max_bytes {
            break;
        }
        data.extend_from_slice(block);
        position += 1 + usize::from(length);
    }
    data
}

/// How the first frame of a GIF is coded.
#[derive(Debug)]
pub(crate) struct GifFacts {
    placement: Placement,
    interlaced: bool,
    /// Where its pixels begin in the file.
    data_at: usize,
    /// Where its colours are in the file; empty if it has none.
    palette: Range<usize>,
    transparent: Option<u8>,
}

impl GifFacts {
    pub(super) fn memory_bytes(&self, size: Size, target: Size) -> usize {
        let frame = &self.placement;
        let area = frame.width * frame.height;
        let indices = if self.interlaced { area } else { frame.width };
        BoxReducer::memory_bytes(size, target, 4)
            + 4 * size.width as usize
            + indices
            + lzw::memory_bytes(area, frame.width)
    }

    pub(super) fn decode(
        &self,
        bytes: &[u8],
        size: Size,
        target: Size,
        limits: &Limits,
    ) -> Result<Decoded<'static>, ImagingError> {
        let placement = &self.placement;
        let mut pixels =
            Lzw::new(bytes, self.data_at).ok_or_else(|| corrupt("it has no pixels"))?;
        let palette = bytes.get(self.palette.clone()).unwrap_or_default();
        let colours = premultiplied_colours(palette, self.transparent);

        let mut canvas = Canvas {
            reducer: BoxReducer::new(size, target, Layout::Rgba),
            row: vec![0; 4 * size.width as usize],
            width: size.width as usize,
            colours,
            left: placement.left,
        };
        for _ in 0..placement.top.min(size.height as usize) {
            canvas.push_transparent();
        }
        let rows_decoded = if self.interlaced {
            decode_interlaced(&mut pixels, placement, limits, &mut canvas)?
        } else {
            decode_rows(&mut pixels, placement, limits, &mut canvas)?
        };
        while rows_decoded == placement.height && canvas.reducer.rows_pushed() < size.height {
            canvas.push_transparent();
        }
        finish_rows(
            canvas.reducer,
            Format::Gif,
            rows_decoded as u32,
            placement.height as u32,
        )
    }
}

fn corrupt(reason: impl std::fmt::Display) -> ImagingError {
    ImagingError::corrupt(Format::Gif, reason)
}

/// Where the frame lies on the canvas.
#[derive(Debug)]
struct Placement {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

/// RGBA of each index. One beyond the palette is black; without a palette, indices are greys.
fn premultiplied_colours(palette: &[u8], transparent: Option<u8>) -> [[u8; 4]; 256] {
    let mut colours = [[0, 0, 0, 255]; 256];
    for (index, colour) in colours.iter_mut().enumerate() {
        if let Some(rgb) = palette.get(3 * index..3 * index + 3) {
            colour[..3].copy_from_slice(rgb);
        } else if palette.is_empty() {
            colour[..3].fill(index as u8);
        }
    }
    if let Some(index) = transparent {
        colours[usize::from(index)] = [0; 4];
    }
    colours
}

/// The logical screen, of which one row at a time is held.
struct Canvas {
    reducer: BoxReducer,
    row: Vec<u8>,
    width: usize,
    colours: [[u8; 4]; 256],
    left: usize,
}

impl Canvas {
    fn push_transparent(&mut self) {
        self.row.fill(0);
        self.reducer.push_premultiplied_row(&self.row);
    }

    fn push_indices(&mut self, indices: &[u8]) {
        let left = self.left.min(self.width);
        for (pixel, index) in self.row[4 * left..].chunks_exact_mut(4).zip(indices) {
            pixel.copy_from_slice(&self.colours[usize::from(*index)]);
        }
        self.reducer.push_premultiplied_row(&self.row);
    }
}

/// Pushes the rows that could be decoded, and returns how many.
fn decode_rows(
    pixels: &mut Lzw<'_>,
    placement: &Placement,
    limits: &Limits,
    canvas: &mut Canvas,
) -> Result<usize, ImagingError> {
    canvas.row.fill(0);
    let mut indices = vec![0; placement.width];
    for row in 0..placement.height {
        if row.is_multiple_of(ROWS_PER_DEADLINE_CHECK) {
            limits.check_deadline()?;
        }
        if !pixels.read(&mut indices) {
            return Ok(row);
        }
        canvas.push_indices(&indices);
    }
    Ok(placement.height)
}

/// Interlaced frames come in four passes; see appendix E of the specification.
const PASSES: [(usize, usize); 4] = [(0, 8), (4, 8), (2, 4), (1, 2)];

/// Collects the whole frame, then pushes it. Rows that are missing repeat those above them.
fn decode_interlaced(
    pixels: &mut Lzw<'_>,
    placement: &Placement,
    limits: &Limits,
    canvas: &mut Canvas,
) -> Result<usize, ImagingError> {
    canvas.row.fill(0);
    let width = placement.width;
    let mut picture = vec![0; width * placement.height];
    let mut is_decoded = vec![false; placement.height];
    let rows = PASSES
        .iter()
        .flat_map(|(first, step)| (*first..placement.height).step_by(*step));
    let mut count = 0_usize;
    for row in rows {
        if count.is_multiple_of(ROWS_PER_DEADLINE_CHECK) {
            limits.check_deadline()?;
        }
        if !pixels.read(&mut picture[row * width..][..width]) {
            break;
        }
        is_decoded[row] = true;
        count += 1;
    }
    if count * 2 < placement.height {
        return Ok(count);
    }
    let mut shown = 0;
    for (row, is_decoded) in is_decoded.into_iter().enumerate() {
        if is_decoded {
            shown = row;
        }
        canvas.push_indices(&picture[shown * width..][..width]);
    }
    Ok(count)
}
