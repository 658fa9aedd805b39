//! One origin accepts connections and stays silent; others are not held up.

use std::time::Duration;

use crate::audit::{Terms, audit};
use crate::flood::{accept_all, forget, longest, took};
use crate::load::{self, Load};
use crate::queue_server::start_workers;
use crate::report::{Figures, tell};
use crate::stage::Stage;
use crate::support::deadline::eventually_blocking;
use crate::support::origin::{Origin, Reply};
use crate::support::request_log::most_at_once;
use crate::yardstick::conclusively;

const SOON: Duration = Duration::from_secs(30);
const SILENT: usize = 5000;
/// How soon a good job is done, whatever else waits.
const NOT_HELD_UP: Duration = Duration::from_secs(5);
/// Of the sockets of two workers, which have a thousand each.
const A_QUARTER: usize = 2 * 1000 / 4;
/// How long good jobs are submitted, before the kill and after it.
const WATCHED: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_19_a_silent_origin_holds_up_nobody_else() {
    conclusively("fault 19", fault_19).await;
}

async fn fault_19() {
    let mut stage = Stage::shared().await;
    stage.unset("THUMBFORGE_WORKER_CONCURRENCY");
    stage.set("THUMBFORGE_SOURCE_HEAD_TIMEOUT_SECONDS", "2");
    stage.set("THUMBFORGE_ORIGIN_BREAKER_SECONDS", "1");
    stage.set("THUMBFORGE_SHUTDOWN_GRACE_SECONDS", "5");
    let origin = Origin::start().await;
    origin.on("/silent.jpg", [Reply::silent()]);
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let mut workers = start_workers(&stage, 2);
    let base = origin.url("/silent.jpg");
    let urls = (0..SILENT).map(|n| format!("{base}?n={n}"));
    accept_all(serve.address, urls).await;
    let silent = format!("url LIKE '{base}%'");
    let good = format!("NOT {silent}");

    let load = Load::start(vec![serve.address], 10, stage.small_urls());
    tokio::time::sleep(WATCHED).await;
    workers[0].kill();
    let lifted = load::now();
    workers[0].start();
    tokio::time::sleep(WATCHED).await;
    let record = load.stop().await;
    let active =
        format!("SELECT count(*) FROM jobs WHERE status IN ('pending', 'processing') AND {good}");
    eventually_blocking("the good jobs end", SOON, || stage.count(&active) == 0);

    for worker in &workers {
        worker.signal("TERM");
    }
    for worker in &mut workers {
        // The grace period and a little.
        let status = worker.wait_for_end(Duration::from_secs(8));
        assert_eq!(status.code(), Some(0), "{}", worker.tail());
    }
    let held = "SELECT count(*) FROM jobs WHERE status = 'processing'";
    assert_eq!(stage.count(held), 0, "not handed back");
    let slowest = check_silent(&stage, &silent, &good);
    let sockets = most_at_once(&origin.asked());
    assert!(sockets <= A_QUARTER, "{sockets} sockets for one origin");
    let ended = stage.count(&format!(
        "SELECT count(*) FROM jobs WHERE status = 'failed' AND {silent}"
    ));
    // An origin that never answers again keeps its jobs for an hour.
    forget(&stage, &silent);
    workers[1].start();
    let findings = audit(&stage, &record, lifted, &Terms::default());
    tell(&Figures {
        fault: 19,
        name: "an origin that stays silent, with 5,000 jobs",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "{} jobs of another origin beside it, all completed, within {:.1} s where no worker \
             died; {sockets} sockets at once for the silent one, {ended} of its jobs failed; a worker \
             killed, both ended in time",
            findings.jobs,
            slowest.as_secs_f64()
        ),
    });
}

/// All silent jobs are still there, and none completed; the good ones were not held up. Returns the
/// longest that one of these took.
fn check_silent(stage: &Stage, silent: &str, good: &str) -> Duration {
    let count = |jobs: &str| stage.count(&format!("SELECT count(*) FROM jobs WHERE {jobs}"));
    assert_eq!(count(silent), SILENT, "a 202 without a job");
    assert_eq!(count(&format!("status = 'completed' AND {silent}")), 0);
    let unfounded = stage.lines(&format!(
        "SELECT id || ' ' || attempts || ' ' || error_code AS line FROM jobs \
         WHERE status = 'failed' AND {silent} AND (attempts = 0 OR error_code NOT IN \
             ('source_timeout', 'origin_unavailable', 'poison', 'worker_lost'))"
    ));
    assert!(unfounded.is_empty(), "{unfounded:?}");
    let jobs: Vec<_> = took(stage, good)
        .into_iter()
        // The others were in progress in the worker that was killed.
        .filter(|job| job.attempts == 1)
        .collect();
    assert!(!jobs.is_empty());
    longest(&jobs, NOT_HELD_UP)
}
