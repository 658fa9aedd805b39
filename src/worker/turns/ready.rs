//! Which origins wait for a turn, and which loop may claim at present.

use std::time::Duration;

use tokio::time::Instant;

use super::known::Place;
use super::shared::Turns;
use crate::db::ReadyOrigin;
use crate::domain::Origin;

/// Origins that wait for their turn at most; what is beyond is found when there are fewer.
const MOST_READY: usize = 10_000;
/// An origin that the sweep found ready is asked about after so long, whatever was known before:
/// its park may have been ended by hand.
const RECHECK: Duration = Duration::from_secs(2);

/// The loop that may claim jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::worker) enum Claimant {
    /// Origins whose turn it is.
    Turns,
    /// A bell, at once, because no origin waits for a turn.
    Bells,
    /// The queue is paused.
    Nobody,
}

impl Turns {
    /// Notes origins that have jobs to be claimed.
    pub(in crate::worker) fn mark_all_ready(&self, origins: Vec<ReadyOrigin>) {
        let now = Instant::now();
        let mut state = self.state();
        for ReadyOrigin {
            origin, priority, ..
        } in origins
        {
            let known = state.get(&origin, now);
            known.priority = priority;
            // Its park may have been ended by hand.
            let asleep = known
                .asleep_until
                .is_some_and(|until| until > now + RECHECK);
            if asleep {
                state.sleep(&origin, now + RECHECK);
            }
            state.set_ready(&origin, true);
            state.place(&origin, now);
        }
        drop(state);
        self.changed.notify_one();
    }

    pub(in crate::worker) fn mark_ready(&self, origin: &Origin) {
        let now = Instant::now();
        let mut state = self.state();
        state.get(origin, now);
        state.set_ready(origin, true);
        state.place(origin, now);
        drop(state);
        self.changed.notify_one();
    }

    /// The loop that may claim now.
    pub(in crate::worker) fn claimant(&self) -> Claimant {
        let now = Instant::now();
        let mut state = self.state();
        state.wake_due(now);
        if state.is_paused(now) {
            Claimant::Nobody
        } else if state.order.is_empty() {
            Claimant::Bells
        } else {
            Claimant::Turns
        }
    }

    /// True if no more ready origins should be looked for.
    pub(in crate::worker) fn is_full(&self) -> bool {
        self.state().order.len() >= MOST_READY
    }

    /// Waits until somebody's turn may have come.
    pub(in crate::worker) async fn changed(&self) {
        let next = {
            let state = self.state();
            let wake = state.asleep.first().map(|(until, _)| *until);
            match state.paused_until.filter(|until| *until > Instant::now()) {
                Some(until) => Some(until),
                None => wake,
            }
        };
        match next {
            Some(until) => {
                let _ = tokio::time::timeout_at(until, self.changed.notified()).await;
            }
            None => self.changed.notified().await,
        }
    }

    /// Nothing at all is claimed for a while.
    pub(in crate::worker) fn pause(&self, ask_again: Duration) {
        self.state().paused_until = Some(Instant::now() + ask_again);
    }

    /// Forgets origins that nothing is known of any more, and lets those that wait come earlier.
    pub(in crate::worker) fn tidy(&self) {
        let now = Instant::now();
        let mut state = self.state();
        state.known.retain(|_, known| !known.is_forgettable(now));
        let waiting: Vec<(Place, Origin)> = state
            .order
            .iter()
            .map(|(place, origin)| (*place, origin.clone()))
            .collect();
        for (place, origin) in waiting {
            let Some(known) = state.known.get_mut(&origin) else {
                continue;
            };
            let earlier = (known.step(now), place.1);
            if earlier != place {
                known.place = Some(earlier);
                state.order.remove(&place);
                state.order.insert(earlier, origin);
            }
        }
    }
}
