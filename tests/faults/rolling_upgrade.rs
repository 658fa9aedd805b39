//! An upgrade without a pause: processes of the version before work beside those of this one.

use std::path::PathBuf;
use std::time::Duration;

use crate::audit::{Terms, audit};
use crate::load::{self, Load};
use crate::report::{Figures, skipped, tell};
use crate::stage::Stage;
use crate::support::deadline::eventually_blocking;
use crate::yardstick::conclusively;

const SOON: Duration = Duration::from_secs(20);
/// How long both versions work side by side.
const TOGETHER: Duration = Duration::from_secs(12);
const NAME: &str = "the version before beside this one, and the schema changed under load";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_24_two_versions_at_once() {
    // `scripts/earlier` builds it.
    let Some(binary) = std::env::var_os("THUMBFORGE_EARLIER_BINARY") else {
        return skipped(24, NAME, "THUMBFORGE_EARLIER_BINARY names no program");
    };
    let binary = PathBuf::from(binary);
    conclusively("fault 24", || fault_24(binary.clone())).await;
}

async fn fault_24(binary: PathBuf) {
    let stage = Stage::of_an_earlier_version(&binary).await;
    let earlier = |command, name| {
        let mut process = stage.process(command, name);
        process.set_binary(&binary);
        process.start();
        process
    };
    let mut old_serve = earlier("serve", "old-serve");
    let mut old_work = earlier("work", "old-work");
    let old_load = Load::start_alone(vec![old_serve.address], 10, stage.small_urls());
    eventually_blocking("the version before works", SOON, || {
        stage.count("SELECT count(*) FROM jobs WHERE status = 'completed'") >= 20
    });

    stage.migrate();
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let mut work = stage.process("work", "work");
    work.start();
    let load = Load::start(vec![serve.address], 10, stage.small_urls());
    tokio::time::sleep(TOGETHER).await;
    let by_both = stage
        .count("SELECT count(DISTINCT worker_id) FROM job_history WHERE status = 'processing'");
    assert_eq!(by_both, 2, "both versions' workers claim jobs");

    let mut record = old_load.stop().await;
    for process in [&mut old_work, &mut old_serve] {
        process.signal("TERM");
        process.wait_for_end(SOON);
    }
    let lifted = load::now();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let other = load.stop().await;
    let accepted_by_old = record.accepted.len();
    record.accepted.extend(other.accepted);
    record.improper.extend(other.improper);
    record.meddling = other.meddling;
    let terms = Terms {
        api_died: true,
        ..Terms::default()
    };
    let findings = audit(&stage, &record, lifted, &terms);
    tell(&Figures {
        fault: 24,
        name: NAME,
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: Duration::ZERO,
        remark: format!(
            "{accepted_by_old} jobs accepted by the version before, {} by this one, which another \
             client cancelled, retried and deleted meanwhile; kept counts right at the end",
            record.accepted.len() - accepted_by_old
        ),
    });
}
