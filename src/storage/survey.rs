//! A walk through the whole storage for files with names of ours, however many there are, and the
//! removal of those that belong to no job. Whatever has another name, and every link, stays.

use std::fs::{self, DirEntry, ReadDir};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;

use super::StorageError;
use super::layout::{folder_of, is_folder_of_folders, is_other_name, job_of_first, job_of_folder};
use super::local::{Storage, blocking, remove_if_there};
use crate::domain::JobId;

/// Files in a group at most.
pub const GROUP: usize = 500;

/// A file whose name is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyedFile {
    pub id: JobId,
    /// Within the storage.
    pub path: String,
    pub size_bytes: u64,
    modified: SystemTime,
}

/// Some files of the storage.
#[derive(Debug, Default)]
pub struct SurveyedGroup {
    /// How many names of ours were seen.
    pub seen: u64,
    /// Those that were last written long ago.
    pub old: Vec<SurveyedFile>,
}

impl Storage {
    /// Walks through the storage, for files that were last written more than `age` ago by this
    /// machine's clock. The walk waits for its reader, and ends with it.
    pub fn survey(&self, age: Duration) -> mpsc::Receiver<Result<SurveyedGroup, StorageError>> {
        let (sender, receiver) = mpsc::channel(1);
        let storage = self.clone();
        tokio::task::spawn_blocking(move || {
            let mut walk = Walk {
                root: storage.folder(),
                before: now().checked_sub(age),
                group: SurveyedGroup::default(),
                sender: &sender,
            };
            let failed = StorageError::of("look through the storage");
            let walked = walk.root().and_then(|()| walk.send());
            if let Err(Stopped::Failed(error)) = walked {
                // Whoever reads has gone, or will see that it ended so.
                let _ = sender.blocking_send(Err(failed(error)));
            }
        });
        receiver
    }

    /// Removes those of these files that are as they were surveyed; returns how many, and their
    /// bytes.
    ///
    /// # Errors
    /// If one can't be removed. Those before it are gone.
    pub async fn remove_surveyed(
        &self,
        files: Vec<SurveyedFile>,
    ) -> Result<(u64, u64), StorageError> {
        let storage = self.clone();
        blocking(move || {
            let removed = files.iter().try_fold((0, 0), |(files, bytes), file| {
                let is_removed = remove(storage.folder(), file)?;
                Ok(match is_removed {
                    true => (files + 1, bytes + file.size_bytes),
                    false => (files, bytes),
                })
            });
            removed.map_err(StorageError::of("remove a file of no job"))
        })
        .await
    }
}

fn remove(root: &Path, file: &SurveyedFile) -> io::Result<bool> {
    let path = root.join(&file.path);
    let folder = root.join(folder_of(file.id));
    let folders = [folder.parent(), Some(&folder)];
    let is_within = path.starts_with(&folder);
    // Something else may have been put in its place since.
    let is_real = |folder: &Path| fs::symlink_metadata(folder).is_ok_and(|found| found.is_dir());
    if is_within && !folders.into_iter().flatten().all(is_real) {
        return Ok(false);
    }
    match fs::symlink_metadata(&path) {
        Ok(found) if found.is_file() && found.modified()? == file.modified => {}
        Ok(_) => return Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    }
    remove_if_there(&path)?;
    // Others may be in it; another job may be making a folder beside it.
    if is_within
        && fs::remove_dir(&folder).is_ok()
        && let Some(parent) = folder.parent()
    {
        let _ = fs::remove_dir(parent);
    }
    Ok(true)
}

#[expect(
    clippy::disallowed_methods,
    reason = "compared with the times of files, a day apart, never with those of jobs"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

struct Walk<'a> {
    root: &'a Path,
    /// `None`: nothing is that old.
    before: Option<SystemTime>,
    group: SurveyedGroup,
    sender: &'a mpsc::Sender<Result<SurveyedGroup, StorageError>>,
}

enum Stopped {
    NobodyReads,
    Failed(io::Error),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl Walk<'_> {
    fn root(&mut self) -> Result<(), Stopped> {
        for entry in fs::read_dir(self.root)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if let Some(id) = job_of_first(name) {
                self.file(id, name.to_owned(), &entry)?;
            } else if is_folder_of_folders(name) && entry.file_type()?.is_dir() {
                self.folders(name, &entry)?;
            }
        }
        Ok(())
    }

    fn folders(&mut self, parent: &str, of: &DirEntry) -> Result<(), Stopped> {
        for entry in entries(of)?.into_iter().flatten() {
            let entry = entry?;
            let name = entry.file_name();
            let id = name.to_str().and_then(|name| job_of_folder(parent, name));
            if let Some(id) = id
                && entry.file_type()?.is_dir()
            {
                self.folder(id, &entry)?;
            }
        }
        Ok(())
    }

    fn folder(&mut self, id: JobId, of: &DirEntry) -> Result<(), Stopped> {
        for entry in entries(of)?.into_iter().flatten() {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| is_other_name(name)) else {
                continue;
            };
            self.file(id, format!("{}/{name}", folder_of(id)), &entry)?;
        }
        Ok(())
    }

    fn file(&mut self, id: JobId, path: String, entry: &DirEntry) -> Result<(), Stopped> {
        // Of the entry itself, not of what a link leads to.
        let metadata = match entry.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            metadata => metadata?,
        };
        if !metadata.is_file() {
            return Ok(());
        }
        self.group.seen += 1;
        let modified = metadata.modified()?;
        if self.before.is_some_and(|before| modified < before) {
            self.group.old.push(SurveyedFile {
                id,
                path,
                size_bytes: metadata.len(),
                modified,
            });
        }
        match self.group.old.len() >= GROUP {
            true => self.send(),
            false => Ok(()),
        }
    }

    fn send(&mut self) -> Result<(), Stopped> {
        let group = std::mem::take(&mut self.group);
        let sent = self.sender.blocking_send(Ok(group));
        sent.map_err(|_| Stopped::NobodyReads)
    }
}

/// `None` if it has gone meanwhile.
fn entries(of: &DirEntry) -> io::Result<Option<ReadDir>> {
    match fs::read_dir(of.path()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        entries => entries.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::symlink;

    use super::*;

    const AGE: Duration = Duration::from_secs(24 * 3600);

    struct Scene {
        folder: tempfile::TempDir,
        storage: Storage,
    }

    impl Scene {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let storage = Storage::open(folder.path()).unwrap();
            Self { folder, storage }
        }

        fn path(&self, path: &str) -> std::path::PathBuf {
            self.folder.path().join(path)
        }

        /// Writes a file of three bytes, last written `age` ago.
        fn write(&self, path: &str, age: Duration) {
            let path = self.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "abc").unwrap();
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(now() - age).unwrap();
        }

        async fn survey(&self) -> (u64, Vec<SurveyedFile>) {
            let mut groups = self.storage.survey(AGE);
            let (mut seen, mut old) = (0, Vec::new());
            while let Some(group) = groups.recv().await {
                let group = group.unwrap();
                assert!(group.old.len() <= GROUP);
                seen += group.seen;
                old.extend(group.old);
            }
            (seen, old)
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn only_old_files_with_names_of_ours_are_found() {
        let scene = Scene::new();
        let id = JobId::generate();
        let folder = folder_of(id);
        let ours = [
            format!("{id}.jpg"),
            format!("{id}.webp"),
            format!("{folder}/a-b_c-12.avif"),
        ];
        for path in &ours {
            scene.write(path, AGE * 2);
        }
        let young = JobId::generate();
        scene.write(&format!("{young}.jpg"), AGE / 2);
        let other = JobId::generate();
        let wrong = if folder_of(other).starts_with("00") {
            "01"
        } else {
            "00"
        };
        let upper = id.to_string().to_uppercase();
        let simple = id.0.simple();
        let strange = [
            ".owner".to_owned(),
            format!(".tmp/{id}.7"),
            format!(".tmp/{id}.jpg"),
            "notes.txt".to_owned(),
            format!("{id}"),
            format!("{id}.gif"),
            format!("{id}.jpg.bak"),
            format!("{id}.JPG"),
            format!("{upper}.jpg"),
            format!("{simple}.jpg"),
            format!("{{{id}}}.jpg"),
            format!("{folder}/notes.txt"),
            format!("{folder}/card.webp"),
            format!("{folder}/card-1.first"),
            format!("{folder}/-1.webp"),
            format!("{folder}/card-01.webp"),
            format!("{folder}/card--1.gif"),
            format!("{folder}/Card-1.webp"),
            format!("{folder}/below/card-1.webp"),
            format!("{wrong}/{other}/card-1.webp"),
            format!("mine/{id}/card-1.webp"),
        ];
        for path in &strange {
            scene.write(path, AGE * 2);
        }
        let (seen, old) = scene.survey().await;
        let mut paths: Vec<_> = old.iter().map(|file| file.path.clone()).collect();
        paths.sort();
        let mut expected = ours.to_vec();
        expected.sort();
        assert_eq!(paths, expected);
        assert_eq!(seen, 4);
        let removed = scene.storage.remove_surveyed(old).await.unwrap();
        assert_eq!(removed, (3, 9));
        assert!(strange.iter().all(|path| scene.path(path).exists()));
        assert!(scene.path(&format!("{young}.jpg")).exists());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn links_are_neither_found_nor_followed() {
        let scene = Scene::new();
        let outside = Scene::new();
        let [first, second, third] = [(); 3].map(|()| JobId::generate());
        let name = format!("{first}.jpg");
        outside.write(&name, AGE * 2);
        symlink(outside.path(&name), scene.path(&name)).unwrap();
        let other = format!("{}/card-1.webp", folder_of(second));
        outside.write(&other, AGE * 2);
        let parent = &folder_of(second)[..2];
        symlink(outside.path(parent), scene.path(parent)).unwrap();
        let deeper = format!("{}/card-1.webp", folder_of(third));
        outside.write(&deeper, AGE * 2);
        let folder = folder_of(third);
        if folder[..2] != *parent {
            fs::create_dir(scene.path(&folder[..2])).unwrap();
            symlink(outside.path(&folder), scene.path(&folder)).unwrap();
        }
        assert_eq!(scene.survey().await, (0, vec![]));
        // A file that became a link, or whose folder did, after it was surveyed.
        fs::remove_file(scene.path(&name)).unwrap();
        fs::remove_file(scene.path(parent)).unwrap();
        scene.write(&name, AGE * 2);
        scene.write(&other, AGE * 2);
        let (_, old) = scene.survey().await;
        assert_eq!(old.len(), 2);
        fs::remove_file(scene.path(&name)).unwrap();
        symlink(outside.path(&name), scene.path(&name)).unwrap();
        fs::rename(scene.path(parent), scene.path("moved")).unwrap();
        symlink(outside.path(parent), scene.path(parent)).unwrap();
        assert_eq!(scene.storage.remove_surveyed(old).await.unwrap(), (0, 0));
        assert!(outside.path(&name).exists() && outside.path(&other).exists());
        assert!(scene.path(&name).is_symlink());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_that_was_written_again_stays_and_empty_folders_go() {
        let scene = Scene::new();
        let [first, second] = [(); 2].map(|()| JobId::generate());
        let paths = [
            format!("{first}.jpg"),
            format!("{}/a-1.png", folder_of(second)),
        ];
        for path in &paths {
            scene.write(path, AGE * 2);
        }
        let (_, old) = scene.survey().await;
        assert_eq!(old.len(), 2);
        scene.write(&paths[0], Duration::ZERO);
        let removed = scene.storage.remove_surveyed(old.clone()).await.unwrap();
        assert_eq!(removed, (1, 3));
        assert!(scene.path(&paths[0]).exists());
        assert!(!scene.path(&folder_of(second)[..2]).exists());
        let again = scene.storage.remove_surveyed(old).await.unwrap();
        assert_eq!(again, (0, 0), "it may be repeated");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn very_many_files_come_in_groups() {
        let scene = Scene::new();
        for _ in 0..GROUP * 2 + 7 {
            scene.write(&format!("{}.jpg", JobId::generate()), AGE * 2);
        }
        let (seen, old) = scene.survey().await;
        assert_eq!((seen, old.len()), (1007, 1007));
        // A reader that goes away ends the walk.
        let mut groups = scene.storage.survey(AGE);
        assert!(groups.recv().await.is_some());
        drop(groups);
    }
}
