//! The image engine: bytes in, renditions and metadata out. Pure functions, no I/O, no async.
//!
//! ```
//! use thumbforge_imaging::{ImagingError, Limits, Rendition, Scratch, Source, Variant};
//!
//! fn thumbnail(bytes: &[u8]) -> Result<Rendition, ImagingError> {
//!     let limits = Limits::default();
//!     let variant = Variant::thumbnail(256, 85);
//!     let source = Source::open(bytes, &limits)?; // the header, once
//!     let plan = source
//!         .plan(std::slice::from_ref(&variant), &limits)
//!         .map_err(|refused| refused.error)?; // what all variants need
//!     let mut scratch = Scratch::default();
//!     let picture = source.decode(&plan, &limits, &mut scratch)?; // once, as small as may be
//!     picture.render(&variant, &limits) // for each variant
//! }
//! # assert!(thumbnail(b"not an image").is_err());
//! ```
//!
//! **Truncated files.** A JPEG, PNG, GIF or lossy WebP of which at least half of the rows can be
//! decoded gives a thumbnail with `truncated` set and white in place of what is missing; with less
//! it is [`ImagingError::Truncated`]. Damage in the middle counts as the end. A progressive JPEG
//! may have all its rows by then, in less detail: `truncated` without white. BMP, and WebP that is
//! lossless, animated or has alpha, are decoded whole or not at all.
//!
//! **Transparency** is kept until the format of an output decides. **Animations** show their first
//! frame, APNG its default image.

mod decode;
pub mod encode;
mod error;
#[cfg(test)]
mod fidelity;
pub mod formats;
mod geometry;
mod header;
mod limits;
mod make;
pub mod metadata;
mod picture;
mod plan;
mod raster;
mod reduce;
mod render;
mod sniff;
mod source;
mod source_image;
mod summary;
pub mod variant;

pub use encode::EncodedFile;
pub use error::{ErrorKind, ImagingError};
pub use formats::Format;
pub use limits::Limits;
pub use make::{Made, make};
pub use picture::Scratch;
pub use plan::{Plan, PlanError};
pub use render::{Picture, Rendition};
pub use source::{Inspected, Source};
pub use source_image::{ExifSummary, SourceImage};
pub use summary::Summary;
pub use variant::{Color, Fit, Formats, Gravity, JpegCoding, Variant};
