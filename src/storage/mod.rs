//! Where thumbnails live: one file a job in a folder, published whole or not at all.
//!
//! `<folder>/<job id>.jpg` is what clients see; `<folder>/.tmp/<job id>.<fence>` is what a worker
//! is writing. Both are on one file system, so that publishing is one `rename`.

mod error;
mod local;
mod temporary;

use std::path::PathBuf;
use std::time::SystemTime;

pub use error::StorageError;
pub use local::Storage;
pub use temporary::TemporaryFile;

/// A thumbnail that was opened for reading.
#[derive(Debug)]
pub struct StoredThumbnail {
    pub file: std::fs::File,
    pub path: PathBuf,
    pub size_bytes: u64,
    pub modified: SystemTime,
}
