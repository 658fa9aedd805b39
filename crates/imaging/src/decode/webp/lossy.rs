//! The way of a lossy picture's planes to the size of the thumbnail: averaged row by row as they are decoded, then resampled.
//!
//! The planes stay planes: chroma is resampled from the size that it has in the file.

use std::cell::RefCell;
use std::time::Instant;

use super::corrupt;
use crate::decode::{Decoded, Target, chroma_size};
use crate::error::ImagingError;
use crate::geometry::{Size, averaging_box};
use crate::header::ChunkPlace;
use crate::limits::Limits;
use crate::raster::{Layout, Small, Ycc, halved};
use crate::reduce::BoxReducer;
use crate::resize::resize;
use crate::source_image::SourceFormat;
use thumbforge_codecs::vp8::{self, FrameSize, LoopFilter, Rows, Scratch, Vp8Error};

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

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

/// The planes on their way.
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

/// Where at least 3 × 3 samples become one, the loop filter may be left out: what it smooths is smoothed anyway, and it takes
/// nearly half of the time. Measured on photographs of 2 megapixels against filtering and Lanczos alone, luma and chroma
/// together: at quality 75 the thumbnail comes to 49.3 dB in place of 49.4 at 1/6 of the side and to 50.4 in place of 50.8 at
/// 1/4, at quality 20 to 48.4 in place of 49.6 and to 47.1 in place of 51.0. At 1/4 and quality 0 it can be less than 40, and
/// without averaging, at 1/1.6 and quality 20, it would be 41.6 in place of 54.1.
fn loop_filter(size: Size, thumbnail: Size) -> LoopFilter {
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
) -> Result<Decoded, ImagingError> {
    let thumbnail = target.size;
    let chroma = chroma_size(thumbnail, target.halve_chroma);
    let new = |source, target| BoxReducer::new(source, target, Layout::Luma);
    let mut reducers = Reducers {
        luma: new(size, thumbnail),
        cb: new(halved(size), chroma),
        cr: new(halved(size), chroma),
    };
    let data = bytes.get(place.at..).unwrap_or_default();
    let data = &data[..data.len().min(place.declared_bytes)];
    let filter = loop_filter(size, thumbnail);
    let progress = SCRATCH
        .with_borrow_mut(|scratch| {
            let declared = place.declared_bytes;
            vp8::decode(
                data,
                declared,
                filter,
                limits.deadline,
                scratch,
                &mut reducers,
            )
        })
        .map_err(corrupt)?;
    match progress.stopped {
        Some(Vp8Error::TimedOut) => return Err(ImagingError::Timeout),
        Some(_) if u64::from(progress.rows) * 2 < u64::from(size.height) => {
            return Err(ImagingError::Truncated {
                format: SourceFormat::Webp,
                rows_decoded: progress.rows,
                rows: size.height,
            });
        }
        _ => {}
    }
    let resized_since = Instant::now();
    let mut small = Small::Ycc(reducers.finish(size, target)?);
    let truncated = progress.rows < size.height;
    if truncated {
        // Rounded down, so that no row that is half missing stays.
        let kept = u64::from(progress.rows) * u64::from(thumbnail.height) / u64::from(size.height);
        small.whiten_below(kept as usize);
    }
    Ok(Decoded {
        small,
        truncated,
        resized_since,
    })
}

impl Reducers {
    fn finish(mut self, source: Size, target: Target) -> Result<Ycc, ImagingError> {
        let (size, chroma) = (target.size, chroma_size(target.size, target.halve_chroma));
        // The last chroma sample of an odd side lies half outside of the picture.
        let half = |side: u32| f64::from(side) / f64::from(2 * side.div_ceil(2));
        let (across, down) = (half(source.width), half(source.height));
        for plane in [&mut self.luma, &mut self.cb, &mut self.cr] {
            plane.fill_with(&[MISSING]);
        }
        let resized = |plane: BoxReducer, size, (across, down): (f64, f64)| {
            let mut raster = plane.finish();
            raster.span = (raster.span.0 * across, raster.span.1 * down);
            resize(raster, size).map(|raster| raster.pixels)
        };
        let mut y = resized(self.luma, size, (1.0, 1.0))?;
        let mut cb = resized(self.cb, chroma, (across, down))?;
        let mut cr = resized(self.cr, chroma, (across, down))?;
        to_full_range(&mut y, 16.0, 0.0, 255.0 / 219.0);
        to_full_range(&mut cb, 128.0, 128.0, 255.0 / 224.0);
        to_full_range(&mut cr, 128.0, 128.0, 255.0 / 224.0);
        let picture = Ycc {
            size,
            chroma,
            y,
            cb,
            cr,
        };
        Ok(if target.halve_chroma {
            picture.with_halved_chroma()
        } else {
            picture
        })
    }
}

/// From the range of ITU-R BT.601 (luma from 16 in 219 steps, chroma around 128 in 224) to that of JFIF, which has all 256.
fn to_full_range(plane: &mut [u8], from: f32, to: f32, factor: f32) {
    let table: [u8; 256] =
        std::array::from_fn(|sample| ((sample as f32 - from) * factor + to).round() as u8);
    for sample in plane {
        *sample = table[usize::from(*sample)];
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

    #[test]
    fn black_white_and_grey_are_the_same_in_both_ranges() {
        let mut luma = [0, 16, 126, 235, 255];
        to_full_range(&mut luma, 16.0, 0.0, 255.0 / 219.0);
        assert_eq!(luma, [0, 0, 128, 255, 255]);
        let mut chroma = [0, 16, 128, 240, 255];
        to_full_range(&mut chroma, 128.0, 128.0, 255.0 / 224.0);
        assert_eq!(chroma, [0, 1, 128, 255, 255]);
    }
}
