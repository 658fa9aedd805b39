//! One origin with a flood of jobs, and a thousand others with a few each.

use std::time::Duration;

use crate::audit::{Terms, audit};
use crate::flood::{forget, longest, multiply, took};
use crate::load::{self, Load, accept};
use crate::queue_server::start_workers;
use crate::report::{Figures, tell};
use crate::stage::{Stage, image_reply};
use crate::support::deadline::eventually_blocking;
use crate::support::origin::Origin;
use crate::yardstick::alone;

const SOON: Duration = Duration::from_secs(30);
const FLOOD: usize = 50_000;
const OTHERS: usize = 999;
/// What a development build can do beside the flood; the time is bounded, not the rate.
const PER_SECOND: u32 = 30;
/// How soon a job of another origin is done.
const NOT_HELD_UP: Duration = Duration::from_secs(5);
/// The flood's jobs do not concern this test.
const LIMIT: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_22_a_flood_of_one_origin_holds_up_no_other() {
    alone("fault 22", fault_22).await;
}

async fn fault_22() {
    let mut stage = Stage::shared().await;
    stage.unset("THUMBFORGE_WORKER_CONCURRENCY");
    let origin = Origin::start_everywhere().await;
    origin.on("/photo.jpg", [image_reply(120, 90)]);
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let base = origin.url("/photo.jpg");
    let first = accept(serve.address, &format!("{base}?n=0")).await;
    multiply(&stage, &first, FLOOD - 1);
    let _workers = start_workers(&stage, 2);
    let done = "SELECT count(*) FROM jobs WHERE status = 'completed'";
    eventually_blocking("the flood is worked on", SOON, || stage.count(done) > 0);

    let urls = urls_of_others(&origin);
    let count = urls.len();
    let take_turns = move |n: usize| format!("{}&turn={}", urls[n % count], n / count);
    let load = Load::start(vec![serve.address], PER_SECOND, Box::new(take_turns));
    let submitting =
        SOON + Duration::from_secs(1) * u32::try_from(count).expect("few") / PER_SECOND;
    eventually_blocking("all others have jobs", submitting * 2, || {
        load.accepted() >= count
    });
    let record = load.stop().await;
    let lifted = load::now();
    let flood = format!("url LIKE '{base}%'");
    let active = format!(
        "SELECT count(*) FROM jobs WHERE status IN ('pending', 'processing') AND NOT {flood}"
    );
    eventually_blocking("the others' jobs end", SOON, || stage.count(&active) == 0);
    let slowest = longest(&took(&stage, &format!("NOT {flood}")), NOT_HELD_UP);
    let waiting = format!("status = 'pending' AND {flood}");
    let left = stage.count(&format!("SELECT count(*) FROM jobs WHERE {waiting}"));
    assert!(left > 0, "there was no flood any more");
    forget(&stage, &waiting);
    redis::cmd("DEL")
        .arg(&stage.key)
        .exec(&mut stage.redis().connection())
        .expect("Redis answers");
    let terms = Terms {
        overload: Some(LIMIT),
        ..Terms::default()
    };
    let findings = audit(&stage, &record, lifted, &terms);
    tell(&Figures {
        fault: 22,
        name: "a flood of 50,000 jobs of one origin",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "{} jobs of {OTHERS} other origins, each done within {:.1} s; {} of the flood done \
             meanwhile, {left} taken away at the end",
            record.accepted.len(),
            slowest.as_secs_f64(),
            FLOOD - left
        ),
    });
}

/// One to three jobs for each host, mixed.
fn urls_of_others(origin: &Origin) -> Vec<String> {
    let host = |n: usize| format!("127.1.{}.{}", n / 250, n % 250 + 1);
    let url = |n, turn| origin.url_at(&host(n), &format!("/photo.jpg?n={turn}"));
    let of_turn = |turn| {
        (0..OTHERS)
            .filter(move |n| turn <= n % 3)
            .map(move |n| url(n, turn))
    };
    (0..3).flat_map(of_turn).collect()
}
