//! Postgres crashes, freezes, and loses connections at the moment of commit.

use std::time::{Duration, Instant};

use crate::audit::{Terms, audit};
use crate::load::{self, Load};
use crate::report::{Figures, tell};
use crate::stage::{Stage, WRITES};
use crate::support::deadline::eventually_blocking;
use crate::support::fault_proxy::{FaultProxy, Mode};
use crate::support::http_client::try_get;
use crate::yardstick::conclusively;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_10_postgres_crashes_and_freezes_under_load() {
    conclusively("fault 10", fault_10).await;
}

async fn fault_10() {
    let mut stage = Stage::own_postgres().await;
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let mut workers = [
        stage.process("work", "worker-0"),
        stage.process("work", "worker-1"),
    ];
    for worker in &mut workers {
        worker.start();
    }
    let load = Load::start(vec![serve.address], 25, stage.small_urls());
    for _ in 0..3 {
        let before = load.accepted();
        eventually_blocking("jobs are accepted", SOON, || load.accepted() > before + 25);
        stage.own_postgres_server().stop_immediately();
        tokio::time::sleep(Duration::from_secs(1)).await;
        stage.own_postgres_server().restart();
    }
    let before = load.accepted();
    eventually_blocking("jobs are accepted", SOON, || load.accepted() > before + 25);
    let freezing = Instant::now();
    let frozen = stage.postgres().freeze();
    while freezing.elapsed() < Duration::from_secs(8) {
        for target in ["/v1/images", "/v1/metrics", "/v1/healthz", "/readyz"] {
            let asked = Instant::now();
            let answer = try_get(serve.address, target, Duration::from_secs(20));
            let answer = answer.expect("the API answers");
            assert_eq!(answer.status, 503, "{target}: {answer:?}");
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
            assert!(
                asked.elapsed() < load::BOUND,
                "{target}: {:?}",
                asked.elapsed()
            );
        }
    }
    drop(frozen);
    let frozen_for = freezing.elapsed();
    let lifted = load::now();
    let before = load.accepted();
    eventually_blocking("jobs are accepted", SOON, || load.accepted() > before + 25);
    let record = load.stop().await;
    let findings = audit(&stage, &record, lifted, &Terms::default());
    tell(&Figures {
        fault: 10,
        name: "Postgres `stop -m immediate` and restart under load, then frozen",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "3 crashes and a freeze of {:.0} s; {} of {} accepted are there, {} answers 503, \
             slowest {:.1} s",
            frozen_for.as_secs_f64(),
            stage.known(&record.accepted),
            record.accepted.len(),
            record.unavailable,
            record.slowest.as_secs_f64()
        ),
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_11_connections_are_cut_at_the_commit() {
    conclusively("fault 11", fault_11).await;
}

async fn fault_11() {
    let stage = Stage::shared().await;
    let proxy = FaultProxy::start(stage.postgres().front_port()).await;
    let mut serve = stage.process_through_postgres("serve", "serve", proxy.port());
    serve.start();
    let mut worker = stage.process_through_postgres("work", "worker", proxy.port());
    worker.start();
    let load = Load::start(vec![serve.address], 20, stage.small_urls());
    proxy.set(Mode::LoseEveryThird(WRITES));
    eventually_blocking("many commits were met", SOON * 2, || proxy.seen() >= 90);
    proxy.set(Mode::Pass);
    let lifted = load::now();
    let record = load.stop().await;
    let findings = audit(&stage, &record, lifted, &Terms::default());
    assert!(record.unavailable > 0, "nobody saw an error");
    assert!(
        findings.jobs > record.accepted.len(),
        "no commit went through whose reply was lost"
    );
    tell(&Figures {
        fault: 11,
        name: "the connection cut at commit (unknown outcome)",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "{} commits, a third cut before and a third after; {} accepted, {} answers 503, of \
             whose jobs {} exist and ended too",
            proxy.seen(),
            record.accepted.len(),
            record.unavailable,
            findings.jobs - record.accepted.len()
        ),
    });
}
