//! The first page of a document, and its size.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hayro::hayro_syntax::page::Page;
use hayro::hayro_syntax::{DecryptionError, LoadPdfError, Pdf};

use super::corrupt;
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::limits::Limits;

/// Does something with the first page. A panic of the parser or the renderer is a corrupt file.
pub(super) fn with_first<T>(
    bytes: &[u8],
    limits: &Limits,
    work: impl FnOnce(&Page<'_>) -> Result<T, ImagingError>,
) -> Result<T, ImagingError> {
    limits.check_deadline()?;
    let done = catch_unwind(AssertUnwindSafe(|| {
        let document = Pdf::new(bytes.to_vec()).map_err(refused)?;
        let pages = document.pages();
        let first = pages.first().ok_or_else(|| corrupt("it has no page"))?;
        limits.check_deadline()?;
        work(first)
    }));
    done.unwrap_or_else(|_| Err(corrupt("its renderer gave up")))
}

fn refused(error: LoadPdfError) -> ImagingError {
    let unsupported = |kind| ImagingError::UnsupportedKind {
        format: Format::Pdf,
        kind,
    };
    match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => {
            unsupported("a document that needs a password")
        }
        LoadPdfError::Decryption(DecryptionError::UnsupportedAlgorithm) => {
            unsupported("a document in unusual encryption")
        }
        LoadPdfError::Decryption(error) => corrupt(format_args!("its encryption: {error:?}")),
        LoadPdfError::Invalid => corrupt("its pages can't be found"),
    }
}

/// What of the page is seen, in points of 1/72 inch: the part of the media box within the crop box
/// (14.11.2), turned, and A4 if there is none. A point may be larger (`UserUnit`).
pub(super) fn points(page: &Page<'_>) -> (f32, f32) {
    page.render_dimensions()
}

pub(super) fn size(page: &Page<'_>) -> Size {
    const PIXELS_A_POINT: f32 = 96.0 / 72.0;
    let unit = page.raw().get::<f32>(b"UserUnit");
    let unit = unit.filter(|unit| unit.is_finite() && *unit > 0.0);
    let scale = PIXELS_A_POINT * unit.unwrap_or(1.0);
    // A side beyond `u32` becomes its largest; the limit of pixels refuses that.
    let side = |points: f32| ((points * scale).round() as u32).max(1);
    let (width, height) = points(page);
    Size::new(side(width), side(height))
}
