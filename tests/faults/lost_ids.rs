//! Ids that the queue has lost, or never got.

use std::time::{Duration, Instant};

use crate::audit::{Terms, audit};
use crate::load::{self, Load};
use crate::queue_server::start_workers;
use crate::report::{Figures, tell};
use crate::stage::{Stage, image_reply};
use crate::support::deadline::eventually_blocking;
use crate::support::fault_proxy::{FaultProxy, Mode};
use crate::yardstick::conclusively;

const SOON: Duration = Duration::from_secs(20);
/// How soon ids that Redis has lost are found and done, whatever else there is to do.
const SAVED_WITHIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_07_a_backlog_survives_flushall_and_is_not_starved() {
    conclusively("fault 07", fault_07).await;
}

async fn fault_07() {
    let stage = Stage::own_redis().await;
    let mut serve = stage.process("serve", "serve");
    serve.start();
    // What another client cancels would be announced too.
    let load = Load::start_alone(vec![serve.address], 50, stage.small_urls());
    eventually_blocking("a backlog", SOON, || load.accepted() >= 200);
    let mut record = load.stop().await;
    eventually_blocking("the backlog is announced", SOON, || {
        stage.queue_length() == record.accepted.len()
    });
    let backlog = record.accepted.clone();
    let outage = record.longest_outage();
    redis::cmd("FLUSHALL")
        .exec(&mut stage.redis().connection())
        .expect("Redis answers");
    let lifted = load::now();
    // More new work than two workers of eight slots can do, for the whole wait.
    let slow = image_reply(120, 90).after(Duration::from_millis(600));
    stage.origin.on("/new.jpg", vec![slow]);
    let new = stage.origin.url("/new.jpg");
    let of_new = new.clone();
    let load = Load::start(
        vec![serve.address],
        40,
        Box::new(move |n| format!("{of_new}?n={n}")),
    );
    eventually_blocking("new work waits", SOON, || stage.queue_length() >= 40);
    let _workers = start_workers(&stage, 2);
    let active = format!(
        "SELECT count(*) FROM jobs WHERE status IN ('pending', 'processing') AND id IN ('{}')",
        backlog.join("','")
    );
    let new_pending =
        format!("SELECT count(*) FROM jobs WHERE status = 'pending' AND url LIKE '{new}%'");
    let waiting = Instant::now();
    let mut shortest_queue = usize::MAX;
    eventually_blocking("the whole backlog ends", SAVED_WITHIN, || {
        shortest_queue = shortest_queue.min(stage.count(&new_pending));
        stage.count(&active) == 0
    });
    let found = waiting.elapsed();
    assert!(
        shortest_queue > 0,
        "the workers had caught up with new work"
    );
    let new = load.accepted();
    stage.origin.on("/new.jpg", vec![image_reply(120, 90)]);
    let mut later = load.stop().await;
    later.check_bound();
    record.accepted.extend(later.accepted.clone());
    record.meddling = std::mem::take(&mut later.meddling);
    let terms = Terms {
        overload: Some(SAVED_WITHIN),
        ..Terms::default()
    };
    let findings = audit(&stage, &record, lifted, &terms);
    tell(&Figures {
        fault: 7,
        name: "`FLUSHALL` with a backlog",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: outage.max(later.longest_outage()),
        remark: format!(
            "{} lost ids found again and done within {:.1} s, beside {new} new jobs that came \
             faster than they were done: never fewer than {shortest_queue} waited",
            backlog.len(),
            found.as_secs_f64()
        ),
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_12_the_api_dies_between_commit_and_push() {
    conclusively("fault 12", fault_12).await;
}

async fn fault_12() {
    let mut stage = Stage::shared().await;
    let proxy = FaultProxy::start(stage.redis().port).await;
    let direct = stage.redis().url();
    stage.set(
        "THUMBFORGE_REDIS_URL",
        &stage.redis().url_through(proxy.port()),
    );
    let mut serve = stage.process("serve", "serve");
    serve.start();
    stage.set("THUMBFORGE_REDIS_URL", &direct);
    let _workers = start_workers(&stage, 2);
    let load = Load::start(vec![serve.address], 20, stage.small_urls());
    eventually_blocking("some jobs", SOON, || load.accepted() >= 20);
    // Commands wait in the proxy, and die there with the API.
    proxy.set(Mode::Hold(b"LPUSH"));
    let (seen, before) = (proxy.seen(), load.accepted());
    eventually_blocking("a push hangs, and more jobs are accepted", SOON, || {
        proxy.seen() > seen && load.accepted() >= before + 10
    });
    serve.kill();
    let lifted = load::now();
    let lost = load.accepted_since(before);
    proxy.throw_away();
    serve.start();
    let active = format!(
        "SELECT count(*) FROM jobs WHERE status IN ('pending', 'processing') AND id IN ('{}')",
        lost.join("','")
    );
    let waiting = Instant::now();
    eventually_blocking("they are found", Duration::from_secs(60), || {
        stage.count(&active) == 0
    });
    let found = waiting.elapsed();
    let record = load.stop().await;
    let terms = Terms {
        api_died: true,
        ..Terms::default()
    };
    let findings = audit(&stage, &record, lifted, &terms);
    tell(&Figures {
        fault: 12,
        name: "crash between commit and push",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "{} committed jobs never announced, ended {:.1} s after the restart",
            lost.len(),
            found.as_secs_f64()
        ),
    });
}
