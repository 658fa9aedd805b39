//! What clients do to jobs, and the counts that are kept of them, held against both databases.

use std::collections::HashMap;
use std::time::Duration;

use thumbforge::db::{Database, Doomed, Submission};
use thumbforge::domain::{
    DuplicateHandling, FailureCode, Job, JobFilter, JobId, JobStatus, Labels, ListPlace, Outcome,
    Request, Schedule,
};
use uuid::Uuid;

use crate::api::harness::on_both_databases;
use crate::database::{
    RELEASED, claimed, claimed_now, completed, found, retry_after, submitted, url,
};

const LEASE: Duration = Duration::from_secs(30);

fn failed() -> Outcome {
    Outcome::Failed {
        code: FailureCode::SourceClientError,
        message: "no such image".to_owned(),
        source_status: Some(404),
        variant: None,
    }
}

async fn exclusive(database: &Database, path: &str) -> Job {
    let policy = DuplicateHandling::RejectActive;
    let request = Request::new(&url(path), policy, Schedule::default(), None);
    match database.submit(request).await.unwrap() {
        Submission::Created(job) => job,
        other => panic!("not created: {other:?}"),
    }
}

async fn labelled(database: &Database, path: &str, labels: Labels) -> Job {
    let policy = DuplicateHandling::AllowRetry;
    let mut request = Request::new(&url(path), policy, Schedule::default(), None);
    request.labels = labels;
    match database.submit(request).await.unwrap() {
        Submission::Created(job) => job,
        other => panic!("not created: {other:?}"),
    }
}

/// How many jobs each state has, by the kept counts, and by counting.
async fn counts(database: &Database, fixture: &crate::database::Fixture) -> [Vec<u64>; 2] {
    let kept = database.count_created(None, None).await.unwrap();
    let kept = JobStatus::ALL.map(|status| kept.of(status)).to_vec();
    let lines = fixture.lines("SELECT status || ' ' || count(*) AS line FROM jobs GROUP BY status");
    let counted: HashMap<&str, u64> = lines
        .iter()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(status, count)| (status, count.parse().unwrap()))
        .collect();
    let of = |status: JobStatus| counted.get(status.as_str()).copied().unwrap_or(0);
    [kept, JobStatus::ALL.map(of).to_vec()]
}

on_both_databases! {
    async fn a_pending_job_is_cancelled_at_once_and_never_claimed(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, "a.jpg").await;
        assert_eq!(database.cancel(&[job.id, JobId::generate()]).await.unwrap(), [job.id]);
        let cancelled = found(&database, job.id).await;
        assert_eq!((cancelled.status, cancelled.attempts), (JobStatus::Cancelled, 0));
        assert_eq!(cancelled.finished_at(), Some(cancelled.updated_at));
        assert_eq!(claimed(&database, job.id, Uuid::now_v7(), LEASE).await, None);
        assert_eq!(database.cancel(&[job.id]).await.unwrap(), []);
        assert_eq!(database.doomed(9).await.unwrap(), [], "it has no files");
    }

    async fn a_cancelled_job_is_lost_to_its_worker(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, "a.jpg").await;
        let worker = Uuid::now_v7();
        let claim = claimed(&database, job.id, worker, LEASE).await.unwrap();
        assert_eq!(database.cancel(&[job.id]).await.unwrap(), [job.id]);
        assert!(database.renew(std::slice::from_ref(&claim), worker, LEASE).await.unwrap().is_empty());
        assert!(!database.finish(&claim, &completed()).await.unwrap());
        assert_eq!(found(&database, job.id).await.status, JobStatus::Cancelled);
        let attempts = database.find_with_attempts(job.id).await.unwrap().unwrap().1;
        assert_eq!(attempts.len(), 1);
        assert_eq!((attempts[0].outcome.as_str(), attempts[0].worker), ("cancelled", Some(worker)));
        assert!(attempts[0].began <= attempts[0].ended && attempts[0].began > 0);
        // Its worker may publish until the lease is over: no new attempt begins before.
        assert_eq!(database.doomed(9).await.unwrap(), []);
        assert_eq!(database.retry(&[job.id]).await.unwrap(), [job.id]);
        assert_eq!(claimed(&database, job.id, worker, LEASE).await, None);
        assert!(!database.finish(&claim, &completed()).await.unwrap(), "a fence is never used twice");
    }

    async fn a_retried_job_has_all_its_attempts_and_keeps_its_log(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, "a.jpg").await;
        for outcome in [retry_after(Duration::ZERO), RELEASED, failed()] {
            let claim = claimed_now(&database, job.id).await;
            assert!(database.finish(&claim, &outcome).await.unwrap());
        }
        assert_eq!(database.retry(&[job.id]).await.unwrap(), [job.id]);
        let retried = found(&database, job.id).await;
        assert_eq!((retried.status, retried.attempts), (JobStatus::Pending, 0));
        assert_eq!((retried.error, retried.error_code, retried.source_status), (None, None, None));
        assert_eq!(database.retry(&[job.id]).await.unwrap(), [], "it is pending");
        let claim = claimed_now(&database, job.id).await;
        assert_eq!(claim.attempt, 1);
        assert!(database.finish(&claim, &completed()).await.unwrap());
        assert_eq!(database.retry(&[job.id]).await.unwrap(), [], "it is completed");
        let log = database.find_with_attempts(job.id).await.unwrap().unwrap().1;
        let words: Vec<_> = log.iter().map(|attempt| attempt.outcome.as_str()).collect();
        assert_eq!(words, ["retried", "handed_back", "failed", "completed"]);
        assert_eq!(log[0].error_code.as_deref(), Some("source_timeout"));
        assert_eq!((log[1].error_code.as_deref(), log[3].error_code.as_deref()), (None, None));
    }

    async fn the_log_of_very_many_attempts_keeps_the_last(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, "a.jpg").await;
        for _ in 0..60 {
            let claim = claimed_now(&database, job.id).await;
            assert!(database.finish(&claim, &RELEASED).await.unwrap());
        }
        let claim = claimed_now(&database, job.id).await;
        assert!(database.finish(&claim, &failed()).await.unwrap());
        let log = database.find_with_attempts(job.id).await.unwrap().unwrap().1;
        assert!((15..50).contains(&log.len()), "{}", log.len());
        assert_eq!(log[log.len() - 1].outcome, "failed");
    }

    async fn a_retry_respects_reject_active(fixture: &Fixture) {
        let database = fixture.open().await;
        let mut ended = Vec::new();
        for _ in 0..3 {
            let job = exclusive(&database, "a.jpg").await;
            let claim = claimed_now(&database, job.id).await;
            assert!(database.finish(&claim, &failed()).await.unwrap());
            ended.push(job.id);
        }
        assert_eq!(database.retry(&ended).await.unwrap().len(), 1, "one of three with one URL");
        assert_eq!(database.retry(&ended).await.unwrap(), []);
        let other = exclusive(&database, "b.jpg").await;
        database.cancel(&[other.id]).await.unwrap();
        let active = submitted(&database, "b.jpg").await;
        assert_eq!(database.retry(&[other.id]).await.unwrap(), [], "another policy's is active");
        database.delete(&[active.id]).await.unwrap();
        assert_eq!(database.retry(&[other.id]).await.unwrap(), [other.id]);
    }

    async fn a_deleted_job_leaves_nothing_but_what_is_to_be_removed(fixture: &Fixture) {
        let database = fixture.open().await;
        let jobs = [
            submitted(&database, "a.jpg").await,
            submitted(&database, "b.jpg").await,
            submitted(&database, "c.jpg").await,
        ];
        let held = claimed_now(&database, jobs[1].id).await;
        let claim = claimed_now(&database, jobs[2].id).await;
        assert!(database.finish(&claim, &completed()).await.unwrap());
        let ids = jobs.map(|job| job.id);
        let mut deleted = database.delete(&ids).await.unwrap();
        deleted.sort_by_key(|deleted| deleted.id);
        let files: Vec<bool> = deleted.iter().map(|deleted| deleted.has_files).collect();
        assert_eq!(files, [false, true, true]);
        for id in ids {
            assert_eq!(database.find(id).await.unwrap(), None);
        }
        assert!(!database.finish(&held, &completed()).await.unwrap());
        assert_eq!(database.delete(&ids).await.unwrap(), []);
        // The worker of the second may still write.
        assert_eq!(database.doomed(9).await.unwrap(), [Doomed::Gone(ids[2])]);
        database.forget_doomed(&ids).await.unwrap();
        assert_eq!(database.doomed(9).await.unwrap(), []);
        let left = fixture.lines("SELECT count(*) || '' AS line FROM doomed_files");
        assert_eq!(left, ["1"], "not due, so not forgotten");
    }

    async fn files_of_a_job_that_lives_again_are_its_own(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, "a.jpg").await;
        claimed(&database, job.id, Uuid::now_v7(), Duration::ZERO).await.unwrap();
        database.cancel(&[job.id]).await.unwrap();
        assert_eq!(database.doomed(9).await.unwrap(), [Doomed::Known(job.id)]);
        let remove = |result: Result<(), &'static str>| {
            move || -> futures_util::future::BoxFuture<'static, _> { Box::pin(async move { result }) }
        };
        let refused = database.remove_of_ended(job.id, remove(Err("disk"))).await.unwrap();
        assert_eq!(refused, Err("disk"));
        assert_eq!(database.doomed(9).await.unwrap().len(), 1, "it is tried again");
        database.retry(&[job.id]).await.unwrap();
        let kept = database.remove_of_ended(job.id, remove(Err("never called"))).await.unwrap();
        assert_eq!(kept, Ok(()));
        assert_eq!(database.doomed(9).await.unwrap(), []);
    }

    async fn a_deletion_looks_up_its_tags_and_reads_no_others(fixture: &Fixture) {
        let database = fixture.open().await;
        let thumbforge::db::Target::Postgres(_) = fixture.target else {
            // Its trigger has one row at a time.
            return;
        };
        // Of a few jobs Postgres looks the tags up in any case.
        fixture.lines(
            "INSERT INTO jobs (id, url, url_hash, exclusive, created_at, updated_at, due_at, tags) \
             SELECT gen_random_uuid(), 'http://a/', 'a', false, now(), now(), now(), '[\"one\",\"two\"]' \
             FROM generate_series(1, 500); \
             INSERT INTO job_tags SELECT 'other', now(), gen_random_uuid() FROM generate_series(1, 20000); \
             ANALYZE job_tags",
        );
        let lines = fixture.lines(
            "BEGIN; DELETE FROM jobs; SELECT 'read ' || seq_tup_read \
             FROM pg_stat_xact_user_tables WHERE relname = 'job_tags'; COMMIT; \
             SELECT 'left ' || count(*) FROM job_tags WHERE tag <> 'other'",
        );
        assert!(lines.contains(&"read 0".to_owned()), "{lines:?}");
        assert!(lines.contains(&"left 0".to_owned()), "{lines:?}");
        drop(database);
    }

    async fn lists_are_filtered_and_paged_by_cursor(fixture: &Fixture) {
        let database = fixture.open().await;
        let tagged = |tags: &[&str], by: &str| Labels {
            traceparent: None,
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            metadata: Some(r#"{"a": [1]}"#.to_owned()),
            submitted_by: Some(by.to_owned()),
            expires_in: Some(Duration::from_secs(60)),
        };
        let mut jobs = Vec::new();
        for number in 0..12 {
            let tags: &[&str] = if number % 2 == 0 { &["even", "ä"] } else { &["odd"] };
            let by = if number < 6 { "one" } else { "two" };
            jobs.push(labelled(&database, "a.jpg", tagged(tags, by)).await);
        }
        let expected = tagged(&["even", "ä"], "one");
        let first = found(&database, jobs[0].id).await;
        assert_eq!((first.tags, first.metadata), (expected.tags, expected.metadata));
        assert_eq!((first.submitted_by, first.expires_in), (expected.submitted_by, expected.expires_in));
        for (index, outcome) in [(0, failed()), (3, failed()), (4, completed()), (7, failed())] {
            let id = jobs[index].id;
            // The first of its origin is claimed, so each is made the most urgent.
            fixture.lines(&format!("UPDATE jobs SET rank = 0 WHERE id = '{id}'"));
            let claim = claimed_now(&database, id).await;
            assert_eq!(claim.id, id);
            assert!(database.finish(&claim, &outcome).await.unwrap());
        }
        database.cancel(&[jobs[5].id]).await.unwrap();
        submitted(&database, "other.jpg").await;
        let any = JobFilter::default;
        let host = || Some("a-jpg.example.com".to_owned());
        let text = |text: &str| Some(text.to_owned());
        let by = |status| Some(status);
        let cases: Vec<(JobFilter, Vec<usize>)> = vec![
            (JobFilter { host: host(), ..any() }, (0..12).collect()),
            (JobFilter { host: text("nowhere"), ..any() }, vec![]),
            (JobFilter { host: host(), status: by(JobStatus::Failed), ..any() }, vec![0, 3, 7]),
            (
                JobFilter { host: host(), status: by(JobStatus::Pending), ..any() },
                vec![1, 2, 6, 8, 9, 10, 11],
            ),
            (JobFilter { tag: text("even"), ..any() }, vec![0, 2, 4, 6, 8, 10]),
            (JobFilter { tag: text("ä"), status: by(JobStatus::Completed), ..any() }, vec![4]),
            (JobFilter { tag: text("odd"), submitted_by: text("one"), ..any() }, vec![1, 3, 5]),
            (JobFilter { submitted_by: text("one"), ..any() }, (0..6).collect()),
            (JobFilter { submitted_by: text("two"), tag: text("even"), host: host(), ..any() }, vec![6, 8, 10]),
            (JobFilter { error_code: text("source_client_error"), ..any() }, vec![0, 3, 7]),
            (JobFilter { error_code: text("source_client_error"), tag: text("odd"), ..any() }, vec![3, 7]),
            (JobFilter { status: by(JobStatus::Cancelled), ..any() }, vec![5]),
            (JobFilter { batch_id: Some(Uuid::nil()), ..any() }, vec![]),
            (
                JobFilter {
                    host: host(),
                    created_after: Some(jobs[2].created_at),
                    created_before: Some(jobs[8].created_at),
                    ..any()
                },
                (2..9).collect(),
            ),
        ];
        for (filter, expected) in cases {
            let total = database.total_of(&filter).await.unwrap();
            let is_timed = filter.created_after.is_some();
            assert!(total.is_exact);
            // SQLite's clock counts milliseconds: neighbours may share one.
            assert!(total.total as usize >= expected.len(), "{filter:?}");
            assert_eq!(database.exact_total_of(&filter).await.unwrap(), total.total, "{filter:?}");
            let mut ids: Vec<JobId> = Vec::new();
            let mut after: Option<ListPlace> = None;
            loop {
                let page = database.list(&filter, 2, 0, after).await.unwrap();
                assert!(page.jobs.len() <= 2);
                ids.extend(page.jobs.iter().map(|job| job.id));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            let whole = database.list(&filter, 50, 0, None).await.unwrap();
            assert_eq!(whole.jobs.iter().map(|job| job.id).collect::<Vec<_>>(), ids, "{filter:?}");
            let beyond = database.list(&filter, 50, 1, None).await.unwrap();
            assert_eq!(beyond.jobs.len(), ids.len().saturating_sub(1), "{filter:?}");
            assert_eq!(ids.len() as u64, total.total, "{filter:?}");
            let expected: Vec<JobId> = expected.iter().rev().map(|index| jobs[*index].id).collect();
            assert!(is_timed || ids == expected, "{filter:?}: {ids:?}");
            assert!(expected.iter().all(|id| ids.contains(id)), "{filter:?}");
        }
    }

    async fn kept_counts_equal_the_jobs_after_whatever_happens(fixture: &Fixture) {
        let database = fixture.open().await;
        let mut chance = 42_u64;
        let mut next = |bound: u64| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (chance >> 33) % bound
        };
        let mut ids: Vec<JobId> = Vec::new();
        for step in 0..160_u64 {
            let pick = |n: u64| ids.get(n as usize % ids.len().max(1)).copied();
            match next(8) {
                0..=2 => ids.push(submitted(&database, &format!("{step}.jpg")).await.id),
                3 => { database.cancel(&pick(next(1000)).into_iter().collect::<Vec<_>>()).await.unwrap(); }
                4 => { database.retry(&pick(next(1000)).into_iter().collect::<Vec<_>>()).await.unwrap(); }
                5 => { database.delete(&pick(next(1000)).into_iter().collect::<Vec<_>>()).await.unwrap(); }
                6 => { database.fold_counts().await.unwrap(); }
                _ => if let Some(id) = pick(next(1000))
                    && let Some(claim) = claimed(&database, id, Uuid::now_v7(), LEASE).await
                {
                    let outcome = match next(4) {
                        0 => completed(),
                        1 => failed(),
                        2 => RELEASED,
                        _ => continue,
                    };
                    assert!(database.finish(&claim, &outcome).await.unwrap());
                },
            }
            let [kept, counted] = counts(&database, fixture).await;
            assert_eq!(kept, counted, "after step {step}");
        }
        assert_eq!(database.check_counts(&fixture.target, false).await.unwrap(), []);
        while database.fold_counts().await.unwrap() != Some(0) {}
        let [kept, counted] = counts(&database, fixture).await;
        assert_eq!(kept, counted);
        assert_eq!(database.check_counts(&fixture.target, false).await.unwrap(), []);
    }

    async fn wrong_counts_are_found_and_repaired(fixture: &Fixture) {
        let database = fixture.open().await;
        for number in 0..5 {
            submitted(&database, &format!("{number}.jpg")).await;
        }
        database.fold_counts().await.unwrap();
        submitted(&database, "6.jpg").await;
        fixture.lines("UPDATE job_counts SET n = n + 3 WHERE level IN (0, 2)");
        fixture.lines("DELETE FROM job_count_deltas");
        let faults = database.check_counts(&fixture.target, true).await.unwrap();
        assert!(faults.iter().any(|fault| fault.kind == "minute"), "{faults:?}");
        assert!(faults.iter().any(|fault| fault.kind == "sum"), "{faults:?}");
        assert_eq!(database.check_counts(&fixture.target, false).await.unwrap(), []);
        let [kept, counted] = counts(&database, fixture).await;
        assert_eq!(kept, counted);
        database.fold_counts().await.unwrap();
        assert_eq!(database.check_counts(&fixture.target, false).await.unwrap(), []);
    }

    async fn counts_by_time_are_exact_to_the_microsecond(fixture: &Fixture) {
        let database = fixture.open().await;
        let mut jobs = Vec::new();
        for number in 0..9_i64 {
            let job = submitted(&database, &format!("{number}.jpg")).await;
            // 25 seconds apart, so that minutes have two or three.
            let shift = number * 25;
            let moment = match fixture.target {
                thumbforge::db::Target::Postgres(_) => format!(
                    "timestamptz '2026-01-01 00:00:00Z' + interval '{shift} seconds'"
                ),
                thumbforge::db::Target::Sqlite(_) => format!("1767225600000000 + {shift} * 1000000"),
            };
            let id = job.id;
            fixture.lines(&format!("UPDATE jobs SET created_at = {moment} WHERE id = '{id}'"));
            jobs.push(found(&database, id).await);
        }
        // Moments do not change but in this test, so only here the counts must be mended.
        database.check_counts(&fixture.target, true).await.unwrap();
        for fold in [false, true] {
            if fold {
                database.fold_counts().await.unwrap();
            }
            for first in 0..jobs.len() {
                for last in first..jobs.len() {
                    let (from, to) = (jobs[first].created_at, jobs[last].created_at);
                    let counts = database.count_created(Some(from), Some(to)).await.unwrap();
                    assert_eq!(counts.total() as usize, last - first + 1, "{first} {last} {fold}");
                    assert_eq!(counts.of(JobStatus::Pending), counts.total());
                }
                let from = Some(jobs[first].created_at);
                let open = database.count_created(from, None).await.unwrap();
                assert_eq!(open.total() as usize, jobs.len() - first);
                let open = database.count_created(None, from).await.unwrap();
                assert_eq!(open.total() as usize, first + 1);
            }
        }
    }
}
