//! HEIF with HEVC (ISO/IEC 23008-12): the primary picture, by the decoder of `heifer`.
//!
//! The container's own turns and mirrors count, never EXIF's; they are applied to the small
//! picture. A picture of tiles is decoded in bands of one row of them, so that no more of it is
//! held. A slice is decoded in one go: the clock is looked at between them.

mod coded;
mod container;
mod rows;

use heifer::heifer_isobmff::HeifFile;

use self::container::{Shape, colours, corrupt, mended, parse, shape};
use self::rows::Rows;
use super::items::{self, Transforms};
use super::{Decoded, ROWS_PER_DEADLINE_CHECK, finish_rows};
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::header::{Header, Kind};
use crate::limits::Limits;
use crate::raster::Layout;
use crate::reduce::BoxReducer;

/// How a HEIF is coded.
#[derive(Debug)]
pub(crate) struct HeifFacts {
    picture: Shape,
    /// Colours are weighted by it, or not.
    alpha: Option<(Shape, bool)>,
    /// What a clean aperture leaves out on the left and above.
    skipped: (u32, u32),
    /// Of the file: the pictures in it are copied as they are decoded.
    bytes: usize,
}

pub(super) fn inspect<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Header<'a>, ImagingError> {
    let whole = mended(bytes);
    let file = parse(&whole)?;
    let id = file.primary_id;
    let picture = shape(&file, id, limits)?;
    let transforms = Transforms::of(&file, id, picture.size, Format::Heif)?;
    let alpha = match items::alpha(&file, id) {
        Some((alpha, is_premultiplied)) => {
            let alpha = shape(&file, alpha, limits)?;
            if alpha.size.width < picture.size.width || alpha.size.height < picture.size.height {
                return Err(corrupt("its alpha is smaller than its picture"));
            }
            Some((alpha, is_premultiplied))
        }
        None => None,
    };
    let mut exif = items::exif(&file, id);
    exif.orientation = transforms.orientation;
    Ok(Header {
        size: transforms.size,
        has_alpha: alpha.is_some(),
        frames: 1,
        icc: colours(&file, id)?,
        exif,
        kind: Kind::Heif(HeifFacts {
            picture,
            alpha,
            skipped: transforms.skipped,
            bytes: bytes.len(),
        }),
    })
}

impl HeifFacts {
    pub(super) fn memory_bytes(&self, size: Size, target: Size) -> usize {
        let alpha = self.alpha.as_ref();
        BoxReducer::memory_bytes(size, target, self.layout().channels())
            .saturating_add(self.picture.memory_bytes())
            .saturating_add(alpha.map_or(0, |(alpha, _)| alpha.memory_bytes()))
            .saturating_add(self.bytes.saturating_mul(4))
            .saturating_add(size.width as usize * 4)
    }

    const fn layout(&self) -> Layout {
        if self.alpha.is_some() {
            Layout::Rgba
        } else {
            Layout::Rgb
        }
    }

    pub(super) fn decode(
        &self,
        bytes: &[u8],
        size: Size,
        target: Size,
        limits: &Limits,
    ) -> Result<Decoded<'static>, ImagingError> {
        let whole = mended(bytes);
        let file = parse(&whole)?;
        let mut reducer = BoxReducer::new(size, target, self.layout());
        match self.show(&file, limits, &mut reducer) {
            // Rows before the damage may be enough.
            Ok(()) | Err(ImagingError::Corrupt { .. }) if reducer.rows_pushed() > 0 => {}
            outcome => outcome?,
        }
        let rows_decoded = reducer.rows_pushed();
        finish_rows(reducer, Format::Heif, rows_decoded, size.height)
    }

    fn show(
        &self,
        file: &HeifFile<'_>,
        limits: &Limits,
        reducer: &mut BoxReducer,
    ) -> Result<(), ImagingError> {
        let size = reducer.source();
        let (left, above) = (self.skipped.0 as usize, self.skipped.1);
        let shown = left * 4..(left + size.width as usize) * 4;
        let mut colours = Rows::of(file, &self.picture, limits);
        let mut alphas = self
            .alpha
            .as_ref()
            .map(|(shape, _)| Rows::of_alpha(file, shape, limits));
        let is_premultiplied = matches!(self.alpha, Some((_, true)));
        let mut row = vec![0; size.width as usize * self.layout().channels()];
        for y in 0..above + size.height {
            if (y as usize).is_multiple_of(ROWS_PER_DEADLINE_CHECK) {
                limits.check_deadline()?;
            }
            let rgb = colours.next()?;
            let alpha = match &mut alphas {
                Some(alphas) => Some(alphas.next()?),
                None => None,
            };
            if y < above {
                continue;
            }
            let (pixels, _) = rgb[shown.clone()].as_chunks::<4>();
            match alpha {
                Some(alpha) => {
                    let (alphas, _) = alpha[shown.clone()].as_chunks::<4>();
                    let (out, _) = row.as_chunks_mut::<4>();
                    for ((out, [r, g, b, _]), [alpha, ..]) in out.iter_mut().zip(pixels).zip(alphas)
                    {
                        *out = [*r, *g, *b, *alpha];
                    }
                }
                None => {
                    let (out, _) = row.as_chunks_mut::<3>();
                    for (out, [r, g, b, _]) in out.iter_mut().zip(pixels) {
                        *out = [*r, *g, *b];
                    }
                }
            }
            if is_premultiplied {
                reducer.push_premultiplied_row(&row);
            } else {
                reducer.push_row(&row);
            }
        }
        Ok(())
    }
}
