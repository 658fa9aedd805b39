//! How many answers a second an origin gave lately.

use std::time::Duration;

use tokio::time::Instant;

const PERIOD: Duration = Duration::from_secs(5);
/// A rate is measured over at least this time.
const SHORTEST: Duration = Duration::from_secs(1);

/// Two periods: the current one and the one before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Served {
    since: Instant,
    now: u32,
    /// Of the period just before, if there was one.
    before: Option<u32>,
}

impl Served {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            now: 0,
            before: None,
        }
    }

    pub(super) fn count(&mut self, now: Instant) {
        self.turn(now);
        self.now += 1;
    }

    pub(super) fn a_second(&mut self, now: Instant) -> f64 {
        self.turn(now);
        let passed = now - self.since;
        match self.before {
            Some(before) => f64::from(before + self.now) / (PERIOD + passed).as_secs_f64(),
            None => f64::from(self.now) / passed.max(SHORTEST).as_secs_f64(),
        }
    }

    fn turn(&mut self, now: Instant) {
        let passed = now - self.since;
        if passed >= 2 * PERIOD {
            *self = Self::new(now);
        } else if passed >= PERIOD {
            *self = Self {
                since: self.since + PERIOD,
                now: 0,
                before: Some(self.now),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let start = Instant::now();
        let mut served = Served::new(start);
        for _ in 0..10 {
            served.count(start);
        }
        assert_eq!(served.a_second(start), 10.0, "over a second at least");
        for tenth in 1..=70 {
            served.count(start + Duration::from_millis(tenth * 100));
        }
        let lately = served.a_second(start + Duration::from_secs(7));
        assert!((10.0..13.0).contains(&lately), "{lately}");
        assert_eq!(served.a_second(start + Duration::from_secs(30)), 0.0);
    }
}
