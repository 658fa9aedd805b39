//! What only the database knows. It is asked when somebody looks, at most once a second: a crowd
//! shares one answer, and a database that is away costs nobody more than the wait for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex as AsyncMutex;

use super::reading::Reading;
use crate::domain::JobStatus;

/// How old an answer may be.
const LIFETIME: Duration = Duration::from_secs(1);
/// Longest wait for the database. Whoever looks gives up after ten seconds, by default.
const DEADLINE: Duration = Duration::from_secs(2);

/// Numbers of the whole service, the same in every process.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SharedNumbers {
    pub jobs: Vec<(JobStatus, u64)>,
    /// Age in seconds of the oldest job that could run; `None` without one.
    pub oldest_pending: Option<f64>,
    /// Age in seconds of the oldest job that is due, but held up by a park or a pause.
    pub oldest_parked: Option<f64>,
    pub workers_alive: u64,
    /// How many origins are left alone, by the reason.
    pub origins_parked: Vec<(&'static str, u64)>,
    /// Deliveries to webhooks that are to be made.
    pub deliveries_waiting: u64,
}

/// Asks the database; `None` if it does not answer.
pub type AskDatabase = Arc<dyn Fn() -> BoxFuture<'static, Option<SharedNumbers>> + Send + Sync>;

/// The numbers as they were a moment ago.
#[derive(Clone)]
pub(super) struct Shared {
    ask: AskDatabase,
    /// Until when the last answer, or its absence, counts.
    fresh_until: Arc<AsyncMutex<Option<Instant>>>,
    latest: Arc<Mutex<Option<SharedNumbers>>>,
}

impl Shared {
    pub(super) fn new(ask: AskDatabase) -> Self {
        Self {
            ask,
            fresh_until: Arc::default(),
            latest: Arc::default(),
        }
    }

    /// Asks the database, unless that was done just now.
    pub(super) async fn refresh(&self) {
        let mut fresh_until = self.fresh_until.lock().await;
        if fresh_until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        let answer = tokio::time::timeout(DEADLINE, (self.ask)()).await;
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        // Old numbers would look like a service that stands still.
        *latest = answer.ok().flatten();
        *fresh_until = Some(Instant::now() + LIFETIME);
    }

    /// What `of` makes of the numbers; nothing while they are unknown.
    fn read<T: Default>(&self, of: impl Fn(&SharedNumbers) -> T) -> T {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.as_ref().map(of).unwrap_or_default()
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let mine = self.clone();
        registry.register(
            "database_up",
            "1 if the database answered when it was asked for the numbers of the whole service",
            Reading::gauge(move || f64::from(mine.read(|_| 1_u8))),
        );
        let mine = self.clone();
        registry.register(
            "jobs",
            "Jobs of the whole service by status",
            Reading::gauges("status", move || {
                let by_word = |(status, jobs): &(JobStatus, u64)| (status.as_str(), *jobs as f64);
                mine.read(|numbers| numbers.jobs.iter().map(by_word).collect())
            }),
        );
        let mine = self.clone();
        registry.register(
            "oldest_wait_seconds",
            "For how long the oldest pending job of the whole service has waited: one that could \
             run, and one that is held up by a parked or paused origin; 0 if there is none",
            Reading::gauges("kind", move || {
                mine.read(|numbers| {
                    vec![
                        ("runnable", numbers.oldest_pending.unwrap_or(0.0)),
                        ("held_up", numbers.oldest_parked.unwrap_or(0.0)),
                    ]
                })
            }),
        );
        let mine = self.clone();
        registry.register(
            "workers_alive",
            "Worker processes of the whole service that take jobs; absent if the database does not \
             answer",
            Reading::optional_gauge(move || {
                mine.read(|numbers| Some(numbers.workers_alive as f64))
            }),
        );
        let mine = self.clone();
        registry.register(
            "webhook_deliveries_waiting",
            "Deliveries to webhooks that are to be made, at once or later, those under way \
             included; counted up to 10000",
            Reading::optional_gauge(move || {
                mine.read(|numbers| Some(numbers.deliveries_waiting as f64))
            }),
        );
        let mine = self.clone();
        registry.register(
            "origins_parked",
            "Origins that are left alone for now: `breaker` after failures in a row, the others \
             because they refused requests; counted up to 10000",
            Reading::gauges("reason", move || {
                let number = |(reason, origins): &(&'static str, u64)| (*reason, *origins as f64);
                mine.read(|numbers| numbers.origins_parked.iter().map(number).collect())
            }),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_crowd_asks_once_and_silence_leaves_no_old_numbers() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let shared = Shared::new(Arc::new(move || {
            let is_first = count.fetch_add(1, Ordering::Relaxed) == 0;
            Box::pin(async move {
                if !is_first {
                    return std::future::pending().await;
                }
                let numbers = SharedNumbers {
                    workers_alive: 3,
                    ..SharedNumbers::default()
                };
                Some(numbers)
            })
        }));
        join_all((0..100).map(|_| shared.refresh())).await;
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert_eq!(shared.read(|numbers| Some(numbers.workers_alive)), Some(3));
        *shared.fresh_until.lock().await = None;
        join_all((0..100).map(|_| shared.refresh())).await;
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        assert_eq!(shared.read(|numbers| Some(numbers.workers_alive)), None);
    }
}
