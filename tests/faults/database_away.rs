//! The database is away for longer than a lease: whoever works goes on, and loses no attempt. And a
//! pooler before it is restarted.

use std::time::Duration;

use crate::audit::{Terms, audit};
use crate::load::{self, Load};
use crate::report::{Figures, tell};
use crate::stage::{LEASE, Stage, image_reply};
use crate::support::deadline::eventually_blocking;
use crate::yardstick::conclusively;

const SOON: Duration = Duration::from_secs(30);
const AWAY: Duration = LEASE.saturating_mul(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_25_a_database_away_for_longer_than_a_lease_costs_no_attempt() {
    conclusively("fault 25", fault_25).await;
}

async fn fault_25() {
    let mut stage = Stage::own_postgres().await;
    // One attempt lost would be a job lost.
    stage.set("THUMBFORGE_MAX_ATTEMPTS", "1");
    // Long enough to be in work when the database goes, and ready before it is back.
    let slow = image_reply(120, 90).after(LEASE);
    stage.origin.on("/slow.jpg", vec![slow]);
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let mut workers = [
        stage.process("work", "worker-0"),
        stage.process("work", "worker-1"),
    ];
    for worker in &mut workers {
        worker.start();
    }
    let load = Load::start(vec![serve.address], 10, stage.small_urls());
    let mut in_work = 0;
    for frozen in [false, true] {
        let before = load.accepted();
        eventually_blocking("jobs are accepted", SOON, || load.accepted() > before + 10);
        for number in 0..8 {
            let url = stage.origin.url(&format!("/slow.jpg?{frozen}-{number}"));
            load::accept(serve.address, &url).await;
        }
        let busy = || stage.count("SELECT count(*) FROM jobs WHERE status = 'processing'");
        eventually_blocking("jobs are in work", SOON, || busy() >= 8);
        in_work += busy();
        if frozen {
            let frozen = stage.postgres().freeze();
            tokio::time::sleep(AWAY).await;
            drop(frozen);
        } else {
            stage.own_postgres_server().stop_immediately();
            tokio::time::sleep(AWAY).await;
            stage.own_postgres_server().restart();
        }
    }
    let lifted = load::now();
    let before = load.accepted();
    eventually_blocking("jobs are accepted", SOON, || load.accepted() > before + 10);
    let record = load.stop().await;
    let terms = Terms {
        max_attempts: 1,
        database_away: true,
        ..Terms::default()
    };
    let died =
        || stage.lines("SELECT id || ' ' || attempts_log AS line FROM jobs WHERE deaths > 0");
    eventually_blocking("all jobs end", SOON, || {
        let dead = died();
        assert!(
            dead.is_empty(),
            "living workers were taken for dead: {dead:?}"
        );
        stage.count("SELECT count(*) FROM jobs WHERE status IN ('pending', 'processing')") == 0
    });
    let findings = audit(&stage, &record, lifted, &terms);
    tell(&Figures {
        fault: 25,
        name: "Postgres stopped, then frozen, for four leases, at `MAX_ATTEMPTS=1`",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "{in_work} jobs were in work when it went, all completed in their only attempt, as \
             the other {}",
            findings.jobs - in_work
        ),
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_26_a_pooler_is_restarted_under_load() {
    conclusively("fault 26", fault_26).await;
}

async fn fault_26() {
    let stage = Stage::shared().await;
    let mut pooler = stage.postgres().new_pooler("transaction");
    let mut serve = stage.process_through_postgres("serve", "serve", pooler.port);
    serve.start();
    let mut workers = [
        stage.process_through_postgres("work", "worker-0", pooler.port),
        stage.process_through_postgres("work", "worker-1", pooler.port),
    ];
    for worker in &mut workers {
        worker.start();
        let log = worker.log();
        assert!(log.contains("a pooler gives each transaction"), "{log}");
    }
    let load = Load::start(vec![serve.address], 25, stage.small_urls());
    let restarts = 5;
    for _ in 0..restarts {
        let before = load.accepted();
        eventually_blocking("jobs are accepted", SOON, || load.accepted() > before + 25);
        pooler.stop_immediately();
        tokio::time::sleep(Duration::from_millis(500)).await;
        pooler.restart();
    }
    let lifted = load::now();
    let before = load.accepted();
    eventually_blocking("jobs are accepted", SOON, || load.accepted() > before + 25);
    let record = load.stop().await;
    let terms = Terms {
        database_away: true,
        ..Terms::default()
    };
    let findings = audit(&stage, &record, lifted, &terms);
    tell(&Figures {
        fault: 26,
        name: "PgBouncer in transaction mode, restarted under load",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "{restarts} restarts; {} of {} accepted are there, {} answers 503",
            stage.known(&record.accepted),
            record.accepted.len(),
            record.unavailable
        ),
    });
}
