//! Batches and the answers to keys, held against both databases.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use thumbforge::db::{
    Answering, BatchOpening, BatchSlice, Database, Kept, KeyClaim, MadeBatch, NewBatch,
    SliceOutcome, StoredAnswer, Submission,
};
use thumbforge::domain::{
    Batch, BatchStatus, DuplicateHandling, FailureCode, ItemError, JobId, Outcome, Request,
    Schedule,
};
use uuid::Uuid;

use crate::api::harness::on_both_databases;
use crate::database::{claimed, claimed_now, completed, submitted, url};

fn request(path: &str, policy: DuplicateHandling) -> Request {
    Request::new(&url(path), policy, Schedule::default(), None)
}

pub fn plain(path: &str) -> Request {
    request(path, DuplicateHandling::AllowRetry)
}

fn explain(index: u32, active: JobId) -> ItemError {
    ItemError {
        index,
        code: "duplicate_active".to_owned(),
        detail: "wait".to_owned(),
        pointer: None,
        job_id: Some(active.0),
    }
}

pub fn refused(index: u32) -> ItemError {
    ItemError {
        index,
        code: "invalid_url".to_owned(),
        detail: "no URL".to_owned(),
        pointer: Some("#/url".to_owned()),
        job_id: None,
    }
}

pub fn failed() -> Outcome {
    Outcome::Failed {
        code: FailureCode::SourceClientError,
        message: "no such image".to_owned(),
        source_status: Some(404),
        variant: None,
    }
}

pub fn batch_of(requests: Vec<Request>, errors: Vec<ItemError>) -> NewBatch {
    NewBatch {
        id: Uuid::now_v7(),
        items: (0..).zip(requests).collect(),
        errors,
        metadata: Some("{\"a\":1}".to_owned()),
        submitted_by: Some("tester".to_owned()),
        explain,
    }
}

pub async fn made(database: &Database, batch: NewBatch) -> MadeBatch {
    match database.submit_batch(batch, None).await.unwrap() {
        Kept::New { made, .. } => made,
        other => panic!("not new: {other:?}"),
    }
}

/// A batch of this many jobs.
pub async fn running(database: &Database, count: usize) -> (Uuid, Vec<JobId>) {
    let requests = (0..count).map(|n| plain(&format!("{n}.jpg"))).collect();
    let made = made(database, batch_of(requests, vec![])).await;
    assert_eq!(made.created.len(), count);
    (made.batch.id, made.created)
}

async fn found(database: &Database, id: Uuid) -> Batch {
    database.find_batch(id).await.unwrap().expect("a batch")
}

pub async fn finish(database: &Database, id: JobId, outcome: &Outcome) {
    let claim = claimed_now(database, id).await;
    assert!(database.finish(&claim, outcome).await.unwrap());
}

fn slice(id: Uuid, opening: Option<BatchOpening>, paths: &[&str], first: u32) -> BatchSlice {
    let items = (first..).zip(paths.iter().map(|path| plain(path)));
    BatchSlice {
        id,
        opening,
        items: items.collect(),
        errors: Vec::new(),
        kept: Vec::new(),
        explain,
    }
}

async fn extended(database: &Database, slice: BatchSlice) -> SliceOutcome {
    match database.extend_batch(slice).await.unwrap() {
        Kept::New { made, .. } => made,
        other => panic!("not new: {other:?}"),
    }
}

fn opening(key: Option<KeyClaim>) -> Option<BatchOpening> {
    Some(BatchOpening {
        submitted_by: None,
        key,
    })
}

fn claim(scope: &str, body_hash: &str) -> KeyClaim {
    KeyClaim {
        scope: scope.to_owned(),
        body_hash: body_hash.to_owned(),
    }
}

fn answer(text: &str) -> StoredAnswer {
    StoredAnswer {
        status: 202,
        headers: vec![("location".to_owned(), "/v1/x".to_owned())],
        body: text.to_owned(),
    }
}

on_both_databases! {
    async fn a_batch_is_stored_with_its_jobs_and_found(fixture: &Fixture) {
        let database = fixture.open().await;
        let requests = vec![plain("a.jpg"), plain("b.jpg")];
        let made = made(&database, batch_of(requests, vec![refused(2), refused(3)])).await;
        let batch = found(&database, made.batch.id).await;
        assert_eq!(batch, made.batch);
        assert_eq!(batch.status, BatchStatus::Running);
        assert_eq!((batch.counts.total, batch.counts.pending, batch.counts.rejected), (4, 2, 2));
        assert_eq!(batch.errors, [refused(2), refused(3)]);
        assert_eq!(batch.metadata.as_deref(), Some("{\"a\":1}"));
        assert_eq!(batch.submitted_by.as_deref(), Some("tester"));
        let images = database.batch_images(batch.id, 10, None).await.unwrap();
        let indexes: Vec<_> = images.items.iter().map(|item| (item.job.id, item.index)).collect();
        assert_eq!(indexes, [(made.created[1], 1), (made.created[0], 0)]);
        assert!(images.items.iter().all(|item| item.job.batch_id == Some(batch.id)));
        assert_eq!(database.find_batch(Uuid::nil()).await.unwrap(), None);
    }

    async fn a_batch_ends_once_with_its_last_job(fixture: &Fixture) {
        let database = fixture.open().await;
        let (id, jobs) = running(&database, 4).await;
        finish(&database, jobs[0], &completed()).await;
        finish(&database, jobs[1], &failed()).await;
        database.cancel(&[jobs[2]]).await.unwrap();
        let batch = found(&database, id).await;
        assert_eq!((batch.status, batch.finished_at), (BatchStatus::Running, None));
        database.delete(&[jobs[3]]).await.unwrap();
        let ended = found(&database, id).await;
        assert_eq!(ended.status, BatchStatus::PartiallyFailed);
        assert!(ended.finished_at.is_some());
        let counts = ended.counts;
        assert_eq!((counts.completed, counts.failed, counts.cancelled, counts.deleted()), (1, 1, 1, 1));
        // What comes after the end does not move it.
        database.delete(&[jobs[0]]).await.unwrap();
        assert_eq!(found(&database, id).await.finished_at, ended.finished_at);
        // A retry does: the batch runs again, and ends again.
        assert_eq!(database.retry(&[jobs[1]]).await.unwrap(), [jobs[1]]);
        let again = found(&database, id).await;
        assert_eq!((again.status, again.finished_at), (BatchStatus::Running, None));
        finish(&database, jobs[1], &completed()).await;
        let ended = found(&database, id).await;
        assert_eq!(ended.status, BatchStatus::PartiallyFailed);
        assert!(ended.finished_at.is_some());
    }

    async fn the_end_tells_what_became_of_the_items(fixture: &Fixture) {
        let database = fixture.open().await;
        for (outcomes, expected) in [
            (vec![Some(completed()), Some(completed())], BatchStatus::Completed),
            (vec![Some(failed()), Some(failed())], BatchStatus::Failed),
            (vec![Some(failed()), Some(completed())], BatchStatus::PartiallyFailed),
            (vec![None, Some(completed())], BatchStatus::PartiallyFailed),
            (vec![None, None], BatchStatus::Cancelled),
        ] {
            let (id, jobs) = running(&database, outcomes.len()).await;
            for (job, outcome) in jobs.iter().zip(&outcomes) {
                match outcome {
                    Some(outcome) => finish(&database, *job, outcome).await,
                    None => { database.cancel(&[*job]).await.unwrap(); }
                }
                // However the counts are kept.
                database.fold_counts().await.unwrap();
            }
            assert_eq!(found(&database, id).await.status, expected);
        }
        let all_bad = made(&database, batch_of(vec![], vec![refused(0)])).await.batch;
        assert_eq!(all_bad.status, BatchStatus::Failed);
        assert!(all_bad.finished_at.is_some());
        assert_eq!(found(&database, all_bad.id).await, all_bad);
    }

    async fn a_job_whose_worker_died_ends_its_batch_when_it_is_given_up(fixture: &Fixture) {
        let database = fixture.open().await;
        let (id, jobs) = running(&database, 1).await;
        let worker = Uuid::now_v7();
        for _ in 0..3 {
            assert!(claimed(&database, jobs[0], worker, Duration::ZERO).await.is_some());
            assert_eq!(found(&database, id).await.status, BatchStatus::Running);
            crate::support::deadline::eventually("a take-over", Duration::from_secs(5), async || {
                database.take_over_expired(3, |_| Duration::ZERO).await.unwrap().0 == jobs
                    || found(&database, id).await.status == BatchStatus::Failed
            }).await;
        }
        assert_eq!(found(&database, id).await.status, BatchStatus::Failed);
    }

    async fn policies_mix_in_a_batch(fixture: &Fixture) {
        let database = fixture.open().await;
        let earlier = submitted(&database, "done.jpg").await;
        finish(&database, earlier.id, &completed()).await;
        let active = submitted(&database, "busy.jpg").await;
        let reuse = DuplicateHandling::ReuseCompleted;
        let reject = DuplicateHandling::RejectActive;
        let requests = vec![
            request("done.jpg", reuse),
            request("busy.jpg", reject),
            request("done.jpg", reuse),
            request("new.jpg", reuse),
            request("own.jpg", reject),
            request("own.jpg", reject),
            plain("done.jpg"),
        ];
        let made = made(&database, batch_of(requests, vec![])).await;
        let batch = found(&database, made.batch.id).await;
        assert_eq!(batch, made.batch);
        let counts = batch.counts;
        assert_eq!((counts.total, counts.pending, counts.reused, counts.rejected), (7, 3, 2, 2));
        assert_eq!(batch.errors[0], explain(1, active.id));
        assert_eq!((batch.errors[1].index, batch.errors[1].code.as_str()), (5, "duplicate_active"));
        // Pages of any size show every item once.
        for limit in [1, 2, 3, 10] {
            let (mut seen, mut after) = (HashMap::new(), None);
            loop {
                let page = database.batch_images(batch.id, limit, after).await.unwrap();
                assert!(page.items.len() <= limit as usize);
                for item in page.items {
                    assert!(seen.insert(item.index, (item.reused, item.job.id)).is_none());
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(seen.len(), 5, "{limit}");
            assert_eq!((seen[&0], seen[&2]), ((true, earlier.id), (true, earlier.id)));
            assert!(!seen[&3].0 && !seen[&4].0 && !seen[&6].0);
        }
        for id in made.created {
            finish(&database, id, &completed()).await;
        }
        assert_eq!(found(&database, batch.id).await.status, BatchStatus::PartiallyFailed);
        let all_reused = batch_of(vec![request("done.jpg", reuse)], vec![]);
        let all_reused = made_alone(&database, all_reused).await;
        assert_eq!(all_reused.status, BatchStatus::Completed);
    }

    async fn a_batch_that_comes_in_ends_when_it_may(fixture: &Fixture) {
        let database = fixture.open().await;
        let id = Uuid::now_v7();
        let first = extended(&database, slice(id, opening(None), &["a.jpg", "b.jpg"], 0)).await;
        assert_eq!(found(&database, id).await.status, BatchStatus::Accepting);
        for job in &first.created {
            finish(&database, *job, &completed()).await;
        }
        assert_eq!(found(&database, id).await.status, BatchStatus::Accepting, "more may come");
        let mut second = slice(id, None, &["c.jpg"], 3);
        second.errors = vec![refused(2)];
        let second = extended(&database, second).await;
        assert_eq!(second.kept, [refused(2)]);
        finish(&database, second.created[0], &completed()).await;
        assert!(database.end_acceptance(id, false).await.unwrap());
        assert!(!database.end_acceptance(id, true).await.unwrap(), "only once");
        let ended = found(&database, id).await;
        assert_eq!((ended.status, ended.incomplete), (BatchStatus::PartiallyFailed, false));
        assert_eq!((ended.counts.total, ended.counts.completed, ended.counts.rejected), (4, 3, 1));
        let late = extended(&database, slice(id, None, &["d.jpg"], 4)).await;
        assert!(!late.accepted && late.created.is_empty());
        assert_eq!(found(&database, id).await, ended);
    }

    async fn a_batch_whose_process_died_is_ended_after_a_minute(fixture: &Fixture) {
        let database = fixture.open().await;
        let (lost, live) = (Uuid::now_v7(), Uuid::now_v7());
        extended(&database, slice(lost, opening(None), &["a.jpg"], 0)).await;
        extended(&database, slice(live, opening(None), &["b.jpg"], 0)).await;
        assert_eq!(database.end_stale_acceptances(9).await.unwrap(), 0);
        let earlier = match &fixture.target {
            thumbforge::db::Target::Postgres(_) => "updated_at - interval '61 seconds'",
            thumbforge::db::Target::Sqlite(_) => "updated_at - 61000000",
        };
        fixture.lines(&format!(
            "UPDATE batches SET updated_at = {earlier} WHERE id = '{lost}' RETURNING status AS line"
        ));
        assert!(database.is_accepting(live).await.unwrap());
        assert!(!database.is_accepting(lost).await.unwrap());
        assert_eq!(database.end_stale_acceptances(9).await.unwrap(), 1);
        let ended = found(&database, lost).await;
        assert_eq!((ended.status, ended.incomplete), (BatchStatus::Running, true));
        assert_eq!(found(&database, live).await.status, BatchStatus::Accepting);
    }

    async fn old_batches_are_forgotten_once_their_jobs_are_gone(fixture: &Fixture) {
        let database = fixture.open().await;
        let (kept, jobs) = running(&database, 1).await;
        let (gone, doomed) = running(&database, 1).await;
        database.cancel(&[jobs[0], doomed[0]]).await.unwrap();
        database.delete(&doomed).await.unwrap();
        assert_eq!(database.forget_batches(9).await.unwrap(), 0, "they ended just now");
        let long_ago = match fixture.target {
            thumbforge::db::Target::Postgres(_) => "now() - interval '31 days'",
            thumbforge::db::Target::Sqlite(_) => "1",
        };
        fixture.lines(&format!("UPDATE batches SET finished_at = {long_ago}"));
        assert_eq!(database.forget_batches(9).await.unwrap(), 1);
        assert!(database.find_batch(kept).await.unwrap().is_some());
        assert!(database.find_batch(gone).await.unwrap().is_none());
    }

    async fn batches_are_listed_by_state_and_cursor(fixture: &Fixture) {
        let database = fixture.open().await;
        let mut ids = Vec::new();
        for n in 0..5 {
            let (id, jobs) = running(&database, 1).await;
            if n % 2 == 0 {
                database.cancel(&jobs).await.unwrap();
            }
            ids.insert(0, id);
        }
        for (status, expected) in [
            (None, ids.clone()),
            (Some(BatchStatus::Cancelled), vec![ids[0], ids[2], ids[4]]),
            (Some(BatchStatus::Running), vec![ids[1], ids[3]]),
            (Some(BatchStatus::Completed), vec![]),
        ] {
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let page = database.list_batches(status, 2, after).await.unwrap();
                seen.extend(page.batches.iter().map(|batch| batch.id));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(seen, expected, "{status:?}");
        }
    }

    async fn the_first_answer_to_a_key_is_kept_with_what_it_made(fixture: &Fixture) {
        let database = fixture.open().await;
        let answering: Answering<Submission> = Arc::new(|made| match made {
            Submission::Created(job) => Some(answer(&job.id.to_string())),
            _ => None,
        });
        let submit = async |scope: &str, path: &str, policy| {
            let (claim, answering) = (claim(scope, "b1"), Arc::clone(&answering));
            database.submit_once(request(path, policy), claim, answering).await.unwrap()
        };
        let reject = DuplicateHandling::RejectActive;
        let Kept::New { made: Submission::Created(job), answer: Some(first) } =
            submit("k1", "a.jpg", reject).await
        else {
            panic!("not new");
        };
        let known = Kept::Known { body_hash: "b1".to_owned(), answer: first.clone() };
        assert_eq!(submit("k1", "a.jpg", reject).await, known);
        assert_eq!(first.body, job.id.to_string());
        // A refusal leaves the key free.
        assert!(matches!(
            submit("k2", "a.jpg", reject).await,
            Kept::New { made: Submission::Rejected { .. }, answer: None }
        ));
        assert_eq!(database.find_key("k2").await.unwrap(), None);
        database.delete(&[job.id]).await.unwrap();
        assert_eq!(submit("k1", "a.jpg", reject).await, known, "also when the job is gone");
        assert!(matches!(submit("k2", "a.jpg", reject).await, Kept::New { answer: Some(_), .. }));
    }

    async fn a_key_of_a_stream_is_under_way_until_it_is_answered(fixture: &Fixture) {
        let database = fixture.open().await;
        let (id, other) = (Uuid::now_v7(), Uuid::now_v7());
        let key = || opening(Some(claim("k", "")));
        extended(&database, slice(id, key(), &["a.jpg"], 0)).await;
        let again = database.extend_batch(slice(other, key(), &["a.jpg"], 0)).await.unwrap();
        assert_eq!(again, Kept::UnderWay { made: Some(id) });
        assert_eq!(database.find_batch(other).await.unwrap(), None);
        database.keep_answer(claim("k", "b1"), answer("done")).await.unwrap();
        let known = Kept::Known { body_hash: "b1".to_owned(), answer: answer("done") };
        assert_eq!(database.find_key("k").await.unwrap(), Some(known));
        assert_eq!(database.forget_keys(9).await.unwrap(), 0);
        let earlier = match &fixture.target {
            thumbforge::db::Target::Postgres(_) => "created_at - interval '24 hours 1 second'",
            thumbforge::db::Target::Sqlite(_) => "created_at - 86401000000",
        };
        fixture.lines(&format!(
            "UPDATE idempotency_keys SET created_at = {earlier} RETURNING scope AS line"
        ));
        assert_eq!(database.forget_keys(9).await.unwrap(), 1);
        assert_eq!(database.find_key("k").await.unwrap(), None);
    }

    async fn a_keyed_batch_is_made_once(fixture: &Fixture) {
        let database = fixture.open().await;
        let answering: Answering<MadeBatch> =
            Arc::new(|made| Some(answer(&made.batch.id.to_string())));
        let keyed = || Some((claim("k", "b1"), Arc::clone(&answering)));
        let batch = || batch_of(vec![plain("a.jpg"), plain("b.jpg")], vec![]);
        let Kept::New { made, answer: Some(first) } =
            database.submit_batch(batch(), keyed()).await.unwrap()
        else {
            panic!("not new");
        };
        assert_eq!(first.body, made.batch.id.to_string());
        assert_eq!(found(&database, made.batch.id).await, made.batch);
        let again = database.submit_batch(batch(), keyed()).await.unwrap();
        assert_eq!(again, Kept::Known { body_hash: "b1".to_owned(), answer: first });
        assert_eq!(database.list_batches(None, 9, None).await.unwrap().batches.len(), 1);
    }

    async fn a_batch_is_cancelled_and_retried_in_slices(fixture: &Fixture) {
        let database = fixture.open().await;
        let (id, jobs) = running(&database, 7).await;
        finish(&database, jobs[0], &completed()).await;
        let mut cancelled = 0;
        loop {
            let active = database.active_of_batch(id, 2).await.unwrap();
            if active.is_empty() {
                break;
            }
            cancelled += database.cancel(&active).await.unwrap().len();
        }
        assert_eq!(cancelled, 6);
        let ended = found(&database, id).await;
        assert_eq!(ended.status, BatchStatus::PartiallyFailed);
        let (mut after, mut retried) = (None, 0);
        loop {
            let places = database.retryable_of_batch(id, after, 4).await.unwrap();
            after = places.last().copied();
            if places.is_empty() {
                break;
            }
            let ids: Vec<JobId> = places.iter().map(|place| JobId(place.id)).collect();
            retried += database.retry(&ids).await.unwrap().len();
        }
        assert_eq!(retried, 6);
        let again = found(&database, id).await;
        assert_eq!((again.status, again.counts.pending), (BatchStatus::Running, 6));
    }

    async fn many_finishers_end_a_batch_exactly_once(fixture: &Fixture) {
        let ends = match &fixture.target {
            thumbforge::db::Target::Postgres(_) => "CREATE TABLE ends (id uuid); \
                CREATE FUNCTION note_end() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                INSERT INTO ends VALUES (NEW.id); RETURN NULL; END $$; \
                CREATE TRIGGER note_end AFTER UPDATE ON batches FOR EACH ROW \
                WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL) \
                EXECUTE FUNCTION note_end()",
            thumbforge::db::Target::Sqlite(_) => "",
        };
        // Each has its own connections and its own committer.
        let mut databases = Vec::new();
        for _ in 0..8 {
            databases.push(fixture.open().await);
        }
        let counts_ends = !ends.is_empty();
        if counts_ends {
            fixture.lines(ends);
        }
        let rounds = if counts_ends { 12 } else { 3 };
        for _ in 0..rounds {
            let (id, jobs) = running(&databases[0], 16).await;
            let mut claims = Vec::new();
            for job in &jobs {
                claims.push(claimed_now(&databases[0], *job).await);
            }
            let barrier = Arc::new(tokio::sync::Barrier::new(databases.len()));
            let tasks: Vec<_> = claims
                .chunks(2)
                .zip(&databases)
                .map(|(claims, database)| {
                    let (claims, database) = (claims.to_vec(), database.clone());
                    let barrier = Arc::clone(&barrier);
                    tokio::spawn(async move {
                        barrier.wait().await;
                        assert!(database.finish(&claims[0], &completed()).await.unwrap());
                        // The last are a mixture of ends.
                        match claims[1].id.0.as_u128() % 3 {
                            0 => { database.cancel(&[claims[1].id]).await.unwrap(); }
                            1 => { database.delete(&[claims[1].id]).await.unwrap(); }
                            _ => assert!(database.finish(&claims[1], &failed()).await.unwrap()),
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            let ended = found(&databases[0], id).await;
            assert!(ended.finished_at.is_some(), "{ended:?}");
            if counts_ends {
                let ends = format!("SELECT count(*) AS line FROM ends WHERE id = '{id}'");
                assert_eq!(fixture.lines(&ends), ["1"]);
            }
        }
    }
}

async fn made_alone(database: &Database, batch: NewBatch) -> Batch {
    let batch = made(database, batch).await.batch;
    assert_eq!(found(database, batch.id).await, batch);
    batch
}
