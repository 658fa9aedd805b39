//! Where thumbnails live: the files of a job, published whole or not at all.
//!
//! | path in the folder | holds |
//! | --- | --- |
//! | `<job id>.<ext>` | the first variant's fallback: the only file of most jobs |
//! | `<xx>/<job id>/<variant>-<fence>.<ext>` | every other file; `xx` ends the job's id |
//! | `.tmp/<job id>.<fence>` | what a worker is writing, or that it is writing |
//! | `.owner` | the id of the database whose jobs these are |
//!
//! A job's only file is written in `.tmp` and renamed into place. Of several files the first is
//! renamed last, and the file in `.tmp` is a marker. It is made before all others, and removed
//! after the row records what became of the claim. So a clean-up that finds it knows what a dead
//! worker may have left. All is on one file system, so that a rename is atomic.

mod error;
mod layout;
mod local;
mod owner;
mod set;
mod survey;
mod temporary;

use std::path::PathBuf;
use std::time::SystemTime;

pub use error::StorageError;
pub use layout::{first_path, other_path};
pub use local::{NewFile, Storage};
pub use owner::Ownership;
pub use survey::{SurveyedFile, SurveyedGroup};
pub use temporary::TemporaryFile;

/// A file that was opened for reading.
#[derive(Debug)]
pub struct StoredFile {
    pub file: std::fs::File,
    pub path: PathBuf,
    pub size_bytes: u64,
    pub modified: SystemTime,
}
