//! What is remembered of an origin, and how what happens there changes it: the rate that it bears,
//! how long it is left alone, and the breaker. Pure: the caller says what time it is.
//!
//! Rates fall by a tenth when an origin refuses and rise slowly while it does not, as TCP's window
//! does (additive increase, multiplicative decrease: RFC 5681 §3.1).

use std::time::Duration;

/// The shortest time that a rate is measured over, and within which refusals are one event.
const EPOCH: Duration = Duration::from_secs(1);
/// No origin is left alone for longer, whatever it asks for.
pub const LONGEST_PARK: Duration = Duration::from_secs(600);
/// Failures in a row that open the breaker.
pub const FAILURES_TO_OPEN: u32 = 5;
/// After so many failed probes the jobs that have used an attempt end.
pub const PROBES_TO_GIVE_UP: u32 = 2;
/// Failures that lie further apart are not in a row.
const ROW_WITHIN: Duration = Duration::from_secs(600);
/// What is left of a rate after a refusal.
const CUT: f64 = 0.9;
/// What an answer adds to the rate: a rate that is used grows by a hundredth in a second …
const RISE: f64 = 0.01;
/// … and by a tenth while it is a guess, and when the last refusal is so long ago that the limit may
/// have been lifted.
const FAST_RISE: f64 = 0.1;
const LONG_UNREFUSED: Duration = Duration::from_secs(30);
/// Where a rate begins of which nothing is known, because the first request was refused.
const UNKNOWN_RATE: f64 = 1.0;
const LOWEST_RATE: f64 = 0.1;
/// Seconds over which an origin must have been asked for what it served to tell its rate.
const MEASURED_OVER: f64 = 3.0;
/// A rate that rose so high is no limit any more.
const HIGHEST_RATE: f64 = 1000.0;
/// A bucket holds what comes in so many seconds. That of a cap holds no more beside one token.
const BURST_SECONDS: f64 = 0.1;

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
    /// Answers since `served_since`, from which the rate is learned at the next refusal.
    pub served: i64,
    pub served_since: Option<i64>,
    /// The rate was measured over some seconds, not guessed from the first burst.
    pub is_measured: bool,
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
    /// The origin said until when.
    RetryAfter,
    /// It refused, and did not say.
    RateLimited,
    /// It does not answer.
    Breaker,
}

impl ParkReason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RetryAfter => "retry_after",
            Self::RateLimited => "rate_limited",
            Self::Breaker => "breaker",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        [Self::RetryAfter, Self::RateLimited, Self::Breaker]
            .into_iter()
            .find(|reason| reason.as_str() == word)
    }
}

/// What one process saw of an origin since it last reported.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observed {
    /// Answers that were no refusals.
    pub served: u32,
    pub refusal: Option<Refusal>,
    /// What this process was served a second lately, as it heard that others were refused.
    pub served_before: Option<f64>,
    /// Of each failed request: how long ago it began.
    pub failures: Vec<Duration>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub retry_after: Option<Duration>,
    /// What this process was served a second lately, as it first met a refusal; `None` if it
    /// has said so a moment ago.
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
}

/// How long the breaker stays open that opens for the `openings`th time in a row.
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
    /// True if there is nothing to remember. A bucket is: else a cap would begin with a full one.
    pub fn is_blank(&self) -> bool {
        let blank = Self {
            tokens: self.tokens,
            served: self.served,
            served_since: self.served_since,
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
        // Which came first is not known: answers beside failures are no row of failures.
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
            self.share_guess(served, now);
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
        self.served += i64::from(count);
    }

    fn rise(&mut self, count: u32, now: i64) {
        if self.is_parked(now) {
            return;
        }
        if let Some(rate) = self.rate {
            let is_long_ago = self
                .cut_at
                .is_none_or(|cut| now - cut > millis(LONG_UNREFUSED));
            let rise = if is_long_ago || !self.is_measured {
                FAST_RISE
            } else {
                RISE
            };
            let risen = rate + rise * f64::from(count);
            self.rate = (risen < HIGHEST_RATE).then_some(risen);
        }
    }

    fn refused(&mut self, refusal: &Refusal, now: i64) {
        self.unavailable_since.get_or_insert(now);
        let same_event = self.cut_at.is_some_and(|cut| now - cut < millis(EPOCH))
            || self.is_parked(now) && self.park_reason != Some(ParkReason::Breaker);
        if same_event {
            // Other processes met the same refusal: what the origin bears is what all were served.
            if let (Some(rate), Some(served)) = (self.rate, refusal.served_a_second)
                && self.served_since.is_none()
            {
                self.rate = Some(rate + served * CUT);
            }
        } else {
            self.refusals += 1;
            self.cut_at = Some(now);
            self.cut(refusal, now);
        }
        let (wait, reason) = match refusal.retry_after {
            Some(asked) => (asked, ParkReason::RetryAfter),
            None => {
                let doublings = self.refusals.saturating_sub(1).min(9);
                (EPOCH * 2_u32.pow(doublings), ParkReason::RateLimited)
            }
        };
        let begin = match refusal.retry_after {
            Some(_) => now,
            None => self.cut_at.unwrap_or(now),
        };
        let until = begin + millis(wait.min(LONGEST_PARK));
        if self.parked_until.is_none_or(|known| known < until) {
            (self.parked_until, self.park_reason) = (Some(until), Some(reason));
        }
        // The bucket fills from the end of the park on, so that the jobs come back one by one.
        (self.tokens, self.filled_at) = (1.0, self.parked_until);
    }

    /// A first guess is what all processes were served, also those that were not refused.
    fn share_guess(&mut self, served_a_second: f64, now: i64) {
        let is_fresh = self
            .cut_at
            .is_some_and(|cut| seconds(now - cut) < MEASURED_OVER);
        if let (Some(rate), true, false) = (self.rate, is_fresh, self.is_measured) {
            self.rate = Some((rate + served_a_second * CUT).min(HIGHEST_RATE - 1.0));
        }
    }

    fn cut(&mut self, refusal: &Refusal, now: i64) {
        let measured = self
            .served_since
            .map(|since| seconds(now - since))
            .filter(|seconds| *seconds >= MEASURED_OVER);
        let learned = match (self.rate, measured) {
            (Some(rate), Some(seconds)) => {
                let lately = self.served as f64 / seconds;
                // An origin that was hardly asked tells nothing by what it served.
                rate.min(lately.max(rate / 2.0)) * CUT
            }
            (Some(rate), None) => rate * CUT,
            (None, _) => match refusal.served_a_second {
                Some(served) if served > 0.0 => served * CUT,
                _ => UNKNOWN_RATE,
            },
        };
        self.is_measured |= measured.is_some();
        self.rate = Some(learned.max(LOWEST_RATE));
        (self.served, self.served_since) = (0, None);
    }

    /// `began` tells the request of before an opening from the probe after it.
    fn failed(&mut self, began: i64, now: i64, breaker: Duration) {
        if self.openings > 0 {
            // A probe begins after the wait, which the clocks of processes hardly blur.
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
        if requests == 0 {
            return none(EPOCH);
        }
        let (rate, capacity) = match (self.rate, caps.per_second) {
            (Some(learned), cap) if cap.is_none_or(|cap| learned < cap) => {
                // What came in while nobody asked is not lost.
                (learned, 1.0 + learned * BURST_SECONDS)
            }
            (_, Some(cap)) => (cap, (cap * BURST_SECONDS).max(1.0)),
            (_, None) => {
                return Allowance {
                    requests,
                    ask_again: Duration::ZERO,
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BREAKER: Duration = Duration::from_secs(30);
    const START: i64 = 1_800_000_000_000;

    fn served(count: u32) -> Observed {
        Observed {
            served: count,
            ..Observed::default()
        }
    }

    fn refused(retry_after: Option<u64>, served_a_second: Option<f64>) -> Observed {
        let retry_after = retry_after.map(Duration::from_secs);
        let refusal = Some(Refusal {
            retry_after,
            served_a_second,
        });
        Observed {
            refusal,
            ..Observed::default()
        }
    }

    fn failed(count: usize) -> Observed {
        Observed {
            failures: vec![Duration::from_millis(500); count],
            ..Observed::default()
        }
    }

    #[test]
    fn five_failures_in_a_row_open_the_breaker_and_an_answer_closes_it() {
        let mut record = OriginRecord::default();
        record.observe(&failed(4), START, BREAKER);
        assert!(!record.restricts(START));
        record.observe(&served(1), START, BREAKER);
        assert!(record.is_blank(), "an answer ends the row: {record:?}");
        record.observe(&failed(8), START, BREAKER);
        assert_eq!(
            record.openings, 1,
            "those under way at the opening are no probes"
        );
        assert_eq!(record.parked_until, Some(START + 30_000));
        let probing = START + 31_000;
        let caps = Caps::default();
        assert_eq!(record.take(10, 0, caps, START + 1000).requests, 0);
        assert_eq!(record.take(10, 0, caps, probing).requests, 1, "one probe");
        assert_eq!(record.take(10, 1, caps, probing).requests, 0, "at a time");
        record.observe(&failed(1), probing, BREAKER);
        assert_eq!(record.parked_until, Some(probing + 60_000));
        assert!(!record.gives_up());
        record.observe(&failed(1), probing + 61_000, BREAKER);
        assert!(record.gives_up(), "two probes failed");
        record.observe(&served(1), probing + 200_000, BREAKER);
        assert!(record.is_blank(), "{record:?}");
    }

    #[test]
    fn the_breaker_stays_open_for_ten_minutes_at_most() {
        let mut record = OriginRecord::default();
        record.observe(&failed(5), START, BREAKER);
        let mut now = START;
        for _ in 0..40 {
            now = record.parked_until.unwrap() + 1000;
            record.observe(&failed(1), now, BREAKER);
        }
        assert_eq!(record.parked_until, Some(now + 600_000));
    }

    #[test]
    fn failures_that_lie_far_apart_are_not_in_a_row() {
        let mut record = OriginRecord::default();
        for number in 0..20 {
            record.observe(&failed(1), START + number * 700_000, BREAKER);
        }
        assert_eq!(record.failures, 1);
    }

    #[test]
    fn a_refusal_parks_the_origin_and_teaches_what_it_bears() {
        let mut record = OriginRecord::default();
        // Three processes met it at the same moment.
        record.observe(&refused(Some(10), Some(4.0)), START, BREAKER);
        record.observe(&refused(Some(10), Some(3.0)), START + 100, BREAKER);
        record.observe(&refused(None, Some(3.0)), START + 200, BREAKER);
        assert_eq!(record.rate.map(|rate| (rate * 10.0).round()), Some(90.0));
        assert_eq!(
            record.parked_until,
            Some(START + 10_100),
            "the longest that was asked for"
        );
        let caps = Caps::default();
        assert_eq!(record.take(50, 0, caps, START + 10_000).requests, 0);
        // Its jobs come back one by one.
        let mut taken = 0;
        for tenth in 0..100 {
            taken += record
                .take(50, 0, caps, START + 10_100 + tenth * 100)
                .requests;
        }
        assert!((85..=92).contains(&taken), "{taken} in ten seconds");
    }

    #[test]
    fn refusals_without_a_time_park_longer_each_time() {
        let mut record = OriginRecord::default();
        let mut now = START;
        for seconds in [1, 2, 4, 8] {
            record.observe(&refused(None, None), now, BREAKER);
            assert_eq!(record.parked_until, Some(now + seconds * 1000));
            now += seconds * 1000 + 1;
        }
        record.observe(&served(1), now, BREAKER);
        record.observe(&refused(None, None), now + 2000, BREAKER);
        assert_eq!(record.parked_until, Some(now + 3000));
        record.observe(&refused(Some(u64::MAX / 1000), None), now + 9000, BREAKER);
        assert_eq!(
            record.parked_until,
            Some(now + 9000 + 600_000),
            "ten minutes at most"
        );
    }

    #[test]
    fn a_rate_rises_slowly_and_is_dropped_when_it_is_no_limit() {
        let mut record = OriginRecord {
            rate: Some(10.0),
            cut_at: Some(START),
            is_measured: true,
            ..OriginRecord::default()
        };
        record.observe(&served(10), START, BREAKER);
        assert_eq!(record.rate, Some(10.1));
        record.observe(&served(10), START + 31_000, BREAKER);
        assert_eq!(
            record.rate,
            Some(11.1),
            "faster long after the last refusal"
        );
        record.rate = Some(999.99);
        record.observe(&served(10), START, BREAKER);
        assert_eq!(record.rate, None);
    }

    #[test]
    fn a_pause_and_caps_hold() {
        let caps = Caps {
            concurrency: Some(2),
            per_second: Some(5.0),
        };
        let mut record = OriginRecord {
            paused: true,
            ..OriginRecord::default()
        };
        assert_eq!(record.take(5, 0, caps, START).requests, 0);
        record.paused = false;
        assert_eq!(record.take(5, 2, caps, START).requests, 0, "two in flight");
        assert_eq!(record.take(5, 0, caps, START).requests, 1, "no burst");
        let again = record.take(5, 1, caps, START + 100);
        assert_eq!((again.requests, again.ask_again.as_millis()), (0, 100));
        assert_eq!(record.take(5, 1, caps, START + 200).requests, 1);
    }

    proptest! {
        /// Whatever happens, no second brings more requests than the cap and one.
        #[test]
        fn a_cap_holds_over_any_second(
            per_second in 0.5_f64..200.0,
            asks in prop::collection::vec((0_i64..400, 1_u32..50, any::<bool>()), 1..300),
        ) {
            let caps = Caps { concurrency: None, per_second: Some(per_second) };
            let mut record = OriginRecord::default();
            let mut now = START;
            let mut taken: Vec<(i64, u32)> = Vec::new();
            for (pause, wanted, gives_one_back) in asks {
                now += pause;
                let got = record.take(wanted, 0, caps, now).requests;
                prop_assert!(got <= wanted);
                let back = u32::from(gives_one_back).min(got);
                record.give_back(back);
                taken.push((now, got - back));
                let lately: u32 = taken
                    .iter()
                    .filter(|(at, _)| *at > now - 1000)
                    .map(|(_, count)| count)
                    .sum();
                let most = per_second + (per_second * BURST_SECONDS).max(1.0) + 1e-6;
                prop_assert!(f64::from(lately) <= most, "{lately} of {most}");
            }
        }

        /// No park is longer than ten minutes, and no rate is lower than the lowest.
        #[test]
        fn a_record_stays_in_bounds(
            events in prop::collection::vec(
                (0_i64..100_000, 0_u32..20, prop::option::of(prop::option::of(0_u64..10_000)), 0_usize..8),
                1..60,
            ),
        ) {
            let mut record = OriginRecord::default();
            let mut now = START;
            for (pause, served, refusal, failures) in events {
                now += pause;
                let seen = Observed {
                    served,
                    refusal: refusal.map(|seconds| Refusal {
                        retry_after: seconds.map(Duration::from_secs),
                        served_a_second: Some(3.0),
                    }),
                    failures: vec![Duration::from_millis(10); failures],
                    served_before: None,
                };
                record.observe(&seen, now, BREAKER);
                prop_assert!(record.parked_until.is_none_or(|until| until <= now + 600_000));
                prop_assert!(record.rate.is_none_or(|rate| (LOWEST_RATE..HIGHEST_RATE).contains(&rate)));
                prop_assert!(record.parked_until.is_some() == record.park_reason.is_some());
            }
        }
    }
}
