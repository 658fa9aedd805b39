//! Redis dies, loses everything, freezes, swallows replies, and is filled with rubbish.

use std::time::{Duration, Instant};

use crate::audit::{Terms, audit};
use crate::load::{self, Load};
use crate::report::{Figures, tell};
use crate::stage::Stage;
use crate::support::child_process::ChildProcess;
use crate::support::deadline::eventually_blocking;
use crate::support::fault_proxy::{FaultProxy, Mode};
use crate::yardstick::conclusively;

const SOON: Duration = Duration::from_secs(20);

pub fn start_workers(stage: &Stage, count: usize) -> Vec<ChildProcess> {
    let mut workers: Vec<_> = (0..count)
        .map(|n| stage.process("work", &format!("worker-{n}")))
        .collect();
    for worker in &mut workers {
        worker.start();
    }
    workers
}

/// How many clients block on a list.
pub fn waiting_workers(stage: &Stage) -> usize {
    let mut connection = stage.redis().connection();
    let clients: String = redis::cmd("CLIENT")
        .arg("LIST")
        .query(&mut connection)
        .expect("Redis answers");
    clients.matches("cmd=brpop").count()
}

/// How often ids were pushed to a server since its start.
pub fn pushes(stage: &Stage) -> usize {
    let statistics: String = redis::cmd("INFO")
        .arg("commandstats")
        .query(&mut stage.redis().connection())
        .expect("Redis answers");
    let calls = statistics.split("cmdstat_lpush:calls=").nth(1);
    let digits = calls.and_then(|rest| rest.split(',').next());
    digits.map_or(0, |digits| digits.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_06_redis_is_killed_and_comes_back_empty() {
    conclusively("fault 06", fault_06).await;
}

async fn fault_06() {
    let mut stage = Stage::own_redis().await;
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let _workers = start_workers(&stage, 2);
    let load = Load::start(vec![serve.address], 20, stage.small_urls());
    tokio::time::sleep(Duration::from_secs(2)).await;
    stage.own_redis_server().kill();
    let before = load.accepted();
    tokio::time::sleep(Duration::from_secs(6)).await;
    let meanwhile = load.accepted() - before;
    stage.own_redis_server().restart();
    let lifted = load::now();
    let back = Instant::now();
    // The load keeps workers from blocking for long, so look at both: a blocked client, or a pop.
    eventually_blocking("both workers are back", Duration::from_secs(10), || {
        waiting_workers(&stage) >= 2
    });
    let back = back.elapsed();
    eventually_blocking("ids are pushed again", Duration::from_secs(10), || {
        pushes(&stage) >= 10
    });
    let record = load.stop().await;
    let refused = (record.unavailable, &record.failing);
    assert_eq!(refused.0, 0, "submissions need no Redis: {refused:?}");
    assert!(meanwhile > 0, "accepted meanwhile");
    let findings = audit(&stage, &record, lifted, &Terms::default());
    tell(&Figures {
        fault: 6,
        name: "Redis SIGKILL and restart (empty)",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "{meanwhile} jobs accepted while it was away; workers back after {:.1} s",
            back.as_secs_f64()
        ),
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_08_redis_is_frozen_for_twenty_seconds() {
    conclusively("fault 08", fault_08).await;
}

async fn fault_08() {
    let stage = Stage::own_redis().await;
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let workers = start_workers(&stage, 2);
    let load = Load::start(vec![serve.address], 10, stage.small_urls());
    tokio::time::sleep(Duration::from_secs(1)).await;
    stage.redis().signal("STOP");
    let frozen = Instant::now();
    let mut probes = 0;
    while frozen.elapsed() < Duration::from_secs(20) {
        let asked = Instant::now();
        let health = crate::support::http_client::try_get(
            serve.address,
            "/v1/healthz",
            Duration::from_secs(10),
        );
        let health = health.expect("healthz answers");
        assert!(asked.elapsed() < load::BOUND, "{:?}", asked.elapsed());
        if frozen.elapsed() > Duration::from_secs(3) {
            assert_eq!(health.status, 503, "{health:?}");
            assert!(serve.is_ready(), "jobs are accepted without Redis");
            assert!(workers[0].is_ready(), "it works from the database");
        }
        probes += 1;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    stage.redis().signal("CONT");
    let lifted = load::now();
    let back = Instant::now();
    eventually_blocking("both workers are back", Duration::from_secs(10), || {
        waiting_workers(&stage) >= 2
    });
    let back = back.elapsed();
    // Commands that hung in the connections when the server froze arrive late, and are not counted.
    let late = pushes(&stage);
    eventually_blocking("ids are pushed again", Duration::from_secs(10), || {
        pushes(&stage) >= late + 10
    });
    let record = load.stop().await;
    let refused = (record.unavailable, &record.failing);
    assert_eq!(refused.0, 0, "submissions need no Redis: {refused:?}");
    let findings = audit(&stage, &record, lifted, &Terms::default());
    tell(&Figures {
        fault: 8,
        name: "Redis frozen (SIGSTOP) for 20 s",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "{} jobs, slowest answer {:.2} s, {probes} health checks in bounds; workers back after {:.1} s",
            findings.jobs,
            record.slowest.as_secs_f64(),
            back.as_secs_f64()
        ),
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_09_the_reply_to_a_push_is_lost() {
    conclusively("fault 09", fault_09).await;
}

async fn fault_09() {
    let mut stage = Stage::shared().await;
    let proxy = FaultProxy::start(stage.redis().port).await;
    let url = stage.redis().url_through(proxy.port());
    stage.set("THUMBFORGE_REDIS_URL", &url);
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let _workers = start_workers(&stage, 2);
    proxy.set(Mode::LoseReplyTo(b"LPUSH"));
    // Jobs that are cancelled and retried are claimed more than once.
    let load = Load::start_alone(vec![serve.address], 10, stage.small_urls());
    eventually_blocking("several replies are lost", SOON, || proxy.seen() >= 5);
    proxy.set(Mode::Pass);
    let lifted = load::now();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let record = load.stop().await;
    let findings = audit(&stage, &record, lifted, &Terms::default());
    assert_one_execution(&stage);
    tell(&Figures {
        fault: 9,
        name: "the reply to `LPUSH` lost",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "{} replies lost; {} jobs, one execution each",
            proxy.seen(),
            findings.jobs
        ),
    });
}

/// Every job was claimed and downloaded once.
fn assert_one_execution(stage: &Stage) {
    let repeated = stage.lines("SELECT id || ' ' || fence AS line FROM jobs WHERE fence <> 1");
    assert!(repeated.is_empty(), "claimed more than once: {repeated:?}");
    let jobs = stage.count("SELECT count(*) FROM jobs");
    assert_eq!(stage.origin.hits("/small.jpg"), jobs, "one download each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_13_ids_pushed_twice_and_rubbish_in_the_queue() {
    conclusively("fault 13", fault_13).await;
}

async fn fault_13() {
    let stage = Stage::shared().await;
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let workers = start_workers(&stage, 2);
    // Jobs that are cancelled and retried are claimed more than once.
    let load = Load::start_alone(vec![serve.address], 20, stage.small_urls());
    let mut connection = stage.redis().connection();
    let mut push = |word: &[u8]| {
        redis::cmd("LPUSH")
            .arg(&stage.key)
            .arg(word)
            .exec(&mut connection)
            .expect("Redis answers");
    };
    let (mut repeated, mut junk) = (0, 0);
    while load.accepted() < 120 {
        for id in load.accepted_since(repeated) {
            push(id.as_bytes());
            repeated += 1;
        }
        for word in [
            b"no-uuid".as_slice(),
            b"",
            b"\xff\xfe\x00\x01",
            b"01980a5c-7f1e-7cc3-9d7a-6a0f5b1f8e21",
            &[b'x'; 5000],
        ] {
            push(word);
            junk += 1;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let lifted = load::now();
    let record = load.stop().await;
    let findings = audit(&stage, &record, lifted, &Terms::default());
    assert_one_execution(&stage);
    let told: usize = workers
        .iter()
        .map(|worker| worker.log().matches("dropped from the queue").count())
        .sum();
    assert_eq!(
        told,
        junk / 5 * 4,
        "junk is logged; an unknown UUID is not junk"
    );
    tell(&Figures {
        fault: 13,
        name: "every id pushed twice, and junk pushed by a stranger",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "{repeated} ids repeated, {junk} words of junk; {} jobs, one execution each",
            findings.jobs
        ),
    });
}
