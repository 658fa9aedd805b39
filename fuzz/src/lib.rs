//! What the targets check. Each gets bytes and panics at a finding.

mod image;
mod metadata;
mod settings;
mod source_url;
mod submission;

pub use image::check_image;
pub use metadata::{check_exif, check_icc};
pub use settings::check_settings;
pub use source_url::check_url;
pub use submission::check_request;
