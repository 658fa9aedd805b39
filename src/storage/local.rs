//! The local folder.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{StorageError, StoredThumbnail, TemporaryFile};
use crate::domain::{Claim, JobId};

/// A disk with less room than this is full.
const PROBE_BYTES: usize = 64 * 1024;

/// A folder of thumbnails. Cheap to clone. Every call touches the disk on a blocking thread.
#[derive(Debug, Clone)]
pub struct Storage {
    folder: Arc<Path>,
}

impl Storage {
    /// Opens the folder; makes it where it is missing, and tries to write there.
    ///
    /// # Errors
    /// If it can't be made or written.
    pub fn open(folder: &Path) -> Result<Self, StorageError> {
        let storage = Self {
            folder: folder.into(),
        };
        storage.make_and_try()?;
        Ok(storage)
    }

    /// The same once more, after it has failed: it may have come back empty.
    ///
    /// # Errors
    /// If it still can't be made or written.
    pub async fn reopen(&self) -> Result<(), StorageError> {
        let storage = self.clone();
        blocking(move || storage.make_and_try()).await
    }

    /// Publishes a thumbnail: temporary file, flush to disk, `rename`. Readers see the old file
    /// or the whole new one; after a crash the name points to nothing half-written.
    ///
    /// # Errors
    /// If the disk refuses; then no temporary file is left, and what was published before stays.
    pub async fn publish(&self, claim: &Claim, jpeg: Vec<u8>) -> Result<(), StorageError> {
        let temporary = TemporaryFile::of(claim);
        let path = self.temporary_folder().join(temporary.name());
        let published = self.path_of(claim.id);
        blocking(move || {
            write_and_rename(&path, &published, &jpeg).inspect_err(|_| {
                let _ = fs::remove_file(&path);
            })
        })
        .await
    }

    /// Opens a job's thumbnail; `None` if there is none.
    pub async fn read(&self, id: JobId) -> Result<Option<StoredThumbnail>, StorageError> {
        let path = self.path_of(id);
        blocking(move || {
            let failed = StorageError::of("read a thumbnail");
            let file = match File::open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                other => other.map_err(failed)?,
            };
            let metadata = file.metadata().map_err(failed)?;
            Ok(Some(StoredThumbnail {
                size_bytes: metadata.len(),
                modified: metadata.modified().map_err(failed)?,
                file,
                path,
            }))
        })
        .await
    }

    /// Removes a job's thumbnail, if there is one.
    pub async fn remove(&self, id: JobId) -> Result<(), StorageError> {
        let path = self.path_of(id);
        blocking(move || remove_if_there(&path).map_err(StorageError::of("remove a thumbnail")))
            .await
    }

    /// The files that workers are writing, or died writing.
    pub async fn temporary_files(&self) -> Result<Vec<TemporaryFile>, StorageError> {
        let folder = self.temporary_folder();
        blocking(move || {
            let failed = StorageError::of("list temporary files");
            let mut found = Vec::new();
            for entry in fs::read_dir(folder).map_err(failed)? {
                let name = entry.map_err(failed)?.file_name();
                found.extend(name.to_str().and_then(TemporaryFile::parse));
            }
            Ok(found)
        })
        .await
    }

    /// Removes what a worker left behind that died or lost its lease.
    pub async fn remove_temporary(&self, file: TemporaryFile) -> Result<(), StorageError> {
        let path = self.temporary_folder().join(file.name());
        blocking(move || {
            remove_if_there(&path).map_err(StorageError::of("remove a temporary file"))
        })
        .await
    }

    /// True to its word: writes as much as a large thumbnail takes, and removes it. The folder of
    /// temporary files is made again as [`Self::publish`] would; a storage that is gone as a whole,
    /// which may be a disk that is not mounted, is not.
    ///
    /// # Errors
    /// If a thumbnail could not be written now.
    pub async fn ping(&self) -> Result<(), StorageError> {
        let storage = self.clone();
        blocking(move || match fs::create_dir(storage.temporary_folder()) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(StorageError::of("make the storage folder")(error))
            }
            _ => storage.try_writing(),
        })
        .await
    }

    /// The name under which clients know a thumbnail, relative to the folder.
    pub fn name_of(id: JobId) -> String {
        format!("{id}.jpg")
    }

    fn path_of(&self, id: JobId) -> PathBuf {
        self.folder.join(Self::name_of(id))
    }

    fn temporary_folder(&self) -> PathBuf {
        self.folder.join(".tmp")
    }

    fn make_and_try(&self) -> Result<(), StorageError> {
        fs::create_dir_all(self.temporary_folder())
            .map_err(StorageError::of("make the storage folder"))?;
        self.try_writing()
    }

    /// Writes a file that has no name, so that nothing is left whatever happens.
    fn try_writing(&self) -> Result<(), StorageError> {
        tempfile::tempfile_in(self.temporary_folder())
            .and_then(|mut file| file.write_all(&[0; PROBE_BYTES]))
            .map_err(StorageError::of("write to the storage"))
    }
}

fn write_and_rename(temporary: &Path, published: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    let failed = StorageError::of("write a thumbnail");
    let mut file = create(temporary).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    fs::rename(temporary, published).map_err(failed)?;
    // The name is kept by the folder: without this it may be gone after a power failure.
    match published.parent() {
        Some(folder) => File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed),
        None => Ok(()),
    }
}

/// Makes the folder again if somebody has cleaned it away.
fn create(path: &Path) -> io::Result<File> {
    match (File::create(path), path.parent()) {
        (Err(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder)?;
            File::create(path)
        }
        (created, _) => created,
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(StorageError::of("disk task")(io::Error::other(error))))
}
