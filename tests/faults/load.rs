//! A steady load, and the result of each submission.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::meddler::{Meddling, meddle};
use crate::support::http_client::{self, Answer};

/// A client gives up after this.
const PATIENCE: Duration = Duration::from_secs(15);

/// Longest answer that a healthy API may take, whatever is broken in its back end.
pub const BOUND: Duration = Duration::from_millis(6500);

/// The same for `/livez`, which waits for nothing that can break.
const ALIVE_BOUND: Duration = Duration::from_secs(2);

/// How often the load checks whether it is itself woken up in time.
const BEAT: Duration = Duration::from_millis(50);

/// Seconds since the Unix epoch, comparable with the database's on this machine.
pub fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_secs_f64()
}

#[derive(Default)]
pub struct Record {
    /// The ids of every `202`.
    pub accepted: Vec<String>,
    /// When each `202` arrived.
    successes: Vec<Instant>,
    /// `503` with `Retry-After`.
    pub unavailable: usize,
    /// The parts that those named, and how often.
    pub failing: BTreeMap<String, usize>,
    /// Connections refused or cut, and answers that never came.
    pub broken: usize,
    /// Answers that no client should ever see.
    pub improper: Vec<String>,
    pub slowest: Duration,
    /// The slowest answer of `/livez`, which asks no part.
    pub slowest_alive: Duration,
    /// The longest delay with which the load itself was woken up: what the machine held up. It asks
    /// nothing of ThumbForge, so an API that blocks itself finds no excuse here.
    pub latest_wake_up: Duration,
    /// What another client did to jobs of its own meanwhile.
    pub meddling: Meddling,
    started: Option<Instant>,
    ended: Option<Instant>,
}

impl Record {
    /// The longest time without a successful answer.
    pub fn longest_outage(&self) -> Duration {
        let mut moments: Vec<Instant> = self.started.into_iter().collect();
        let mut successes = self.successes.clone();
        successes.sort();
        moments.extend(successes);
        moments.extend(self.ended);
        let gaps = moments.windows(2).map(|pair| pair[1] - pair[0]);
        gaps.max().unwrap_or_default()
    }

    /// Fails if an answer took longer than [`BOUND`] and the delays of the machine itself.
    pub fn check_bound(&self) {
        let held_up = self.latest_wake_up;
        for (what, took, bound) in [
            ("a submission", self.slowest, BOUND),
            ("/livez", self.slowest_alive, ALIVE_BOUND),
        ] {
            assert!(
                took <= bound + held_up,
                "{what} took {took:?}; the test itself was woken up {held_up:?} late at most"
            );
        }
    }

    fn note(&mut self, took: Duration, answer: std::io::Result<Answer>) {
        self.slowest = self.slowest.max(took);
        match answer {
            Ok(answer) if answer.status == 202 => {
                let id = answer.json()["id"].as_str().expect("an id").to_owned();
                self.accepted.push(id);
                self.successes.push(Instant::now());
            }
            Ok(answer) if answer.status == 503 && answer.header("retry-after").is_some() => {
                self.unavailable += 1;
                for part in answer.json()["failing"].as_array().into_iter().flatten() {
                    *self.failing.entry(part.to_string()).or_default() += 1;
                }
            }
            Ok(answer) => self.improper.push(format!("{answer:?}")),
            Err(_) => self.broken += 1,
        }
    }
}

/// Makes the URL of the n-th submission.
pub type Urls = Box<dyn Fn(usize) -> String + Send + Sync>;

pub struct Load {
    stop: CancellationToken,
    record: Arc<Mutex<Record>>,
    meddling: Arc<Mutex<Meddling>>,
    tasks: JoinSet<()>,
}

impl Load {
    /// Submits at a fixed pace, to each of the APIs in turn, without waiting for answers. Meanwhile
    /// another client meddles with jobs of its own.
    pub fn start(apis: Vec<SocketAddr>, per_second: u32, urls: Urls) -> Self {
        Self::begin(apis, per_second, urls, true)
    }

    /// The same without the other client.
    pub fn start_alone(apis: Vec<SocketAddr>, per_second: u32, urls: Urls) -> Self {
        Self::begin(apis, per_second, urls, false)
    }

    fn begin(apis: Vec<SocketAddr>, per_second: u32, urls: Urls, is_meddled_with: bool) -> Self {
        let stop = CancellationToken::new();
        let urls = Arc::new(urls);
        let record = Arc::<Mutex<Record>>::default();
        let meddling = Arc::<Mutex<Meddling>>::default();
        let mut tasks = JoinSet::new();
        for api in &apis {
            tasks.spawn(ask_for_life(*api, stop.clone(), Arc::clone(&record)));
        }
        tasks.spawn(watch_the_machine(stop.clone(), Arc::clone(&record)));
        if is_meddled_with {
            tasks.spawn(meddle(
                apis.clone(),
                Arc::clone(&urls),
                stop.clone(),
                Arc::clone(&meddling),
            ));
        }
        tasks.spawn(submit_steadily(
            apis,
            per_second,
            urls,
            stop.clone(),
            Arc::clone(&record),
        ));
        Self {
            stop,
            record,
            meddling,
            tasks,
        }
    }

    pub fn accepted(&self) -> usize {
        self.record.lock().expect("not poisoned").accepted.len()
    }

    /// The accepted ids so far, from the n-th on.
    pub fn accepted_since(&self, start: usize) -> Vec<String> {
        self.record.lock().expect("not poisoned").accepted[start..].to_vec()
    }

    /// Ends the load and waits for the last answers.
    pub async fn stop(self) -> Record {
        self.stop.cancel();
        self.tasks.join_all().await;
        let mut record = std::mem::take(&mut *self.record.lock().expect("not poisoned"));
        record.meddling = std::mem::take(&mut *self.meddling.lock().expect("not poisoned"));
        record
    }
}

async fn ask_for_life(api: SocketAddr, stop: CancellationToken, record: Arc<Mutex<Record>>) {
    while !stop.is_cancelled() {
        let asked = Instant::now();
        let answer =
            tokio::task::spawn_blocking(move || http_client::try_get(api, "/livez", PATIENCE));
        if matches!(answer.await, Ok(Ok(_))) {
            let mut record = record.lock().expect("not poisoned");
            record.slowest_alive = record.slowest_alive.max(asked.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn watch_the_machine(stop: CancellationToken, record: Arc<Mutex<Record>>) {
    while !stop.is_cancelled() {
        let asleep = Instant::now();
        tokio::time::sleep(BEAT).await;
        let late = asleep.elapsed().saturating_sub(BEAT);
        let mut record = record.lock().expect("not poisoned");
        record.latest_wake_up = record.latest_wake_up.max(late);
    }
}

async fn submit_steadily(
    apis: Vec<SocketAddr>,
    per_second: u32,
    urls: Arc<Urls>,
    stop: CancellationToken,
    record: Arc<Mutex<Record>>,
) {
    record.lock().expect("not poisoned").started = Some(Instant::now());
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut in_flight = JoinSet::new();
    for n in 0.. {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        let (api, record) = (apis[n % apis.len()], Arc::clone(&record));
        let mut submission = serde_json::json!({ "url": urls(n) });
        // Five, so that they go to each of two or three APIs.
        if n % 5 == 0 {
            submission["variants"] = several_variants();
        }
        in_flight.spawn(async move {
            let asked = Instant::now();
            let answer = post(api, &submission).await;
            let mut record = record.lock().expect("not poisoned");
            record.note(asked.elapsed(), answer);
        });
    }
    record.lock().expect("not poisoned").ended = Some(Instant::now());
    in_flight.join_all().await;
}

/// Four files of three small variants.
pub fn several_variants() -> serde_json::Value {
    serde_json::json!([
        { "name": "small", "width": 64 },
        { "name": "card", "width": 48, "height": 48, "fit": "cover", "gravity": "attention",
            "format": ["webp", "jpeg"] },
        { "name": "tile", "width": 40, "height": 40, "fit": "contain", "format": "png" },
    ])
}

async fn post(api: SocketAddr, submission: &serde_json::Value) -> std::io::Result<Answer> {
    http_client::try_post(api, "/v1/images", &submission.to_string(), PATIENCE).await
}

pub async fn submit(api: SocketAddr, url: &str) -> std::io::Result<Answer> {
    post(api, &serde_json::json!({ "url": url })).await
}

/// Submits one URL that must be accepted.
pub async fn accept(api: SocketAddr, url: &str) -> String {
    accepted(submit(api, url).await)
}

/// The same, and several variants are to be made of it.
pub async fn accept_several(api: SocketAddr, url: &str) -> String {
    let submission = serde_json::json!({ "url": url, "variants": several_variants() });
    accepted(post(api, &submission).await)
}

fn accepted(answer: std::io::Result<Answer>) -> String {
    let answer = answer.expect("the API answers");
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.json()["id"].as_str().expect("an id").to_owned()
}
