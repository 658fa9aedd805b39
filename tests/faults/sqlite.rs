//! One process on SQLite: its file is locked by a stranger, and it is killed and restarted.

use std::time::Duration;

use diesel::connection::SimpleConnection;

use crate::audit::{Terms, audit};
use crate::ledger::{Ledger, sqlite};
use crate::load::{self, Load};
use crate::report::{Figures, tell};
use crate::stage::Stage;
use crate::support::deadline::eventually_blocking;
use crate::yardstick::conclusively;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_17_sqlite_locked_by_a_stranger_and_all_killed() {
    conclusively("fault 17", fault_17).await;
}

async fn fault_17() {
    let mut stage = Stage::sqlite().await;
    stage.set("THUMBFORGE_MAX_ATTEMPTS", "8");
    let Ledger::Sqlite(file) = &stage.ledger else {
        panic!("no SQLite")
    };
    let mut all = stage.process("all", "all");
    all.start();
    let load = Load::start(vec![all.address], 10, stage.small_urls());
    eventually_blocking("jobs are accepted", SOON, || load.accepted() >= 20);

    let mut stranger = sqlite(file);
    stranger.batch_execute("BEGIN EXCLUSIVE").expect("the lock");
    tokio::time::sleep(Duration::from_secs(7)).await;
    stranger.batch_execute("ROLLBACK").expect("our own lock");
    let before = load.accepted();
    eventually_blocking("jobs are accepted again", SOON, || {
        load.accepted() >= before + 10
    });

    let kills = 4;
    for _ in 0..kills {
        let before = load.accepted();
        eventually_blocking("jobs are accepted", SOON, || load.accepted() >= before + 10);
        all.kill();
        all.start();
    }
    let lifted = load::now();
    let record = load.stop().await;
    let terms = Terms {
        max_attempts: 8,
        backoff: Duration::from_secs(16),
        api_died: true,
        ..Terms::default()
    };
    record.check_bound();
    let findings = audit(&stage, &record, lifted, &terms);
    tell(&Figures {
        fault: 17,
        name: "SQLite locked by another process; `all` killed with SIGKILL and restarted",
        recovered: findings.recovered,
        outage: record.longest_outage(),
        remark: format!(
            "locked for 7 s ({} answers 503), killed {kills} times; {} jobs resumed and completed",
            record.unavailable, findings.jobs
        ),
    });
}
