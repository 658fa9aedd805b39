//! Claims that the database made and whose answer did not come back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::load::accept;
use crate::stage::{Stage, image_reply};
use crate::support::deadline::eventually_blocking;
use crate::support::fault_proxy::{FaultProxy, Mode};
use crate::yardstick::conclusively;

const SOON: Duration = Duration::from_secs(20);
/// Only in what claims jobs, as the value of a parameter: its length and its bytes.
const CLAIMS: &[u8] = b"\0\0\0\x0aprocessing";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_claim_whose_answer_was_lost_costs_no_attempt() {
    conclusively("lost claims", answer_lost).await;
}

async fn answer_lost() {
    let mut stage = Stage::shared().await;
    // Nothing but the hand-over can save the job: the lease is longer than the test, and its end
    // would be that of the job too.
    stage.set("THUMBFORGE_LEASE_SECONDS", "600");
    stage.set("THUMBFORGE_MAX_ATTEMPTS", "1");
    let proxy = FaultProxy::start(stage.postgres().port).await;
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let mut worker = stage.process_through_postgres("work", "worker", proxy.port());
    worker.start();
    // One that is under way, and must not be handed back with the other.
    let gate = Arc::new(Semaphore::new(0));
    let reply = image_reply(120, 90).behind(&gate);
    stage.origin.on("/held.jpg", vec![reply]);
    let held = accept(serve.address, &stage.origin.url("/held.jpg")).await;
    eventually_blocking("it is begun", SOON, || stage.origin.hits("/held.jpg") == 1);

    proxy.set(Mode::LoseReplyTo(CLAIMS));
    let lost = accept(serve.address, &stage.origin.url("/small.jpg")).await;
    eventually_blocking("the job is claimed", SOON, || {
        stage.status(&lost) == "processing"
    });
    proxy.set(Mode::Pass);
    eventually_blocking("it is handed back and completes", SOON, || {
        stage.status(&lost) == "completed"
    });
    gate.add_permits(1);
    eventually_blocking("so does the other", SOON, || {
        stage.status(&held) == "completed"
    });
    let story = |id: &str| {
        let columns =
            "attempts || ' attempts, ' || deaths || ' deaths, claimed again: ' || (fence > 1)";
        stage.lines(&format!(
            "SELECT {columns} AS line FROM jobs WHERE id = '{id}'"
        ))
    };
    assert_eq!(story(&lost), ["1 attempts, 0 deaths, claimed again: true"]);
    assert_eq!(story(&held), ["1 attempts, 0 deaths, claimed again: false"]);
}
