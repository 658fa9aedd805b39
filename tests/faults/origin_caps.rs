//! What the operator allows an origin holds across all processes.

use std::time::Duration;

use crate::audit::{Terms, audit};
use crate::flood::accept_all;
use crate::load::{self, Load};
use crate::queue_server::start_workers;
use crate::report::{Figures, tell};
use crate::stage::{Stage, image_reply};
use crate::support::deadline::eventually_blocking;
use crate::support::origin::Origin;
use crate::support::request_log::{Asked, most_at_once, shortest_row};
use crate::yardstick::conclusively;

const JOBS: usize = 60;
const HOST: &str = "127.0.0.7";
const CONCURRENCY: usize = 2;
const PER_SECOND: usize = 5;
/// Long enough that both caps bind: two at once would be 6.7 a second.
const ANSWER_AFTER: Duration = Duration::from_millis(300);
/// Between a claim, where the cap is kept, and the request that the origin sees.
const ON_THE_WAY: Duration = Duration::from_millis(200);
/// The smallest share of the allowance that must be used.
const USED: f64 = 0.8;
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_23_an_operators_caps_hold_over_all_processes() {
    conclusively("fault 23", fault_23).await;
}

async fn fault_23() {
    let mut stage = Stage::shared().await;
    stage.unset("THUMBFORGE_WORKER_CONCURRENCY");
    stage.write_settings_file(&format!(
        "[origins.\"{HOST}\"]\nconcurrency = {CONCURRENCY}\nper_second = {PER_SECOND}\n"
    ));
    let origin = Origin::start_everywhere().await;
    origin.on("/photo.jpg", [image_reply(120, 90).after(ANSWER_AFTER)]);
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let _workers = start_workers(&stage, 3);
    let load = Load::start(vec![serve.address], 5, stage.small_urls());
    let base = origin.url_at(HOST, "/photo.jpg");
    accept_all(serve.address, (0..JOBS).map(|n| format!("{base}?n={n}"))).await;
    let lifted = load::now();
    let active = format!(
        "SELECT count(*) FROM jobs WHERE url LIKE '{base}%' AND status IN ('pending', 'processing')"
    );
    eventually_blocking("the capped origin's jobs end", LIMIT, || {
        stage.count(&active) == 0
    });
    let record = load.stop().await;
    let terms = Terms {
        overload: Some(LIMIT),
        ..Terms::default()
    };
    let findings = audit(&stage, &record, lifted, &terms);
    let asked = origin.asked();
    let used = check_caps(&asked);
    tell(&Figures {
        fault: 23,
        name: "an origin with caps, 2 at once and 5 a second, and three workers",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "{JOBS} jobs; never more than {} requests at once, nor 6 within {:.2} s; {:.0} % of \
             what is allowed was used",
            most_at_once(&asked),
            shortest_row(&asked, PER_SECOND + 1)
                .unwrap_or_default()
                .as_secs_f64(),
            used * 100.0
        ),
    });
}

/// Neither cap was exceeded. Returns the share of the rate that was used.
fn check_caps(asked: &[Asked]) -> f64 {
    assert_eq!(asked.len(), JOBS, "one request a job");
    assert!(
        most_at_once(asked) <= CONCURRENCY,
        "{} at once",
        most_at_once(asked)
    );
    let second = Duration::from_secs(1);
    let shortest = shortest_row(asked, PER_SECOND + 1).expect("so many were asked for");
    assert!(
        shortest >= second - ON_THE_WAY,
        "{} requests within {shortest:?}",
        PER_SECOND + 1
    );
    let whole = shortest_row(asked, JOBS).expect("all were asked for");
    let allowed = whole.as_secs_f64() * PER_SECOND as f64;
    let used = (JOBS - 1) as f64 / allowed;
    assert!(
        (JOBS - 1) as f64 <= allowed + 1.0,
        "{JOBS} requests within {whole:?}"
    );
    assert!(used >= USED, "{used:.2} of the cap was used");
    used
}
