//! Lossy pictures without alpha: their planes are averaged row by row as they are decoded.
//!
//! The planes stay planes: chroma keeps the size that it has in the file.

use thumbforge_codecs::vp8::{self, FrameSize, LoopFilter, Rows, Scratch, Vp8Error};

use super::corrupt;
use crate::decode::{Decoded, Target, check_rows};
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::{Size, averaging_box};
use crate::header::ChunkPlace;
use crate::limits::Limits;
use crate::picture::{Pixels, Plane, PlaneColors, Planes};
use crate::raster::{Layout, chroma_size, halved};
use crate::reduce::BoxReducer;

/// Mid-grey, in place of what is missing while the picture is resampled; then it is made white.
const MISSING: u8 = 128;

fn frame_size(size: Size) -> FrameSize {
    // Both have 14 bits in the file.
    FrameSize {
        width: size.width as u16,
        height: size.height as u16,
    }
}

pub(super) fn memory_bytes(size: Size, thumbnail: Size) -> usize {
    vp8::memory_estimate(frame_size(size))
        + BoxReducer::memory_bytes(size, thumbnail, 1)
        // Chroma may be asked for in full size: then less of it is averaged.
        + 2 * BoxReducer::memory_bytes(halved(size), thumbnail, 1)
}

/// The planes while they are being reduced.
struct Reducers {
    luma: BoxReducer,
    cb: BoxReducer,
    cr: BoxReducer,
}

impl Rows for Reducers {
    fn luma(&mut self, row: &[u8]) {
        self.luma.push_row(row);
    }

    fn chroma(&mut self, cb: &[u8], cr: &[u8]) {
        self.cb.push_row(cb);
        self.cr.push_row(cr);
    }
}

/// Where at least 3 × 3 samples become one, the loop filter may be left out: averaging smooths the
/// same samples anyway, and the filter takes nearly half of the time. Measured on photographs of 2
/// megapixels against filtering and Lanczos alone, luma and chroma together: at quality 75 the
/// thumbnail comes to 49.3 dB in place of 49.4 at 1/6 of the side and to 50.4 in place of 50.8 at
/// 1/4, at quality 20 to 48.4 in place of 49.6 and to 47.1 in place of 51.0. At 1/4 and quality 0
/// it can be less than 40, and without averaging, at 1/1.6 and quality 20, it would be 41.6 in
/// place of 54.1.
pub(super) fn loop_filter(size: Size, thumbnail: Size) -> LoopFilter {
    let averaged = averaging_box(size, thumbnail);
    if averaged.width >= 3 && averaged.height >= 3 {
        LoopFilter::LeaveOut
    } else {
        LoopFilter::Apply
    }
}

pub(super) fn decode(
    bytes: &[u8],
    place: ChunkPlace,
    size: Size,
    target: Target,
    limits: &Limits,
    scratch: &mut Scratch,
) -> Result<Decoded<'static>, ImagingError> {
    let chroma = if target.halve_chroma {
        chroma_size(target.size)
    } else {
        target.size
    };
    let new = |source, target| BoxReducer::new(source, target, Layout::Luma);
    let mut reducers = Reducers {
        luma: new(size, target.size),
        cb: new(halved(size), chroma),
        cr: new(halved(size), chroma),
    };
    let data = bytes.get(place.at..).unwrap_or_default();
    let data = &data[..data.len().min(place.declared_bytes)];
    let filter = loop_filter(size, target.size);
    let progress = vp8::decode(
        data,
        place.declared_bytes,
        filter,
        limits.deadline,
        scratch,
        &mut reducers,
    )
    .map_err(corrupt)?;
    match progress.stopped {
        Some(Vp8Error::TimedOut) => return Err(ImagingError::Timeout),
        Some(_) => check_rows(Format::Webp, progress.rows, size.height)?,
        None => {}
    }
    Ok(Decoded {
        pixels: Pixels::Planes(reducers.finish(size)),
        rows: progress.rows,
        truncated: progress.rows < size.height,
    })
}

impl Reducers {
    fn finish(mut self, source: Size) -> Planes<'static> {
        // The last chroma sample of an odd side lies half outside of the picture.
        let half = |side: u32| f64::from(side) / f64::from(2 * side.div_ceil(2));
        let (across, down) = (half(source.width), half(source.height));
        for plane in [&mut self.luma, &mut self.cb, &mut self.cr] {
            plane.fill_with(&[MISSING]);
        }
        let chroma = |plane: BoxReducer| {
            let mut raster = plane.finish();
            raster.span = (raster.span.0 * across, raster.span.1 * down);
            Plane::of(raster)
        };
        Planes {
            colors: PlaneColors::LimitedYcc,
            planes: vec![
                Plane::of(self.luma.finish()),
                chroma(self.cb),
                chroma(self.cr),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loop_filter_is_left_out_from_six_times_the_thumbnail_on() {
        let thumbnail = Size::new(100, 50);
        for (size, expected) in [
            (Size::new(100, 50), LoopFilter::Apply),
            (Size::new(599, 300), LoopFilter::Apply),
            (Size::new(600, 299), LoopFilter::Apply),
            (Size::new(600, 300), LoopFilter::LeaveOut),
            (Size::new(4000, 2000), LoopFilter::LeaveOut),
        ] {
            assert_eq!(loop_filter(size, thumbnail), expected, "{size:?}");
        }
    }
}
