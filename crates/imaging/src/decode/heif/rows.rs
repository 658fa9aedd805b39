//! The rows of a picture of one tile or more, decoded in bands.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use heifer::color::{ColorParams, frame_to_rgba_into};
use heifer::heifer_hevc_dec::decoder::{DecodeOptions, decode_picture};
use heifer::heifer_hevc_dec::recon::Frame;
use heifer::heifer_isobmff::boxes::{ColorInfo, Property};
use heifer::heifer_isobmff::{HeifFile, ItemId};

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
}

impl<'f> Rows<'f> {
    pub(super) fn of(file: &'f HeifFile<'f>, shape: &'f Shape, limits: &'f Limits) -> Self {
        Self {
            file,
            shape,
            limits,
            band: Vec::new(),
            at: 0,
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
            let frame = self.decode_tile(id)?;
            if frame.widths[0] < tile.width || frame.heights[0] < tile.height {
                return Err(corrupt("a coded picture is smaller than it claims"));
            }
            let parameters = color_parameters(self.file, id, &frame)?;
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
        let stream = self.file.hevc_bitstream(id).map_err(corrupt)?;
        let options = DecodeOptions {
            max_pixels: self.shape.coded_pixels(),
            ..DecodeOptions::default()
        };
        // It forbids unsafe code, and is young.
        let decoded = catch_unwind(AssertUnwindSafe(|| decode_picture(&stream, options)));
        match decoded {
            Ok(frame) => frame.map_err(corrupt),
            Err(_) => Err(corrupt("its decoder gave up")),
        }
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

/// Those of the container, else those of the stream.
fn color_parameters(
    file: &HeifFile<'_>,
    id: ItemId,
    frame: &Frame,
) -> Result<ColorParams, ImagingError> {
    let mut properties = file.item_properties(id).map_err(corrupt)?;
    let of_container = properties.find_map(|property| match property {
        Property::Color(ColorInfo::Nclx {
            matrix, full_range, ..
        }) => Some(ColorParams {
            matrix: *matrix,
            full_range: *full_range,
        }),
        _ => None,
    });
    Ok(of_container.unwrap_or_else(|| ColorParams::from_frame(frame)))
}
