//! How long to wait before the next attempt.

use std::time::Duration;

const BASE: Duration = Duration::from_secs(1);
const CEILING: Duration = Duration::from_secs(60);
/// A source may ask for patience, but not park a job for days.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);
/// No job ever waits for longer.
pub const LONGEST_DELAY: Duration = LONGEST_RETRY_AFTER.saturating_add(CEILING);

/// Exponential back-off with full jitter
/// (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
///
/// `attempt` counts from 1; `jitter` is uniform in 0..1. The upper bounds are 1, 2, 4, 8, 16, 32,
/// 60, 60 … seconds. A `Retry-After` of the source is the shortest wait, up to ten minutes.
pub fn delay(attempt: u32, retry_after: Option<Duration>, jitter: f64) -> Duration {
    let doublings = attempt.saturating_sub(1).min(16);
    let bound = CEILING.min(BASE * 2_u32.pow(doublings));
    let jittered = bound.mul_f64(jitter.clamp(0.0, 1.0));
    match retry_after {
        Some(asked) => asked.min(LONGEST_RETRY_AFTER) + jittered,
        None => jittered,
    }
}

/// How long a job waits whose worker died; bounds of 4, 8, 16, 32, 60, 60 … seconds, full jitter.
///
/// Longer than after a failure, because jobs that died together must not start together again: one
/// of them may have killed its process, and would take its neighbours down each time.
pub fn delay_after_death(attempt: u32, jitter: f64) -> Duration {
    delay(attempt.saturating_add(2), None, jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_double_up_to_a_minute() {
        let bounds: Vec<_> = (1..=8)
            .map(|attempt| delay(attempt, None, 1.0).as_secs())
            .collect();
        assert_eq!(bounds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(delay(u32::MAX, None, 1.0).as_secs(), 60);
        assert_eq!(delay(5, None, 0.0), Duration::ZERO);
    }

    #[test]
    fn deaths_are_followed_by_longer_waits() {
        let bounds: Vec<_> = (1..=6)
            .map(|attempt| delay_after_death(attempt, 1.0).as_secs())
            .collect();
        assert_eq!(bounds, [4, 8, 16, 32, 60, 60]);
        assert_eq!(delay_after_death(u32::MAX, 0.0), Duration::ZERO);
    }

    #[test]
    fn retry_after_is_honoured_within_reason() {
        let asked = Some(Duration::from_secs(30));
        assert_eq!(delay(1, asked, 0.0), Duration::from_secs(30));
        let forever = Some(Duration::from_secs(u64::MAX));
        assert_eq!(delay(1, forever, 0.0), LONGEST_RETRY_AFTER);
        assert_eq!(delay(u32::MAX, forever, 1.0), LONGEST_DELAY);
    }
}
