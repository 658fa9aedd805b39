//! The rows of the usual PNG: 8 bits a sample, no palette, not interlaced
//! (<https://www.w3.org/TR/png-3/>).
//!
//! The png crate unfilters row by row, and each pixel of a row waits for its left neighbour: half
//! of its time. Here eight rows are unfiltered at once ([`wavefront`]), from the buffer that the
//! inflater writes ([`inflate`]). A photo of 2 megapixels takes 12 ms in place of 21.

mod chunks;
mod filter;
mod inflate;
#[cfg(test)]
mod tests;
mod wavefront;

pub use chunks::{Chunk, Chunks};
pub use filter::Filter;
pub use wavefront::{PADDING_BYTES, ROWS, unfilter};

use inflate::Inflater;

/// Rows with more bytes are left to the other reader: the buffers hold many of them.
pub const MAX_ROW_BYTES: usize = 128 << 10;
/// From this many rows that wait for their left neighbours, a wavefront is faster than one row
/// after the other.
const MIN_WAVEFRONT_ROWS: usize = 2;

/// Why the rows end before the picture does.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    #[error("its deflate stream is corrupt: {0:?}")]
    Deflate(fdeflate::DecompressionError),
    #[error("a chunk of pixels has the wrong checksum")]
    Checksum,
    #[error("its filter {0} is unknown")]
    Filter(u8),
    #[error("it has fewer rows than its header claims")]
    TooFewRows,
}

/// What the header declares of the picture.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// 1 to 4.
    pub bytes_per_pixel: usize,
}

impl Shape {
    fn is_usual(self) -> bool {
        (1..=4).contains(&self.bytes_per_pixel)
            && (1..=MAX_ROW_BYTES / self.bytes_per_pixel).contains(&self.width)
    }

    const fn row_bytes(self) -> usize {
        self.width * self.bytes_per_pixel
    }

    /// A row in the buffer of finished ones.
    const fn stride(self) -> usize {
        self.row_bytes() + PADDING_BYTES
    }

    /// A row as it is inflated: the number of its filter comes first.
    const fn filtered_bytes(self) -> usize {
        self.row_bytes() + 1
    }
}

/// Reads the rows of a picture from top to bottom.
pub struct RowReader<'a> {
    shape: Shape,
    inflater: Inflater<'a>,
    /// The row above, and the [`ROWS`] that are unfiltered together.
    finished: Vec<u8>,
    rows_left: usize,
    unknown_filter: Option<Damage>,
}

impl<'a> RowReader<'a> {
    /// From the first sequence of `IDAT` chunks in a file whose header has this shape. `None` if
    /// its rows are too wide.
    pub fn new(file: &'a [u8], shape: Shape) -> Option<Self> {
        if !shape.is_usual() {
            return None;
        }
        let total = shape.filtered_bytes().checked_mul(shape.height)?;
        Some(Self {
            shape,
            inflater: Inflater::new(file, total, ROWS * shape.filtered_bytes()),
            finished: vec![0; (1 + ROWS) * shape.stride()],
            rows_left: shape.height,
            unknown_filter: None,
        })
    }

    /// The most that a reader allocates, apart from the tables of the inflater. `None` if the rows
    /// are too wide.
    pub fn memory_bytes(shape: Shape) -> Option<usize> {
        shape.is_usual().then(|| {
            inflate::buffer_bytes(ROWS * shape.filtered_bytes()) + (1 + ROWS) * shape.stride()
        })
    }

    /// The next rows, at most [`ROWS`]; zero of them if much was read for nothing, so that the
    /// caller may look at the clock. `None` at the end of the picture, or of its readable part.
    pub fn next_rows(&mut self) -> Option<impl ExactSizeIterator<Item = &[u8]>> {
        if self.unknown_filter.is_some() {
            return None;
        }
        let wanted = self.rows_left.min(ROWS);
        let is_filled = self.inflater.fill(wanted * self.shape.filtered_bytes());
        let (filters, count) = self.filters(wanted);
        if count == 0 && is_filled {
            return None;
        }
        self.unfilter_rows(filters, count);
        self.inflater.take(count * self.shape.filtered_bytes());
        self.rows_left -= count;
        let (row_bytes, stride) = (self.shape.row_bytes(), self.shape.stride());
        let rows = self.finished[stride..].chunks_exact(stride);
        Some(rows.take(count).map(move |row| &row[..row_bytes]))
    }

    /// From the rows that are there, and their number: at most `wanted`, and none from the first
    /// unknown filter on.
    fn filters(&mut self, wanted: usize) -> ([Filter; ROWS], usize) {
        let mut filters = [Filter::None; ROWS];
        let rows = self
            .inflater
            .rows()
            .chunks_exact(self.shape.filtered_bytes());
        let mut count = 0;
        for (row, filter) in rows.take(wanted).zip(&mut filters) {
            let Some(known) = Filter::from_byte(row[0]) else {
                self.unknown_filter = Some(Damage::Filter(row[0]));
                break;
            };
            *filter = known;
            count += 1;
        }
        (filters, count)
    }

    /// The first `count` rows that are inflated to the rows of `finished`, below the last of those
    /// that were there.
    fn unfilter_rows(&mut self, filters: [Filter; ROWS], count: usize) {
        let (row_bytes, stride) = (self.shape.row_bytes(), self.shape.stride());
        let filtered_bytes = self.shape.filtered_bytes();
        let raw = self.inflater.padded_rows();
        let (above, out) = self.finished.split_at_mut(stride);
        let waiting = filters.iter().filter(|filter| filter.uses_left()).count();
        if waiting >= MIN_WAVEFRONT_ROWS {
            // Rows beyond the last are given that one; the result is not used.
            let raw = std::array::from_fn(|row| &raw[row.min(count - 1) * filtered_bytes + 1..]);
            let mut out = out.chunks_exact_mut(stride);
            let out = std::array::from_fn(|_| out.next().unwrap_or_default());
            let Shape {
                width,
                bytes_per_pixel,
                ..
            } = self.shape;
            unfilter(width, bytes_per_pixel, filters, above, raw, out);
        } else {
            let mut above = &above[..row_bytes];
            let rows = raw.chunks_exact(filtered_bytes).zip(filters).take(count);
            for ((raw, filter), out) in rows.zip(out.chunks_exact_mut(stride)) {
                let out = &mut out[..row_bytes];
                filter.unfilter(self.shape.bytes_per_pixel, above, &raw[1..], out);
                above = out;
            }
        }
        let last = count * stride;
        self.finished.copy_within(last..last + row_bytes, 0);
    }

    /// After the last row: why they ended before the picture did.
    pub fn damage(&self) -> Option<&Damage> {
        self.unknown_filter.as_ref().or(self.inflater.end())
    }
}
