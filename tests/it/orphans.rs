//! Files of no job are removed, and nothing else is; held against both databases.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use thumbforge::db::{Database, KnownFiles};
use thumbforge::domain::{Claim, FailureCode, JobId, Outcome};
use thumbforge::storage::{NewFile, Storage, first_path, other_path};
use thumbforge::upkeep::orphans::{MIN_AGE, Sweep, SweepError, sweep_daily};
use uuid::Uuid;

use crate::api::harness::on_both_databases;
use crate::database::{Fixture, claimed, claimed_now, completed, submitted};

struct Scene {
    folder: tempfile::TempDir,
    storage: Storage,
    database: Database,
}

impl Scene {
    async fn new(fixture: &Fixture) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path()).unwrap();
        let database = fixture.open().await;
        Self {
            folder,
            storage,
            database,
        }
    }

    fn sweep(&self) -> Sweep<'_> {
        Sweep::asked_for(&self.database, &self.storage)
    }

    /// Writes a file as if it were two days old.
    fn write_old(&self, path: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "abc").unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() - MIN_AGE * 2).unwrap();
    }

    fn has(&self, path: &str) -> bool {
        self.folder.path().join(path).exists()
    }

    async fn publish(&self, claim: &Claim) -> String {
        let path = first_path(claim.id, "jpg");
        let file = NewFile {
            path: path.clone(),
            bytes: vec![1],
        };
        assert!(self.storage.publish(claim, vec![file]).await.unwrap());
        path
    }

    async fn complete(&self, claim: &Claim, path: &str) {
        let Outcome::Completed {
            mut result,
            source_status,
        } = completed()
        else {
            unreachable!()
        };
        path.clone_into(&mut result.thumbnail_path);
        let outcome = Outcome::Completed {
            result,
            source_status,
        };
        assert!(self.database.finish(claim, &outcome).await.unwrap());
    }
}

fn failed() -> Outcome {
    Outcome::Failed {
        code: FailureCode::CorruptImage,
        message: "no picture".to_owned(),
        source_status: Some(200),
        variant: None,
    }
}

on_both_databases! {
    async fn only_files_that_no_job_may_need_are_removed(fixture: &Fixture) {
        let scene = Scene::new(fixture).await;
        let database = &scene.database;
        let mut kept = Vec::new();
        let mut orphans = Vec::new();
        // A completed job names one of its files.
        let job = submitted(database, "completed").await;
        let claim = claimed_now(database, job.id).await;
        let path = first_path(job.id, "jpg");
        scene.complete(&claim, &path).await;
        kept.push(path);
        orphans.push(first_path(job.id, "png"));
        orphans.push(other_path(&claim, "left-over", "webp"));
        // Active ones may need what is there.
        let pending = submitted(database, "pending").await;
        kept.push(first_path(pending.id, "jpg"));
        let processing = submitted(database, "processing").await;
        let claim = claimed_now(database, processing.id).await;
        kept.push(first_path(processing.id, "jpg"));
        kept.push(other_path(&claim, "card", "webp"));
        // A failed job has none.
        let job = submitted(database, "failed").await;
        let claim = claimed_now(database, job.id).await;
        assert!(database.finish(&claim, &failed()).await.unwrap());
        orphans.push(first_path(job.id, "jpg"));
        orphans.push(other_path(&claim, "card", "avif"));
        // That of a deleted job is noted, and removed by others.
        let job = submitted(database, "deleted").await;
        claimed_now(database, job.id).await;
        database.delete(&[job.id]).await.unwrap();
        kept.push(first_path(job.id, "jpg"));
        let unknown = JobId::generate();
        orphans.push(first_path(unknown, "jpg"));
        kept.push("notes.txt".to_owned());
        for path in kept.iter().chain(&orphans) {
            scene.write_old(path);
        }
        let young = first_path(JobId::generate(), "jpg");
        fs::write(scene.folder.path().join(&young), "abc").unwrap();
        kept.push(young);

        let found = scene.sweep().look().await.unwrap();
        // Not the text file.
        let files = kept.len() + orphans.len() - 1;
        assert_eq!((found.files, found.orphans, found.bytes), (files as u64, 5, 15));
        let mut first = found.first.clone();
        first.sort();
        orphans.sort();
        assert_eq!(first, orphans);
        assert!(kept.iter().chain(&orphans).all(|path| scene.has(path)), "a look removes nothing");
        let removed = scene.sweep().remove(false).await.unwrap();
        assert_eq!((removed.orphans, removed.bytes), (5, 15));
        assert!(!orphans.iter().any(|path| scene.has(path)));
        assert!(kept.iter().all(|path| scene.has(path)));
        assert_eq!(scene.sweep().look().await.unwrap().orphans, 0);
    }

    async fn very_many_orphans_are_taken_for_a_mistake(fixture: &Fixture) {
        let scene = Scene::new(fixture).await;
        let mut paths = Vec::new();
        let mut add = |count: usize| {
            for _ in 0..count {
                let path = first_path(JobId::generate(), "webp");
                scene.write_old(&path);
                paths.push(path);
            }
        };
        // A few are removed whatever their part.
        add(20);
        assert_eq!(scene.sweep().remove(false).await.unwrap().orphans, 20);
        add(21);
        let error = scene.sweep().remove(false).await.unwrap_err();
        let SweepError::TooMany { orphans: 21, files: 21 } = error else { panic!("{error}") };
        // A twentieth of all is not too many.
        let young = first_path(JobId::generate(), "jpg");
        for _ in 0..399 {
            let path = first_path(JobId::generate(), "jpg");
            fs::write(scene.folder.path().join(path), "").unwrap();
        }
        fs::write(scene.folder.path().join(&young), "").unwrap();
        let found = scene.sweep().look().await.unwrap();
        assert_eq!((found.files, found.orphans, found.first.len()), (421, 21, 20));
        assert_eq!(scene.sweep().remove(false).await.unwrap().orphans, 21);
        assert!(scene.has(&young));
        assert!(!paths.iter().any(|path| scene.has(path)));
        for _ in 0..50 {
            scene.write_old(&first_path(JobId::generate(), "jpg"));
        }
        scene.sweep().remove(false).await.unwrap_err();
        assert_eq!(scene.sweep().remove(true).await.unwrap().orphans, 50);
    }

    async fn another_databases_storage_is_not_touched(fixture: &Fixture) {
        let scene = Scene::new(fixture).await;
        let path = first_path(JobId::generate(), "jpg");
        scene.write_old(&path);
        let owner = Uuid::now_v7().to_string();
        fs::write(scene.folder.path().join(".owner"), &owner).unwrap();
        for error in [
            scene.sweep().look().await.unwrap_err(),
            scene.sweep().remove(false).await.unwrap_err(),
            scene.sweep().remove(true).await.unwrap_err(),
            sweep_daily(&scene.database, &scene.storage, Uuid::now_v7()).await.unwrap_err(),
        ] {
            assert!(matches!(&error, SweepError::Foreign { owner: said, .. } if *said == owner));
            assert!(error.to_string().contains(".owner"), "{error}");
        }
        assert!(scene.has(&path));
        assert_eq!(fs::read_to_string(scene.folder.path().join(".owner")).unwrap(), owner);
    }

    async fn one_process_sweeps_once_a_day(fixture: &Fixture) {
        let scene = Scene::new(fixture).await;
        let sweep = async || {
            let swept = sweep_daily(&scene.database, &scene.storage, Uuid::now_v7()).await;
            swept.unwrap().map(|found| found.orphans)
        };
        scene.write_old(&first_path(JobId::generate(), "jpg"));
        assert_eq!(sweep().await, Some(1));
        scene.write_old(&first_path(JobId::generate(), "jpg"));
        assert_eq!(sweep().await, None, "not again, by whichever process");
        fixture.lines("UPDATE service_state SET value = '1700000000000' WHERE name = 'orphans_swept'");
        let other = Uuid::now_v7();
        let turn = Duration::from_secs(60);
        assert!(scene.database.take_turn("orphans_turn", other, turn).await.unwrap());
        assert_eq!(sweep().await, None, "another is at it");
        scene.database.end_turn("orphans_turn", other).await.unwrap();
        assert_eq!(sweep().await, Some(1));
        // A refusal is not repeated all day either.
        fixture.lines("UPDATE service_state SET value = 'x' WHERE name = 'orphans_swept'");
        fs::write(scene.folder.path().join(".owner"), "").unwrap();
        let refused = sweep_daily(&scene.database, &scene.storage, other).await;
        assert!(matches!(refused, Err(SweepError::Foreign { .. })), "{refused:?}");
        assert_eq!(sweep().await, None);
    }

    async fn a_job_that_is_completed_meanwhile_keeps_its_file(fixture: &Fixture) {
        let scene = Scene::new(fixture).await;
        let mut jobs = Vec::new();
        for number in 0..40 {
            let job = submitted(&scene.database, &number.to_string()).await;
            let claim = claimed_now(&scene.database, job.id).await;
            // It failed once, and left a file behind.
            assert!(scene.database.finish(&claim, &failed()).await.unwrap());
            scene.write_old(&first_path(job.id, "jpg"));
            jobs.push(job.id);
        }
        let known = scene.database.known_files(&jobs).await.unwrap();
        assert!(jobs.iter().all(|id| known[id] == KnownFiles::None));
        let work = async {
            let mut paths = Vec::new();
            for id in &jobs {
                scene.database.retry(&[*id]).await.unwrap();
                let claim = loop {
                    let lease = Duration::from_secs(60);
                    let worker = Uuid::now_v7();
                    // A claim skips a row that the sweep has locked.
                    if let Some(claim) = claimed(&scene.database, *id, worker, lease).await {
                        break claim;
                    }
                };
                let path = scene.publish(&claim).await;
                // As after a restore of the folder that kept no times.
                let file = File::options().write(true).open(scene.folder.path().join(&path));
                file.unwrap().set_modified(SystemTime::now() - MIN_AGE * 3).unwrap();
                scene.complete(&claim, &path).await;
                paths.push(path);
            }
            paths
        };
        let sweeps = async {
            loop {
                scene.sweep().remove(true).await.unwrap();
            }
        };
        let paths = tokio::select! {
            paths = work => paths,
            () = sweeps => unreachable!(),
        };
        assert!(paths.iter().all(|path| scene.has(path)));
        assert_eq!(scene.sweep().look().await.unwrap().orphans, 0);
    }
}
