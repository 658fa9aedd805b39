//! The promises about origins, held against Postgres and SQLite alike: their list, and the brakes.

use std::time::{Duration, Instant};

use thumbforge::db::{
    ClaimSource, Database, OriginPlace, OriginReport, OriginSort, Submission, Target,
};
use thumbforge::domain::origin_record::ParkReason;
use thumbforge::domain::{
    Claim, DuplicateHandling, FailureCode, JobId, Origin, Outcome, Priority, Request, Schedule,
    SourceUrl, Timestamp, failure,
};
use uuid::Uuid;

use crate::api::harness::on_both_databases;
use crate::database::Fixture;

fn origin(host: &str) -> Origin {
    format!("https://{host}:443").parse().unwrap()
}

async fn submitted(database: &Database, url: &str, schedule: Schedule) -> JobId {
    let url = SourceUrl::parse(url).unwrap();
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

async fn queue(database: &Database, host: &str, jobs: usize) -> Vec<JobId> {
    let mut ids = Vec::new();
    for number in 0..jobs {
        let url = format!("https://{host}/{number}.jpg");
        ids.push(submitted(database, &url, Schedule::default()).await);
    }
    ids
}

fn in_an_hour() -> Schedule {
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    let then = i64::try_from((now + Duration::from_secs(3600)).as_micros()).unwrap();
    Schedule {
        priority: Priority::default(),
        not_before: Timestamp::from_unix_micros(then),
    }
}

async fn claim(database: &Database, id: JobId) -> Claim {
    let lease = Duration::from_secs(30);
    let claims = database
        .claim(
            ClaimSource::Bells {
                ids: vec![id],
                room: 1,
                rooms: vec![],
            },
            Uuid::now_v7(),
            lease,
        )
        .await;
    let mut claims = claims.unwrap().claims;
    assert_eq!(claims.len(), 1);
    claims.remove(0)
}

/// This many seconds from now, as SQL.
fn moment(fixture: &Fixture, seconds: i64) -> String {
    match fixture.target {
        Target::Postgres(_) => format!("now() + interval '{seconds} seconds'"),
        Target::Sqlite(_) => format!("(unixepoch() + {seconds}) * 1000000"),
    }
}

/// This many minutes ago, in minutes since the epoch, as SQL.
fn minute(fixture: &Fixture, ago: i64) -> String {
    match fixture.target {
        Target::Postgres(_) => format!("floor(extract(epoch FROM now()) / 60) - {ago}"),
        Target::Sqlite(_) => format!("unixepoch() / 60 - {ago}"),
    }
}

fn flow(fixture: &Fixture, host: &str, ago: i64, values: &str) {
    let minute = minute(fixture, ago);
    fixture.lines(&format!(
        "INSERT INTO origin_flow (origin, minute, done, failed, downloads, download_millis) \
         VALUES ('{}', {minute}, {values})",
        origin(host)
    ));
}

fn park(fixture: &Fixture, host: &str, seconds: i64) {
    let (until, now) = (moment(fixture, seconds), moment(fixture, 0));
    fixture.lines(&format!(
        "INSERT INTO origins (origin, parked_until, park_reason, rate, tokens, failures, refusals, \
         openings, cut_at, unavailable_since, updated_at) \
         VALUES ('{}', {until}, 'rate_limited', 2.5, 3, 4, 1, 2, {now}, {now}, {now})",
        origin(host)
    ));
}

async fn all(database: &Database, sort: OriginSort) -> Vec<OriginReport> {
    let page = database.list_origins(sort, None, 100).await.unwrap();
    assert_eq!(page.next, None);
    page.origins
}

fn names(reports: &[OriginReport]) -> Vec<&str> {
    let name = |report: &OriginReport| report.origin.as_str().len() - 4;
    reports
        .iter()
        .map(|report| &report.origin.as_str()["https://".len()..name(report)])
        .collect()
}

on_both_databases! {
    async fn parked_origins_are_counted_by_their_reason_while_the_park_lasts(fixture: &Fixture) {
        let database = fixture.open().await;
        let counts = async || database.count_parked_origins().await.unwrap();
        let [retry_after, rate_limited, breaker] = ParkReason::ALL;
        assert_eq!(counts().await, [(retry_after, 0), (rate_limited, 0), (breaker, 0)]);
        for (host, seconds) in [("a.example", 60), ("b.example", 60), ("over.example", -1)] {
            park(fixture, host, seconds);
        }
        park(fixture, "silent.example", 60);
        fixture.lines(&format!(
            "UPDATE origins SET park_reason = 'breaker' WHERE origin = '{}'",
            origin("silent.example")
        ));
        assert_eq!(counts().await, [(retry_after, 0), (rate_limited, 2), (breaker, 1)]);
    }

    async fn what_has_something_to_say_is_listed(fixture: &Fixture) {
        let database = fixture.open().await;
        assert_eq!(all(&database, OriginSort::Origin).await, []);
        let ids = queue(&database, "queued.example", 3).await;
        claim(&database, ids[0]).await;
        submitted(&database, "https://waiting.example/", in_an_hour()).await;
        park(fixture, "parked.example", 600);
        flow(fixture, "quiet.example", 2, "5, 1, 6, 3000");
        flow(fixture, "long-gone.example", 61, "5, 1, 6, 3000");
        database.pause_queue(true).await.unwrap();
        for sort in [OriginSort::Origin, OriginSort::Queued, OriginSort::InFlight, OriginSort::Failed] {
            let mut listed = all(&database, sort).await;
            listed.sort_by_key(|report| report.origin.clone());
            let [parked, queued, quiet, waiting] = &listed[..] else { panic!("{listed:?}") };
            assert_eq!((queued.origin.as_str(), queued.queued, queued.in_flight, queued.waiting),
                ("https://queued.example:443", 2, 1, 0));
            assert_eq!((waiting.queued, waiting.waiting), (0, 1));
            assert_eq!((quiet.done_last_hour, quiet.failed_last_hour), (5, 1));
            assert_eq!((quiet.duration_seconds, queued.duration_seconds), (Some(0.5), None));
            assert_eq!((parked.rate_per_second, parked.park_reason.as_deref()), (Some(2.5), Some("rate_limited")));
            assert!(parked.parked_until > parked.unavailable_since, "{parked:?}");
            assert_eq!((parked.failures_in_a_row, parked.paused), (4, false));
        }
    }

    async fn a_park_that_is_over_is_none(fixture: &Fixture) {
        let database = fixture.open().await;
        park(fixture, "free.example", -1);
        let report = database.find_origin(&origin("free.example")).await.unwrap();
        assert_eq!((report.parked_until, report.park_reason), (None, None));
        assert_eq!(report.rate_per_second, Some(2.5));
    }

    async fn a_duration_is_that_of_the_latest_downloads(fixture: &Fixture) {
        let database = fixture.open().await;
        flow(fixture, "a.example", 40, "10, 0, 10, 100000");
        flow(fixture, "a.example", 1, "10, 0, 10, 1000");
        flow(fixture, "none.example", 1, "0, 3, 0, 0");
        let report = database.find_origin(&origin("a.example")).await.unwrap();
        let duration = report.duration_seconds.unwrap();
        assert!((0.1..0.3).contains(&duration), "{duration}");
        assert_eq!(report.done_last_hour, 20);
        let report = database.find_origin(&origin("none.example")).await.unwrap();
        assert_eq!((report.duration_seconds, report.failed_last_hour), (None, 3));
    }

    async fn pages_follow_each_other_in_every_order(fixture: &Fixture) {
        let database = fixture.open().await;
        let hosts = ["b.example", "d.example", "a.example", "e.example", "c.example"];
        for (number, host) in hosts.into_iter().enumerate() {
            for id in queue(&database, host, 2 * (number % 3)).await.into_iter().step_by(2) {
                claim(&database, id).await;
            }
            flow(fixture, host, 3, &format!("0, {}, 1, 1", number / 2));
        }
        for (sort, expected) in [
            (OriginSort::Origin, ["a.example", "b.example", "c.example", "d.example", "e.example"]),
            (OriginSort::Queued, ["a.example", "c.example", "d.example", "b.example", "e.example"]),
            (OriginSort::InFlight, ["a.example", "c.example", "d.example", "b.example", "e.example"]),
            (OriginSort::Failed, ["c.example", "a.example", "e.example", "b.example", "d.example"]),
        ] {
            assert_eq!(names(&all(&database, sort).await), expected, "{sort:?}");
            for limit in 1..=5 {
                let (mut listed, mut after) = (Vec::new(), None);
                for _ in 0..10 {
                    let page = database.list_origins(sort, after, limit).await.unwrap();
                    assert!(page.origins.len() <= limit as usize);
                    listed.extend(page.origins);
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
                assert_eq!(names(&listed), expected, "{sort:?} by {limit}");
            }
        }
        let beyond = OriginPlace { measure: 0, origin: "~".to_owned() };
        for sort in [OriginSort::Origin, OriginSort::Queued] {
            let page = database.list_origins(sort, Some(beyond.clone()), 5).await.unwrap();
            assert_eq!(page.origins, [], "{sort:?}");
        }
    }

    async fn an_origin_is_paused_and_resumed(fixture: &Fixture) {
        let database = fixture.open().await;
        let origin = origin("a.example");
        let paused = async || database.find_origin(&origin).await.unwrap().paused;
        database.pause_origin(&origin, false).await.unwrap();
        assert_eq!(all(&database, OriginSort::Origin).await, [], "no row is made for nothing");
        for _ in 0..2 {
            database.pause_origin(&origin, true).await.unwrap();
            assert!(paused().await);
        }
        assert_eq!(names(&all(&database, OriginSort::Origin).await), ["a.example"]);
        for _ in 0..2 {
            database.pause_origin(&origin, false).await.unwrap();
            assert!(!paused().await);
        }
        assert!(!database.queue_is_paused().await.unwrap());
    }

    async fn what_waits_because_a_redirect_leads_to_a_paused_origin_goes_on_with_it(fixture: &Fixture) {
        let database = fixture.open().await;
        let (paused, other) = (origin("paused.example"), origin("other.example"));
        database.pause_origin(&paused, true).await.unwrap();
        for (id, at) in queue(&database, "a.example", 2).await.into_iter().zip([&paused, &other]) {
            let claim = claim(&database, id).await;
            let outcome = Outcome::Parked {
                code: FailureCode::OriginUnavailable,
                message: failure::paused_on_the_way(at),
                source_status: Some(302),
                delay: failure::LONGEST_PAUSED_STEP,
            };
            assert!(database.finish(&claim, &outcome).await.unwrap());
        }
        assert_eq!(database.end_waits().await.unwrap(), 0);
        database.pause_origin(&paused, false).await.unwrap();
        assert_eq!(database.end_waits().await.unwrap(), 1);
    }

    async fn a_pause_keeps_what_was_learned_and_a_reset_keeps_the_pause(fixture: &Fixture) {
        let database = fixture.open().await;
        let origin = origin("a.example");
        park(fixture, "a.example", 600);
        database.pause_origin(&origin, true).await.unwrap();
        let report = database.find_origin(&origin).await.unwrap();
        assert!(report.paused && report.parked_until.is_some());
        for _ in 0..2 {
            database.reset_origin(&origin).await.unwrap();
            let report = database.find_origin(&origin).await.unwrap();
            assert!(report.paused);
            assert_eq!((report.parked_until, report.unavailable_since, report.rate_per_second), (None, None, None));
            assert_eq!((report.park_reason, report.failures_in_a_row), (None, 0));
        }
        let kept = fixture.lines(
            "SELECT CAST(tokens + refusals + openings AS integer) || ' ' || \
             (CASE WHEN cut_at IS NULL THEN 'uncut' ELSE 'cut' END) AS line FROM origins",
        );
        assert_eq!(kept, ["0 uncut"]);
        database.reset_origin(&"https://unknown.example".parse().unwrap()).await.unwrap();
        assert_eq!(names(&all(&database, OriginSort::Origin).await), ["a.example"]);
    }

    async fn the_queue_is_paused_by_a_row_that_is_no_origin(fixture: &Fixture) {
        let database = fixture.open().await;
        assert!(!database.queue_is_paused().await.unwrap());
        for paused in [false, true, true, false, false] {
            database.pause_queue(paused).await.unwrap();
            assert_eq!(database.queue_is_paused().await.unwrap(), paused);
            for sort in [OriginSort::Origin, OriginSort::Queued] {
                assert_eq!(all(&database, sort).await, []);
            }
        }
    }

    async fn brakes_pulled_by_many_at_once_hold(fixture: &Fixture) {
        let database = fixture.open().await;
        let origin = origin("a.example");
        let tries = (0..20).map(|number| {
            let (database, origin) = (database.clone(), origin.clone());
            tokio::spawn(async move {
                database.pause_origin(&origin, number % 2 == 0).await.unwrap();
                database.reset_origin(&origin).await.unwrap();
                database.pause_queue(true).await.unwrap();
            })
        });
        for attempt in tries.collect::<Vec<_>>() {
            attempt.await.unwrap();
        }
        assert!(database.queue_is_paused().await.unwrap());
        assert_eq!(fixture.lines("SELECT CAST(count(*) AS text) AS line FROM origins"), ["2"]);
    }

    async fn the_oldest_that_could_run_is_told_from_the_oldest_that_is_held_up(fixture: &Fixture) {
        let database = fixture.open().await;
        let ages = async || {
            let counts = database.counts().await.unwrap();
            let rounded = |age: Option<f64>| age.map(|age| (age / 100.0) as i64 * 100);
            (rounded(counts.oldest_pending_seconds), rounded(counts.oldest_parked_seconds))
        };
        let back = |host: &str, seconds: i64| {
            let moment = moment(fixture, -seconds);
            fixture.lines(&format!(
                "UPDATE jobs SET created_at = {moment}, rank = rank - {seconds} * 1000 \
                 WHERE origin = '{}'", origin(host),
            ));
        };
        assert_eq!(ages().await, (None, None));
        submitted(&database, "https://later.example/", in_an_hour()).await;
        assert_eq!(ages().await, (None, None));
        queue(&database, "old.example", 2).await;
        queue(&database, "new.example", 1).await;
        back("old.example", 500);
        back("new.example", 100);
        back("later.example", 1000);
        assert_eq!(ages().await, (Some(500), None));
        park(fixture, "old.example", 600);
        assert_eq!(ages().await, (Some(100), Some(500)));
        database.reset_origin(&origin("old.example")).await.unwrap();
        database.pause_origin(&origin("new.example"), true).await.unwrap();
        assert_eq!(ages().await, (Some(500), Some(100)));
        database.pause_queue(true).await.unwrap();
        assert_eq!(ages().await, (None, Some(500)));
        database.pause_queue(false).await.unwrap();
        // More than are looked at one by one.
        queue(&database, "flood.example", 1100).await;
        back("flood.example", 2000);
        park(fixture, "flood.example", 600);
        assert_eq!(ages().await, (Some(500), Some(2000)));
    }

    async fn a_page_by_name_does_not_read_all_origins(fixture: &Fixture) {
        let database = fixture.open().await;
        fill(fixture, ORIGINS);
        let (mut by_name, mut by_backlog, mut counts) = (Duration::MAX, Duration::MAX, Duration::MAX);
        for _ in 0..3 {
            let begun = Instant::now();
            let page = database.list_origins(OriginSort::Origin, None, 100).await.unwrap();
            by_name = by_name.min(begun.elapsed());
            assert_eq!(page.origins.len(), 100);
            let is_whole = |report: &OriginReport| (report.queued, report.done_last_hour) == (2, 3);
            assert!(page.origins.iter().all(is_whole), "{page:?}");
            let middle = database.list_origins(OriginSort::Origin, page.next, 100).await.unwrap();
            assert_eq!(middle.origins.len(), 100);
            let begun = Instant::now();
            database.list_origins(OriginSort::Queued, None, 100).await.unwrap();
            by_backlog = by_backlog.min(begun.elapsed());
            let begun = Instant::now();
            database.counts().await.unwrap();
            counts = counts.min(begun.elapsed());
        }
        println!("{ORIGINS} origins: {by_name:?} by name, {by_backlog:?} by backlog, {counts:?} the counts");
        assert!(by_name < by_backlog / 2, "{by_name:?} against {by_backlog:?}");
    }
}

const ORIGINS: usize = 20_000;

/// Two jobs of each of this many origins.
fn fill(fixture: &Fixture, origins: usize) {
    let now = moment(fixture, 0);
    let (id, numbers) = match fixture.target {
        Target::Postgres(_) => (
            "gen_random_uuid()",
            format!("generate_series(1, {origins}) AS a (n), generate_series(1, 2)"),
        ),
        Target::Sqlite(_) => (
            "lower(hex(randomblob(4)) || '-0000-7000-8000-' || hex(randomblob(6)))",
            format!(
                "(WITH RECURSIVE a (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM a WHERE n < {origins}) \
                 SELECT n FROM a) AS a, (SELECT 1 UNION ALL SELECT 2) AS b"
            ),
        ),
    };
    fixture.lines(&format!(
        "INSERT INTO jobs (id, url, url_hash, exclusive, created_at, updated_at, due_at, origin, rank) \
         SELECT {id}, 'https://' || n || '.example/', n, false, {now}, {now}, {now}, \
         'https://' || n || '.example:443', n FROM {numbers}"
    ));
    // In one statement, for which the time stands still.
    let minutes = [1, 2, 3].map(|ago| {
        let minute = minute(fixture, ago);
        format!("SELECT DISTINCT origin, {minute}, 1, 0, 1, 100 FROM jobs")
    });
    fixture.lines(&format!(
        "INSERT INTO origin_flow (origin, minute, done, failed, downloads, download_millis) {}",
        minutes.join(" UNION ALL ")
    ));
    // As the databases see to themselves: their plans differ with it.
    fixture.lines("ANALYZE");
}
