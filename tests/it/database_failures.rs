//! Groups of failures and the report of workers, held against both databases.

use std::time::Duration;

use thumbforge::db::{Database, Target};
use thumbforge::domain::action::ActionTarget;
use thumbforge::domain::{
    FailureCode, Job, JobFilter, JobId, JobStatus, Outcome, WorkerSign, WorkerState,
};
use uuid::Uuid;

use crate::api::harness::on_both_databases;
use crate::database::{Fixture, claimed, claimed_now, completed, submitted};

const LEASE: Duration = Duration::from_secs(30);

async fn fails(database: &Database, path: &str, code: FailureCode) -> Job {
    let job = submitted(database, path).await;
    let claim = claimed_now(database, job.id).await;
    let outcome = Outcome::Failed {
        code,
        message: format!("{path} is broken"),
        source_status: None,
        variant: None,
    };
    assert!(database.finish(&claim, &outcome).await.unwrap());
    job
}

/// Writes failed jobs past the service, as many as `n`, a millisecond from each other.
fn fill(fixture: &Fixture, n: u32) {
    fixture.lines(&match fixture.target {
        Target::Postgres(_) => format!(
            "INSERT INTO jobs (id, url, url_hash, exclusive, status, created_at, updated_at, \
             error_code, origin) SELECT gen_random_uuid(), 'https://old.example/', repeat('0', 64), \
             false, 'failed', t, t, 'poison', 'https://old.example:443' FROM generate_series(1, {n}) \
             AS g, LATERAL (SELECT now() - interval '1 day' + g * interval '1 millisecond' AS t) AS m"
        ),
        Target::Sqlite(_) => format!(
            "WITH RECURSIVE g (g) AS (SELECT 1 UNION ALL SELECT g + 1 FROM g WHERE g < {n}) \
             INSERT INTO jobs (id, url, url_hash, exclusive, status, created_at, updated_at, \
             error_code, origin) SELECT printf('00000000-0000-4000-8000-%012d', g), \
             'https://old.example/', '0', false, 'failed', t, t, 'poison', \
             'https://old.example:443' FROM (SELECT g, (unixepoch() - 86400) * 1000000 + g * 1000 \
             AS t FROM g) RETURNING 'x' AS line"
        ),
    });
}

async fn matched(database: &Database, filter: JobFilter) -> u64 {
    let target = ActionTarget::Filter(filter);
    database.freeze(target).await.unwrap().1
}

on_both_databases! {
    async fn failures_are_grouped_by_cause_and_host(fixture: &Fixture) {
        let database = fixture.open().await;
        let all = JobFilter::default();
        let none = database.failures(&all, 10).await.unwrap();
        assert_eq!((none.groups.len(), none.group_count, none.is_exact), (0, 0, true));
        let mut jobs = Vec::new();
        for _ in 0..5 {
            jobs.push(fails(&database, "a.jpg", FailureCode::SourceClientError).await.id);
        }
        fails(&database, "a.jpg", FailureCode::CorruptImage).await;
        fails(&database, "b.jpg", FailureCode::SourceClientError).await;
        fails(&database, "b.jpg", FailureCode::SourceClientError).await;
        let done = submitted(&database, "a.jpg").await;
        let claim = claimed_now(&database, done.id).await;
        assert!(database.finish(&claim, &completed()).await.unwrap());
        let failures = database.failures(&all, 2).await.unwrap();
        assert_eq!((failures.group_count, failures.job_count), (3, 8));
        assert!(failures.is_exact);
        let shown: Vec<_> = failures.groups.iter()
            .map(|group| (group.error_code.as_str(), group.host.as_str(), group.count))
            .collect();
        assert_eq!(shown, [
            ("source_client_error", "a-jpg.example.com", 5),
            ("source_client_error", "b-jpg.example.com", 2),
        ]);
        let group = &failures.groups[0];
        let newest: Vec<JobId> = jobs.iter().rev().take(3).copied().collect();
        assert_eq!(group.examples.iter().map(|job| job.id).collect::<Vec<_>>(), newest);
        assert_eq!(group.examples[0].url, "https://a-jpg.example.com/a.jpg");
        assert_eq!(group.examples[0].error.as_deref(), Some("a.jpg is broken"));
        assert!(group.first_failed_at <= group.last_failed_at);
        assert_eq!(group.last_failed_at, group.examples[0].failed_at);
        assert_eq!(matched(&database, group.filter.clone()).await, 5);
        // What fails later is not of the group.
        fails(&database, "a.jpg", FailureCode::SourceClientError).await;
        assert_eq!(matched(&database, group.filter.clone()).await, 5);
    }

    async fn failures_are_filtered_as_lists_are(fixture: &Fixture) {
        let database = fixture.open().await;
        fails(&database, "a.jpg", FailureCode::SourceClientError).await;
        let last = fails(&database, "b.jpg", FailureCode::CorruptImage).await;
        let hosts = async |filter: JobFilter| {
            let failures = database.failures(&filter, 9).await.unwrap();
            let hosts = failures.groups.iter().map(|group| group.host.clone());
            hosts.collect::<Vec<_>>().join(" ")
        };
        let any = JobFilter::default;
        let (a, b) = ("a-jpg.example.com", "b-jpg.example.com");
        assert_eq!(hosts(JobFilter { host: Some(a.to_owned()), ..any() }).await, a);
        let code = Some("corrupt_image".to_owned());
        assert_eq!(hosts(JobFilter { error_code: code, ..any() }).await, b);
        assert_eq!(hosts(JobFilter { created_after: Some(last.created_at), ..any() }).await, b);
        assert_eq!(hosts(JobFilter { tag: Some("x".to_owned()), ..any() }).await, "");
        assert_eq!(hosts(JobFilter { batch_id: Some(Uuid::nil()), ..any() }).await, "");
        let both = JobFilter {
            host: Some(b.to_owned()),
            error_code: Some("corrupt_image".to_owned()),
            submitted_by: Some("nobody".to_owned()),
            ..any()
        };
        assert_eq!(hosts(both).await, "");
        let status = JobFilter { status: Some(JobStatus::Completed), ..any() };
        assert_eq!(hosts(status).await, format!("{b} {a}"), "only failed jobs are grouped");
    }

    async fn of_very_many_failures_the_newest_are_grouped(fixture: &Fixture) {
        let database = fixture.open().await;
        fill(fixture, 5_000);
        let failures = database.failures(&JobFilter::default(), 9).await.unwrap();
        assert_eq!((failures.job_count, failures.is_exact), (5_000, true));
        assert_eq!(failures.groups[0].filter.created_after, None);
        fails(&database, "a.jpg", FailureCode::CorruptImage).await;
        fails(&database, "b.jpg", FailureCode::CorruptImage).await;
        let failures = database.failures(&JobFilter::default(), 9).await.unwrap();
        assert_eq!((failures.job_count, failures.is_exact), (5_000, false));
        let old = &failures.groups[0];
        assert_eq!((old.host.as_str(), old.count, failures.group_count), ("old.example", 4_998, 3));
        assert_eq!(matched(&database, old.filter.clone()).await, 4_998, "only those that are counted");
        let code = JobFilter { error_code: Some("corrupt_image".to_owned()), ..JobFilter::default() };
        let some = database.failures(&code, 9).await.unwrap();
        assert_eq!((some.job_count, some.is_exact), (2, true));
        let host = JobFilter { host: Some("old.example".to_owned()), ..JobFilter::default() };
        let some = database.failures(&host, 9).await.unwrap();
        assert_eq!((some.job_count, some.is_exact), (5_000, true));
    }

    async fn workers_are_shown_with_what_they_have(fixture: &Fixture) {
        let database = fixture.open().await;
        let report = database.report_workers().await.unwrap();
        assert_eq!((report.workers.len(), report.is_exact, report.is_paused), (0, true, false));
        assert!(!report.is_backlog_unattended && report.oldest_pending_seconds.is_none());
        let sign = WorkerSign {
            host: Some("one".to_owned()),
            version: Some("1.2.3"),
            ..WorkerSign::ready(Uuid::now_v7())
        };
        database.mark_worker_alive(&sign).await.unwrap();
        let stopping = WorkerSign {
            state: WorkerState::Stopping,
            ..WorkerSign::ready(Uuid::now_v7())
        };
        database.mark_worker_alive(&stopping).await.unwrap();
        assert_eq!(database.counts().await.unwrap().workers_alive, 1, "one takes no jobs");
        let mut held = Vec::new();
        for number in 0..22 {
            let job = submitted(&database, &format!("{number}.jpg")).await;
            let claim = claimed(&database, job.id, sign.id, LEASE).await.unwrap();
            assert!(database.renew(std::slice::from_ref(&claim), sign.id, LEASE).await.unwrap().contains(&job.id));
            held.push(job.id);
        }
        let lost = submitted(&database, "lost.jpg").await;
        claimed_now(&database, lost.id).await;
        database.pause_queue(true).await.unwrap();
        let report = database.report_workers().await.unwrap();
        assert_eq!((report.jobs_without_worker, report.is_paused, report.is_exact), (1, true, true));
        let [one, two] = &report.workers[..] else {
            panic!("two workers: {report:?}");
        };
        assert_eq!((one.id, one.host.as_deref(), one.version.as_deref()), (sign.id, Some("one"), Some("1.2.3")));
        assert_eq!((one.state, one.job_count), (WorkerState::Ready, 22));
        assert!(one.began_at.unwrap() <= one.seen_at);
        assert_eq!(one.jobs.iter().map(|job| job.id).collect::<Vec<_>>(), held[..20]);
        assert_eq!((one.jobs[0].host.as_str(), one.jobs[0].attempt), ("0-jpg.example.com", 1));
        assert!(one.jobs[0].since <= one.jobs[1].since);
        assert_eq!((two.state, two.job_count, two.jobs.len()), (WorkerState::Stopping, 0, 0));
        database.mark_worker_alive(&WorkerSign { state: WorkerState::StorageFailing, ..sign.clone() }).await.unwrap();
        let again = database.report_workers().await.unwrap();
        assert_eq!(again.workers[0].state, WorkerState::StorageFailing);
        assert_eq!((again.workers[0].began_at, &again.workers[0].host), (one.began_at, &one.host));
    }

    async fn a_backlog_is_unattended_if_nobody_works_on_it(fixture: &Fixture) {
        let database = fixture.open().await;
        let unattended = async || database.report_workers().await.unwrap().is_backlog_unattended;
        let job = submitted(&database, "a.jpg").await;
        let sign = WorkerSign::ready(Uuid::now_v7());
        database.mark_worker_alive(&sign).await.unwrap();
        assert!(!unattended().await, "it has just come");
        age(fixture);
        assert!(unattended().await, "nobody has a job");
        let origin = thumbforge::domain::SourceUrl::parse(&job.url).unwrap().origin();
        database.pause_origin(&origin, true).await.unwrap();
        assert!(!unattended().await, "its origin is paused");
        database.pause_origin(&origin, false).await.unwrap();
        let other = submitted(&database, "b.jpg").await;
        let claim = claimed(&database, other.id, sign.id, LEASE).await.unwrap();
        assert!(!unattended().await, "a worker has another job");
        assert!(database.finish(&claim, &completed()).await.unwrap());
        while database.number_events().await.unwrap() > 0 {}
        assert!(!unattended().await, "a worker has just ended one");
        fixture.lines(match fixture.target {
            Target::Postgres(_) => "UPDATE events SET created_at = now() - interval '1 minute'",
            Target::Sqlite(_) => "UPDATE events SET created_at = created_at - 60000000 RETURNING 'x' AS line",
        });
        assert!(unattended().await);
        let third = submitted(&database, "c.jpg").await;
        claimed_now(&database, third.id).await;
        assert!(unattended().await, "whoever has a job gives no sign of life");
    }
}

/// All pending jobs were submitted a minute earlier.
fn age(fixture: &Fixture) {
    fixture.lines(match fixture.target {
        Target::Postgres(_) => "UPDATE jobs SET rank = rank - 60000 WHERE status = 'pending'",
        Target::Sqlite(_) => {
            "UPDATE jobs SET rank = rank - 60000 WHERE status = 'pending' RETURNING 'x' AS line"
        }
    });
}
