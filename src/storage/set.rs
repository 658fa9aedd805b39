//! The steps of publishing several files; a process may die after any of them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::layout::{fence_of, folder_of, other_name};
use super::local::{NewFile, create, remove_if_there, sync_folder};
use super::temporary::TemporaryFile;

/// The files of one job that are written under one claim.
pub(super) struct FileSet<'a> {
    root: &'a Path,
    of: TemporaryFile,
}

impl<'a> FileSet<'a> {
    pub(super) fn new(root: &'a Path, of: TemporaryFile) -> Self {
        Self { root, of }
    }

    fn marker(&self) -> PathBuf {
        self.root.join(".tmp").join(self.of.name())
    }

    fn folder(&self) -> PathBuf {
        self.root.join(folder_of(self.of.id))
    }

    /// The first file until it is renamed. No variant has an empty name.
    fn unpublished_first(&self) -> PathBuf {
        self.folder().join(other_name("", self.of.fence, "first"))
    }

    /// Marks that files of this claim may be there.
    pub(super) fn mark(&self) -> io::Result<()> {
        let marker = self.marker();
        create(&marker)?;
        sync_folder(marker.parent())
    }

    /// Writes all files, the first under a temporary name, and flushes them.
    pub(super) fn write(&self, files: &[NewFile]) -> io::Result<()> {
        let Some((first, others)) = files.split_first() else {
            return Ok(());
        };
        let paths = others.iter().map(|file| self.root.join(&file.path));
        let paths = std::iter::once(self.unpublished_first()).chain(paths);
        let mut written = Vec::with_capacity(files.len());
        for (path, file) in paths.zip(std::iter::once(first).chain(others)) {
            let mut open = create(&path)?;
            open.write_all(&file.bytes)?;
            written.push(open);
        }
        // Written first, so that the disk can take them together.
        written.iter().try_for_each(File::sync_all)?;
        let folder = self.folder();
        sync_folder(Some(&folder))?;
        sync_folder(folder.parent())
    }

    /// Renames the first file into place, unless the claim was found to be over meanwhile; then its
    /// files are removed, and this is false. A clean-up that finds a claim over removes its files,
    /// then the marker, and then the files again: what is written later is seen here.
    pub(super) fn publish(&self, first: &Path) -> io::Result<bool> {
        if !self.marker().try_exists()? {
            self.remove_where(|fence| fence == self.of.fence)?;
            return Ok(false);
        }
        fs::rename(self.unpublished_first(), first)?;
        sync_folder(first.parent())?;
        Ok(true)
    }

    /// Called once the row lists the files of this claim as the job's: removes those of earlier
    /// claims.
    pub(super) fn settle(&self) -> io::Result<()> {
        self.remove_where(|fence| fence < self.of.fence)?;
        remove_if_there(&self.marker())
    }

    /// Called after the claim has ended without completing the job.
    pub(super) fn discard(&self) -> io::Result<()> {
        self.remove_where(|fence| fence == self.of.fence)?;
        remove_if_there(&self.marker())?;
        self.remove_where(|fence| fence == self.of.fence)
    }

    /// Removes files in the job's folder by their fence, and the folder once it is empty.
    pub(super) fn remove_where(&self, is_doomed: impl Fn(i64) -> bool) -> io::Result<()> {
        let folder = self.folder();
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            if entry
                .file_name()
                .to_str()
                .and_then(fence_of)
                .is_some_and(&is_doomed)
            {
                remove_if_there(&entry.path())?;
            }
        }
        // Others may be in it, or have removed it; another job may be making a folder beside it.
        if fs::remove_dir(&folder).is_ok()
            && let Some(parent) = folder.parent()
        {
            let _ = fs::remove_dir(parent);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::JobId;

    struct Scene {
        root: tempfile::TempDir,
        id: JobId,
    }

    impl Scene {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir(root.path().join(".tmp")).unwrap();
            Self {
                root,
                id: JobId::generate(),
            }
        }

        fn set(&self, fence: i64) -> FileSet<'_> {
            FileSet::new(self.root.path(), TemporaryFile { id: self.id, fence })
        }

        fn files(&self, fence: i64) -> Vec<NewFile> {
            let path = |name: &str| {
                let name = other_name(name, fence, "webp");
                format!("{}/{name}", folder_of(self.id))
            };
            let paths = [format!("{}.jpg", self.id), path("a"), path("b-c")];
            let paths = paths.into_iter();
            paths
                .map(|path| NewFile {
                    bytes: path.clone().into(),
                    path,
                })
                .collect()
        }

        fn first(&self) -> PathBuf {
            self.root.path().join(format!("{}.jpg", self.id))
        }

        /// Every file, by its path in the storage.
        fn found(&self) -> Vec<String> {
            let mut folders = vec![self.root.path().to_owned()];
            let mut found = Vec::new();
            while let Some(folder) = folders.pop() {
                for entry in fs::read_dir(folder).unwrap() {
                    let path = entry.unwrap().path();
                    if path.is_dir() {
                        folders.push(path);
                    } else {
                        let path = path.strip_prefix(self.root.path()).unwrap();
                        found.push(path.to_str().unwrap().to_owned());
                    }
                }
            }
            found.sort();
            found
        }

        fn paths(&self, fence: i64) -> Vec<String> {
            let mut paths: Vec<_> = self
                .files(fence)
                .into_iter()
                .map(|file| file.path)
                .collect();
            paths.sort();
            paths
        }
    }

    #[test]
    fn after_a_crash_between_two_files_nothing_is_published_and_the_marker_leads_to_the_rest() {
        let scene = Scene::new();
        let set = scene.set(1);
        set.mark().unwrap();
        assert_eq!(scene.found().len(), 1, "the marker comes first");
        set.write(&scene.files(1)[..2]).unwrap();
        assert!(!scene.first().exists());
        assert_eq!(scene.found().len(), 3);
        set.discard().unwrap();
        assert_eq!(scene.found(), [""; 0]);
        assert!(
            !scene.root.path().join(folder_of(scene.id)).exists(),
            "an empty folder"
        );
    }

    #[test]
    fn a_new_claim_writes_beside_the_old_one_and_removes_it_once_it_has_published() {
        let scene = Scene::new();
        let old = scene.set(1);
        old.mark().unwrap();
        old.write(&scene.files(1)).unwrap();
        assert!(old.publish(&scene.first()).unwrap());
        // The process dies before the row.
        let new = scene.set(2);
        new.mark().unwrap();
        new.write(&scene.files(2)).unwrap();
        assert!(new.publish(&scene.first()).unwrap());
        assert_eq!(
            scene.found().len(),
            2 + 2 + 1 + 2,
            "both, the first, two markers"
        );
        new.settle().unwrap();
        old.discard().unwrap();
        assert_eq!(scene.found(), scene.paths(2));
        new.settle().unwrap();
        assert_eq!(scene.found(), scene.paths(2), "it may be repeated");
    }

    #[test]
    fn a_claim_that_was_found_to_be_over_publishes_nothing_and_leaves_nothing() {
        let scene = Scene::new();
        let stalled = scene.set(1);
        stalled.mark().unwrap();
        stalled.write(&scene.files(1)[..2]).unwrap();
        scene.set(1).discard().unwrap();
        // It wakes up and goes on.
        stalled.write(&scene.files(1)).unwrap();
        assert!(!stalled.publish(&scene.first()).unwrap());
        assert_eq!(scene.found(), [""; 0]);
    }

    #[test]
    fn what_is_not_ours_stays() {
        let scene = Scene::new();
        let set = scene.set(1);
        set.mark().unwrap();
        set.write(&scene.files(1)).unwrap();
        let strange = format!("{}/notes.txt", folder_of(scene.id));
        fs::write(scene.root.path().join(&strange), "mine").unwrap();
        set.discard().unwrap();
        assert_eq!(scene.found(), [strange]);
    }
}
