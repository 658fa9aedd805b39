//! Learns the rate that an origin bears, without knowing how it counts: by a bucket, by a window,
//! or by the time between two requests.
//!
//! A refusal costs what would have been served while the origin is parked. So the rate settles a
//! little below the one that was refused. It stays there for a time that is long compared with the
//! park. Then it rises slowly until the next refusal, which leads back to where it stood.

use std::time::Duration;

use super::{EPOCH, OriginRecord, Refusal, millis, seconds};

/// What remains of a rate that was refused while it was in use.
const CUT: f64 = 0.9;
/// The same when it was rising fast, and is not known as well.
const FAST_CUT: f64 = 0.8;
/// What an answer adds to the rate, i.e. the part by which a rate in use grows in a second: while
/// hardly anything is known …
const SEARCH: f64 = 0.5;
/// … while it is a guess, or well above the one that was refused, because the limit was lifted …
const FAST_RISE: f64 = 0.1;
/// … and while it is tested whether the origin bears a little more.
const RISE: f64 = 0.02;
/// A rate that has risen to this multiple of its old value is beyond what was refused.
const LIFTED: f64 = 1.3;
/// A rate that is no more than this above where it stood has not risen.
const NOT_RISEN: f64 = 1.02;
/// A rate does not rise for this multiple of the park: a refusal costs one park, a tenth of the
/// whole.
const HELD_PARKS: u32 = 10;
const HELD_PARKS_OF_GUESS: u32 = 2;
const LONGEST_HOLD: Duration = Duration::from_secs(3600);
/// A guess below it says hardly anything: a request or two were served.
const INFORMED: f64 = 2.0;
/// The rate at which an unknown origin begins, because its first request was refused.
const UNKNOWN_RATE: f64 = 1.0;
pub(super) const LOWEST_RATE: f64 = 0.1;
/// A rate that rose this high is no longer a limit.
pub(super) const HIGHEST_RATE: f64 = 1000.0;
/// How long after the first refusal other processes still report what they were served.
const GUESSING: Duration = Duration::from_secs(3);
/// Answers are counted over at most this many seconds; then the older half is forgotten.
const COUNTED_SECONDS: f64 = 4.0;
/// An origin that counts by a window of a second has refused any excess by then.
const WINDOW_SECONDS: f64 = 2.0;

impl OriginRecord {
    pub(super) fn rise(&mut self, count: u32, now: i64) {
        let Some(rate) = self.rate.filter(|_| !self.is_parked(now)) else {
            return;
        };
        let risen = rate + self.growth(rate, now) * f64::from(count);
        if risen < HIGHEST_RATE {
            self.rate = Some(risen);
        } else {
            (self.rate, self.settled_rate, self.held_until) = (None, None, None);
            self.is_measured = false;
        }
    }

    fn growth(&self, rate: f64, now: i64) -> f64 {
        if self.is_searching() {
            SEARCH
        } else if self.held_until.is_some_and(|until| until > now) {
            0.0
        } else if !self.is_measured || rate > self.settled_rate.unwrap_or(rate) * LIFTED {
            FAST_RISE
        } else {
            RISE
        }
    }

    /// True while hardly anything is known.
    fn is_searching(&self) -> bool {
        !self.is_measured && self.settled_rate.is_some_and(|rate| rate < INFORMED)
    }

    pub(super) fn count_served(&mut self, count: u32, now: i64) {
        let Some(since) = self.served_since else {
            return;
        };
        self.served += i64::from(count);
        let passed = seconds(now - since);
        if passed > COUNTED_SECONDS {
            let half = COUNTED_SECONDS / 2.0;
            self.served = (self.served as f64 * half / passed).round() as i64;
            self.served_since = Some(now - (half * 1000.0) as i64);
        }
    }

    /// Learns from a refusal; called while `parked_until` still holds the earlier park.
    pub(super) fn cut(&mut self, refusal: &Refusal, now: i64) {
        let learned = match self.rate {
            None => match refusal.served_a_second {
                Some(served) if served > 0.0 => served * CUT,
                _ => UNKNOWN_RATE,
            },
            Some(rate) => self.below(rate, now),
        };
        // What a search found is a guess too: chance may have brought two requests together.
        let was_found = self.is_searching() && learned >= INFORMED;
        self.is_measured = self.rate.is_some() && !was_found;
        self.settle(learned);
        (self.served, self.served_since) = (0, None);
    }

    /// The rate to continue with after `rate` was refused.
    fn below(&self, rate: f64, now: i64) -> f64 {
        let settled = self.settled_rate.unwrap_or(rate);
        let served = self
            .served_since
            .map(|since| self.served as f64 / seconds(now - since).max(1.0));
        // What an origin served says nothing if it was hardly asked.
        let used = served.map_or(rate, |served| served.max(rate / 2.0).min(rate));
        if rate <= settled * NOT_RISEN {
            return used * self.overdraft(now).min(CUT);
        }
        if self.is_searching() {
            return rate * FAST_CUT;
        }
        let cut = if self.is_measured { CUT } else { FAST_CUT };
        (used * cut).max(settled).min(rate * CUT)
    }

    /// A bucket that was full after the park, and holds what comes in within a second, bears more
    /// for a while than the rate at which it fills. Returns the part of the borne rate at which it
    /// fills, by how long it bore it.
    fn overdraft(&self, now: i64) -> f64 {
        let borne = self.parked_until.map(|until| seconds(now - until));
        match borne.filter(|borne| *borne >= WINDOW_SECONDS) {
            Some(borne) => borne / (borne + 1.0),
            None => 1.0,
        }
    }

    fn settle(&mut self, rate: f64) {
        let rate = rate.clamp(LOWEST_RATE, HIGHEST_RATE - 1.0);
        (self.rate, self.settled_rate) = (Some(rate), Some(rate));
    }

    /// Keeps the rate unchanged for a time that is long compared with a park of `wait` until
    /// `parked`.
    pub(super) fn hold_rate(&mut self, parked: i64, wait: Duration) {
        let parks = if self.is_measured {
            HELD_PARKS
        } else {
            HELD_PARKS_OF_GUESS
        };
        let until = parked + millis((wait.max(EPOCH) * parks).min(LONGEST_HOLD));
        self.held_until = self.held_until.max(Some(until));
    }

    /// Another process met the same refusal: a first guess is the sum of what all were served.
    pub(super) fn add_to_guess(&mut self, served_a_second: Option<f64>, now: i64) {
        let is_fresh = self.cut_at.is_some_and(|cut| now - cut < millis(GUESSING));
        if let (Some(rate), Some(served)) = (self.rate, served_a_second)
            && is_fresh
            && !self.is_measured
        {
            self.settle(rate + served * CUT);
        }
    }
}
