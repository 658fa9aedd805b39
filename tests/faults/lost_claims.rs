//! Claims that the database made, whose answer did not come back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::load::accept;
use crate::stage::{Stage, image_reply};
use crate::support::deadline::eventually_blocking;
use crate::support::fault_proxy::{FaultProxy, Mode};
use crate::support::postgres::Postgres;
use crate::support::skipped::skipped;
use crate::yardstick::conclusively;

const SOON: Duration = Duration::from_secs(20);
/// Only in what claims jobs, as the value of a parameter: its length and its bytes.
const CLAIMS: &[u8] = b"\0\0\0\x0aprocessing";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_claim_whose_answer_was_lost_costs_no_attempt() {
    if Postgres::is_behind_a_pooler() {
        // A claim is a transaction there: it is undone when its answer does not arrive.
        return skipped("lost claims", "a pooler of transactions loses no claims");
    }
    conclusively("lost claims", answer_lost).await;
}

async fn answer_lost() {
    let mut stage = Stage::shared().await;
    // Only the hand-over can save the job: the lease is longer than the test, and its end would be
    // that of the job too.
    stage.set("THUMBFORGE_LEASE_SECONDS", "600");
    stage.set("THUMBFORGE_MAX_ATTEMPTS", "1");
    let proxy = FaultProxy::start(stage.postgres().front_port()).await;
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let mut worker = stage.process_through_postgres("work", "worker", proxy.port());
    worker.start();
    // This one is in progress, and must not be handed back with the other.
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_claim_whose_answer_is_on_its_way_is_not_taken_for_a_lost_one() {
    conclusively("lost claims", answer_late).await;
}

async fn answer_late() {
    let mut stage = Stage::shared().await;
    for path in ["/first.jpg", "/second.jpg"] {
        stage.origin.on(path, vec![image_reply(120, 90)]);
    }
    stage.set("THUMBFORGE_LEASE_SECONDS", "600");
    stage.set("THUMBFORGE_MAX_ATTEMPTS", "1");
    let proxy = FaultProxy::start(stage.postgres().front_port()).await;
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let mut worker = stage.process_through_postgres("work", "worker", proxy.port());
    worker.start();
    // From a lost claim on, the worker looks for more of them.
    proxy.set(Mode::LoseReplyTo(CLAIMS));
    let first = accept(serve.address, &stage.origin.url("/first.jpg")).await;
    eventually_blocking("a claim is lost", SOON, || proxy.seen() > 0);
    proxy.set(Mode::HoldReplyTo(CLAIMS));
    let seen = proxy.seen();
    let second = accept(serve.address, &stage.origin.url("/second.jpg")).await;
    eventually_blocking("a claim is under way", SOON, || proxy.seen() > seen);
    // Longer than two pauses between looks, shorter than the limit of a statement.
    tokio::time::sleep(Duration::from_secs(3)).await;
    proxy.set(Mode::Pass);
    for (id, path) in [(first, "/first.jpg"), (second, "/second.jpg")] {
        eventually_blocking("the job completes", SOON, || {
            stage.status(&id) == "completed"
        });
        // A job that is handed back under a running attempt is downloaded again.
        assert_eq!(stage.origin.hits(path), 1, "{path}");
    }
}
