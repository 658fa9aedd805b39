//! Claims in turns, held against Postgres and SQLite alike: the order within an origin, what holds
//! an origin back, its record, and what ends with it.

use std::collections::HashSet;
use std::time::Duration;

use thumbforge::db::{ClaimSource, Claimed, Database, Flow, Submission, Target};
use thumbforge::domain::origin_record::{Caps, Observed, Refusal};
use thumbforge::domain::{
    Claim, DuplicateHandling, FailureCode, JobId, JobStatus, Origin, Outcome, Priority, Request,
    Schedule, SourceUrl, Timestamp,
};
use uuid::Uuid;

use crate::api::harness::on_both_databases;
use crate::support::deadline::eventually;

const LEASE: Duration = Duration::from_secs(30);
const BREAKER: Duration = Duration::from_secs(30);

fn origin(host: &str) -> Origin {
    format!("https://{host}.example:443").parse().unwrap()
}

async fn submitted(database: &Database, host: &str, priority: u8) -> JobId {
    let url = format!("https://{host}.example/{}.jpg", Uuid::now_v7());
    let schedule = Schedule {
        priority: Priority::new(priority).unwrap(),
        not_before: None,
    };
    let url = SourceUrl::parse(&url).unwrap();
    let policy = DuplicateHandling::AllowRetry;
    match database
        .submit(Request::new(&url, policy, schedule, None))
        .await
        .unwrap()
    {
        Submission::Created(job) => job.id,
        other => panic!("not created: {other:?}"),
    }
}

async fn some(database: &Database, host: &str, jobs: usize) -> Vec<JobId> {
    let mut ids = Vec::new();
    for _ in 0..jobs {
        ids.push(submitted(database, host, 5).await);
    }
    ids
}

async fn claim(database: &Database, source: ClaimSource) -> Claimed {
    database.claim(source, Uuid::now_v7(), LEASE).await.unwrap()
}

async fn take(database: &Database, host: &str, jobs: u32) -> Claimed {
    claim(database, ClaimSource::Origins(vec![(origin(host), jobs)])).await
}

async fn limited(database: &Database, host: &str, jobs: u32, caps: Caps) -> Vec<Claim> {
    let worker = Uuid::now_v7();
    let claimed = database
        .claim_limited(&origin(host), jobs, caps, worker, LEASE)
        .await;
    claimed.unwrap().claims
}

fn ids(claims: &[Claim]) -> Vec<JobId> {
    claims.iter().map(|claim| claim.id).collect()
}

async fn report(database: &Database, host: &str, seen: Observed) {
    let told = database
        .report_origins(vec![(origin(host), seen)], BREAKER)
        .await
        .unwrap();
    assert_eq!(told.len(), 1);
}

fn refused(retry_after: u64) -> Observed {
    let refusal = Some(Refusal {
        retry_after: Some(Duration::from_secs(retry_after)),
        served_a_second: Some(10.0),
    });
    Observed {
        refusal,
        ..Observed::default()
    }
}

fn failures(count: usize) -> Observed {
    Observed {
        failures: vec![Duration::from_millis(1); count],
        ..Observed::default()
    }
}

fn soon(delay: Duration) -> Option<Timestamp> {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    Timestamp::from_unix_micros(i64::try_from((now + delay).as_micros()).unwrap())
}

on_both_databases! {
    async fn a_bell_takes_the_first_job_of_its_origin_whatever_id_it_brings(fixture: &Fixture) {
        let database = fixture.open().await;
        let first = some(&database, "a", 3).await;
        let bell = |id| ClaimSource::Bells { ids: vec![id], room: 8, rooms: vec![] };
        for expected in &first {
            // The last one's id alone, three times: also when its own job is taken already.
            assert_eq!(ids(&claim(&database, bell(first[2])).await.claims), [*expected]);
        }
        assert!(claim(&database, bell(first[2])).await.claims.is_empty());
        assert!(claim(&database, bell(JobId::generate())).await.claims.is_empty());
    }

    async fn bells_take_no_more_than_there_is_room_for(fixture: &Fixture) {
        let database = fixture.open().await;
        let (many, few) = (some(&database, "many", 6).await, some(&database, "few", 2).await);
        let source = ClaimSource::Bells {
            ids: many.iter().chain(&few).copied().collect(),
            room: 1,
            rooms: vec![(origin("many"), 4)],
        };
        let claimed: HashSet<_> = ids(&claim(&database, source).await.claims).into_iter().collect();
        assert_eq!(claimed, many[..4].iter().chain(&few[..1]).copied().collect());
        let none = ClaimSource::Bells { ids: many.clone(), room: 8, rooms: vec![(origin("many"), 0)] };
        assert!(claim(&database, none).await.claims.is_empty());
    }

    async fn within_an_origin_priority_comes_first_and_then_age(fixture: &Fixture) {
        let database = fixture.open().await;
        let mut order = Vec::new();
        for priority in [5, 9, 0, 5, 0] {
            order.push(submitted(&database, "a", priority).await);
        }
        let mut taken = Vec::new();
        for _ in 0..5 {
            taken.extend(ids(&take(&database, "a", 1).await.claims));
        }
        assert_eq!(taken, [order[2], order[4], order[0], order[3], order[1]]);
    }

    async fn what_waited_for_minutes_comes_before_what_is_more_urgent(fixture: &Fixture) {
        let database = fixture.open().await;
        let old = submitted(&database, "a", 9).await;
        let before = match fixture.lines(&format!(
            "UPDATE jobs SET rank = rank - 600000 WHERE id = '{}' RETURNING CAST(id AS text) AS line", old.0,
        ))[..] {
            [_, ..] => old,
            _ => panic!("no row"),
        };
        let urgent = submitted(&database, "a", 0).await;
        assert_eq!(ids(&take(&database, "a", 1).await.claims), [before]);
        assert_eq!(ids(&take(&database, "a", 1).await.claims), [urgent]);
    }

    async fn a_job_waits_until_the_moment_that_was_asked_for(fixture: &Fixture) {
        let database = fixture.open().await;
        let url = SourceUrl::parse("https://a.example/later.jpg").unwrap();
        let schedule = Schedule { not_before: soon(Duration::from_millis(700)), ..Schedule::default() };
        database.submit(Request::new(&url, DuplicateHandling::AllowRetry, schedule, None)).await.unwrap();
        let far = Schedule { not_before: soon(Duration::from_secs(90 * 24 * 3600)), ..Schedule::default() };
        database.submit(Request::new(&url, DuplicateHandling::AllowRetry, far, None)).await.unwrap();
        assert_eq!(database.end_waits().await.unwrap(), 0);
        assert!(take(&database, "a", 9).await.claims.is_empty());
        assert!(database.ready_origins(None, 9).await.unwrap().is_empty());
        eventually("its moment comes", Duration::from_secs(5), async || {
            database.end_waits().await.unwrap() == 1
        }).await;
        assert_eq!(take(&database, "a", 9).await.claims.len(), 1);
        // The repair of clocks leaves a client's `not_before` alone.
        assert_eq!(database.pull_in_delays(Duration::from_secs(60)).await.unwrap(), 0);
    }

    async fn a_paused_origin_and_a_paused_queue_give_nothing(fixture: &Fixture) {
        let database = fixture.open().await;
        some(&database, "a", 2).await;
        some(&database, "b", 2).await;
        database.pause_origin(&origin("a"), true).await.unwrap();
        let both = || ClaimSource::Origins(vec![(origin("a"), 1), (origin("b"), 1)]);
        let claimed = claim(&database, both()).await;
        assert_eq!(claimed.claims.iter().map(|claim| &claim.origin).collect::<Vec<_>>(), [&origin("b")]);
        let skipped: Vec<_> = claimed.skipped.iter().map(|skipped| &skipped.origin).collect();
        assert_eq!(skipped, [&origin("a")]);
        assert!(limited(&database, "a", 1, Caps::default()).await.is_empty());
        database.pause_queue(true).await.unwrap();
        let claimed = claim(&database, both()).await;
        assert!(claimed.claims.is_empty() && claimed.queue_is_paused);
        assert!(limited(&database, "b", 1, Caps::default()).await.is_empty());
        database.pause_origin(&origin("a"), false).await.unwrap();
        database.pause_queue(false).await.unwrap();
        assert_eq!(claim(&database, both()).await.claims.len(), 2);
    }

    async fn a_refusal_parks_its_origin_alone_and_costs_no_attempt(fixture: &Fixture) {
        let database = fixture.open().await;
        some(&database, "a", 2).await;
        some(&database, "b", 1).await;
        let refused_job = take(&database, "a", 1).await.claims.pop().unwrap();
        report(&database, "a", refused(1)).await;
        let parked = Outcome::Parked {
            code: FailureCode::RateLimited,
            message: "the source answered 429".to_owned(),
            source_status: Some(429),
            delay: Duration::ZERO,
        };
        assert!(database.finish(&refused_job, &parked).await.unwrap());
        let job = database.find(refused_job.id).await.unwrap().unwrap();
        assert_eq!((job.status, job.attempts, job.source_status), (JobStatus::Pending, 0, Some(429)));
        assert!(take(&database, "a", 2).await.claims.is_empty());
        assert!(limited(&database, "a", 2, Caps::default()).await.is_empty());
        assert_eq!(take(&database, "b", 2).await.claims.len(), 1);
        // After the park its jobs come one by one, the refused one first.
        let mut back = Vec::new();
        eventually("the park ends", Duration::from_secs(10), async || {
            back.extend(ids(&limited(&database, "a", 2, Caps::default()).await));
            !back.is_empty()
        }).await;
        assert_eq!(back, [refused_job.id]);
        assert!(take(&database, "a", 2).await.claims.is_empty(), "the rate is learned");
        database.reset_origin(&origin("a")).await.unwrap();
        assert_eq!(take(&database, "a", 2).await.claims.len(), 1);
    }

    async fn an_open_breaker_lets_one_probe_through_and_an_answer_closes_it(fixture: &Fixture) {
        let database = fixture.open().await;
        some(&database, "a", 4).await;
        let short = Duration::from_millis(300);
        let tell = async |seen: Observed| {
            let told = database.report_origins(vec![(origin("a"), seen)], short).await.unwrap();
            told.into_iter().next().unwrap()
        };
        assert!(tell(failures(5)).await.parked_for.is_some());
        assert!(take(&database, "a", 4).await.claims.is_empty());
        let mut probes = Vec::new();
        eventually("a probe", Duration::from_secs(5), async || {
            probes.extend(limited(&database, "a", 4, Caps::default()).await);
            !probes.is_empty()
        }).await;
        assert_eq!(probes.len(), 1);
        assert!(limited(&database, "a", 4, Caps::default()).await.is_empty(), "one at a time");
        assert!(!tell(failures(1)).await.gives_up);
        tokio::time::sleep(3 * short).await;
        assert!(tell(failures(1)).await.gives_up);
        // The one that has used an attempt ends, the others wait.
        let retry = Outcome::Retry {
            code: FailureCode::ConnectionFailed,
            message: "the connection was refused".to_owned(),
            source_status: None,
            variant: None,
            delay: Duration::from_secs(60),
        };
        assert!(database.finish(&probes[0], &retry).await.unwrap());
        assert_eq!(database.give_up_tried(&origin("a")).await.unwrap(), Some(vec![probes[0].id]));
        let job = database.find(probes[0].id).await.unwrap().unwrap();
        assert_eq!((job.status, job.error_code.as_deref()), (JobStatus::Failed, Some("origin_unavailable")));
        let answered = Observed { served: 1, ..Observed::default() };
        let told = tell(answered).await;
        assert!(!told.is_limited && !told.is_remembered);
        assert_eq!(take(&database, "a", 4).await.claims.len(), 3);
    }

    async fn caps_hold_over_any_number_of_processes(fixture: &Fixture) {
        let databases = [fixture.open().await, fixture.open().await];
        some(&databases[0], "a", 40).await;
        let caps = Caps { concurrency: Some(3), per_second: None };
        let tries = (0..16).map(|number| {
            let database = databases[number % 2].clone();
            tokio::spawn(async move { limited(&database, "a", 5, caps).await })
        });
        let mut held = Vec::new();
        for claims in tries.collect::<Vec<_>>() {
            held.extend(claims.await.unwrap());
        }
        assert_eq!(held.len(), 3);
        let released = Outcome::Released { delay: Duration::ZERO };
        assert!(databases[0].finish(&held.pop().unwrap(), &released).await.unwrap());
        assert_eq!(limited(&databases[1], "a", 5, caps).await.len(), 1);
        let slow = Caps { concurrency: None, per_second: Some(0.5) };
        some(&databases[0], "b", 5).await;
        assert_eq!(limited(&databases[0], "b", 5, slow).await.len(), 1);
        assert!(limited(&databases[1], "b", 5, slow).await.is_empty(), "two seconds a request");
    }

    async fn jobs_of_an_origin_that_was_unavailable_for_too_long_end(fixture: &Fixture) {
        let database = fixture.open().await;
        let longest = Duration::from_millis(300);
        let lost = some(&database, "a", 2).await;
        some(&database, "b", 1).await;
        report(&database, "a", failures(5)).await;
        tokio::time::sleep(2 * longest).await;
        let nobody_asked = database.give_up_overdue(longest).await.unwrap();
        assert!(nobody_asked.is_empty(), "the origin may be well again");
        report(&database, "a", failures(1)).await;
        database.pause_queue(true).await.unwrap();
        assert!(database.give_up_overdue(longest).await.unwrap().is_empty(), "all is paused");
        database.pause_queue(false).await.unwrap();
        assert!(database.give_up_overdue(longest).await.unwrap().is_empty(), "it begins anew");
        report(&database, "a", failures(1)).await;
        report(&database, "a", refused(0)).await;
        tokio::time::sleep(2 * longest).await;
        let young = submitted(&database, "a", 5).await;
        report(&database, "a", refused(0)).await;
        let ended: HashSet<_> = database.give_up_overdue(longest).await.unwrap().into_iter().collect();
        assert_eq!(ended, lost.into_iter().collect());
        assert_eq!(database.find(young).await.unwrap().unwrap().status, JobStatus::Pending);
        assert_eq!(take(&database, "b", 1).await.claims.len(), 1);
    }

    async fn nothing_is_given_up_at_an_origin_that_answers_again(fixture: &Fixture) {
        let database = fixture.open().await;
        some(&database, "a", 1).await;
        let claim = take(&database, "a", 1).await.claims.pop().unwrap();
        let retry = Outcome::Retry {
            code: FailureCode::SourceServerError,
            message: "the source answered with status 500".to_owned(),
            source_status: Some(500),
            variant: None,
            delay: Duration::from_secs(60),
        };
        assert!(database.finish(&claim, &retry).await.unwrap());
        assert_eq!(database.give_up_tried(&origin("a")).await.unwrap(), None);
    }

    async fn jobs_that_an_older_version_wrote_are_found(fixture: &Fixture) {
        let database = fixture.open().await;
        let id = submitted(&database, "a", 5).await;
        fixture.lines("UPDATE jobs SET origin = '', rank = 0 RETURNING CAST(id AS text) AS line");
        assert_eq!(database.adopt_strays().await.unwrap(), 1);
        assert_eq!(ids(&take(&database, "a", 1).await.claims), [id]);
        assert_eq!(database.adopt_strays().await.unwrap(), 0);
    }

    async fn a_park_that_a_wrong_clock_wrote_ends(fixture: &Fixture) {
        let database = fixture.open().await;
        some(&database, "a", 1).await;
        report(&database, "a", refused(1)).await;
        let shift = match fixture.target {
            Target::Postgres(_) => "parked_until + interval '1 day'",
            Target::Sqlite(_) => "parked_until + 86400000000",
        };
        fixture.lines(&format!("UPDATE origins SET parked_until = {shift} RETURNING origin AS line"));
        assert!(limited(&database, "a", 1, Caps::default()).await.is_empty());
        assert_eq!(database.pull_in_origins(Duration::from_secs(660)).await.unwrap(), 1);
        assert_eq!(database.pull_in_origins(Duration::from_secs(660)).await.unwrap(), 0);
        assert_eq!(limited(&database, "a", 1, Caps::default()).await.len(), 1);
    }

    async fn ready_origins_are_found_page_by_page(fixture: &Fixture) {
        let database = fixture.open().await;
        for host in ["c", "a", "d", "b"] {
            submitted(&database, host, if host == "b" { 2 } else { 5 }).await;
            submitted(&database, host, 7).await;
        }
        let page = database.ready_origins(None, 3).await.unwrap();
        let names: Vec<_> = page.iter().map(|ready| (ready.origin.clone(), ready.priority.get())).collect();
        assert_eq!(names, [(origin("a"), 5), (origin("b"), 2), (origin("c"), 5)]);
        let rest = database.ready_origins(Some(&origin("c")), 3).await.unwrap();
        assert_eq!(rest.iter().map(|ready| &ready.origin).collect::<Vec<_>>(), [&origin("d")]);
        assert!(database.ready_origins(Some(&origin("d")), 3).await.unwrap().is_empty());
        assert_eq!(take(&database, "b", 9).await.claims.len(), 2);
        assert_eq!(database.ready_origins(None, 9).await.unwrap().len(), 3);
    }

    async fn flow_adds_up_and_old_records_are_forgotten(fixture: &Fixture) {
        let database = fixture.open().await;
        let flow = Flow { done: 2, failed: 1, downloads: 3, download_time: Duration::from_millis(30) };
        for _ in 0..2 {
            let both = vec![(origin("b"), flow), (origin("a"), flow)];
            database.add_flow(both).await.unwrap();
        }
        let sums = "SELECT CAST(SUM(done) AS text) || ' ' || CAST(SUM(failed) AS text) || ' ' || \
            CAST(SUM(download_millis) AS text) AS line FROM origin_flow";
        assert_eq!(fixture.lines(sums), ["8 4 120"]);
        assert_eq!(database.forget_flow().await.unwrap(), 0);
        fixture.lines("UPDATE origin_flow SET minute = minute - 100 RETURNING origin AS line");
        assert!(database.forget_flow().await.unwrap() >= 2);
        report(&database, "a", refused(1)).await;
        database.pause_origin(&origin("b"), true).await.unwrap();
        assert_eq!(database.forget_origins().await.unwrap(), 0);
    }
}
