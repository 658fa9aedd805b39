//! The local folder.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::layout::first_path;
use super::set::FileSet;
use super::{StorageError, StoredFile, TemporaryFile};
use crate::domain::{Claim, JobId};
use thumbforge_imaging::formats::FORMATS;

/// A disk with less room than this is full.
const PROBE_BYTES: usize = 64 * 1024;
/// How often to make a folder that others remove.
const MAX_FOLDER_TRIES: u32 = 10;

/// A file to be published.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// In the storage: [`first_path`](super::first_path) or [`other_path`](super::other_path).
    pub path: String,
    pub bytes: Vec<u8>,
}

/// A folder of thumbnails. Cheap to clone. Every call touches the disk on a blocking thread.
#[derive(Debug, Clone)]
pub struct Storage {
    folder: Arc<Path>,
}

impl Storage {
    /// Opens the folder; makes it if it is missing, and tries to write there.
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

    /// The same again, after it has failed: it may have come back empty.
    ///
    /// # Errors
    /// If it still can't be made or written.
    pub async fn reopen(&self) -> Result<(), StorageError> {
        let storage = self.clone();
        blocking(move || storage.make_and_try()).await
    }

    /// Writes the files of a job, the first variant's fallback first, flushes them, and renames
    /// that one into place last. Readers see the old file or the whole new one; the others are
    /// known once the row names them. After that, call [`Self::settle`] if there are several.
    ///
    /// Returns false if the claim was found to be over meanwhile; then nothing is published.
    ///
    /// # Errors
    /// If the disk refuses; then no file of this claim is left, and what was published before
    /// stays.
    pub async fn publish(&self, claim: &Claim, files: Vec<NewFile>) -> Result<bool, StorageError> {
        let temporary = TemporaryFile::of(claim);
        let storage = self.clone();
        blocking(move || match &files[..] {
            [] => Ok(true),
            [only] => {
                let path = storage.temporary_folder().join(temporary.name());
                let published = storage.folder.join(&only.path);
                let written = write_and_rename(&path, &published, &only.bytes);
                written.map(|()| true).inspect_err(|_| {
                    let _ = fs::remove_file(&path);
                })
            }
            [first, ..] => {
                let set = FileSet::new(&storage.folder, temporary);
                let published = storage.folder.join(&first.path);
                let written = set.mark().and_then(|()| set.write(&files));
                let written = written.and_then(|()| set.publish(&published));
                written
                    .map_err(StorageError::of("write the files of a job"))
                    .inspect_err(|_| {
                        let _ = set.discard();
                    })
            }
        })
        .await
    }

    /// Call it once the row names the files of `claim`, the first of them `first`: removes what
    /// earlier claims have left. May be repeated.
    pub async fn settle(&self, claim: TemporaryFile, first: String) -> Result<(), StorageError> {
        let storage = self.clone();
        blocking(move || {
            let others = storage.first_paths(claim.id).filter(|path| *path != first);
            let settled = others.map(|path| remove_if_there(&storage.folder.join(path)));
            settled
                .collect::<io::Result<()>>()
                .and_then(|()| FileSet::new(&storage.folder, claim).settle())
                .map_err(StorageError::of("remove the files of earlier attempts"))
        })
        .await
    }

    /// Opens a file that a job's record names; `None` if there is none.
    pub async fn read(&self, path: &str) -> Result<Option<StoredFile>, StorageError> {
        let relative = Path::new(path);
        let is_inside = |part| matches!(part, Component::Normal(_));
        if !relative.components().all(is_inside) {
            return Ok(None);
        }
        let path = self.folder.join(relative);
        blocking(move || {
            let failed = StorageError::of("read a thumbnail");
            let file = match File::open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                other => other.map_err(failed)?,
            };
            let metadata = file.metadata().map_err(failed)?;
            Ok(Some(StoredFile {
                size_bytes: metadata.len(),
                modified: metadata.modified().map_err(failed)?,
                file,
                path,
            }))
        })
        .await
    }

    /// Removes every file of a job that has ended without any.
    pub async fn remove(&self, id: JobId) -> Result<(), StorageError> {
        self.remove_many(vec![id]).await
    }

    /// The same for many jobs.
    pub async fn remove_many(&self, ids: Vec<JobId>) -> Result<(), StorageError> {
        let storage = self.clone();
        blocking(move || {
            let mut removed = ids.into_iter().map(|id| storage.remove_all_of(id));
            let removed = removed.try_for_each(|removed| removed);
            removed.map_err(StorageError::of("remove a thumbnail"))
        })
        .await
    }

    fn remove_all_of(&self, id: JobId) -> io::Result<()> {
        for path in self.first_paths(id) {
            remove_if_there(&self.folder.join(path))?;
        }
        let any = TemporaryFile { id, fence: 0 };
        FileSet::new(&self.folder, any).remove_where(|_| true)
    }

    /// Every path that the first file of a job may have.
    fn first_paths(&self, id: JobId) -> impl Iterator<Item = String> + use<> {
        let written = FORMATS.iter().filter(|row| row.is_written);
        written.map(move |row| first_path(id, row.extension))
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

    /// Removes what remains of a worker that died or lost its lease, and whose claim did not
    /// complete the job.
    pub async fn discard(&self, file: TemporaryFile) -> Result<(), StorageError> {
        let storage = self.clone();
        blocking(move || {
            let discarded = FileSet::new(&storage.folder, file).discard();
            discarded.map_err(StorageError::of("remove the files of a dead worker"))
        })
        .await
    }

    /// Writes and removes a file as large as a big thumbnail. Makes the folder of temporary files
    /// again if it is missing, as [`Self::publish`] would, but not the whole storage: that may be a
    /// disk that is not mounted.
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

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn temporary_folder(&self) -> PathBuf {
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
    sync_folder(published.parent()).map_err(failed)
}

/// Names are kept by their folder: without this they may be gone after a power failure.
pub(super) fn sync_folder(folder: Option<&Path>) -> io::Result<()> {
    match folder {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Makes the folder, again if a clean-up has removed it.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let mut tries = 0;
    loop {
        match (File::create(path), path.parent()) {
            // More than once: a clean-up removes empty folders.
            (Err(error), Some(folder))
                if error.kind() == io::ErrorKind::NotFound && tries < MAX_FOLDER_TRIES =>
            {
                tries += 1;
                fs::create_dir_all(folder)?;
            }
            (created, _) => return created,
        }
    }
}

pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(StorageError::of("disk task")(io::Error::other(error))))
}
