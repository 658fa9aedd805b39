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
//! **Truncated files.** A JPEG, PNG, GIF, BMP or lossy WebP of which at least half of the rows can
//! be decoded gives a thumbnail with `truncated` set and white in place of what is missing; with
//! less it is [`ImagingError::Truncated`]. Damage in the middle counts as the end, but a JPEG with
//! restart markers goes on at the next one: `truncated` without white. A progressive JPEG or an
//! interlaced PNG may have all its rows by then, in less detail: likewise. WebP that is lossless or
//! animated, or has alpha and does not become much smaller, is decoded whole or not at all.
//! `docs/FORMATS.md` says how it is with the formats beyond these.
//!
//! **Colours.** An ICC profile counts; in a PNG, `cICP` comes before it, and `sRGB` and then `gAMA`
//! and `cHRM` behind it. Highlights of PQ and HLG are compressed to what a screen shows.
//!
//! **Transparency** is kept until the format of an output decides. **Animations** show their first
//! frame, on a canvas that is clear where the frame is not, and APNG its default image. A GIF's
//! canvas grows to its first frame. **Orientation** comes from EXIF, wherever in the file it is,
//! also behind the pixels of a PNG and in a WebP.

mod animation;
pub mod confined;
mod decode;
pub mod encode;
mod error;
#[cfg(test)]
mod fidelity;
pub mod formats;
mod geometry;
mod header;
mod ifd;
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
pub use source_image::{ExifSummary, SourceImage, TakenAt};
pub use summary::Summary;
pub use variant::{Color, Fit, Formats, Gravity, JpegCoding, Variant};
