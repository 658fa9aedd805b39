//! The taking of turns: how many jobs of which origin are to be claimed.

use std::collections::HashMap;

use tokio::time::Instant;

use super::known::Known;
use super::shared::Turns;
use super::window;
use crate::domain::Origin;
use crate::domain::origin_record::Caps;

/// So many jobs of an origin are to be claimed.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::worker) struct Turn {
    pub origin: Origin,
    pub jobs: u32,
    /// How many of its jobs had ended when the turn was taken.
    pub ended: u64,
    /// Under its record and these caps; `None`: nothing is special about it.
    pub limits: Option<Caps>,
}

impl Turns {
    /// Takes up to `jobs` turns. They count as in flight until [`Self::settle`].
    pub(in crate::worker) fn take(&self, jobs: usize) -> Vec<Turn> {
        let now = Instant::now();
        let mut state = self.state();
        state.wake_due(now);
        if state.is_paused(now) {
            return Vec::new();
        }
        let mut taken: HashMap<Origin, u32> = HashMap::new();
        for _ in 0..jobs {
            let Some((_, origin)) = state.order.pop_first() else {
                break;
            };
            let known = state.get(&origin, now);
            known.place = None;
            known.in_flight += 1;
            known.unanswered += 1;
            known.last_turn = now;
            *taken.entry(origin.clone()).or_default() += 1;
            state.place(&origin, now);
        }
        taken
            .into_iter()
            .map(|(origin, jobs)| {
                let known = state.get(&origin, now);
                let limits = known.is_limited().then_some(known.caps);
                Turn {
                    origin,
                    jobs,
                    ended: known.ended,
                    limits,
                }
            })
            .collect()
    }

    /// What became of a turn: so many of its jobs were claimed. Fewer than wanted means that no
    /// more can be claimed for now.
    pub(in crate::worker) fn settle(&self, turn: &Turn, claimed: usize) {
        let missing = turn
            .jobs
            .saturating_sub(u32::try_from(claimed).unwrap_or(u32::MAX));
        let now = Instant::now();
        let mut state = self.state();
        let known = state.get(&turn.origin, now);
        known.in_flight = known.in_flight.saturating_sub(missing);
        known.unanswered = known.unanswered.saturating_sub(missing);
        if missing > 0 {
            state.set_ready(&turn.origin, false);
        }
        state.place(&turn.origin, now);
    }

    /// A turn could not be asked for: it comes again.
    pub(in crate::worker) fn give_back(&self, turn: &Turn) {
        self.settle(turn, 0);
        self.mark_ready(&turn.origin);
    }

    /// Jobs were claimed by their bells, so many of each of these origins.
    pub(in crate::worker) fn note_claimed(&self, claimed: &HashMap<Origin, u32>, room: u32) {
        let now = Instant::now();
        let mut state = self.state();
        for (origin, jobs) in claimed {
            let downloads = state.downloads;
            let known = state.get(origin, now);
            known.in_flight += jobs;
            known.unanswered += jobs;
            known.last_turn = now;
            // Its room may have been smaller than its bells were many.
            if *jobs >= room || known.room(downloads, now) == 0 {
                state.set_ready(origin, true);
                state.place(origin, now);
            }
        }
    }

    /// The room that an origin has of which nothing is known.
    pub(in crate::worker) const fn first_room() -> u32 {
        window::FIRST
    }

    /// What bells may claim of origins whose room is another.
    pub(in crate::worker) fn rooms(&self) -> Vec<(Origin, u32)> {
        let now = Instant::now();
        let state = self.state();
        let is_other = |known: &&Known| {
            known.in_flight > 0 || known.asleep_until.is_some() || known.is_limited()
        };
        state
            .known
            .iter()
            .filter(|(_, known)| is_other(known))
            .filter_map(|(origin, known)| {
                let room = if known.is_limited() {
                    0
                } else {
                    known.room(state.downloads, now)
                };
                // The first room does as long as it is there.
                let matters = room < window::FIRST || known.in_flight >= window::FIRST / 2;
                matters.then(|| (origin.clone(), room))
            })
            .collect()
    }
}
