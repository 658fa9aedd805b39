//! Whose turn it is: which origins have jobs waiting, how much of each may be begun, and in which
//! order. What is known here is a hint; the database decides at each claim.
//!
//! Origins that may have work stand in one order, by the priority of their first job and then by
//! the longest wait for a turn; each turn is one job. So an origin with a million jobs and one with
//! a single job alternate, and an origin that is alone takes everything. One that has no room (its
//! window is full, or it is parked) leaves the order until it has.

mod known;
mod served;
#[cfg(test)]
mod tests;
mod visit;
mod window;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use known::{Known, Place};
pub(super) use visit::Visit;

use crate::db::{Flow, Held, HeldBack, LimitedClaim, OriginState, ReadyOrigin};
use crate::domain::Origin;
use crate::domain::origin_record::{Caps, Observed};

/// Origins that wait for their turn at most; further ones are found when there are fewer.
const MOST_HUNGRY: usize = 10_000;
/// An origin that the sweep found ready is asked about after this time, whatever was known before:
/// its park may have been ended by hand.
const RECHECK: Duration = Duration::from_secs(2);
/// A wait that is longer is left to the sweep.
const SWEPT: Duration = Duration::from_secs(1);
/// How long a refusal without `Retry-After`, or a row of failures, holds until the record decides.
const UNTIL_TOLD: Duration = Duration::from_secs(1);

/// The operator's limits for an origin.
pub type CapsOf = Arc<dyn Fn(&Origin) -> Caps + Send + Sync>;

pub(super) struct Turns {
    state: Mutex<State>,
    /// An origin's turn may have come.
    changed: Notify,
    /// There is something to report.
    news: Notify,
    /// Sockets of this process.
    downloads: u32,
    caps_of: CapsOf,
}

#[derive(Default)]
struct State {
    known: HashMap<Origin, Known>,
    /// Hungry origins with room.
    order: BTreeMap<Place, Origin>,
    asleep: BTreeSet<(Instant, Origin)>,
    next_place: u64,
    paused_until: Option<Instant>,
}

/// How many jobs of an origin to claim.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Turn {
    pub origin: Origin,
    pub jobs: u32,
    /// How many of its jobs had ended when the turn was taken.
    pub ended: u64,
    /// Under its record and these caps; `None`: it is not restricted.
    pub limits: Option<Caps>,
}

impl Turns {
    pub(super) fn new(downloads: usize, caps_of: CapsOf) -> Self {
        Self {
            state: Mutex::default(),
            changed: Notify::new(),
            news: Notify::new(),
            downloads: u32::try_from(downloads).unwrap_or(u32::MAX),
            caps_of,
        }
    }

    /// Notes origins that have jobs to be claimed.
    pub(super) fn are_ready(&self, origins: Vec<ReadyOrigin>) {
        let now = Instant::now();
        let mut state = self.state();
        for ReadyOrigin {
            origin, priority, ..
        } in origins
        {
            let known = state.get(&origin, self, now);
            known.priority = priority;
            // Its park may have been ended by hand.
            let asleep = known
                .asleep_until
                .is_some_and(|until| until > now + RECHECK);
            if asleep {
                state.sleep(&origin, now + RECHECK);
            }
            state.set_hungry(&origin, true);
            state.place(&origin, self.downloads, now);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Takes up to `jobs` turns. They count as in flight until [`Self::settle`].
    pub(super) fn take(&self, jobs: usize) -> Vec<Turn> {
        let now = Instant::now();
        let mut state = self.state();
        state.wake(self.downloads, now);
        if state.is_paused(now) {
            return Vec::new();
        }
        let mut taken: HashMap<Origin, u32> = HashMap::new();
        for _ in 0..jobs {
            let Some((_, origin)) = state.order.pop_first() else {
                break;
            };
            let known = state.get(&origin, self, now);
            known.place = None;
            known.in_flight += 1;
            known.unanswered += 1;
            known.last_turn = now;
            *taken.entry(origin.clone()).or_default() += 1;
            state.place(&origin, self.downloads, now);
        }
        taken
            .into_iter()
            .map(|(origin, jobs)| {
                let known = state.get(&origin, self, now);
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

    /// The result of a turn: how many of its jobs were claimed. Fewer than wanted means that no
    /// more can be claimed for now.
    pub(super) fn settle(&self, turn: &Turn, claimed: usize) {
        let missing = turn
            .jobs
            .saturating_sub(u32::try_from(claimed).unwrap_or(u32::MAX));
        let now = Instant::now();
        let mut state = self.state();
        let known = state.get(&turn.origin, self, now);
        known.in_flight = known.in_flight.saturating_sub(missing);
        known.unanswered = known.unanswered.saturating_sub(missing);
        if missing > 0 {
            state.set_hungry(&turn.origin, false);
        }
        state.place(&turn.origin, self.downloads, now);
    }

    /// A turn could not be asked for: it comes again.
    pub(super) fn give_back(&self, turn: &Turn) {
        self.settle(turn, 0);
        self.is_ready(&turn.origin);
    }

    pub(super) fn is_ready(&self, origin: &Origin) {
        let now = Instant::now();
        let mut state = self.state();
        state.get(origin, self, now);
        state.set_hungry(origin, true);
        state.place(origin, self.downloads, now);
        drop(state);
        self.changed.notify_one();
    }

    /// Jobs were claimed by their bells: how many of each of these origins.
    pub(super) fn began(&self, claimed: &HashMap<Origin, u32>, room: u32) {
        let now = Instant::now();
        let mut state = self.state();
        for (origin, jobs) in claimed {
            let known = state.get(origin, self, now);
            known.in_flight += jobs;
            known.unanswered += jobs;
            known.last_turn = now;
            // Its room may have been smaller than the number of its bells.
            if *jobs >= room || known.room(self.downloads, now) == 0 {
                state.set_hungry(origin, true);
                state.place(origin, self.downloads, now);
            }
        }
    }

    /// The room of an origin of which nothing is known.
    pub(super) const fn first_room() -> u32 {
        window::FIRST
    }

    /// How many jobs bells may claim of origins whose room differs.
    pub(super) fn rooms(&self) -> Vec<(Origin, u32)> {
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
                    known.room(self.downloads, now)
                };
                // The room of an unknown origin will do while there is that much.
                let matters = room < window::FIRST || known.in_flight >= window::FIRST / 2;
                matters.then(|| (origin.clone(), room))
            })
            .collect()
    }

    /// True if an origin has its turn now.
    pub(super) fn has_turn(&self) -> bool {
        self.somebody_waits() == Some(true)
    }

    /// True if a bell may claim at once, because no origin waits for a turn.
    pub(super) fn bells_may_claim(&self) -> bool {
        self.somebody_waits() == Some(false)
    }

    /// Whether origins stand in the order of turns; `None` while nothing may be claimed.
    fn somebody_waits(&self) -> Option<bool> {
        let now = Instant::now();
        let mut state = self.state();
        state.wake(self.downloads, now);
        (!state.is_paused(now)).then(|| !state.order.is_empty())
    }

    /// True if no more hungry origins should be looked for.
    pub(super) fn is_full(&self) -> bool {
        self.state().order.len() >= MOST_HUNGRY
    }

    /// Waits until an origin's turn may have come.
    pub(super) async fn changed(&self) {
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

    /// Claims of these origins were refused by their records.
    pub(super) fn held_back(&self, origins: Vec<HeldBack>) {
        let now = Instant::now();
        let mut state = self.state();
        for HeldBack { origin, ask_again } in origins {
            let known = state.get(&origin, self, now);
            known.set_limits(true, now);
            known.is_remembered = true;
            // The sweep finds it again when its record no longer holds it back.
            state.set_hungry(&origin, ask_again < SWEPT);
            if !ask_again.is_zero() {
                state.sleep(&origin, now + ask_again);
            }
            state.place(&origin, self.downloads, now);
        }
        drop(state);
        self.news.notify_one();
        self.changed.notify_one();
    }

    /// What a claim under the origin's record found of its limits.
    pub(super) fn limited(&self, turn: &Turn, claimed: &LimitedClaim) {
        let now = Instant::now();
        let origin = &turn.origin;
        let mut state = self.state();
        let known = state.get(origin, self, now);
        known.has_limits = claimed.is_limited;
        // The event that it waits for may have come meanwhile.
        let has_ended = claimed.awaits_end && known.ended != turn.ended;
        if let Some(ask_again) = claimed.ask_again.filter(|_| !has_ended) {
            state.sleep(origin, now + ask_again);
            state.get(origin, self, now).awaits_end = claimed.awaits_end;
        }
        state.place(origin, self.downloads, now);
        drop(state);
        self.changed.notify_one();
    }

    /// One of the origin's jobs has ended, and the database has recorded it: the next may begin
    /// that waited for that.
    pub(super) fn makes_room(&self, origin: &Origin) {
        let mut state = self.state();
        let Some(known) = state.known.get_mut(origin) else {
            return;
        };
        known.ended += 1;
        if !known.awaits_end {
            return;
        }
        state.rouse(origin);
        state.place(origin, self.downloads, Instant::now());
        drop(state);
        self.changed.notify_one();
    }

    /// Nothing at all is claimed for a while.
    pub(super) fn pause(&self, ask_again: Duration) {
        self.state().paused_until = Some(Instant::now() + ask_again);
    }

    /// How long the origin is left alone from now on, as far as is known here.
    pub(super) fn asleep_for(&self, origin: &Origin) -> Option<Duration> {
        let now = Instant::now();
        let state = self.state();
        let until = state.known.get(origin)?.asleep_until?;
        (until > now).then(|| until - now)
    }

    /// Waits for something to report.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    /// True if there is something to report of `origin`, or its jobs are claimed under its record.
    pub(super) fn is_in_trouble(&self, origin: &Origin) -> bool {
        let state = self.state();
        let known = state.known.get(origin);
        known.is_some_and(|known| known.has_news() || known.has_limits)
    }

    /// What is to be reported; it counts as reported.
    pub(super) fn take_news(&self) -> Vec<(Origin, Observed)> {
        let mut state = self.state();
        let now = Instant::now();
        let news = state.known.iter_mut().filter(|(_, known)| known.has_news());
        news.map(|(origin, known)| (origin.clone(), known.take_news(now)))
            .collect()
    }

    /// The states that their records hold.
    pub(super) fn told(&self, states: &[OriginState]) {
        let now = Instant::now();
        let mut state = self.state();
        for told in states {
            let known = state.get(&told.origin, self, now);
            known.set_limits(told.is_limited, now);
            known.is_remembered = told.is_remembered;
            known.gives_up = told.gives_up;
            match told.parked_for {
                Some(left) => state.sleep(&told.origin, now + left),
                None => state.rouse(&told.origin),
            }
            state.place(&told.origin, self.downloads, now);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Its jobs that have used an attempt are no longer to end.
    pub(super) fn does_not_give_up(&self, origin: &Origin) {
        if let Some(known) = self.state().known.get_mut(origin) {
            known.gives_up = false;
        }
    }

    /// True if this process learned a moment ago what the record of `origin` holds.
    pub(super) fn has_heard_of(&self, origin: &Origin) -> bool {
        let state = self.state();
        let heard = state.known.get(origin).and_then(|known| known.heard);
        heard.is_some_and(|heard| heard.elapsed() < SWEPT)
    }

    /// Whether the record of an origin that a redirect leads to holds it back.
    pub(super) fn heard(&self, origin: &Origin, held: Option<Held>) {
        let now = Instant::now();
        let mut state = self.state();
        let known = state.get(origin, self, now);
        known.heard = Some(now);
        known.is_paused = held == Some(Held::Paused);
        match held {
            Some(Held::Paused) => state.sleep(origin, now + SWEPT),
            Some(Held::Parked(left)) => state.sleep(origin, now + left),
            None => state.rouse(origin),
        }
    }

    /// Origins whose jobs that have used an attempt are to end.
    pub(super) fn giving_up(&self) -> Vec<Origin> {
        let state = self.state();
        let giving_up = state.known.iter().filter(|(_, known)| known.gives_up);
        giving_up.map(|(origin, _)| origin.clone()).collect()
    }

    pub(super) fn take_flow(&self) -> Vec<(Origin, Flow)> {
        let mut state = self.state();
        let flowing = state
            .known
            .iter_mut()
            .filter(|(_, known)| known.flow != Flow::default());
        flowing
            .map(|(origin, known)| (origin.clone(), std::mem::take(&mut known.flow)))
            .collect()
    }

    /// Notes how a job ended.
    pub(super) fn ended(&self, origin: &Origin, completed: bool) {
        let mut state = self.state();
        let flow = &mut state.get(origin, self, Instant::now()).flow;
        if completed {
            flow.done += 1;
        } else {
            flow.failed += 1;
        }
    }

    /// Forgets origins of which nothing is known any longer, and lets those that wait come earlier.
    pub(super) fn tidy(&self) {
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn get(&mut self, origin: &Origin, turns: &Turns, now: Instant) -> &mut Known {
        if !self.known.contains_key(origin) {
            let known = Known::new((turns.caps_of)(origin), now);
            self.known.insert(origin.clone(), known);
        }
        let known = self.known.get_mut(origin).expect("it was just put there");
        known.touched = now;
        known
    }

    fn set_hungry(&mut self, origin: &Origin, hungry: bool) {
        if let Some(known) = self.known.get_mut(origin) {
            known.is_hungry = hungry;
        }
    }

    /// Puts the origin into the order of turns if it is hungry and has room, or takes it out.
    fn place(&mut self, origin: &Origin, downloads: u32, now: Instant) {
        let Some(known) = self.known.get_mut(origin) else {
            return;
        };
        let stands = known.is_hungry && known.room(downloads, now) > 0;
        match known.place {
            Some(place) if !stands => {
                known.place = None;
                self.order.remove(&place);
            }
            None if stands => {
                let place = (known.step(now), self.next_place);
                self.next_place += 1;
                known.place = Some(place);
                self.order.insert(place, origin.clone());
            }
            _ => {}
        }
    }

    fn sleep(&mut self, origin: &Origin, until: Instant) {
        self.rouse(origin);
        if let Some(known) = self.known.get_mut(origin) {
            known.asleep_until = Some(until);
            known.awaits_end = false;
            self.asleep.insert((until, origin.clone()));
        }
    }

    fn rouse(&mut self, origin: &Origin) {
        if let Some(until) = self.known.get_mut(origin).and_then(|known| {
            known.awaits_end = false;
            known.asleep_until.take()
        }) {
            self.asleep.remove(&(until, origin.clone()));
        }
    }

    fn wake(&mut self, downloads: u32, now: Instant) {
        while let Some((until, _)) = self.asleep.first()
            && *until <= now
        {
            let (_, origin) = self.asleep.pop_first().expect("it was just seen");
            if let Some(known) = self.known.get_mut(&origin) {
                known.asleep_until = None;
                known.awaits_end = false;
            }
            self.place(&origin, downloads, now);
        }
    }

    fn is_paused(&self, now: Instant) -> bool {
        self.paused_until.is_some_and(|until| until > now)
    }
}
