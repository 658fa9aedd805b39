//! An origin that can't be reached, and comes back.

use std::time::Duration;

use crate::audit::{Terms, audit};
use crate::flood::accept_all;
use crate::load::{self, Load};
use crate::queue_server::start_workers;
use crate::report::{Figures, tell};
use crate::stage::{Stage, image_reply};
use crate::support::deadline::eventually_blocking;
use crate::support::origin::{Door, Origin};
use crate::support::request_log::{Asked, most_at_once, shortest_row};
use crate::yardstick::conclusively;

const SOON: Duration = Duration::from_secs(30);
const JOBS: usize = 60;
/// `ORIGIN_BREAKER_SECONDS`: how long its first opening lasts; then twice as long, and so on.
const BREAKER: Duration = Duration::from_secs(1);
/// From the opening on, requests of before may still end.
const OVERSHOOT: Duration = Duration::from_secs(1);
const PROBES: usize = 3;
/// The probe after those waits 16 s at most; the jobs come back after it.
const LIMIT: Duration = Duration::from_secs(45);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_21_a_breaker_opens_probes_and_closes() {
    conclusively("fault 21", fault_21).await;
}

async fn fault_21() {
    let mut stage = Stage::shared().await;
    stage.unset("THUMBFORGE_WORKER_CONCURRENCY");
    let seconds = BREAKER.as_secs().to_string();
    stage.set("THUMBFORGE_ORIGIN_BREAKER_SECONDS", &seconds);
    let origin = Origin::start().await;
    origin.on("/photo.jpg", [image_reply(120, 90)]);
    origin.set_door(Door::Closed);
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let _workers = start_workers(&stage, 2);
    let load = Load::start(vec![serve.address], 5, stage.small_urls());
    let base = origin.url("/photo.jpg");
    let ids = accept_all(serve.address, (0..JOBS).map(|n| format!("{base}?n={n}"))).await;
    let ids = ids.join("','");
    let opened = format!(
        "SELECT count(*) FROM origins WHERE origin = '{}' AND openings > 0",
        origin.url("")
    );
    eventually_blocking("the breaker opens", SOON, || stage.count(&opened) == 1);
    tokio::time::sleep(OVERSHOOT).await;
    // Now every request is seen.
    origin.set_door(Door::Resetting);
    eventually_blocking("it is probed", SOON, || origin.asked().len() >= PROBES);
    let untouched = stage.lines(&format!(
        "SELECT id || '' AS line FROM jobs \
         WHERE status = 'pending' AND attempts = 0 AND id IN ('{ids}')"
    ));
    let probes = origin.asked();
    origin.set_door(Door::Open);
    let lifted = load::now();
    check_probes(&probes);
    assert!(untouched.len() > JOBS / 2, "{} untouched", untouched.len());
    let active = format!(
        "SELECT count(*) FROM jobs WHERE status IN ('pending', 'processing') AND id IN ('{ids}')"
    );
    eventually_blocking("all jobs end", LIMIT, || stage.count(&active) == 0);
    eventually_blocking("the breaker is closed", SOON, || stage.count(&opened) == 0);
    let record = load.stop().await;
    let terms = Terms {
        all_complete: false,
        overload: Some(LIMIT),
        origin_given_up: true,
        ..Terms::default()
    };
    let findings = audit(&stage, &record, lifted, &terms);
    check_ends(&stage, &ids, &untouched);
    tell(&Figures {
        fault: 21,
        name: "an origin that refuses connections, and comes back",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "{} probes, one at a time; of {JOBS} jobs {} had used no attempt and completed in \
             their first, {} failed that had used one; all others completed",
            probes.len(),
            untouched.len(),
            findings.failed
        ),
    });
}

/// One at a time, and each pause as long as it must be.
fn check_probes(probes: &[Asked]) {
    assert_eq!(most_at_once(probes), 1, "{probes:?}");
    let pause = shortest_row(probes, 2).expect("two probes");
    assert!(pause >= BREAKER, "{pause:?} between probes: {probes:?}");
}

/// Every job that had used no attempt completed, with one; every job that failed had used one, and
/// failed for this.
fn check_ends(stage: &Stage, ids: &str, untouched: &[String]) {
    let lost = stage.lines(&format!(
        "SELECT id || ' ' || status || ' ' || attempts AS line FROM jobs \
         WHERE id IN ('{}') AND NOT (status = 'completed' AND attempts = 1)",
        untouched.join("','")
    ));
    assert!(lost.is_empty(), "had used no attempt: {lost:?}");
    let unfounded = stage.lines(&format!(
        "SELECT id || ' ' || attempts || ' ' || error_code AS line FROM jobs \
         WHERE status = 'failed' AND (id NOT IN ('{ids}') OR attempts = 0 \
             OR error_code NOT IN ('connection_failed', 'origin_unavailable'))"
    ));
    assert!(unfounded.is_empty(), "{unfounded:?}");
}
