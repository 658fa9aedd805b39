//! The checks of the targets. Each gets bytes and panics at a finding.

mod image;
pub mod jpeg_reference;
mod measure;
mod metadata;
mod png_checksums;
pub mod png_reference;
mod render;
mod settings;
mod source_url;
mod submission;
mod variants;
pub mod vp8_reference;

// The references are files of the codecs' own tests, and find their crate by these names.
use thumbforge_codecs::jpeg::{ColorKind, Plane};
use thumbforge_codecs::vp8;

pub use image::{check_header, check_image};
pub use measure::check_measure;
pub use metadata::{check_exif, check_icc};
pub use png_checksums::with_right_checksums;
pub use render::check_render;
pub use settings::check_settings;
pub use source_url::check_url;
pub use submission::check_request;
pub use variants::check_variants;
