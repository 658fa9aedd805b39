//! One job's download at its origin, and what its hops report.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::shared::Turns;
use crate::db::Database;
use crate::domain::Origin;
use crate::domain::origin_record::{FAILURES_TO_OPEN, LONGEST_PARK};
use crate::fetch::{HopReport, Hops};

/// How long a refusal without `Retry-After` or a row of failures holds until the record says more.
pub(super) const UNTIL_REPORTED: Duration = Duration::from_secs(1);

/// A claimed job's share of its origin, from the claim to the end of the download. Dropped, the
/// share is free again.
pub struct Visit {
    turns: Arc<Turns>,
    origin: Origin,
    began: Instant,
    is_answered: AtomicBool,
    lingers: AtomicBool,
    database: Option<Database>,
    /// Which hop refused last.
    refused_by: Mutex<Option<Origin>>,
}

impl Visit {
    /// The claim counts as in flight already.
    pub(in crate::worker) fn of(
        turns: &Arc<Turns>,
        origin: &Origin,
        database: Option<Database>,
    ) -> Self {
        Self {
            turns: Arc::clone(turns),
            origin: origin.clone(),
            began: Instant::now(),
            is_answered: AtomicBool::new(false),
            lingers: AtomicBool::new(false),
            database,
            refused_by: Mutex::default(),
        }
    }

    /// The download lasts long.
    pub(in crate::worker) fn linger(&self) {
        if !self.lingers.swap(true, Ordering::Relaxed) {
            let mut state = self.turns.state();
            let now = Instant::now();
            state.get(&self.origin, now).lingering += 1;
            state.place(&self.origin, now);
        }
    }

    /// The hop that refused the download, if one did.
    pub(in crate::worker) fn refused_by(&self) -> Option<Origin> {
        self.refused_by
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// True if an operator has paused `origin`, where a redirect led.
    pub(in crate::worker) fn is_paused(&self, origin: &Origin) -> bool {
        let state = self.turns.state();
        state.known.get(origin).is_some_and(|known| known.is_paused)
    }

    /// How long to wait before `origin` is visited again.
    pub(in crate::worker) fn wait_for(&self, origin: &Origin) -> Duration {
        self.turns
            .asleep_for(origin)
            .unwrap_or_default()
            .max(UNTIL_REPORTED)
    }

    fn answered(&self, origin: &Origin, status: u16, retry_after: Option<Duration>) {
        let now = Instant::now();
        let mut state = self.turns.state();
        let is_own = *origin == self.origin;
        let downloads = state.downloads;
        let known = state.get(origin, now);
        if is_own && !self.is_answered.swap(true, Ordering::Relaxed) {
            known.unanswered = known.unanswered.saturating_sub(1);
        }
        // A single `503` that names no time may concern only this picture.
        known.unavailable = match (status, retry_after) {
            (503, None) => known.unavailable + 1,
            _ => 0,
        };
        let is_refusal = match status {
            429 => true,
            503 => retry_after.is_some() || known.unavailable > 1,
            _ => false,
        };
        if is_refusal {
            known.refused(retry_after, now);
            let wait = retry_after.unwrap_or(UNTIL_REPORTED).min(LONGEST_PARK);
            *self
                .refused_by
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some(origin.clone());
            state.sleep(origin, now + wait);
            self.turns.news.notify_one();
        } else {
            known.served.count(now);
            known.window.answered(known.in_flight, downloads);
            if known.is_remembered {
                known.observed.served += 1;
                self.turns.news.notify_one();
            }
        }
        state.place(origin, now);
    }

    fn failed(&self, origin: &Origin) {
        let now = Instant::now();
        let mut state = self.turns.state();
        let known = state.get(origin, now);
        known.window.failed();
        known.is_remembered = true;
        known.failed.push(self.began);
        if known.failed.len() >= FAILURES_TO_OPEN as usize {
            state.sleep(origin, now + UNTIL_REPORTED);
        }
        state.place(origin, now);
        self.turns.news.notify_one();
    }
}

impl Hops for Visit {
    fn may_visit<'a>(&'a self, origin: &'a Origin) -> BoxFuture<'a, bool> {
        // Its own origin was asked for with the claim.
        Box::pin(async move {
            if *origin == self.origin {
                return true;
            }
            if let Some(database) = &self.database
                && !self.turns.has_heard_of(origin)
            {
                match database.why_held(origin).await {
                    Ok(held) => self.turns.apply_held(origin, held),
                    Err(error) => tracing::debug!(%error, %origin, "its record is not known"),
                }
            }
            self.turns.asleep_for(origin).is_none()
        })
    }

    fn report(&self, origin: &Origin, report: HopReport) {
        match report {
            HopReport::Answered {
                status,
                retry_after,
                ..
            } => {
                self.answered(origin, status, retry_after);
            }
            HopReport::Failed => self.failed(origin),
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = self.turns.state();
        let known = state.get(&self.origin, now);
        known.in_flight = known.in_flight.saturating_sub(1);
        if !self.is_answered.load(Ordering::Relaxed) {
            known.unanswered = known.unanswered.saturating_sub(1);
        }
        if self.lingers.load(Ordering::Relaxed) {
            known.lingering = known.lingering.saturating_sub(1);
        }
        known.flow.downloads += 1;
        known.flow.download_time += now - self.began;
        state.place(&self.origin, now);
        drop(state);
        self.turns.changed.notify_one();
    }
}
