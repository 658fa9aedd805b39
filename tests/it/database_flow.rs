//! Curves of ends of jobs, held against both databases.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use thumbforge::db::{Database, JobFlow, Target};
use thumbforge::domain::{FlowRange, FlowStep, JobId};
use uuid::Uuid;

use crate::api::harness::on_both_databases;
use crate::database::{Fixture, claimed, claimed_now, completed, retry_after, submitted};
use crate::database_batches::failed;

const LEASE: Duration = Duration::from_secs(30);

/// The last few buckets of a step, and the next.
async fn read(database: &Database, step: FlowStep) -> JobFlow {
    let now = step.bucket(database.now().await.unwrap());
    let range = FlowRange {
        step,
        first: now - 60,
        last: now + 1,
    };
    database.flow(range).await.unwrap()
}

/// What the events say: ends by outcome, with how many have a wait and a work.
fn told(fixture: &Fixture, table: &str) -> BTreeMap<String, (u64, u64, u64)> {
    let lines = fixture.lines(&format!(
        "SELECT status || ' ' || count(*) || ' ' || count(wait_millis) || ' ' || count(work_millis) \
         AS line FROM {table} WHERE job_id IS NOT NULL GROUP BY status"
    ));
    let numbers = lines.iter().map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |place: usize| words[place].parse().unwrap();
        (words[0].to_owned(), (number(1), number(2), number(3)))
    });
    numbers.collect()
}

/// What the table says of a step.
fn kept(fixture: &Fixture, step: FlowStep) -> BTreeMap<String, (u64, u64, u64)> {
    let lines = fixture.lines(&format!(
        "SELECT outcome || '|' || n || '|' || waits || '|' || works AS line FROM job_flow \
         WHERE step = {}",
        step.minutes()
    ));
    let mut sums = BTreeMap::new();
    for line in lines {
        let words: Vec<&str> = line.split('|').collect();
        let count = |text: &str| {
            text.parse::<thumbforge::domain::Histogram>()
                .unwrap()
                .count()
        };
        let (n, waits, works): &mut (u64, u64, u64) = sums.entry(words[0].to_owned()).or_default();
        *n += words[1].parse::<u64>().unwrap();
        *waits += count(words[2]);
        *works += count(words[3]);
    }
    sums
}

fn total(flow: &JobFlow) -> (u64, u64, u64) {
    (
        flow.total.completed,
        flow.total.failed,
        flow.total.cancelled,
    )
}

fn expected(told: &BTreeMap<String, (u64, u64, u64)>) -> (u64, u64, u64) {
    let of = |outcome: &str| told.get(outcome).map_or(0, |numbers| numbers.0);
    (of("completed"), of("failed"), of("cancelled"))
}

/// Does one of the things that may happen to a job.
async fn happens(database: &Database, id: JobId, chance: u32) {
    match chance % 8 {
        0 => drop(database.cancel(&[id]).await.unwrap()),
        1 | 2 => drop(database.retry(&[id]).await.unwrap()),
        _ => {
            let Some(claim) = claimed(database, id, Uuid::now_v7(), LEASE).await else {
                return;
            };
            let outcome = match chance % 8 {
                3 => failed(),
                4 => retry_after(Duration::ZERO),
                5 => {
                    database.cancel(&[id]).await.unwrap();
                    completed()
                }
                _ => completed(),
            };
            database.finish(&claim, &outcome).await.unwrap();
        }
    }
}

/// Makes every count break off at its last statement, or no longer.
fn break_counts(fixture: &Fixture, broken: bool) {
    fixture.lines(match (&fixture.target, broken) {
        (Target::Postgres(_), true) => {
            "CREATE OR REPLACE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'crash'; END $$; \
             CREATE TRIGGER crash BEFORE INSERT OR UPDATE ON service_state FOR EACH ROW \
             WHEN (NEW.name = 'job_flow_position') EXECUTE FUNCTION crash()"
        }
        (Target::Postgres(_), false) => "DROP TRIGGER crash ON service_state",
        (Target::Sqlite(_), true) => {
            "CREATE TRIGGER crash BEFORE INSERT ON service_state \
             WHEN NEW.name = 'job_flow_position' BEGIN SELECT RAISE(ABORT, 'crash'); END"
        }
        (Target::Sqlite(_), false) => "DROP TRIGGER crash",
    });
}

on_both_databases! {
    async fn each_end_is_counted_exactly_once_whatever_happens(fixture: &Fixture) {
        let database = Arc::new(fixture.open().await);
        let is_over = Arc::new(AtomicBool::new(false));
        let counting: Vec<_> = (0..2).map(|_| {
            let (database, is_over) = (Arc::clone(&database), Arc::clone(&is_over));
            tokio::spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    database.number_events().await.unwrap();
                    // Counts break off on purpose.
                    let _ = database.fold_flow().await;
                    tokio::task::yield_now().await;
                }
            })
        }).collect();
        let seed = rand::random();
        println!("seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let mut jobs = Vec::new();
        for number in 0..30 {
            jobs.push(submitted(&database, &format!("{number}.jpg")).await.id);
        }
        for round in 0..4 {
            break_counts(fixture, true);
            for id in &jobs {
                happens(&database, *id, random.random()).await;
            }
            let last = submitted(&database, &format!("last-{round}.jpg")).await;
            let claim = claimed_now(&database, last.id).await;
            assert!(database.finish(&claim, &completed()).await.unwrap());
            // There is an end to count; another may count it at this moment, and break off too.
            while database.fold_flow().await.is_ok() {
                database.number_events().await.unwrap();
            }
            break_counts(fixture, false);
            let told = |table| expected(&told(fixture, table));
            let mut ends = told("events");
            if matches!(fixture.target, Target::Postgres(_)) {
                // Numbered or not: an end is shown from its commit on.
                while database.number_events().await.unwrap() > 0 || !fixture.lines("SELECT n::text AS line FROM event_outbox").is_empty() {}
                ends = told("events");
            }
            assert_eq!(total(&read(&database, FlowStep::Minute).await), ends, "round {round}");
        }
        is_over.store(true, Ordering::Relaxed);
        for task in counting {
            task.await.unwrap();
        }
        while database.fold_flow().await.unwrap() > 0 {}
        let told = told(fixture, "events");
        assert!(expected(&told).0 > 0 && expected(&told).2 > 0, "{told:?}");
        for step in FlowStep::ALL {
            assert_eq!(kept(fixture, step), told, "{step:?}");
            let flow = read(&database, step).await;
            assert_eq!((total(&flow), flow.is_exact), (expected(&told), true), "{step:?}");
        }
        let flow = read(&database, FlowStep::Minute).await;
        let waits: u64 = told.values().map(|numbers| numbers.1).sum();
        assert_eq!(flow.total.waits.count(), waits);
        assert_eq!(flow.total.works.count(), told["completed"].2 + told.get("failed").map_or(0, |numbers| numbers.2));
        assert_eq!((flow.buckets.len(), flow.buckets[61].counts.completed), (62, 0), "the next minute is empty");
    }

    async fn an_end_is_shown_from_its_commit_on(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, "a.jpg").await;
        let claim = claimed_now(&database, job.id).await;
        assert_eq!(total(&read(&database, FlowStep::Day).await), (0, 0, 0));
        assert!(database.finish(&claim, &completed()).await.unwrap());
        assert_eq!(total(&read(&database, FlowStep::Day).await), (1, 0, 0), "before its number");
        database.number_events().await.unwrap();
        assert_eq!(total(&read(&database, FlowStep::Day).await), (1, 0, 0), "before it is counted");
        assert_eq!(database.fold_flow().await.unwrap(), 1);
        assert_eq!(total(&read(&database, FlowStep::Day).await), (1, 0, 0));
        assert_eq!(database.fold_flow().await.unwrap(), 0);
    }

    async fn waits_are_counted_to_the_first_claim_and_work_from_the_last(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, "a.jpg").await;
        let earlier = |what: &str, millis: u64| {
            fixture.lines(&match (&fixture.target, what) {
                (Target::Postgres(_), "updated_at") => format!(
                    "UPDATE jobs SET updated_at = updated_at - {millis} * interval '1 millisecond'"),
                (_, "updated_at") => format!("UPDATE jobs SET updated_at = updated_at - {millis} * 1000"),
                (_, column) => format!("UPDATE jobs SET {column} = {column} - {millis}"),
            });
        };
        let last = async || {
            while database.number_events().await.unwrap() > 0 {}
            let lines = fixture.lines(
                "SELECT status || ' ' || COALESCE(CAST(wait_millis AS text), '-') || ' ' || \
                 COALESCE(CAST(work_millis AS text), '-') AS line FROM events \
                 ORDER BY sequence DESC LIMIT 1");
            let words: Vec<String> = lines[0].split(' ').map(str::to_owned).collect();
            let number = |place: usize| words[place].parse::<u64>().ok();
            (words[0].clone(), number(1), number(2))
        };
        earlier("rank", 60_000);
        let claim = claimed_now(&database, job.id).await;
        assert!(database.finish(&claim, &retry_after(Duration::ZERO)).await.unwrap());
        // The second claim is later, and not what is counted.
        let claim = claimed_now(&database, job.id).await;
        earlier("rank", 30_000);
        assert!(database.finish(&claim, &failed()).await.unwrap());
        let (status, wait, work) = last().await;
        assert_eq!(status, "failed");
        assert!((90_000..100_000).contains(&wait.unwrap()), "{wait:?}");
        assert!(work.unwrap() < 10_000, "{work:?}");
        // A client's retry begins anew.
        assert_eq!(database.retry(&[job.id]).await.unwrap(), [job.id]);
        assert_eq!(database.cancel(&[job.id]).await.unwrap(), [job.id]);
        assert_eq!(last().await, ("cancelled".to_owned(), None, None));
        assert_eq!(database.retry(&[job.id]).await.unwrap(), [job.id]);
        earlier("rank", 20_000);
        let claim = claimed_now(&database, job.id).await;
        earlier("updated_at", 15_000);
        assert!(database.finish(&claim, &completed()).await.unwrap());
        let (status, wait, work) = last().await;
        assert_eq!(status, "completed");
        assert!((5_000..15_000).contains(&wait.unwrap()), "{wait:?}");
        assert!((15_000..25_000).contains(&work.unwrap()), "{work:?}");
        let flow = read(&database, FlowStep::Hour).await;
        let wait = flow.total.waits.percentile(95).unwrap().as_secs_f64();
        assert!((83.0..107.0).contains(&wait), "{wait}");
        assert_eq!((flow.total.waits.count(), flow.total.works.count()), (2, 2));
    }

    async fn old_buckets_go_and_events_stay_until_they_are_counted(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, "a.jpg").await;
        let claim = claimed_now(&database, job.id).await;
        assert!(database.finish(&claim, &completed()).await.unwrap());
        while database.number_events().await.unwrap() > 0 {}
        fixture.lines(match fixture.target {
            Target::Postgres(_) => "UPDATE events SET created_at = now() - interval '4 days'",
            Target::Sqlite(_) => "UPDATE events SET created_at = created_at - 4 * 86400000000",
        });
        let day = Duration::from_secs(86_400);
        assert_eq!(database.delete_old_events(day, 10).await.unwrap(), 0, "not counted yet");
        assert_eq!(database.fold_flow().await.unwrap(), 1);
        assert_eq!(database.delete_old_events(day, 10).await.unwrap(), 1);
        assert_eq!(total(&read(&database, FlowStep::Day).await), (1, 0, 0));
        assert_eq!(database.forget_job_flow().await.unwrap(), 1, "minutes alone are that old");
        assert_eq!(kept(fixture, FlowStep::Minute).len(), 0);
        assert_eq!(total(&read(&database, FlowStep::Day).await), (1, 0, 0));
    }
}
