//! The file of API keys: read at start, at a hangup, and whenever it has changed.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::error::AppError;
use crate::http::{ApiKeys, LiveKeys};

/// Time between two looks at the file.
const LOOKING: Duration = Duration::from_millis(500);

/// The keys that may use the API, and the file that they come from, if there is one.
pub struct KeysFile {
    live: LiveKeys,
    known: Mutex<Option<Known>>,
}

/// What was read, whether it was of use or not.
struct Known {
    path: PathBuf,
    stamp: Option<Stamp>,
    /// Another one that was seen at the last look.
    changing: Option<Option<Stamp>>,
}

/// What shows that a file was written or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    size: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

/// Keys that were read and are not in use yet.
pub struct ReadKeys(Option<(Known, ApiKeys)>);

impl KeysFile {
    /// Reads the file; without one, no key is needed.
    ///
    /// # Errors
    /// If the file can't be read, or has a fault or no key.
    pub fn open(path: Option<&Path>) -> Result<Self, AppError> {
        let file = Self {
            live: LiveKeys::default(),
            known: Mutex::new(None),
        };
        if let Some(path) = path {
            file.use_now(ReadKeys(Some(read(path)?)));
        }
        Ok(file)
    }

    /// The keys as they are at each moment.
    pub fn live(&self) -> LiveKeys {
        self.live.clone()
    }

    /// Reads the keys again, maybe from another file, without using them.
    ///
    /// # Errors
    /// What is wrong with the file. Without one, if there were keys: who takes them away by a slip
    /// would open the API to everybody, so that takes a restart.
    pub fn read_anew(&self, path: Option<&Path>) -> Result<ReadKeys, String> {
        match path {
            Some(path) => {
                let keys = read(path).map_err(|error| error.to_string())?;
                Ok(ReadKeys(Some(keys)))
            }
            None if self.live.are_needed() => Err(
                "THUMBFORGE_API_KEYS_FILE names no file any more: only a restart opens the API to \
                 everybody"
                    .to_owned(),
            ),
            None => Ok(ReadKeys(None)),
        }
    }

    /// From now on these keys alone open the API.
    pub fn use_now(&self, ReadKeys(read): ReadKeys) {
        if let Some((known, keys)) = read {
            self.live.set(keys);
            *self.lock() = Some(known);
        }
    }

    /// Looks at the file until `stop`, and reads it when it has changed.
    pub(super) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOKING) => {}
            }
            let file = Arc::clone(&self);
            if let Err(error) = tokio::task::spawn_blocking(move || file.look()).await {
                tracing::error!(%error, "looking at the API keys has broken");
            }
        }
    }

    /// A file that is being written is read once it has rested between two looks, so that no half of
    /// it counts. Its faults are told once.
    fn look(&self) {
        let mut guard = self.lock();
        let Some(known) = guard.as_mut() else {
            return;
        };
        let now = stamp(&known.path);
        if now == known.stamp {
            known.changing = None;
            return;
        }
        if known.changing != Some(now) {
            known.changing = Some(now);
            return;
        }
        match read(&known.path) {
            Ok((read, keys)) => {
                tracing::info!(keys = keys.count(), "API keys are read anew");
                self.live.set(keys);
                *known = read;
            }
            Err(error) => {
                tracing::error!("API keys can't be read anew, those from before stay: {error}");
                known.stamp = now;
                known.changing = None;
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stamp is taken first: what is written after that is seen at the next look.
fn read(path: &Path) -> Result<(Known, ApiKeys), AppError> {
    let known = Known {
        path: path.to_owned(),
        stamp: stamp(path),
        changing: None,
    };
    let keys = ApiKeys::read(path).map_err(|cause| AppError::ApiKeys {
        path: path.display().to_string(),
        cause,
    })?;
    Ok((known, keys))
}

/// `None` if there is no file, or none that can be seen.
fn stamp(path: &Path) -> Option<Stamp> {
    std::fs::metadata(path).ok().map(|file| Stamp::of(&file))
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        Self {
            file: (file.dev(), file.ino()),
            size: file.size(),
            written: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, digit: char) -> String {
        format!("{name}:{}\n", digit.to_string().repeat(64))
    }

    /// How many keys are in use after so many looks.
    fn keys_after(file: &KeysFile, looks: usize) -> usize {
        (0..looks).for_each(|_| file.look());
        file.live.current().map_or(0, |keys| keys.count())
    }

    #[test]
    fn a_changed_file_is_read_once_it_rests_and_a_wrong_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let one = line("one", '1');
        let two = one.clone() + &line("two", '2');
        std::fs::write(&path, &two).unwrap();
        let file = KeysFile::open(Some(&path)).unwrap();
        assert_eq!(keys_after(&file, 2), 2);
        // A removed key.
        std::fs::write(&path, &one).unwrap();
        assert_eq!(keys_after(&file, 1), 2);
        assert_eq!(keys_after(&file, 1), 1);
        // Half of a file, nothing, and no file.
        std::fs::write(&path, &two[..two.len() - 9]).unwrap();
        assert_eq!(keys_after(&file, 3), 1);
        std::fs::write(&path, "").unwrap();
        assert_eq!(keys_after(&file, 3), 1);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(keys_after(&file, 3), 1);
        // As editors do it.
        let new = folder.path().join("keys~");
        std::fs::write(&new, &two).unwrap();
        std::fs::rename(&new, &path).unwrap();
        assert_eq!(keys_after(&file, 2), 2);
    }

    #[test]
    fn keys_can_be_asked_for_by_a_reload_but_not_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        std::fs::write(&path, line("one", '1')).unwrap();
        let file = KeysFile::open(None).unwrap();
        assert_eq!(keys_after(&file, 2), 0);
        file.use_now(file.read_anew(None).unwrap());
        let read = file.read_anew(Some(&path)).unwrap();
        assert_eq!(keys_after(&file, 2), 0);
        file.use_now(read);
        assert_eq!(keys_after(&file, 2), 1);
        let told = file.read_anew(None).err().unwrap();
        assert!(told.contains("restart"), "{told}");
        let told = file.read_anew(Some(&path.join("x"))).err().unwrap();
        assert!(told.contains("THUMBFORGE_API_KEYS_FILE"), "{told}");
        assert_eq!(keys_after(&file, 2), 1);
    }
}
