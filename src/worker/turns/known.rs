//! What this process knows of an origin.

use std::time::Duration;

use tokio::time::Instant;

use super::served::Served;
use super::window::Window;
use crate::db::Flow;
use crate::domain::Priority;
use crate::domain::origin_record::{Caps, Observed, Refusal};

/// After this time without a sign of it, an origin is forgotten here.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
/// An origin that had no turn for this time comes one step of priority earlier.
const AGEING: Duration = Duration::from_millis(Priority::STEP_MILLIS.unsigned_abs());
/// Refusals that lie closer together are reported as one.
const SAME_EVENT: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Known {
    pub window: Window,
    /// Jobs claimed, or about to be, whose download has not ended.
    pub in_flight: u32,
    /// Those of them that got no answer.
    pub unanswered: u32,
    /// Those of them that have lasted long.
    pub lingering: u32,
    /// `503` without `Retry-After` in a row.
    pub unavailable: u32,
    /// When its record was last read because a redirect leads there.
    pub heard: Option<Instant>,
    /// The database may have jobs of it that can be claimed.
    pub is_ready: bool,
    /// The priority of the first of them, as far as is known.
    pub priority: Priority,
    pub last_turn: Instant,
    /// Where it stands among those whose turn comes.
    pub place: Option<Place>,
    pub asleep_until: Option<Instant>,
    /// How many of its jobs have ended.
    pub ended: u64,
    /// It sleeps because the allowed number of its jobs is in work.
    pub awaits_end: bool,
    /// An operator has paused it, by its record when a redirect last led there.
    pub is_paused: bool,
    /// The operator's caps that hold for it.
    pub caps: Caps,
    /// Its jobs are claimed under its record.
    pub has_limits: bool,
    /// There is a record that answers are reported to.
    pub is_remembered: bool,
    pub gives_up: bool,
    pub served: Served,
    pub last_refusal: Option<Instant>,
    /// The next report includes what was served lately.
    pub is_first_refusal: bool,
    /// What is to be reported, but for the failures …
    pub observed: Observed,
    /// … of which the start of each request is kept, so that its age is right when it is reported.
    pub failed: Vec<Instant>,
    pub flow: Flow,
    pub touched: Instant,
}

/// Lower comes first: by priority, then by the longest wait for a turn.
pub(super) type Place = (u8, u64);

impl Known {
    pub(super) fn new(caps: Caps, now: Instant) -> Self {
        Self {
            window: Window::new(),
            in_flight: 0,
            unanswered: 0,
            lingering: 0,
            unavailable: 0,
            heard: None,
            is_ready: false,
            priority: Priority::default(),
            last_turn: now,
            place: None,
            asleep_until: None,
            ended: 0,
            awaits_end: false,
            is_paused: false,
            caps,
            has_limits: false,
            is_remembered: false,
            gives_up: false,
            served: Served::new(now),
            last_refusal: None,
            is_first_refusal: false,
            observed: Observed::default(),
            failed: Vec::new(),
            flow: Flow::default(),
            touched: now,
        }
    }

    /// True if its jobs are claimed one origin at a time, under its record.
    pub(super) fn is_limited(&self) -> bool {
        self.has_limits || self.caps != Caps::default()
    }

    /// How many more of its jobs may be claimed, if a process has `downloads` sockets: an origin
    /// whose answers don't come, or whose downloads last, holds at most a quarter of them.
    pub(super) fn room(&self, downloads: u32, now: Instant) -> u32 {
        let asleep = self.asleep_until.is_some_and(|until| until > now);
        // With few sockets a quarter is too little: some are left to others all the same.
        let quarter = downloads / 4;
        let share = quarter
            .max(super::window::FIRST.min(downloads - quarter))
            .max(1);
        if asleep || self.unanswered >= share {
            return 0;
        }
        // Some sockets are left to others, and most if its downloads do not end.
        let most = if self.lingering > 0 {
            share
        } else {
            (downloads - quarter).max(1)
        };
        self.window.size().min(most).saturating_sub(self.in_flight)
    }

    /// The first step in the order of turns; one that waits long for its turn comes first in time.
    pub(super) fn step(&self, now: Instant) -> u8 {
        let waited = (now - self.last_turn).as_millis() / AGEING.as_millis();
        self.priority
            .get()
            .saturating_sub(u8::try_from(waited).unwrap_or(u8::MAX))
    }

    pub(super) fn refused(&mut self, retry_after: Option<Duration>, now: Instant) {
        let is_new = self.last_refusal.is_none_or(|last| now - last > SAME_EVENT);
        self.last_refusal = Some(now);
        let refusal = self.observed.refusal.get_or_insert(Refusal {
            retry_after: None,
            served_a_second: None,
        });
        refusal.retry_after = refusal.retry_after.max(retry_after);
        self.is_first_refusal |= is_new;
        self.has_limits = true;
        self.is_remembered = true;
    }

    /// Its jobs are claimed under its record from now on, or no longer.
    pub(super) fn set_limits(&mut self, has_limits: bool, now: Instant) {
        let was_refused = self
            .last_refusal
            .is_some_and(|last| now - last <= SAME_EVENT);
        if has_limits && !self.has_limits && !was_refused {
            let served = self.served.a_second(now);
            self.observed.served_before = (served > 0.0).then_some(served);
        }
        self.has_limits = has_limits;
    }

    pub(super) fn has_news(&self) -> bool {
        self.observed != Observed::default() || !self.failed.is_empty()
    }

    /// What is to be reported; it counts as reported.
    pub(super) fn take_news(&mut self, now: Instant) -> Observed {
        let failures = self.failed.drain(..).map(|began| now - began).collect();
        if let Some(refusal) = &mut self.observed.refusal
            && std::mem::take(&mut self.is_first_refusal)
        {
            refusal.served_a_second = Some(self.served.a_second(now));
        }
        Observed {
            failures,
            ..std::mem::take(&mut self.observed)
        }
    }

    pub(super) fn is_forgettable(&self, now: Instant) -> bool {
        self.in_flight == 0
            && self.asleep_until.is_none_or(|until| until <= now)
            && !self.is_ready
            && !self.has_news()
            && self.flow == Flow::default()
            && now - self.touched > FORGOTTEN_AFTER
    }
}
