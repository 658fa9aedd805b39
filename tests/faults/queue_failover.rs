//! The master of Redis dies under load, and sentinels make its replica the master.

use std::time::{Duration, Instant};

use crate::audit::{Terms, audit};
use crate::load::{self, Load};
use crate::queue_server::{pushes, start_workers, waiting_workers};
use crate::report::{Figures, tell};
use crate::stage::Stage;
use crate::support::deadline::eventually_blocking;
use crate::yardstick::conclusively;

/// The sentinels take a second to miss a master, and some to agree on the next.
const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_27_sentinels_make_another_server_the_master() {
    conclusively("fault 27", fault_27).await;
}

async fn fault_27() {
    let mut stage = Stage::sentinels().await;
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let workers = start_workers(&stage, 2);
    let load = Load::start(vec![serve.address], 20, stage.small_urls());
    tokio::time::sleep(Duration::from_secs(2)).await;

    let died = Instant::now();
    let dead = stage.own_sentinels().kill_master();
    eventually_blocking("the sentinels agree on another", SOON, || {
        stage
            .own_sentinels()
            .master()
            .is_some_and(|port| port != dead)
    });
    let named = died.elapsed();
    wait_for_all(&stage);
    let found = died.elapsed() - named;

    // Both live now. Until it is told that it is a replica, the old master serves all the same.
    stage.own_sentinels().restart(dead);
    stage.own_sentinels().exchange();
    let refusing = Instant::now();
    wait_for_all(&stage);
    let exchanged = refusing.elapsed();
    let lifted = load::now();

    let record = load.stop().await;
    let refused = (record.unavailable, &record.failing);
    assert_eq!(refused.0, 0, "submissions need no Redis: {refused:?}");
    for worker in &workers {
        assert!(worker.log().contains("workers start"), "{}", worker.tail());
    }
    let findings = audit(&stage, &record, lifted, &Terms::default());
    tell(&Figures {
        fault: 27,
        name: "Redis failover by Sentinel",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "{} jobs; the sentinels named another master {:.1} s after the first had died, and \
             pushes and pops were there {:.1} s later; both were there {:.1} s after an exchange of \
             the roles",
            findings.jobs,
            named.as_secs_f64(),
            found.as_secs_f64(),
            exchanged.as_secs_f64()
        ),
    });
}

/// Ids are pushed to the present master, and both workers wait there.
fn wait_for_all(stage: &Stage) {
    let before = pushes(stage);
    eventually_blocking("ids are pushed to the master", SOON, || {
        pushes(stage) >= before + 10
    });
    eventually_blocking("both workers are there", SOON, || {
        waiting_workers(stage) >= 2
    });
}
