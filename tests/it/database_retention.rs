//! Jobs whose time is over go, with their files, and no others; held against both databases.

use std::time::Duration;

use thumbforge::db::{Database, Submission, Target};
use thumbforge::domain::retention::{NOTICE, Standing};
use thumbforge::domain::{
    DuplicateHandling, FailureCode, Job, JobId, JobStatus, Labels, Outcome, Request, Retention,
    Schedule,
};
use thumbforge::queue::{MemoryQueue, Queue};
use thumbforge::storage::{NewFile, Storage, first_path};
use thumbforge::upkeep::retention::{Over, Walk, count_expired, count_overdue, standing};
use thumbforge::upkeep::{Sign, Upkeep, remove_due_files};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::api::harness::on_both_databases;
use crate::database::{Fixture, claimed_now, completed, submitted, url};
use crate::support::deadline::eventually;

const DAY: Duration = Duration::from_secs(24 * 3600);
const WITHIN: Duration = Duration::from_secs(20);

fn failed() -> Outcome {
    Outcome::Failed {
        code: FailureCode::SourceClientError,
        message: "no such image".to_owned(),
        source_status: Some(404),
        variant: None,
    }
}

fn rules(completed: u32, failed: u32) -> Retention {
    let days = |days| (days > 0).then(|| DAY * days);
    Retention {
        completed: days(completed),
        failed: days(failed),
    }
}

/// SQL of a moment so many days ago.
fn days_ago(fixture: &Fixture, days: i64) -> String {
    match fixture.target {
        Target::Postgres(_) => format!("(now() - interval '{days} days')"),
        Target::Sqlite(_) => format!("((unixepoch() - {days} * 86400) * 1000000)"),
    }
}

/// As if it had been created and ended so many days ago.
pub fn age(fixture: &Fixture, id: JobId, created: i64, ended: i64) {
    let (created, ended) = (days_ago(fixture, created), days_ago(fixture, ended));
    fixture.lines(&format!(
        "UPDATE jobs SET created_at = {created}, updated_at = {ended} WHERE id = '{id}'"
    ));
}

pub async fn ended(database: &Database, path: &str, outcome: &Outcome) -> JobId {
    let job = submitted(database, path).await;
    let claim = claimed_now(database, job.id).await;
    assert!(database.finish(&claim, outcome).await.unwrap());
    job.id
}

async fn expiring(database: &Database, path: &str) -> Job {
    let policy = DuplicateHandling::AllowRetry;
    let mut request = Request::new(&url(path), policy, Schedule::default(), None);
    request.labels = Labels {
        expires_in: Some(Duration::from_secs(3600)),
        ..Labels::default()
    };
    match database.submit(request).await.unwrap() {
        Submission::Created(job) => job,
        other => panic!("not created: {other:?}"),
    }
}

async fn delete_all(database: &Database, rules: Retention) -> u64 {
    let mut walk = Walk::of_all(database, rules);
    let mut deleted = 0;
    while let Some(more) = walk.step().await.unwrap() {
        deleted += more;
    }
    deleted
}

async fn left(database: &Database, ids: &[JobId]) -> Vec<bool> {
    let mut left = Vec::new();
    for id in ids {
        left.push(database.find(*id).await.unwrap().is_some());
    }
    left
}

/// As if the rules had been announced an hour earlier.
fn pass_the_hour(fixture: &Fixture) {
    let [state] =
        &fixture.lines("SELECT value AS line FROM service_state WHERE name = 'retention'")[..]
    else {
        panic!("nothing is announced")
    };
    let mut state: serde_json::Value = serde_json::from_str(state).unwrap();
    let hour = i64::try_from(NOTICE.as_millis()).unwrap();
    state["since"] = (state["since"].as_i64().unwrap() - hour).into();
    fixture.lines(&format!(
        "UPDATE service_state SET value = '{state}' WHERE name = 'retention'"
    ));
}

on_both_databases! {
    async fn ended_jobs_go_when_their_time_is_over_and_no_others(fixture: &Fixture) {
        let database = fixture.open().await;
        let mut ids = Vec::new();
        for (number, outcome) in [completed(), completed(), failed(), failed()].iter().enumerate() {
            ids.push(ended(&database, &number.to_string(), outcome).await);
        }
        let cancelled = submitted(&database, "cancelled").await.id;
        database.cancel(&[cancelled]).await.unwrap();
        let pending = submitted(&database, "pending").await.id;
        let processing = submitted(&database, "processing").await.id;
        claimed_now(&database, processing).await;
        ids.extend([cancelled, pending, processing]);
        for id in &ids {
            age(fixture, *id, 10, 3);
        }
        // It was tried for long, and ended lately.
        age(fixture, ids[1], 10, 1);
        database.check_counts(&fixture.target, true).await.unwrap();

        assert_eq!(delete_all(&database, rules(0, 0)).await, 0);
        assert_eq!(delete_all(&database, rules(4, 4)).await, 0);
        let over = |kind, jobs| Over { kind, jobs, is_exact: true };
        let expected = [over("completed", 1), over("failed", 2), over("cancelled", 1)];
        for quickly in [false, true] {
            let counts = count_overdue(&database, rules(2, 2), quickly).await.unwrap();
            assert_eq!(counts, expected);
        }
        assert_eq!(delete_all(&database, rules(2, 0)).await, 1);
        assert_eq!(left(&database, &ids).await, [false, true, true, true, true, true, true]);
        assert_eq!(delete_all(&database, rules(2, 2)).await, 3);
        assert_eq!(left(&database, &ids).await, [false, true, false, false, false, true, true]);
        assert_eq!(database.check_counts(&fixture.target, false).await.unwrap(), []);
    }

    async fn slices_go_on_where_the_last_one_ended(fixture: &Fixture) {
        let database = fixture.open().await;
        let mut ids = Vec::new();
        for number in 0..7 {
            let id = ended(&database, &number.to_string(), &completed()).await;
            // Some at the same moment.
            age(fixture, id, 9 - number / 3, if number == 4 { 0 } else { 3 });
            ids.push(id);
        }
        let (mut seen, mut slices, mut after) = (Vec::new(), 0, None);
        loop {
            let slice = database.overdue(JobStatus::Completed, DAY, after, 2).await.unwrap();
            let Some(slice) = slice else { break };
            slices += 1;
            seen.extend(slice.ids);
            after = slice.next;
            if after.is_none() {
                break;
            }
        }
        let mut expected = ids.clone();
        expected.remove(4);
        seen.sort();
        assert_eq!(seen, expected);
        assert_eq!(slices, 4);
    }

    async fn a_job_that_is_tried_again_meanwhile_stays(fixture: &Fixture) {
        let database = fixture.open().await;
        let id = ended(&database, "a.jpg", &failed()).await;
        age(fixture, id, 3, 3);
        let overdue = database.overdue(JobStatus::Failed, DAY, None, 9).await.unwrap().unwrap();
        assert_eq!(overdue.ids, [id]);
        assert_eq!(database.retry(&[id]).await.unwrap(), [id]);
        assert_eq!(database.delete_overdue(&overdue).await.unwrap(), []);
        let claim = claimed_now(&database, id).await;
        assert!(database.finish(&claim, &failed()).await.unwrap());
        assert_eq!(database.delete_overdue(&overdue).await.unwrap(), [], "a new end");
        age(fixture, id, 3, 3);
        assert_eq!(database.delete_overdue(&overdue).await.unwrap().len(), 1);
    }

    async fn the_end_that_a_client_set_needs_no_setting(fixture: &Fixture) {
        let database = fixture.open().await;
        let mut ids = Vec::new();
        for path in ["past", "tried-again", "later", "pending"] {
            ids.push(expiring(&database, path).await.id);
        }
        for id in &ids[..3] {
            let claim = claimed_now(&database, *id).await;
            assert!(database.finish(&claim, &failed()).await.unwrap());
        }
        assert_eq!(database.expired(9).await.unwrap(), None);
        let past = days_ago(fixture, 1);
        for id in &ids[..2] {
            fixture.lines(&format!("UPDATE jobs SET expires_at = {past} WHERE id = '{id}'"));
        }
        assert_eq!(count_expired(&database).await.unwrap().jobs, 2);
        let expired = database.expired(9).await.unwrap().unwrap();
        assert_eq!(expired.ids.len(), 2);
        database.retry(&[ids[1]]).await.unwrap();
        let deleted = database.delete_expired(&expired).await.unwrap();
        assert_eq!(deleted.iter().map(|deleted| deleted.id).collect::<Vec<_>>(), [ids[0]]);
        assert_eq!(delete_all(&database, rules(0, 0)).await, 0);
        assert_eq!(left(&database, &ids).await, [false, true, true, true]);
    }

    async fn after_a_change_nothing_is_deleted_for_an_hour(fixture: &Fixture) {
        let database = fixture.open().await;
        let first = rules(2, 0);
        let is_waiting = |standing| matches!(standing, Standing::Waits(left) if left <= NOTICE);
        assert_eq!(standing(&database, rules(0, 0)).await.unwrap(), Standing::Off);
        assert!(is_waiting(standing(&database, first).await.unwrap()));
        let state = || fixture.lines("SELECT value AS line FROM service_state WHERE name = 'retention'");
        let announced = state();
        // A restart, or another process with the same settings.
        let again = fixture.open().await;
        assert!(is_waiting(standing(&again, first).await.unwrap()));
        assert_eq!(state(), announced);
        pass_the_hour(fixture);
        assert_eq!(standing(&again, first).await.unwrap(), Standing::Holds);
        // Stricter, less strict, or off.
        for other in [rules(1, 0), rules(3, 0), rules(2, 1), rules(0, 0)] {
            let expected = other.keeps_all();
            let now = standing(&database, other).await.unwrap();
            assert!(is_waiting(now) || (expected && now == Standing::Off), "{other} {now:?}");
            assert!(is_waiting(standing(&again, first).await.unwrap()), "their settings differ");
            pass_the_hour(fixture);
            assert_eq!(standing(&again, first).await.unwrap(), Standing::Holds);
        }
    }

    async fn the_service_waits_and_then_deletes_with_files(fixture: &Fixture) {
        let database = fixture.open().await;
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path()).unwrap();
        let mut ids = Vec::new();
        for path in ["old", "young"] {
            let job = submitted(&database, path).await;
            let claim = claimed_now(&database, job.id).await;
            let file = NewFile { path: first_path(job.id, "jpg"), bytes: vec![1] };
            storage.publish(&claim, vec![file]).await.unwrap();
            assert!(database.finish(&claim, &completed()).await.unwrap());
            ids.push(job.id);
        }
        age(fixture, ids[0], 5, 5);
        let is_there = |id: JobId| folder.path().join(first_path(id, "jpg")).exists();
        let run = |stop: &CancellationToken| {
            let upkeep = Upkeep {
                database: database.clone(),
                storage: storage.clone(),
                queue: Queue::Memory(MemoryQueue::default()),
                sign: Sign::default(),
                retention: rules(2, 0),
                retain_events: None,
                sweep_orphans: false,
            };
            tokio::spawn(upkeep.run(stop.clone()))
        };
        let expired = expiring(&database, "expired").await.id;
        let claim = claimed_now(&database, expired).await;
        assert!(database.finish(&claim, &failed()).await.unwrap());
        let past = days_ago(fixture, 1);
        fixture.lines(&format!("UPDATE jobs SET expires_at = {past} WHERE id = '{expired}'"));
        let stop = CancellationToken::new();
        let running = run(&stop);
        eventually("the expired job is gone", WITHIN, async || {
            database.find(expired).await.unwrap().is_none()
        }).await;
        assert_eq!(left(&database, &ids).await, [true, true], "within the hour");
        stop.cancel();
        running.await.unwrap();
        pass_the_hour(fixture);
        let stop = CancellationToken::new();
        let running = run(&stop);
        eventually("the old job's file is gone", WITHIN, async || !is_there(ids[0])).await;
        assert_eq!(left(&database, &ids).await, [false, true]);
        assert!(is_there(ids[1]));
        stop.cancel();
        running.await.unwrap();
    }

    async fn a_crash_between_row_and_files_leaves_neither(fixture: &Fixture) {
        let folder = tempfile::tempdir().unwrap();
        let path;
        {
            let database = fixture.open().await;
            let storage = Storage::open(folder.path()).unwrap();
            let job = submitted(&database, "a.jpg").await;
            let claim = claimed_now(&database, job.id).await;
            let file = NewFile { path: first_path(job.id, "png"), bytes: vec![1] };
            storage.publish(&claim, vec![file]).await.unwrap();
            assert!(database.finish(&claim, &completed()).await.unwrap());
            age(fixture, job.id, 5, 5);
            path = folder.path().join(first_path(job.id, "png"));
            assert_eq!(delete_all(&database, rules(2, 0)).await, 1);
            assert!(path.exists());
        }
        // The next process.
        let upkeep = Upkeep {
            database: fixture.open().await,
            storage: Storage::open(folder.path()).unwrap(),
            queue: Queue::Memory(MemoryQueue::default()),
            sign: Sign::default(),
            retention: Retention::default(),
            retain_events: None,
            sweep_orphans: false,
        };
        let database = upkeep.database.clone();
        let stop = CancellationToken::new();
        let running = tokio::spawn(upkeep.run(stop.clone()));
        eventually("the file is gone", WITHIN, async || !path.exists()).await;
        eventually("that is noted", WITHIN, async || {
            fixture.lines("SELECT count(*) || '' AS line FROM doomed_files") == ["0"]
        }).await;
        stop.cancel();
        running.await.unwrap();
        assert_eq!(remove_due_files(&database, &Storage::open(folder.path()).unwrap()).await.unwrap(), 0);
    }

    async fn a_duty_is_one_processs_until_its_turn_is_over(fixture: &Fixture) {
        let database = fixture.open().await;
        let (one, two) = (Uuid::now_v7(), Uuid::now_v7());
        let long = Duration::from_secs(60);
        assert!(database.take_turn("duty", one, long).await.unwrap());
        assert!(!database.take_turn("duty", two, long).await.unwrap());
        assert!(database.take_turn("duty", one, long).await.unwrap(), "renewed");
        database.end_turn("duty", two).await.unwrap();
        assert!(!database.take_turn("duty", two, long).await.unwrap(), "not two's to end");
        database.end_turn("duty", one).await.unwrap();
        assert!(database.take_turn("duty", two, Duration::ZERO).await.unwrap());
        eventually("the turn of one that died is over", WITHIN, async || {
            database.take_turn("duty", one, long).await.unwrap()
        }).await;
        // The clock was set back by more than a turn.
        let far = format!("{{\"holder\":\"{one}\",\"until\":9999999999999}}");
        fixture.lines(&format!("UPDATE service_state SET value = '{far}' WHERE name = 'duty'"));
        assert!(database.take_turn("duty", two, long).await.unwrap());
        let tries = (0..16).map(|_| {
            let database = database.clone();
            tokio::spawn(async move { database.take_turn("other", Uuid::now_v7(), long).await.unwrap() })
        });
        let mut taken = 0;
        for attempt in tries.collect::<Vec<_>>() {
            taken += usize::from(attempt.await.unwrap());
        }
        assert_eq!(taken, 1);
    }

    async fn a_database_has_one_id_as_owner(fixture: &Fixture) {
        let database = fixture.open().await;
        let asked = (0..8).map(|_| {
            let database = database.clone();
            tokio::spawn(async move { database.storage_owner().await.unwrap() })
        });
        let mut owners = Vec::new();
        for owner in asked.collect::<Vec<_>>() {
            owners.push(owner.await.unwrap());
        }
        owners.dedup();
        assert_eq!(owners.len(), 1);
        assert_eq!(fixture.open().await.storage_owner().await.unwrap(), owners[0]);
    }
}
