//! What is remembered of an origin, and how events there change it: the rate that it bears, how
//! long it is left alone, and the breaker. Pure: the caller passes the time in. The rate is in
//! [`rate`].

mod rate;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::time::Duration;

/// The shortest time that a rate is measured over, and within which refusals are one event.
const EPOCH: Duration = Duration::from_secs(1);
/// No origin is left alone for longer, whatever it asks for.
pub const LONGEST_PARK: Duration = Duration::from_secs(600);
/// Failures in a row that open the breaker.
pub const FAILURES_TO_OPEN: u32 = 5;
/// After this many failed probes, the jobs that have used an attempt end.
pub const PROBES_TO_GIVE_UP: u32 = 2;
/// Failures that lie further apart are not in a row.
const ROW_WITHIN: Duration = Duration::from_secs(600);
/// The bucket of a cap holds what comes in within this many seconds.
const BURST_SECONDS: f64 = 0.1;
/// The bucket of a learned rate holds one token and what comes in within this many seconds: enough
/// for a process that is late. More would come out as a burst, which is what origins refuse.
const LATE_SECONDS: f64 = 0.02;
/// When to check again whether a job has ended, if a cap on jobs at once is used up.
const END_RECHECK: Duration = Duration::from_millis(200);

/// Moments are milliseconds of the database's clock.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OriginRecord {
    pub paused: bool,
    pub parked_until: Option<i64>,
    pub park_reason: Option<ParkReason>,
    /// Requests a second; `None` is no limit.
    pub rate: Option<f64>,
    pub tokens: f64,
    pub filled_at: Option<i64>,
    /// The rate as the last refusal left it; it rises from there.
    pub settled_rate: Option<f64>,
    /// The rate was in use when it was refused; not a guess from the first burst.
    pub is_measured: bool,
    /// The rate does not rise before.
    pub held_until: Option<i64>,
    /// Answers since `served_since`, a few seconds ago.
    pub served: i64,
    pub served_since: Option<i64>,
    pub refusals: u32,
    pub cut_at: Option<i64>,
    pub failures: u32,
    pub openings: u32,
    pub opened_at: Option<i64>,
    pub unavailable_since: Option<i64>,
    pub updated_at: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParkReason {
    /// The origin named the time.
    RetryAfter,
    /// It refused, and named no time.
    RateLimited,
    /// It does not answer.
    Breaker,
}

impl ParkReason {
    pub const ALL: [Self; 3] = [Self::RetryAfter, Self::RateLimited, Self::Breaker];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RetryAfter => "retry_after",
            Self::RateLimited => "rate_limited",
            Self::Breaker => "breaker",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// What one process saw of an origin since it last reported.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observed {
    /// Answers other than refusals.
    pub served: u32,
    pub refusal: Option<Refusal>,
    /// What this process was served a second lately, when it learned that others were refused.
    pub served_before: Option<f64>,
    /// For each failed request: how long ago it began.
    pub failures: Vec<Duration>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub retry_after: Option<Duration>,
    /// What this process was served a second lately, when it first met a refusal; `None` if it has
    /// reported that a moment ago.
    pub served_a_second: Option<f64>,
}

/// What an operator allows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Caps {
    pub concurrency: Option<u32>,
    pub per_second: Option<f64>,
}

/// How many requests may begin now, and if none, when to ask again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Allowance {
    pub requests: u32,
    pub ask_again: Duration,
    /// One of the origin's jobs must end before the next begins.
    pub awaits_end: bool,
}

/// How long the breaker stays open when it opens for the `openings`th time in a row.
fn open_for(openings: u32, breaker: Duration) -> Duration {
    let doublings = openings.saturating_sub(1).min(16);
    let wait = breaker.saturating_mul(2_u32.pow(doublings));
    wait.min(LONGEST_PARK)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn seconds(millis: i64) -> f64 {
    millis.max(0) as f64 / 1000.0
}

impl OriginRecord {
    /// True if there is nothing to remember. A bucket counts: without its record a cap would begin
    /// with a full one.
    pub fn is_blank(&self) -> bool {
        let blank = Self {
            tokens: self.tokens,
            served: self.served,
            served_since: self.served_since,
            held_until: self.held_until,
            settled_rate: self.settled_rate,
            is_measured: self.is_measured,
            cut_at: self.cut_at,
            opened_at: self.opened_at,
            updated_at: self.updated_at,
            ..Self::default()
        };
        *self == blank
    }

    /// True if answers of the origin change the record.
    pub fn awaits_answers(&self) -> bool {
        self.rate.is_some()
            || self.refusals > 0
            || self.failures > 0
            || self.openings > 0
            || self.unavailable_since.is_some()
    }

    /// True if claims must look at this record before each request.
    pub fn restricts(&self, now: i64) -> bool {
        self.paused || self.is_parked(now) || self.rate.is_some() || self.openings > 0
    }

    pub fn is_parked(&self, now: i64) -> bool {
        self.parked_until.is_some_and(|until| until > now)
    }

    /// Changes the record by what a process saw. `breaker` is how long the breaker's first
    /// opening lasts.
    pub fn observe(&mut self, seen: &Observed, now: i64, breaker: Duration) {
        if now - self.updated_at > millis(ROW_WITHIN) {
            self.failures = 0;
        }
        // It is unknown which came first: failures among answers do not count as in a row.
        for age in &seen.failures {
            self.failed(now - millis(*age), now, breaker);
        }
        if seen.served > 0 {
            self.answered(seen.served, now);
        }
        if let Some(refusal) = &seen.refusal {
            self.refused(refusal, now);
        }
        if let Some(served) = seen.served_before {
            self.add_to_guess(Some(served), now);
        }
        self.updated_at = now;
    }

    fn answered(&mut self, count: u32, now: i64) {
        self.refusals = 0;
        self.failures = 0;
        self.unavailable_since = None;
        if self.openings > 0 {
            self.openings = 0;
            if self.park_reason == Some(ParkReason::Breaker) {
                (self.parked_until, self.park_reason) = (None, None);
            }
        }
        self.rise(count, now);
        self.count_served(count, now);
    }

    fn refused(&mut self, refusal: &Refusal, now: i64) {
        self.unavailable_since.get_or_insert(now);
        let same_event = self.cut_at.is_some_and(|cut| now - cut < millis(EPOCH))
            || self.is_parked(now) && self.park_reason != Some(ParkReason::Breaker);
        if same_event {
            self.add_to_guess(refusal.served_a_second, now);
        } else {
            // If even the first request is refused, the rate is not at fault.
            if self.refusals == 0 || self.rate.is_none() {
                self.cut(refusal, now);
            }
            self.refusals += 1;
            self.cut_at = Some(now);
        }
        let (wait, reason) = match refusal.retry_after {
            Some(asked) => (asked, ParkReason::RetryAfter),
            None => {
                let doublings = self.refusals.saturating_sub(1).min(9);
                (EPOCH * 2_u32.pow(doublings), ParkReason::RateLimited)
            }
        };
        let wait = wait.min(LONGEST_PARK);
        let begin = match refusal.retry_after {
            Some(_) => now,
            None => self.cut_at.unwrap_or(now),
        };
        let until = begin + millis(wait);
        if self.parked_until.is_none_or(|known| known < until) {
            (self.parked_until, self.park_reason) = (Some(until), Some(reason));
        }
        if self.refusals == 1 {
            self.hold_rate(until, wait);
        }
        // The bucket fills from the end of the park on, so that the jobs come back one by one.
        (self.tokens, self.filled_at) = (1.0, self.parked_until);
    }

    /// `began` distinguishes a request from before an opening from the probe after it.
    fn failed(&mut self, began: i64, now: i64, breaker: Duration) {
        if self.openings > 0 {
            // A probe begins after the wait, so that the clocks of processes hardly blur the two.
            let half = millis(open_for(self.openings, breaker)) / 2;
            if self.opened_at.is_none_or(|opened| began >= opened + half) {
                self.open(now, breaker);
            }
            return;
        }
        self.failures += 1;
        if self.failures >= FAILURES_TO_OPEN {
            self.unavailable_since.get_or_insert(now);
            self.open(now, breaker);
        }
    }

    fn open(&mut self, now: i64, breaker: Duration) {
        self.openings += 1;
        self.opened_at = Some(now);
        let until = now + millis(open_for(self.openings, breaker));
        if self.parked_until.is_none_or(|known| known < until) {
            (self.parked_until, self.park_reason) = (Some(until), Some(ParkReason::Breaker));
        }
    }

    /// Puts back what was taken for requests that were not made.
    pub fn give_back(&mut self, requests: u32) {
        if self.filled_at.is_some() {
            self.tokens += f64::from(requests);
        }
    }

    /// True if the jobs that have used an attempt are to end: the probes failed too.
    pub fn gives_up(&self) -> bool {
        self.openings > PROBES_TO_GIVE_UP
    }

    /// Takes as many requests out of the bucket as may begin now, `wanted` at most.
    pub fn take(&mut self, wanted: u32, in_flight: u32, caps: Caps, now: i64) -> Allowance {
        let none = |ask_again| Allowance {
            requests: 0,
            ask_again,
            awaits_end: false,
        };
        if self.paused {
            return none(EPOCH);
        }
        if let Some(until) = self.parked_until.filter(|until| *until > now) {
            return none(Duration::from_millis((until - now).unsigned_abs()));
        }
        let mut requests = wanted;
        if self.openings > 0 {
            // One probe at a time.
            requests = requests.min(1_u32.saturating_sub(in_flight));
        }
        if let Some(most) = caps.concurrency {
            requests = requests.min(most.saturating_sub(in_flight));
        }
        let awaits_end = requests < wanted;
        if requests == 0 {
            return Allowance {
                awaits_end,
                ..none(END_RECHECK)
            };
        }
        let (rate, capacity) = match (self.rate, caps.per_second) {
            (Some(learned), cap) if cap.is_none_or(|cap| learned < cap) => {
                (learned, 1.0 + learned * LATE_SECONDS)
            }
            (_, Some(cap)) => (cap, (cap * BURST_SECONDS).max(1.0)),
            (_, None) => {
                return Allowance {
                    requests,
                    ask_again: END_RECHECK,
                    awaits_end,
                };
            }
        };
        self.served_since.get_or_insert(now);
        let passed = self.filled_at.map_or(0.0, |filled| seconds(now - filled));
        let begin = if self.filled_at.is_none() {
            1.0
        } else {
            self.tokens
        };
        self.tokens = (begin + passed * rate).min(capacity);
        self.filled_at = Some(now);
        let whole = self.tokens.floor().min(f64::from(requests)).max(0.0);
        self.tokens -= whole;
        let missing = (1.0 - self.tokens).max(0.0) / rate;
        Allowance {
            requests: whole as u32,
            ask_again: Duration::from_secs_f64(missing).max(Duration::from_millis(1)),
            awaits_end: false,
        }
    }
}
