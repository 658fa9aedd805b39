//! A retry whose transaction overlaps the end of a batch's last job. (SQLite has one writer.)

use std::time::Duration;

use thumbforge::db::{Kept, NewBatch};
use thumbforge::domain::{
    BatchStatus, DuplicateHandling, FailureCode, ItemError, JobId, Outcome, Request, Schedule,
};
use uuid::Uuid;

use crate::database::{Fixture, claimed_now, completed, url};
use crate::support::deadline::eventually_blocking;

fn explain(index: u32, active: JobId) -> ItemError {
    ItemError {
        index,
        code: "duplicate_active".to_owned(),
        detail: "wait".to_owned(),
        pointer: None,
        job_id: Some(active.0),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_job_is_being_retried_does_not_end_with_its_last_job() {
    let fixture = Fixture::postgres();
    let database = fixture.open().await;
    let policy = DuplicateHandling::AllowRetry;
    let request = |path| Request::new(&url(path), policy, Schedule::default(), None);
    let batch = NewBatch {
        id: Uuid::now_v7(),
        items: vec![(0, request("a.jpg")), (1, request("b.jpg"))],
        errors: Vec::new(),
        metadata: None,
        submitted_by: None,
        explain,
    };
    let id = batch.id;
    let Kept::New { made, .. } = database.submit_batch(batch, None).await.unwrap() else {
        panic!("not new");
    };
    let failed = Outcome::Failed {
        code: FailureCode::CorruptImage,
        message: "broken".to_owned(),
        source_status: Some(200),
        variant: None,
    };
    let first = claimed_now(&database, made.created[0]).await;
    assert!(database.finish(&first, &failed).await.unwrap());
    let last = claimed_now(&database, made.created[1]).await;

    // A retry that is not committed yet.
    let retried = made.created[0];
    let slow = std::thread::scope(|scope| {
        let fixture = &fixture;
        let slow = scope.spawn(move || {
            fixture.lines(&format!(
                "BEGIN; UPDATE jobs SET status = 'pending', due_at = now(), error = NULL, \
                 error_code = NULL WHERE id = '{retried}'; SELECT pg_sleep(1.5) || ''; COMMIT"
            ))
        });
        eventually_blocking("the retry is under way", Duration::from_secs(10), || {
            let asleep = "SELECT count(*) || '' AS line FROM pg_stat_activity \
                          WHERE wait_event = 'PgSleep' AND datname = '{}'";
            fixture.lines(asleep) == ["1"]
        });
        let outcome = completed();
        let finishing = database.finish(&last, &outcome);
        let finished =
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(finishing));
        assert!(finished.unwrap());
        slow.join()
    });
    slow.unwrap();
    let found = database.find_batch(id).await.unwrap().unwrap();
    assert_eq!(
        (found.status, found.finished_at),
        (BatchStatus::Running, None)
    );
    let again = claimed_now(&database, retried).await;
    assert!(database.finish(&again, &completed()).await.unwrap());
    let found = database.find_batch(id).await.unwrap().unwrap();
    assert_eq!(found.status, BatchStatus::Completed);
    assert!(found.finished_at.is_some());
}
