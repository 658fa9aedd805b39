//! `thumbforge retention`, `orphans` and `check`, as an operator calls them.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use thumbforge::db::{Database, Target};
use thumbforge::domain::JobId;
use thumbforge::storage::first_path;

use crate::database::{Fixture, completed};
use crate::database_retention::{age, ended};

/// A deployment without Redis, whose settings are in its folder.
struct Deployment {
    fixture: Fixture,
    folder: tempfile::TempDir,
}

impl Deployment {
    fn new(fixture: Fixture) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = match &fixture.target {
            Target::Postgres(url) => url.clone(),
            Target::Sqlite(path) => format!("sqlite://{}", path.display()),
        };
        let settings = format!("database_url = {url:?}\nstorage_path = \"thumbnails\"\n");
        fs::write(folder.path().join("thumbforge.toml"), settings).unwrap();
        Self { fixture, folder }
    }

    /// Exit code, standard output, standard error.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_thumbforge"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    }

    /// Runs a command that must succeed.
    fn printed(&self, arguments: &[&str]) -> String {
        let (code, printed, log) = self.run(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {printed}{log}");
        printed
    }

    fn write_old(&self, path: &str) {
        let path = self.folder.path().join("thumbnails").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "abc").unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(200_000))
            .unwrap();
    }

    fn has(&self, path: impl AsRef<Path>) -> bool {
        self.folder.path().join("thumbnails").join(path).exists()
    }

    async fn database(&self) -> Database {
        self.fixture.open().await
    }
}

async fn check_retention(deployment: Deployment) {
    let database = deployment.database().await;
    let mut ids = Vec::new();
    for number in 0..3 {
        let id = ended(&database, &number.to_string(), &completed()).await;
        age(&deployment.fixture, id, 5, 5);
        deployment.write_old(&first_path(id, "jpg"));
        ids.push(id);
    }
    let kept = ended(&database, "kept", &completed()).await;
    deployment.write_old(&first_path(kept, "jpg"));

    let off = deployment.printed(&["retention", "--now"]);
    assert!(
        off.contains("completed 0, failed 0") && off.contains("0 jobs"),
        "{off}"
    );
    let rules = ["--retain-completed", "2d", "--retain-failed", "90d"];
    let with_rules = |own: &[&'static str]| {
        let arguments = [&["retention"], own, &rules[..]].concat();
        deployment.printed(&arguments)
    };
    let counted = with_rules(&["--dry-run"]);
    for line in [
        "completed 2d, failed 90d",
        "completed: 3 would go",
        "failed: 0 would",
        "expired: 0",
    ] {
        assert!(counted.contains(line), "{counted}");
    }
    let waits = with_rules(&[]);
    assert!(
        waits.contains("for 60 minutes more") && waits.contains("0 jobs were"),
        "{waits}"
    );
    assert!(database.find(ids[0]).await.unwrap().is_some());
    let deleted = with_rules(&["--now"]);
    assert!(deleted.contains("3 jobs were deleted"), "{deleted}");
    for id in &ids {
        assert_eq!(database.find(*id).await.unwrap(), None);
        assert!(!deployment.has(first_path(*id, "jpg")));
    }
    assert!(database.find(kept).await.unwrap().is_some());
    assert!(deployment.has(first_path(kept, "jpg")));
}

async fn check_counts(deployment: Deployment) {
    let database = deployment.database().await;
    ended(&database, "a.jpg", &completed()).await;
    assert_eq!(deployment.printed(&["check"]), "all counts are right\n");
    deployment.fixture.lines("DELETE FROM job_count_deltas");
    let (code, printed, log) = deployment.run(&["check"]);
    assert_eq!(code, Some(1), "{printed}{log}");
    assert!(printed.contains("completed: +1 missing"), "{printed}");
    assert!(log.contains("thumbforge check --repair"), "{log}");
    let repaired = deployment.printed(&["check", "--repair"]);
    assert!(repaired.contains("repaired"), "{repaired}");
    assert_eq!(deployment.printed(&["check"]), "all counts are right\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_counts_waits_and_deletes() {
    check_retention(Deployment::new(Fixture::sqlite())).await;
    check_retention(Deployment::new(Fixture::postgres())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_finds_and_repairs_wrong_counts() {
    check_counts(Deployment::new(Fixture::sqlite())).await;
    check_counts(Deployment::new(Fixture::postgres())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orphans_are_listed_and_removed_but_not_too_many() {
    let deployment = Deployment::new(Fixture::sqlite());
    let none = deployment.printed(&["orphans"]);
    assert_eq!(none, "0 of 0 files belong to no job (0 bytes)\n");
    assert!(deployment.has(".owner"));
    let path = first_path(JobId::generate(), "jpg");
    deployment.write_old(&path);
    let listed = deployment.printed(&["orphans"]);
    assert_eq!(
        listed,
        format!("{path}\n1 of 1 files belong to no job (3 bytes)\n")
    );
    assert!(deployment.has(&path));
    deployment.printed(&["orphans", "--remove"]);
    assert!(!deployment.has(&path));
    for _ in 0..30 {
        deployment.write_old(&first_path(JobId::generate(), "jpg"));
    }
    let listed = deployment.printed(&["orphans"]);
    assert!(listed.contains("… and 10 more\n30 of 30 files"), "{listed}");
    let (code, printed, log) = deployment.run(&["orphans", "--remove"]);
    assert_eq!((code, printed.as_str()), (Some(1), ""), "{log}");
    assert!(
        log.contains("30 of 30 files") && log.contains("--force"),
        "{log}"
    );
    let removed = deployment.printed(&["orphans", "--remove", "--force"]);
    assert!(
        removed.contains("30 of 30 files belonged to no job and were removed"),
        "{removed}"
    );
    fs::write(
        deployment.folder.path().join("thumbnails/.owner"),
        "another\n",
    )
    .unwrap();
    let (code, _, log) = deployment.run(&["orphans", "--remove", "--force"]);
    assert_eq!(code, Some(1));
    assert!(
        log.contains("another database") && log.contains("\"another\""),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn init_db_shows_which_index_it_builds() {
    let deployment = Deployment::new(Fixture::postgres());
    let database = deployment.database().await;
    ended(&database, "a.jpg", &completed()).await;
    deployment.fixture.lines("DROP INDEX jobs_by_host_idx");
    let (code, printed, log) = deployment.run(&["init-db"]);
    assert_eq!(code, Some(0), "{log}");
    assert!(
        printed.contains("is up to date (0 migrations applied)"),
        "{printed}"
    );
    assert!(
        log.contains("building an index") && log.contains("jobs_by_host_idx"),
        "{log}"
    );
}
