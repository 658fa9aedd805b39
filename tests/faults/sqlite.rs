//! One process on SQLite: its file is locked by a stranger, and it is killed and restarted.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use tokio::sync::Semaphore;

use crate::audit::{Terms, audit};
use crate::ledger::{Ledger, sqlite};
use crate::load::{self, Load, accept};
use crate::report::{Figures, tell};
use crate::stage::{Stage, image_reply};
use crate::support::deadline::eventually_blocking;
use crate::yardstick::conclusively;

const SOON: Duration = Duration::from_secs(20);
/// Jobs that are being downloaded at each kill.
const HELD: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_17_sqlite_locked_by_a_stranger_and_all_killed() {
    conclusively("fault 17", fault_17).await;
}

async fn fault_17() {
    let stage = Stage::sqlite().await;
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

    let unfinished = "SELECT id AS line FROM jobs WHERE status IN ('pending', 'processing')";
    let mut interrupted = HashSet::new();
    let kills = 4;
    for kill in 0..kills {
        let before = load.accepted();
        eventually_blocking("jobs are accepted", SOON, || load.accepted() >= before + 10);
        // A few that are certainly in progress.
        let path = format!("/held-{kill}.jpg");
        let gate = Arc::new(Semaphore::new(0));
        stage
            .origin
            .on(&path, vec![image_reply(120, 90).behind(&gate)]);
        for n in 0..HELD {
            accept(all.address, &stage.origin.url(&format!("{path}?n={n}"))).await;
        }
        eventually_blocking("they are begun", SOON, || stage.origin.hits(&path) == HELD);
        all.kill();
        let left = stage.lines(unfinished);
        assert!(left.len() >= HELD, "{left:?}");
        interrupted.extend(left);
        gate.add_permits(1000);
        all.start();
    }
    let lifted = load::now();
    let record = load.stop().await;
    let terms = Terms {
        api_died: true,
        ..Terms::default()
    };
    record.check_bound();
    let findings = audit(&stage, &record, lifted, &terms);
    tell(&Figures {
        fault: 17,
        name: "SQLite locked by another process; `all` killed with SIGKILL and restarted",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "locked for 7 s ({} answers 503), killed {kills} times; {} jobs were unfinished \
             at a kill, resumed and completed, as the other {}",
            record.unavailable,
            interrupted.len(),
            findings.jobs - interrupted.len()
        ),
    });
}
