//! BMP, of Windows and of OS/2: a row at a time where rows are stored plainly.
//!
//! Only what a picture needs is asked of a header: counts and sizes that contradict it are common.
//! Of a file that ends early, the rows that it has are shown; they are the lower ones if it is
//! stored from the bottom up.

mod header;
mod pixels;
mod runs;

use self::header::{BmpHeader, Coding};
use self::pixels::Pixels;
use super::{Decoded, ROWS_PER_DEADLINE_CHECK, check_rows, finish_rows};
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::header::{Header, Kind};
use crate::limits::Limits;
use crate::metadata::ExifFacts;
use crate::raster::Layout;
use crate::reduce::BoxReducer;

pub(super) fn inspect(bytes: &[u8]) -> Result<Header<'_>, ImagingError> {
    let header = BmpHeader::read(bytes)?;
    Ok(Header {
        size: header.size,
        has_alpha: header.has_alpha(),
        frames: 1,
        icc: header::profile(bytes),
        exif: ExifFacts::default(),
        kind: Kind::Bmp(BmpFacts { header }),
    })
}

/// How a BMP is coded.
#[derive(Debug)]
pub(crate) struct BmpFacts {
    header: BmpHeader,
}

impl BmpFacts {
    fn layout(&self) -> Layout {
        if self.header.has_alpha() {
            Layout::Rgba
        } else {
            Layout::Rgb
        }
    }

    pub(super) fn memory_bytes(&self, size: Size, target: Size) -> usize {
        let channels = self.layout().channels();
        let picture = match self.header.coding {
            Coding::Runs(_) => size.area() * 3,
            Coding::Plain(_) => 0,
        };
        // Two rows: that of the picture, and white in place of missing ones.
        picture
            + 2 * size.width as usize * channels
            + BoxReducer::memory_bytes(size, target, channels)
    }

    pub(super) fn decode(
        &self,
        bytes: &[u8],
        size: Size,
        target: Size,
        limits: &Limits,
    ) -> Result<Decoded<'static>, ImagingError> {
        limits.check_deadline()?;
        let reducer = BoxReducer::new(size, target, self.layout());
        match &self.header.coding {
            Coding::Plain(pixels) => self.decode_plain(bytes, pixels, reducer, limits),
            Coding::Runs(depth) => {
                let picture = runs::decode(bytes, &self.header, *depth, limits)?;
                self.push_runs(&picture, reducer, limits)
            }
        }
    }

    /// The row of the file that holds a row of the picture.
    fn stored(&self, row: u32) -> u32 {
        if self.header.is_top_down {
            row
        } else {
            self.header.size.height - 1 - row
        }
    }

    fn decode_plain(
        &self,
        bytes: &[u8],
        pixels: &Pixels,
        mut reducer: BoxReducer,
        limits: &Limits,
    ) -> Result<Decoded<'static>, ImagingError> {
        let size = self.header.size;
        let data = bytes.get(self.header.data_at..).unwrap_or_default();
        let (stride, used) = pixels.row_bytes(size.width);
        // The last row may lack its padding.
        let available = (data.len() + stride - used) / stride;
        let available = u32::try_from(available)
            .unwrap_or(u32::MAX)
            .min(size.height);
        check_rows(Format::Bmp, available, size.height)?;
        let rows = data.chunks(stride).take(available as usize);
        let is_opaque = pixels.is_clear_everywhere(rows, used);
        let white = self.layout().white().repeat(size.width as usize);
        let mut row = vec![0; white.len()];
        for index in 0..size.height {
            if index.is_multiple_of(ROWS_PER_DEADLINE_CHECK as u32) {
                limits.check_deadline()?;
            }
            let start = self.stored(index) as usize * stride;
            match data.get(start..start + used) {
                Some(stored) => {
                    pixels.read_row(stored, &mut row);
                    if is_opaque {
                        row.iter_mut()
                            .skip(3)
                            .step_by(4)
                            .for_each(|alpha| *alpha = 255);
                    }
                    reducer.push_row(&row);
                }
                None => reducer.push_row(&white),
            }
        }
        let mut decoded = finish_rows(reducer, Format::Bmp, size.height, size.height)?;
        decoded.truncated = available < size.height;
        Ok(decoded)
    }

    fn push_runs(
        &self,
        picture: &runs::Picture,
        mut reducer: BoxReducer,
        limits: &Limits,
    ) -> Result<Decoded<'static>, ImagingError> {
        let size = self.header.size;
        check_rows(Format::Bmp, picture.rows, size.height)?;
        let stride = size.width as usize * 3;
        for index in 0..size.height {
            if index.is_multiple_of(ROWS_PER_DEADLINE_CHECK as u32) {
                limits.check_deadline()?;
            }
            let start = self.stored(index) as usize * stride;
            reducer.push_row(&picture.rgb[start..start + stride]);
        }
        let mut decoded = finish_rows(reducer, Format::Bmp, size.height, size.height)?;
        decoded.truncated = picture.rows < size.height;
        Ok(decoded)
    }
}

fn corrupt(reason: impl std::fmt::Display) -> ImagingError {
    ImagingError::corrupt(Format::Bmp, reason)
}
