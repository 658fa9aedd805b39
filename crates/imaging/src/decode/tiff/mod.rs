//! TIFF 6.0 and BigTIFF: the first picture, row by row.
//!
//! The directory is read here; LZW, Deflate, facsimile and JPEG come from crates. Strips are
//! decompressed as they are shown, tiles in bands. A file that ends early is treated as elsewhere:
//! its rows up to there count.

mod facts;
mod fax;
mod jpeg;
mod pixels;
mod predict;
mod stream;

use std::borrow::Cow;

use super::{Decoded, ROWS_PER_DEADLINE_CHECK, finish_rows};
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::header::{EmbeddedProfile, Header, Kind};
use crate::ifd::{Field, Ifd, Ifds};
use crate::limits::Limits;
use crate::metadata::ExifFacts;
use crate::reduce::BoxReducer;
use facts::{Colors, Compression, corrupt, tag};
use pixels::Painter;
use stream::Stream;

pub(crate) use facts::TiffFacts;
pub(super) use stream::PackBits;

pub(super) fn inspect<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Header<'a>, ImagingError> {
    let ifd = first(bytes)?;
    let size = facts::size(ifd)?;
    if size.width == 0 || size.height == 0 {
        return Err(corrupt("its width or height is zero"));
    }
    limits.check_pixels(size.width, size.height)?;
    if let Some(header) = old_jpeg(bytes, ifd, limits)? {
        return Ok(header);
    }
    let mut facts = TiffFacts::read(ifd, size)?;
    let chunks = Chunks::of(ifd, &facts, size, limits)?;
    let count = chunks.across * chunks.down * facts.planes();
    facts.chunk_bytes = chunks.longest(bytes.len(), count);
    if let Compression::Jpeg { is_progressive } = &mut facts.compression {
        let first = chunks.data(bytes, 0).unwrap_or_default();
        *is_progressive = jpeg::is_progressive(first);
    }
    let is_lab = matches!(facts.colors, Colors::Lab { .. });
    Ok(Header {
        size,
        has_alpha: facts.alpha.is_some(),
        frames: 1,
        icc: match ifd.field(tag::ICC) {
            // Lab is what it is; a profile would be for RGB.
            Some(profile) if !is_lab => EmbeddedProfile::Plain(Cow::Borrowed(profile.data)),
            _ => EmbeddedProfile::None,
        },
        exif: ExifFacts::of_file(ifd.file()),
        kind: Kind::Tiff(facts),
    })
}

fn first(bytes: &[u8]) -> Result<Ifd<'_>, ImagingError> {
    Ifds::read(bytes)
        .and_then(Ifds::first)
        .ok_or_else(|| corrupt("its first directory is missing"))
}

/// TIFF 6.0, section 22, where the whole picture is one JPEG file in the file.
fn old_jpeg<'a>(
    bytes: &'a [u8],
    ifd: Ifd<'a>,
    limits: &Limits,
) -> Result<Option<Header<'a>>, ImagingError> {
    const OLD_JPEG: u64 = 6;
    if ifd.number(tag::COMPRESSION) != Some(OLD_JPEG) {
        return Ok(None);
    }
    let place = (ifd.number(tag::OLD_JPEG), ifd.number(tag::OLD_JPEG_BYTES));
    let (Some(at), Some(length)) = place else {
        return Ok(None);
    };
    super::embedded::inspect(bytes, Format::Tiff, (at, length), limits).map(Some)
}

/// Where the strips or tiles lie.
struct Chunks<'a> {
    offsets: Field<'a>,
    lengths: Option<Field<'a>>,
    across: usize,
    down: usize,
}

impl<'a> Chunks<'a> {
    fn of(
        ifd: Ifd<'a>,
        facts: &TiffFacts,
        size: Size,
        limits: &Limits,
    ) -> Result<Self, ImagingError> {
        let (offsets, lengths) = if facts.is_tiled {
            (tag::TILE_OFFSETS, tag::TILE_BYTES)
        } else {
            (tag::STRIP_OFFSETS, tag::STRIP_BYTES)
        };
        // Some writers use the one for the other.
        let offsets = ifd
            .field(offsets)
            .or_else(|| ifd.field(tag::STRIP_OFFSETS))
            .ok_or_else(|| corrupt("it has no pixels"))?;
        let chunks = Self {
            offsets,
            lengths: ifd.field(lengths).or_else(|| ifd.field(tag::STRIP_BYTES)),
            across: size.width.div_ceil(facts.chunk.width) as usize,
            down: size.height.div_ceil(facts.chunk.height) as usize,
        };
        let count = (chunks.across * chunks.down).saturating_mul(facts.planes());
        limits.check_chunks(u32::try_from(count).unwrap_or(u32::MAX))?;
        Ok(chunks)
    }

    /// Of the chunks that may be read, in bytes. One of unknown length may be the whole file.
    fn longest(&self, file_bytes: usize, count: usize) -> usize {
        let Some(lengths) = self
            .lengths
            .filter(|lengths| lengths.numbers().count() >= count)
        else {
            return file_bytes;
        };
        let longest = lengths
            .numbers()
            .take(count)
            .try_fold(0, |longest, length| {
                (length > 0).then_some(length.max(longest))
            });
        longest.map_or(file_bytes, |longest| (longest as usize).min(file_bytes))
    }

    /// As far as it lies within the file. One of unknown length may reach to the end of the file.
    fn data(&self, bytes: &'a [u8], index: usize) -> Option<&'a [u8]> {
        let at = usize::try_from(self.offsets.get(index)?).ok()?;
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let length = self.lengths.and_then(|lengths| lengths.get(index));
        Some(match length {
            Some(length) if length > 0 => &rest[..rest.len().min(length as usize)],
            _ => rest,
        })
    }
}

impl TiffFacts {
    pub(super) fn memory_bytes(&self, size: Size, target: Size) -> usize {
        let planes = self.planes();
        let row = self.row_bytes();
        let streams = if self.is_tiled { 1 } else { planes };
        let rows = (self.chunk.height.min(size.height) as usize)
            .div_ceil(self.shared_rows() as usize)
            .saturating_add(1);
        let chunk_samples = row.saturating_mul(rows);
        let raw = if self.is_tiled {
            let across = size.width.div_ceil(self.chunk.width) as usize;
            chunk_samples.saturating_mul(across).saturating_mul(planes)
        } else {
            row.saturating_mul(planes)
        };
        let of_stream = match self.compression {
            Compression::Jpeg { is_progressive } => {
                let whole = self.chunk.height as usize;
                jpeg::memory_bytes(row.saturating_mul(whole), row, is_progressive)
                    .saturating_add(self.chunk_bytes)
            }
            // Where the colour changes, in two rows.
            Compression::Group4 | Compression::Runs { .. } => row.saturating_mul(64),
            _ => stream::STREAM_BYTES,
        };
        let reversed = if self.bits_are_reversed {
            self.chunk_bytes
        } else {
            0
        };
        let channels = self.layout().channels();
        let row_of_pixels = size.width as usize * (channels + self.samples.max(channels));
        BoxReducer::memory_bytes(size, target, channels)
            .saturating_add(raw)
            .saturating_add((of_stream.saturating_add(reversed)).saturating_mul(streams))
            .saturating_add(row_of_pixels)
            .saturating_add(row)
    }

    pub(super) fn decode(
        &self,
        bytes: &[u8],
        size: Size,
        target: Size,
        limits: &Limits,
    ) -> Result<Decoded<'static>, ImagingError> {
        let ifd = first(bytes)?;
        let chunks = Chunks::of(ifd, self, size, limits)?;
        let tables = ifd
            .field(tag::JPEG_TABLES)
            .map_or(&[][..], |field| field.data);
        let mut canvas = Canvas {
            facts: self,
            painter: Painter::new(self, ifd),
            row: vec![0; size.width as usize * self.layout().channels()],
            reducer: BoxReducer::new(size, target, self.layout()),
        };
        let source = File {
            facts: self,
            bytes,
            chunks,
            tables,
            limits,
        };
        if self.is_tiled {
            source.show_tiles(&mut canvas)?;
        } else {
            source.show_strips(&mut canvas)?;
        }
        let rows_decoded = canvas.reducer.rows_pushed();
        finish_rows(canvas.reducer, Format::Tiff, rows_decoded, size.height)
    }
}

/// The rows of the picture so far.
struct Canvas<'f> {
    facts: &'f TiffFacts,
    painter: Painter<'f>,
    row: Vec<u8>,
    reducer: BoxReducer,
}

impl Canvas<'_> {
    fn push_row(&mut self) {
        match self.facts.alpha {
            Some((_, true)) => self.reducer.push_premultiplied_row(&self.row),
            _ => self.reducer.push_row(&self.row),
        }
    }
}

struct File<'a> {
    facts: &'a TiffFacts,
    bytes: &'a [u8],
    chunks: Chunks<'a>,
    tables: &'a [u8],
    limits: &'a Limits,
}

impl File<'_> {
    /// The stream of a chunk, by its plane and its number among those of a plane. `None` if it lies
    /// beyond the end of the file.
    fn open(
        &self,
        plane: usize,
        index: usize,
        rows: u32,
    ) -> Result<Option<Stream<'_>>, ImagingError> {
        let index = plane * self.chunks.across * self.chunks.down + index;
        let Some(data) = self.chunks.data(self.bytes, index) else {
            return Ok(None);
        };
        match Stream::open(self.facts, data, self.tables, rows, self.limits) {
            Ok(stream) => Ok(Some(stream)),
            // Rows before it may be enough.
            Err(error @ ImagingError::Corrupt { .. }) if index == 0 => Err(error),
            Err(ImagingError::Corrupt { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All planes of a strip at once, row by row. Ends at the first row that can't be read.
    fn show_strips(&self, canvas: &mut Canvas<'_>) -> Result<(), ImagingError> {
        let facts = self.facts;
        let height = canvas.reducer.source().height;
        let mut rows = vec![vec![0; facts.row_bytes()]; facts.planes()];
        let mut work = Vec::new();
        for strip in 0..self.chunks.down {
            self.limits.check_deadline()?;
            let left = height - canvas.reducer.rows_pushed();
            let in_strip = facts.chunk.height.min(left);
            let mut streams = Vec::with_capacity(facts.planes());
            for plane in 0..facts.planes() {
                match self.open(plane, strip, in_strip)? {
                    Some(stream) => streams.push(stream),
                    None => return Ok(()),
                }
            }
            for row in 0..in_strip.div_ceil(facts.shared_rows()) {
                if (row as usize).is_multiple_of(ROWS_PER_DEADLINE_CHECK) {
                    self.limits.check_deadline()?;
                }
                for (stream, row) in streams.iter_mut().zip(&mut rows) {
                    if !stream.read(row) {
                        return Ok(());
                    }
                    predict::undo(facts, row, &mut work);
                }
                let planes: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
                for line in 0..facts.shared_rows() {
                    if row * facts.shared_rows() + line < in_strip {
                        canvas
                            .painter
                            .paint(&planes, line as usize, &mut canvas.row);
                        canvas.push_row();
                    }
                }
            }
        }
        Ok(())
    }

    /// One row of tiles after another. Ends at the first that lacks a row.
    fn show_tiles(&self, canvas: &mut Canvas<'_>) -> Result<(), ImagingError> {
        let facts = self.facts;
        let size = canvas.reducer.source();
        let channels = facts.layout().channels();
        let stride = facts.row_bytes();
        let (across, planes) = (self.chunks.across, facts.planes());
        let mut work = Vec::new();
        let mut band: Vec<Vec<u8>> = vec![Vec::new(); across * planes];
        for down in 0..self.chunks.down {
            let left = size.height - canvas.reducer.rows_pushed();
            let in_tile = facts.chunk.height.min(left);
            let rows = in_tile.div_ceil(facts.shared_rows()) as usize;
            let mut rows_read = rows;
            for plane in 0..planes {
                for column in 0..across {
                    self.limits.check_deadline()?;
                    let tile = &mut band[plane * across + column];
                    tile.resize(rows * stride, 0);
                    let stream = self.open(plane, down * across + column, in_tile)?;
                    let mut read = 0;
                    if let Some(mut stream) = stream {
                        for row in tile.chunks_exact_mut(stride) {
                            if !stream.read(row) {
                                break;
                            }
                            predict::undo(facts, row, &mut work);
                            read += 1;
                        }
                    }
                    rows_read = rows_read.min(read);
                }
            }
            for row in 0..rows_read as u32 * facts.shared_rows() {
                if row >= in_tile {
                    break;
                }
                let line = (row % facts.shared_rows()) as usize;
                let at = (row / facts.shared_rows()) as usize * stride;
                let tile_pixels = facts.chunk.width as usize * channels;
                for (column, out) in canvas.row.chunks_mut(tile_pixels).enumerate() {
                    let planes: Vec<&[u8]> = (0..planes)
                        .map(|plane| &band[plane * across + column][at..at + stride])
                        .collect();
                    canvas.painter.paint(&planes, line, out);
                }
                canvas.push_row();
            }
            if rows_read < rows {
                break;
            }
        }
        Ok(())
    }
}
