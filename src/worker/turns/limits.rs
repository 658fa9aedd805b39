//! What the records of origins allow: which are left alone, and for how long.

use std::time::Duration;

use tokio::time::Instant;

use super::shared::Turns;
use super::shares::Turn;
use crate::db::{Held, LimitedClaim, SkippedOrigin};
use crate::domain::Origin;

/// A wait that is longer is left to the sweep.
const SWEPT: Duration = Duration::from_secs(1);

impl Turns {
    /// Claims of these origins were refused by their records.
    pub(in crate::worker) fn note_skipped(&self, origins: Vec<SkippedOrigin>) {
        let now = Instant::now();
        let mut state = self.state();
        for SkippedOrigin { origin, ask_again } in origins {
            let known = state.get(&origin, now);
            known.set_limits(true, now);
            known.is_remembered = true;
            // The sweep finds it again when its record holds it back no more.
            state.set_ready(&origin, ask_again < SWEPT);
            if !ask_again.is_zero() {
                state.sleep(&origin, now + ask_again);
            }
            state.place(&origin, now);
        }
        drop(state);
        self.news.notify_one();
        self.changed.notify_one();
    }

    /// What a claim under the origin's record said of its limits.
    pub(in crate::worker) fn apply_limits(&self, turn: &Turn, claimed: &LimitedClaim) {
        let now = Instant::now();
        let origin = &turn.origin;
        let mut state = self.state();
        let known = state.get(origin, now);
        known.has_limits = claimed.is_limited;
        // What it waits for may have come meanwhile.
        let has_ended = claimed.awaits_end && known.ended != turn.ended;
        if let Some(ask_again) = claimed.ask_again.filter(|_| !has_ended) {
            state.sleep(origin, now + ask_again);
            state.get(origin, now).awaits_end = claimed.awaits_end;
        }
        state.place(origin, now);
        drop(state);
        self.changed.notify_one();
    }

    /// One of the origin's jobs has ended, and the database says so: the next may begin that waited
    /// for that.
    pub(in crate::worker) fn note_end(&self, origin: &Origin) {
        let mut state = self.state();
        let Some(known) = state.known.get_mut(origin) else {
            return;
        };
        known.ended += 1;
        if !known.awaits_end {
            return;
        }
        state.end_sleep(origin);
        state.place(origin, Instant::now());
        drop(state);
        self.changed.notify_one();
    }

    /// How long the origin is left alone from now on, as far as is known here.
    pub(in crate::worker) fn asleep_for(&self, origin: &Origin) -> Option<Duration> {
        let now = Instant::now();
        let state = self.state();
        let until = state.known.get(origin)?.asleep_until?;
        (until > now).then(|| until - now)
    }

    /// True if this process learned a moment ago what the record of `origin` says.
    pub(in crate::worker) fn has_heard_of(&self, origin: &Origin) -> bool {
        let state = self.state();
        let heard = state.known.get(origin).and_then(|known| known.heard);
        heard.is_some_and(|heard| heard.elapsed() < SWEPT)
    }

    /// The record of an origin where a redirect leads holds it back, or does not.
    pub(in crate::worker) fn apply_held(&self, origin: &Origin, held: Option<Held>) {
        let now = Instant::now();
        let mut state = self.state();
        let known = state.get(origin, now);
        known.heard = Some(now);
        known.is_paused = held == Some(Held::Paused);
        match held {
            Some(Held::Paused) => state.sleep(origin, now + SWEPT),
            Some(Held::Parked(left)) => state.sleep(origin, now + left),
            None => state.end_sleep(origin),
        }
    }
}
