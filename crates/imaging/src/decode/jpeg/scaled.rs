//! The scaled decoder, whose planes stay planes: chroma keeps the size that it has in the file.

use std::borrow::Cow;

use thumbforge_codecs::jpeg::{
    self, ColorKind, Header, JpegError, MAX_SCANS, Scale, Scratch, decode_scaled_until,
};

use crate::decode::{Decoded, check_rows};
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::limits::Limits;
use crate::picture::{Pixels, Plane, PlaneColors, Planes};
use crate::raster::Layout;

pub(super) enum Attempt<'s> {
    Decoded(Decoded<'s>),
    /// Nothing of the picture could be decoded.
    Declined(JpegError),
}

/// The scale at which both sides of the picture are large enough.
fn scale(header: &Header, target: Size) -> Scale {
    let longest = u64::from(header.width.max(header.height));
    // Of a picture that is stretched, one side needs more than the longest of the target.
    let needed = |side: u32, of: u32| u64::from(side) * longest / u64::from(of.max(1));
    let needed = needed(target.width, header.width).max(needed(target.height, header.height));
    let longest_target = target.width.max(target.height);
    header.scale_for(
        u32::try_from(needed)
            .unwrap_or(u32::MAX)
            .max(longest_target),
    )
}

pub(super) fn memory_bytes(header: &Header, target: Size) -> usize {
    header.memory_estimate(scale(header, target))
}

pub(super) fn decode<'s>(
    bytes: &[u8],
    header: &Header,
    target: Size,
    limits: &Limits,
    scratch: &'s mut Scratch,
) -> Result<Attempt<'s>, ImagingError> {
    let scale = scale(header, target);
    match decode_scaled_until(bytes, header, scale, scratch, limits.deadline) {
        Ok(decoded) => {
            limits.check_deadline()?;
            check_rows(Format::Jpeg, decoded.rows_decoded, header.height)?;
            Ok(Attempt::Decoded(Decoded {
                rows: decoded.rows_decoded,
                // A progressive picture that breaks off may have all rows, if coarser ones.
                truncated: decoded.stopped.is_some(),
                pixels: Pixels::Planes(Planes {
                    colors: colors(decoded.color),
                    planes: decoded.planes.into_iter().map(plane).collect(),
                }),
            }))
        }
        Err(JpegError::TooManyScans) => Err(ImagingError::TooMany {
            what: "scans",
            max: MAX_SCANS as u32,
        }),
        Err(error) => Ok(Attempt::Declined(error)),
    }
}

const fn colors(kind: ColorKind) -> PlaneColors {
    match kind {
        ColorKind::Grey => PlaneColors::Channels(Layout::Luma),
        ColorKind::YCbCr => PlaneColors::Ycc,
        ColorKind::Rgb => PlaneColors::Channels(Layout::Rgb),
        ColorKind::Cmyk => PlaneColors::Channels(Layout::Cmyk),
        ColorKind::Ycck => PlaneColors::Channels(Layout::Ycck),
    }
}

fn plane(plane: jpeg::Plane<'_>) -> Plane<'_> {
    Plane {
        samples: Cow::Borrowed(plane.data),
        stride: plane.stride,
        size: Size::new(plane.width as u32, plane.height as u32),
        span: (plane.exact_width, plane.exact_height),
    }
}
