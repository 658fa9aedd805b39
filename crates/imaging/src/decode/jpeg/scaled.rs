//! The scaled decoder, and the way of its planes to the size of the thumbnail.
//!
//! The planes stay planes: chroma is resampled from the size that it has in the file.

use std::cell::RefCell;
use std::time::Instant;

use super::corrupt;
use crate::decode::{Decoded, Target, chroma_size};
use crate::error::ImagingError;
use crate::geometry::Size;
use crate::limits::Limits;
use crate::raster::{Layout, Raster, Small, Ycc};
use crate::resize::{Plane, resize_plane};
use crate::source_image::SourceFormat;
use thumbforge_codecs::jpeg::{
    self, ColorKind, Header, JpegError, MAX_SCANS, Scale, Scratch, decode_scaled_until,
};

thread_local! {
    /// A fresh buffer for each picture would cost a third of the time in page faults.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

pub(super) enum Attempt {
    Decoded(Decoded),
    /// Nothing of the picture could be decoded.
    Declined(JpegError),
}

fn scale(header: &Header, thumbnail: Size) -> Scale {
    header.scale_for(thumbnail.width.max(thumbnail.height))
}

pub(super) fn memory_bytes(header: &Header, thumbnail: Size) -> usize {
    header.memory_estimate(scale(header, thumbnail))
}

pub(super) fn decode(
    bytes: &[u8],
    header: &Header,
    target: Target,
    limits: &Limits,
) -> Result<Attempt, ImagingError> {
    SCRATCH.with_borrow_mut(|scratch| {
        let scale = scale(header, target.size);
        match decode_scaled_until(bytes, header, scale, scratch, limits.deadline) {
            Ok(decoded) => {
                limits.check_deadline()?;
                render(&decoded, header, target).map(Attempt::Decoded)
            }
            Err(JpegError::TooManyScans) => Err(ImagingError::TooMany {
                what: "scans",
                max: MAX_SCANS as u32,
            }),
            Err(error) => Ok(Attempt::Declined(error)),
        }
    })
}

fn render(
    decoded: &jpeg::Decoded<'_>,
    header: &Header,
    target: Target,
) -> Result<Decoded, ImagingError> {
    let thumbnail = target.size;
    let (rows_decoded, rows) = (decoded.rows_decoded, header.height);
    if u64::from(rows_decoded) * 2 < u64::from(rows) {
        return Err(ImagingError::Truncated {
            format: SourceFormat::Jpeg,
            rows_decoded,
            rows,
        });
    }
    let resized_since = Instant::now();
    let halve_chroma = target.halve_chroma && decoded.color == ColorKind::YCbCr;
    let chroma = chroma_size(thumbnail, halve_chroma);
    let mut planes = decoded
        .planes
        .iter()
        .enumerate()
        .map(|(index, plane)| match index {
            1.. if halve_chroma => resize_plane(&view(plane), chroma),
            _ => resize_plane(&view(plane), thumbnail),
        })
        .collect::<Result<Vec<_>, _>>()?
        .into_iter();
    let inks = match decoded.color {
        ColorKind::Ycck => Layout::Ycck,
        _ => Layout::Cmyk,
    };
    let mut next = || planes.next();
    let mut small = match (decoded.color, next(), next(), next(), next()) {
        (ColorKind::Grey, Some(luma), ..) => {
            Small::Raster(Raster::whole(thumbnail, Layout::Luma, luma))
        }
        (ColorKind::YCbCr, Some(y), Some(cb), Some(cr), None) => {
            let picture = Ycc {
                size: thumbnail,
                chroma,
                y,
                cb,
                cr,
            };
            Small::Ycc(if halve_chroma {
                picture.with_halved_chroma()
            } else {
                picture
            })
        }
        (ColorKind::Rgb, Some(r), Some(g), Some(b), None) => {
            let pixels = interleave([&r, &g, &b]);
            Small::Raster(Raster::whole(thumbnail, Layout::Rgb, pixels))
        }
        (ColorKind::Cmyk | ColorKind::Ycck, Some(a), Some(b), Some(c), Some(k)) => {
            let pixels = interleave([&a, &b, &c, &k]);
            Small::Raster(Raster::whole(thumbnail, inks, pixels))
        }
        _ => return Err(corrupt("its planes do not match its colours")),
    };
    if rows_decoded < rows {
        // Rounded down, so that no row that is half missing stays.
        let kept = u64::from(rows_decoded) * u64::from(thumbnail.height) / u64::from(rows);
        small.whiten_below(kept as usize);
    }
    Ok(Decoded {
        small,
        // A progressive picture that breaks off may have all rows, if coarser ones.
        truncated: decoded.stopped.is_some(),
        resized_since,
    })
}

fn view<'a>(plane: &jpeg::Plane<'a>) -> Plane<'a> {
    Plane {
        samples: plane.data,
        stride: plane.stride,
        size: Size::new(plane.width as u32, plane.height as u32),
        span: (plane.exact_width, plane.exact_height),
    }
}

fn interleave<const CHANNELS: usize>(planes: [&[u8]; CHANNELS]) -> Vec<u8> {
    let mut pixels = vec![0; planes[0].len() * CHANNELS];
    for (index, pixel) in pixels.chunks_exact_mut(CHANNELS).enumerate() {
        for (sample, plane) in pixel.iter_mut().zip(planes) {
            *sample = plane[index];
        }
    }
    pixels
}
