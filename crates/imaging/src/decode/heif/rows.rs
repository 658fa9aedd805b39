//! The rows of a picture of one tile or more, decoded in bands.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use heifer::color::{ColorParams, frame_to_rgba_into};
use heifer::heifer_hevc_dec::recon::Frame;
use heifer::heifer_isobmff::boxes::{ColorInfo, Property};
use heifer::heifer_isobmff::{HeifFile, ItemId};

use super::coded;
use super::container::{Shape, corrupt};
use crate::error::ImagingError;
use crate::limits::Limits;

/// The least that the decoder takes, so that it is not begun in vain; measured are 22 to 45.
const NANOS_A_PIXEL: u64 = 15;

pub(super) struct Rows<'f> {
    file: &'f HeifFile<'f>,
    shape: &'f Shape,
    limits: &'f Limits,
    /// RGBA of one row of tiles.
    band: Vec<u8>,
    /// Of the next row in the picture.
    at: usize,
    is_alpha: bool,
}

impl<'f> Rows<'f> {
    pub(super) fn of(file: &'f HeifFile<'f>, shape: &'f Shape, limits: &'f Limits) -> Self {
        Self {
            file,
            shape,
            limits,
            band: Vec::new(),
            at: 0,
            is_alpha: false,
        }
    }

    /// The same for an alpha, whose samples are shares: they have no limited range.
    pub(super) fn of_alpha(file: &'f HeifFile<'f>, shape: &'f Shape, limits: &'f Limits) -> Self {
        Self {
            is_alpha: true,
            ..Self::of(file, shape, limits)
        }
    }

    /// RGBA of the next row, opaque; of alpha the first of them counts.
    pub(super) fn next(&mut self) -> Result<&[u8], ImagingError> {
        let tile_rows = self.shape.tile.height as usize;
        let stride = self.shape.columns * self.shape.tile.width as usize * 4;
        let within = self.at % tile_rows;
        if within == 0 {
            self.band.resize(stride * tile_rows, 0);
            self.decode_band(self.at / tile_rows, stride)?;
        }
        self.at += 1;
        Ok(&self.band[within * stride..][..stride])
    }

    fn decode_band(&mut self, band: usize, stride: usize) -> Result<(), ImagingError> {
        let columns = self.shape.columns;
        let tiles = self.shape.tiles.iter().skip(band * columns).take(columns);
        let tile = self.shape.tile;
        let (width, height) = (tile.width as usize, tile.height as usize);
        for (column, &id) in tiles.enumerate() {
            self.check_time()?;
            let mut frame = self.decode_tile(id)?;
            if frame.widths[0] < tile.width || frame.heights[0] < tile.height {
                return Err(corrupt("a coded picture is smaller than it claims"));
            }
            let parameters = color_parameters(self.file, [self.shape.id, id], &frame)?;
            if frame.widths[1] == 0 && !parameters.full_range && !self.is_alpha {
                stretch_grey(&mut frame);
            }
            let mut rows: Vec<&mut [u8]> = self
                .band
                .chunks_exact_mut(stride)
                .map(|row| &mut row[column * width * 4..][..width * 4])
                .collect();
            frame_to_rgba_into(&frame, parameters, &mut rows, width, height);
        }
        Ok(())
    }

    fn decode_tile(&self, id: ItemId) -> Result<Frame, ImagingError> {
        let most = self.shape.coded_pixels();
        // It forbids unsafe code, and is young.
        let decode = || coded::decode(self.file, id, most, self.limits);
        let decoded = catch_unwind(AssertUnwindSafe(decode));
        decoded.unwrap_or_else(|_| Err(corrupt("its decoder gave up")))
    }

    fn check_time(&self) -> Result<(), ImagingError> {
        let Some(deadline) = self.limits.deadline else {
            return Ok(());
        };
        let least = Duration::from_nanos(self.shape.tile.area() as u64 * NANOS_A_PIXEL);
        if deadline.saturating_duration_since(Instant::now()) < least {
            return Err(ImagingError::Timeout);
        }
        Ok(())
    }
}

/// Those of the container, of the whole before those of the tile; else those of the stream.
fn color_parameters(
    file: &HeifFile<'_>,
    items: [ItemId; 2],
    frame: &Frame,
) -> Result<ColorParams, ImagingError> {
    for item in items {
        let mut properties = file.item_properties(item).map_err(corrupt)?;
        let of_container = properties.find_map(|property| match property {
            Property::Color(ColorInfo::Nclx {
                matrix, full_range, ..
            }) => Some(ColorParams {
                matrix: *matrix,
                full_range: *full_range,
            }),
            _ => None,
        });
        if let Some(parameters) = of_container {
            return Ok(parameters);
        }
    }
    Ok(ColorParams::from_frame(frame))
}

/// From 16 for black and 235 for white, in 8 bits, to all of the range (ITU-T H.273, 8.3).
fn stretch_grey(frame: &mut Frame) {
    let bits = u32::from(frame.bit_depth[0]);
    let (unit, most) = (1 << (bits - 8), (1 << bits) - 1);
    for sample in &mut frame.planes[0] {
        let above_black = u32::from(*sample).saturating_sub(16 * unit);
        let stretched = (above_black * most + 219 * unit / 2) / (219 * unit);
        *sample = stretched.min(most) as u16;
    }
}
