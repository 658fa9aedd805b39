//! Measures what the machine itself holds up, beside every fault.
//!
//! The suite runs on machines that do other work too. When a disk stalls for seconds, leases end
//! and clients are refused although nothing is wrong here. So the suite commits a row of its own,
//! without ThumbForge, to a server that no fault touches, and notes the slow commits. If a fault
//! fails during a slow commit, that proves nothing, and the fault is tried again. A fault that
//! fails on a machine that was not held up has failed.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::sync::RwLock;
use tokio_postgres::NoTls;

use crate::report::line;
use crate::support::postgres::Postgres;

/// A commit takes milliseconds; leases of two seconds are renewed after 0.7, and bear one failure.
const STALL: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_millis(50);
/// How often a fault is tried again.
const REPEATS: u32 = 2;

#[derive(Clone, Copy)]
struct Commit {
    begun: Instant,
    ended: Option<Instant>,
}

/// The slow ones; the last may be in progress.
static COMMITS: Mutex<Vec<Commit>> = Mutex::new(Vec::new());

/// Faults run side by side, except those whose promise is a rate.
static MACHINE: RwLock<()> = RwLock::const_new(());

/// Runs a fault, and again if it failed while the machine was held up.
pub async fn conclusively<F: Future<Output = ()>>(name: &str, fault: impl Fn() -> F) {
    let _shared = MACHINE.read().await;
    repeatedly(name, fault).await;
}

/// The same for a fault that needs the whole machine: it keeps the workers busy, and promises how
/// much is done in a time. No other fault runs beside it.
pub async fn alone<F: Future<Output = ()>>(name: &str, fault: impl Fn() -> F) {
    let _whole = MACHINE.write().await;
    repeatedly(name, fault).await;
}

async fn repeatedly<F: Future<Output = ()>>(name: &str, fault: impl Fn() -> F) {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(begin);
    let mut repeats = 0;
    loop {
        let begun = Instant::now();
        let Err(panic) = AssertUnwindSafe(fault()).catch_unwind().await else {
            return;
        };
        let held_up = longest_since(begun);
        if held_up < STALL || repeats == REPEATS {
            resume_unwind(panic);
        }
        repeats += 1;
        line(&format!(
            "{name}: proves nothing: the machine held a commit of the suite's own up for {:.1} s; \
             once more",
            held_up.as_secs_f64()
        ));
    }
}

fn begin() {
    let url = Postgres::shared().new_database();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        // The server ends with the tests.
        let _ = runtime.block_on(measure(&url));
    });
}

async fn measure(url: &str) -> Result<(), tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    client
        .batch_execute("CREATE TABLE yardstick (n integer); INSERT INTO yardstick VALUES (0)")
        .await?;
    loop {
        let begun = Instant::now();
        commits().push(Commit { begun, ended: None });
        tokio::time::sleep(INTERVAL).await;
        client
            .execute("UPDATE yardstick SET n = n + 1", &[])
            .await?;
        let mut commits = commits();
        if begun.elapsed() < STALL {
            commits.pop();
        } else if let Some(last) = commits.last_mut() {
            last.ended = Some(Instant::now());
        }
    }
}

/// The longest commit that was in progress at any time since `begun`.
fn longest_since(begun: Instant) -> Duration {
    let now = Instant::now();
    commits()
        .iter()
        .map(|commit| (commit.begun, commit.ended.unwrap_or(now)))
        .filter(|(_, ended)| *ended >= begun)
        .map(|(started, ended)| ended - started)
        .max()
        .unwrap_or_default()
}

fn commits() -> std::sync::MutexGuard<'static, Vec<Commit>> {
    COMMITS.lock().unwrap_or_else(PoisonError::into_inner)
}
