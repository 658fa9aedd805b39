//! Origins that answer 429 beyond the rate that they bear: their jobs wait, and lose no attempt.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio_postgres::NoTls;

use crate::audit::{Terms, audit};
use crate::flood::accept_all;
use crate::load::{self, Load};
use crate::queue_server::start_workers;
use crate::report::{Figures, tell};
use crate::stage::{Stage, image_reply};
use crate::support::deadline::eventually;
use crate::support::limiter::Limiter;
use crate::support::origin::{Origin, Reply};
use crate::support::request_log::Asked;
use crate::yardstick::alone;

const JOBS: usize = 300;
/// What an origin bears: requests a second, and requests at once.
const RATE: f64 = 10.0;
const AT_ONCE: usize = 10;
/// By when all jobs must have ended.
const LIMIT: Duration = Duration::from_secs(90);
/// The smallest share of what an origin bears that must be used while it is not parked.
const USED: f64 = 0.8;
/// A window bears no burst and forgives none: what is served is spread more evenly than it counts,
/// and this machine may be slow besides.
const USED_OF_A_WINDOW: f64 = 0.6;
const LOOK: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_20_an_origin_that_refuses_costs_no_attempt() {
    alone("fault 20", fault_20).await;
}

async fn fault_20() {
    let mut stage = Stage::shared().await;
    stage.unset("THUMBFORGE_WORKER_CONCURRENCY");
    let refusal = || Reply::status(429);
    let asks_for = |seconds| refusal().header("Retry-After", seconds);
    let plain = refusing_origin(bucket(), refusal()).await;
    let patient = refusing_origin(bucket(), asks_for("1")).await;
    let window = refusing_origin(Limiter::window(AT_ONCE), asks_for("1")).await;
    let dear = refusing_origin(Limiter::window(AT_ONCE), asks_for("10")).await;
    let origins = [&plain, &patient, &window, &dear];
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let _workers = start_workers(&stage, 3);
    let load = Load::start(vec![serve.address], 5, stage.small_urls());
    let parks = Parks::watch(&stage).await;
    for origin in origins {
        let base = origin.url("/photo.jpg");
        accept_all(serve.address, (0..JOBS).map(|n| format!("{base}?n={n}"))).await;
    }
    let lifted = load::now();
    let active = "SELECT count(*) FROM jobs WHERE url LIKE '%/photo.jpg?%' \
                  AND status IN ('pending', 'processing')";
    eventually("all jobs of the busy origins end", LIMIT, async || {
        stage.count(active) == 0
    })
    .await;
    let record = load.stop().await;
    let terms = Terms {
        overload: Some(LIMIT),
        ..Terms::default()
    };
    let findings = audit(&stage, &record, lifted, &terms);
    let lost = stage.lines("SELECT id || ' ' || attempts AS line FROM jobs WHERE attempts <> 1");
    assert!(lost.is_empty(), "attempts lost: {lost:?}");
    let used = origins.map(|origin| {
        let asked = origin.asked();
        check_answers(&asked);
        share_used(&asked, &parks.of(origin))
    });
    tell(&Figures {
        fault: 20,
        name: "origins that answer 429 beyond 10 requests a second, to three workers",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "{JOBS} jobs each, all completed in their only attempt; of what the origins bear, while \
             they were not parked, this was used: bucket {:.0} %, bucket with `Retry-After: 1` \
             {:.0} %, window with it {:.0} %, window with `Retry-After: 10` {:.0} %",
            used[0] * 100.0,
            used[1] * 100.0,
            used[2] * 100.0,
            used[3] * 100.0
        ),
    });
    for (share, least) in used
        .iter()
        .zip([USED, USED, USED_OF_A_WINDOW, USED_OF_A_WINDOW])
    {
        assert!(*share >= least, "used: {used:?}");
    }
}

fn bucket() -> Limiter {
    Limiter::bucket(RATE, RATE)
}

async fn refusing_origin(limiter: Limiter, refusal: Reply) -> Origin {
    let origin = Origin::start().await;
    origin.on("/photo.jpg", [image_reply(120, 90)]);
    origin.limit(limiter, refusal);
    origin
}

/// Each job was served once; refusals do not count as attempts.
fn check_answers(asked: &[Asked]) {
    let mut served: HashMap<&str, usize> = HashMap::new();
    for one in asked.iter().filter(|one| one.status != 429) {
        *served.entry(&one.target).or_default() += 1;
    }
    assert_eq!(served.len(), JOBS);
    assert!(served.values().all(|times| *times == 1), "{served:?}");
}

/// The share served of what the origin would have served while it was not parked.
fn share_used(asked: &[Asked], parked: &[Instant]) -> f64 {
    let served = || asked.iter().filter(|one| one.status == 200);
    let begins = || served().map(|one| one.begun);
    let (first, last) = (begins().min(), begins().max());
    let (first, last) = (first.expect("served"), last.expect("served"));
    let looks = parked
        .iter()
        .filter(|at| first < **at && **at < last)
        .count();
    let open = (last - first).saturating_sub(LOOK * u32::try_from(looks).expect("a few looks"));
    served().count() as f64 / (AT_ONCE as f64 + RATE * open.as_secs_f64())
}

/// When origins were found parked, in looks at a steady pace.
struct Parks {
    looks: Arc<Mutex<Vec<(Instant, String)>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Parks {
    async fn watch(stage: &Stage) -> Self {
        let url = stage.postgres_url(stage.postgres().port);
        let connected = tokio_postgres::connect(&url, NoTls).await;
        let (client, connection) = connected.expect("Postgres answers");
        tokio::spawn(connection);
        let looks = Arc::<Mutex<Vec<_>>>::default();
        let seen = Arc::clone(&looks);
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(LOOK);
            loop {
                let at = ticks.tick().await.into_std();
                let sql = "SELECT origin FROM origins WHERE parked_until > now()";
                let rows = client.query(sql, &[]).await.expect("the table is there");
                let mut seen = seen.lock().expect("not poisoned");
                seen.extend(rows.iter().map(|row| (at, row.get(0))));
            }
        });
        Self { looks, task }
    }

    fn of(&self, origin: &Origin) -> Vec<Instant> {
        let name = origin.url("");
        let looks = self.looks.lock().expect("not poisoned");
        let of_it = looks.iter().filter(|(_, origin)| *origin == name);
        of_it.map(|(at, _)| *at).collect()
    }
}

impl Drop for Parks {
    fn drop(&mut self) {
        self.task.abort();
    }
}
