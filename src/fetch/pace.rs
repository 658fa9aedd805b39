//! The least speed of a body: no long silence, and enough bytes in every window.

use std::time::Duration;

use tokio::time::Instant;

use super::error::FetchError;
use super::settings::FetchSettings;

#[derive(Debug)]
pub(super) struct Pace {
    idle_timeout: Duration,
    window: Duration,
    min_bytes_per_window: u64,
    last_byte: Instant,
    window_start: Instant,
    window_bytes: u64,
}

impl Pace {
    pub(super) fn new(settings: &FetchSettings, now: Instant) -> Self {
        let min_bytes = settings.rate_window.as_secs_f64() * settings.min_bytes_per_second as f64;
        Self {
            idle_timeout: settings.idle_timeout,
            window: settings.rate_window,
            min_bytes_per_window: min_bytes as u64,
            last_byte: now,
            window_start: now,
            window_bytes: 0,
        }
    }

    /// Until when the next byte is worth waiting for, before [`Self::check`] is asked.
    pub(super) fn deadline(&self) -> Instant {
        (self.last_byte + self.idle_timeout).min(self.window_start + self.window)
    }

    /// Starts counting anew: the wait until now was ours.
    pub(super) fn restart(&mut self, now: Instant) {
        self.last_byte = now;
        self.window_start = now;
        self.window_bytes = 0;
    }

    pub(super) fn record(&mut self, bytes: usize, now: Instant) -> Result<(), FetchError> {
        self.last_byte = now;
        self.window_bytes += bytes as u64;
        self.check(now)
    }

    pub(super) fn check(&mut self, now: Instant) -> Result<(), FetchError> {
        if now >= self.last_byte + self.idle_timeout {
            return Err(FetchError::Idle);
        }
        if now >= self.window_start + self.window {
            if self.window_bytes < self.min_bytes_per_window {
                return Err(FetchError::TooSlow);
            }
            self.window_start = now;
            self.window_bytes = 0;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace(now: Instant) -> Pace {
        let settings = FetchSettings {
            idle_timeout: 3 * SECOND,
            rate_window: 5 * SECOND,
            min_bytes_per_second: 100,
            ..FetchSettings::default()
        };
        Pace::new(&settings, now)
    }

    #[test]
    fn silence_ends_after_the_idle_timeout() {
        let start = Instant::now();
        let mut pace = pace(start);
        assert_eq!(pace.deadline(), start + 3 * SECOND);
        assert_eq!(pace.check(start + 2 * SECOND), Ok(()));
        assert_eq!(pace.check(start + 3 * SECOND), Err(FetchError::Idle));
    }

    #[test]
    fn a_drip_ends_with_its_window() {
        let start = Instant::now();
        let mut pace = pace(start);
        for second in 1..5 {
            assert_eq!(pace.record(99, start + second * SECOND), Ok(()));
        }
        assert_eq!(pace.deadline(), start + 5 * SECOND);
        assert_eq!(
            pace.record(99, start + 5 * SECOND),
            Err(FetchError::TooSlow)
        );
    }

    #[test]
    fn a_fast_start_does_not_pay_for_a_slow_end() {
        let start = Instant::now();
        let mut pace = pace(start);
        assert_eq!(pace.record(1_000_000, start + SECOND), Ok(()));
        for second in 2..=5 {
            assert_eq!(pace.record(1, start + second * SECOND), Ok(()));
        }
        for second in 6..10 {
            assert_eq!(pace.record(1, start + second * SECOND), Ok(()));
        }
        assert_eq!(pace.check(start + 10 * SECOND), Err(FetchError::TooSlow));
    }
}
