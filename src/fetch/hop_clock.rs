//! What a request does at the moment: it opens a connection, or waits for its answer's head.
//!
//! The client does both in one go, but each has a limit of its own. The connector notifies the
//! clock of the request in whose task it runs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

tokio::task_local! {
    static CLOCK: Arc<HopClock>;
}

pub(super) struct HopClock {
    phase: Mutex<Phase>,
}

#[derive(Clone, Copy)]
enum Phase {
    /// On a kept connection, or not connecting yet.
    Sent(Instant),
    Connecting,
    Connected(Instant),
}

impl HopClock {
    pub(super) fn start() -> Arc<Self> {
        Arc::new(Self {
            phase: Mutex::new(Phase::Sent(Instant::now())),
        })
    }

    /// Runs `request` under this clock, within `head_timeout` in addition to the time to connect,
    /// which is limited elsewhere, and until `end` at the latest. `None` means that time ran out.
    pub(super) async fn run<F: Future>(
        self: &Arc<Self>,
        request: F,
        head_timeout: Duration,
        end: Instant,
    ) -> Option<F::Output> {
        let request = CLOCK.scope(Arc::clone(self), request);
        tokio::pin!(request);
        loop {
            let until = self.patience(head_timeout).min(end);
            if let Ok(output) = tokio::time::timeout_at(until, request.as_mut()).await {
                return Some(output);
            }
            let now = Instant::now();
            if now >= end || now >= self.patience(head_timeout) {
                return None;
            }
        }
    }

    fn patience(&self, head_timeout: Duration) -> Instant {
        match self.phase() {
            // When to look at it again.
            Phase::Connecting => Instant::now() + head_timeout,
            Phase::Sent(since) | Phase::Connected(since) => since + head_timeout,
        }
    }

    /// True if the request had to open a connection of its own.
    pub(super) fn has_connected(&self) -> bool {
        matches!(self.phase(), Phase::Connected(_))
    }

    fn phase(&self) -> Phase {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// Notifies the clock of this task, if it has one, that a connection is being opened.
    pub(super) fn connecting() -> Connecting {
        let clock = CLOCK.try_with(Arc::clone).ok();
        if let Some(clock) = &clock {
            clock.set(Phase::Connecting);
        }
        Connecting(clock)
    }
}

/// A connection that is being opened.
pub(super) struct Connecting(Option<Arc<HopClock>>);

impl Connecting {
    pub(super) fn done(mut self) {
        if let Some(clock) = self.0.take() {
            clock.set(Phase::Connected(Instant::now()));
        }
    }
}

impl Drop for Connecting {
    /// It failed, or a kept connection became free meanwhile.
    fn drop(&mut self) {
        if let Some(clock) = self.0.take() {
            clock.set(Phase::Sent(Instant::now()));
        }
    }
}
