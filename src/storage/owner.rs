//! Whose storage it is: a file at its root holds the id of the database whose jobs it keeps. What
//! belongs to no job is removed only under the own id.

use std::fs::{self, File};
use std::io::{self, Write};

use uuid::Uuid;

use super::StorageError;
use super::local::{Storage, blocking, sync_folder};

const NAME: &str = ".owner";
/// An id and the end of a line, and room to show what else is there.
const LONGEST: u64 = 100;

/// Whose a storage is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ownership {
    Ours,
    /// The file of the owner has this text.
    Anothers(String),
}

impl Storage {
    /// Compares the owner with `id`. A storage without an owner becomes that of `id`; another one is
    /// never overwritten.
    ///
    /// # Errors
    /// If the file can't be read, or is missing and can't be written.
    pub async fn own(&self, id: Uuid) -> Result<Ownership, StorageError> {
        let storage = self.clone();
        blocking(move || {
            let compared = storage.compare_owner(id);
            compared.map_err(StorageError::of("read or write the storage's owner"))
        })
        .await
    }

    fn compare_owner(&self, id: Uuid) -> io::Result<Ownership> {
        let path = self.folder().join(NAME);
        loop {
            match File::open(&path) {
                Ok(file) => {
                    let text = io::read_to_string(io::Read::take(file, LONGEST))?;
                    let text = text.trim();
                    return Ok(match text.parse::<Uuid>() {
                        Ok(owner) if owner == id => Ownership::Ours,
                        _ => Ownership::Anothers(text.to_owned()),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            // Written whole before it has its name, which only one process can give.
            let mut written = tempfile::NamedTempFile::new_in(self.temporary_folder())?;
            writeln!(written, "{id}")?;
            written.as_file().sync_all()?;
            match written.persist_noclobber(&path) {
                Ok(file) => {
                    // As readable as the other files, also for another user of the storage.
                    let mode = fs::metadata(self.folder())?.permissions();
                    let mode = std::os::unix::fs::PermissionsExt::mode(&mode) & 0o666;
                    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
                    sync_folder(Some(self.folder()))?;
                    return Ok(Ownership::Ours);
                }
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_first_database_owns_a_storage_and_no_other_takes_it() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path()).unwrap();
        let own = Uuid::now_v7();
        for _ in 0..2 {
            assert_eq!(storage.own(own).await.unwrap(), Ownership::Ours);
        }
        let written = fs::read_to_string(folder.path().join(NAME)).unwrap();
        assert_eq!(written, format!("{own}\n"));
        let another = storage.own(Uuid::now_v7()).await.unwrap();
        assert_eq!(another, Ownership::Anothers(own.to_string()));
        assert_eq!(storage.own(own).await.unwrap(), Ownership::Ours);
        for strange in ["", "mine, hands off"] {
            fs::write(folder.path().join(NAME), strange).unwrap();
            let ownership = storage.own(own).await.unwrap();
            assert_eq!(ownership, Ownership::Anothers(strange.to_owned()));
            let kept = fs::read_to_string(folder.path().join(NAME)).unwrap();
            assert_eq!(kept, strange);
        }
        let left = fs::read_dir(folder.path().join(".tmp")).unwrap().count();
        assert_eq!(left, 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_many_databases_one_becomes_the_owner() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path()).unwrap();
        let tries = (0..16).map(|_| {
            let storage = storage.clone();
            tokio::spawn(async move { storage.own(Uuid::now_v7()).await.unwrap() })
        });
        let mut owners = 0;
        for attempt in tries.collect::<Vec<_>>() {
            owners += usize::from(attempt.await.unwrap() == Ownership::Ours);
        }
        assert_eq!(owners, 1);
    }
}
