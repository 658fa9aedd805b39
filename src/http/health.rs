//! Health checks: all parts are asked at the same time, each with a short limit, and a crowd asks
//! only once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, join_all};
use tokio::sync::Mutex;

/// Longest wait for a part.
const PROBE_DEADLINE: Duration = Duration::from_secs(2);

/// Health endpoints are open to everybody: a crowd shares one answer.
const VERDICT_LIFETIME: Duration = Duration::from_millis(250);

/// Asks one part whether it works; the error is for our log.
pub type Probe = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// Wraps an async function as a [`Probe`].
pub fn probe<F, E>(ask: impl Fn() -> F + Send + Sync + 'static) -> Probe
where
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: std::fmt::Display,
{
    Arc::new(move || {
        let asked = ask();
        Box::pin(async move { asked.await.map_err(|error| error.to_string()) })
    })
}

/// A set of parts that are healthy or not.
pub struct HealthCheck {
    parts: Vec<(&'static str, Probe)>,
    notes: Vec<String>,
    latest: Mutex<Option<Verdict>>,
}

struct Verdict {
    at: Instant,
    failing: Vec<&'static str>,
}

impl HealthCheck {
    pub fn new(parts: Vec<(&'static str, Probe)>) -> Self {
        Self {
            parts,
            notes: Vec::new(),
            latest: Mutex::const_new(None),
        }
    }

    /// Sentences for the operator that make nothing unhealthy.
    #[must_use]
    pub fn with_notes(mut self, notes: Vec<String>) -> Self {
        self.notes = notes;
        self
    }

    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    pub fn add(&mut self, name: &'static str, probe: Probe) {
        self.parts.push((name, probe));
    }

    /// The names of the parts that fail or do not answer in time; each is logged with its cause.
    pub async fn failing(&self) -> Vec<&'static str> {
        let mut latest = self.latest.lock().await;
        if let Some(verdict) = latest.as_ref()
            && verdict.at.elapsed() < VERDICT_LIFETIME
        {
            return verdict.failing.clone();
        }
        let answers = join_all(self.parts.iter().map(|(name, probe)| ask(name, probe))).await;
        let failing: Vec<_> = answers.into_iter().flatten().collect();
        *latest = Some(Verdict {
            at: Instant::now(),
            failing: failing.clone(),
        });
        failing
    }
}

async fn ask(name: &'static str, probe: &Probe) -> Option<&'static str> {
    let reason = match tokio::time::timeout(PROBE_DEADLINE, probe()).await {
        Ok(Ok(())) => return None,
        Ok(Err(reason)) => reason,
        Err(elapsed) => elapsed.to_string(),
    };
    tracing::warn!(part = name, reason, "health check failed");
    Some(name)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn answering(answer: Result<(), &'static str>) -> Probe {
        probe(move || async move { answer })
    }

    #[tokio::test]
    async fn failing_parts_are_named() {
        let check = HealthCheck::new(vec![
            ("database", answering(Ok(()))),
            ("queue", answering(Err("refused"))),
        ]);
        assert_eq!(check.failing().await, ["queue"]);
    }

    #[tokio::test]
    async fn a_frozen_part_fails_within_the_deadline() {
        let frozen = probe(std::future::pending::<Result<(), String>>);
        let check = HealthCheck::new(vec![("a", Arc::clone(&frozen)), ("b", frozen)]);
        let started = Instant::now();
        assert_eq!(check.failing().await, ["a", "b"]);
        assert!(started.elapsed() < PROBE_DEADLINE + Duration::from_secs(1));
    }

    #[tokio::test]
    async fn a_crowd_shares_one_answer() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let counting = probe(move || {
            counter.fetch_add(1, Ordering::Relaxed);
            async { Ok::<_, String>(()) }
        });
        let check = HealthCheck::new(vec![("database", counting)]);
        let crowd = join_all((0..100).map(|_| check.failing())).await;
        assert!(crowd.iter().all(Vec::is_empty));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}
