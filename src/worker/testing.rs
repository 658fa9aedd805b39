//! What the tests of single loops work with.

use std::path::Path;
use std::sync::Arc;

use super::turns::Turns;
use crate::db::{Database, Submission, Target};
use crate::domain::origin_record::Caps;
use crate::domain::{DuplicateHandling, JobId, Request, Schedule, SourceUrl};

pub(super) async fn database(folder: &Path) -> Database {
    let target = Target::Sqlite(folder.join("jobs.db"));
    let database = Database::open(&target, 2).unwrap();
    database.migrate(&target).await.unwrap();
    database
}

pub(super) async fn submit(database: &Database, url: &str) -> JobId {
    let url = SourceUrl::parse(url).unwrap();
    let policy = DuplicateHandling::AllowRetry;
    let submitted = database.submit(Request::new(&url, policy, Schedule::default(), None));
    match submitted.await.unwrap() {
        Submission::Created(job) => job.id,
        other => panic!("{other:?}"),
    }
}

pub(super) fn turns() -> Arc<Turns> {
    Arc::new(Turns::new(8, Arc::new(|_| Caps::default())))
}
