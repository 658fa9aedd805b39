//! How often a key may ask.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::problem::Problem;
use super::problem_kind::ProblemKind;

/// A key that was silent may send as much at once as it may send in so many seconds.
const BURST_SECONDS: f64 = 2.0;

/// A token bucket for each key, in this process. There are as many as keys.
pub struct RateLimit {
    per_second: f64,
    buckets: Mutex<HashMap<Arc<str>, Bucket>>,
}

struct Bucket {
    tokens: f64,
    filled_at: Instant,
}

impl RateLimit {
    pub(super) fn new(per_second: f64) -> Self {
        Self {
            per_second,
            buckets: Mutex::default(),
        }
    }

    /// Counts a request of this key, or refuses it.
    pub fn admit(&self, key: &Arc<str>) -> Result<(), Problem> {
        self.admit_at(key, Instant::now())
    }

    fn admit_at(&self, key: &Arc<str>, now: Instant) -> Result<(), Problem> {
        let most = (self.per_second * BURST_SECONDS).max(1.0);
        // The numbers are valid after every statement, so a panic elsewhere does not spoil them.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(Arc::clone(key)).or_insert(Bucket {
            tokens: most,
            filled_at: now,
        });
        let since = now.saturating_duration_since(bucket.filled_at);
        bucket.tokens = (bucket.tokens + since.as_secs_f64() * self.per_second).min(most);
        bucket.filled_at = now;
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(());
        }
        let wait = ((1.0 - bucket.tokens) / self.per_second).ceil();
        let detail = "The key sends more requests than it may: send the next one later.";
        Err(Problem::new(ProblemKind::RateLimited, detail).with_retry_after(wait as u64))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_key_may_send_its_rate_and_a_burst_and_others_are_not_concerned() {
        let limit = RateLimit::new(5.0);
        let (one, two): (Arc<str>, Arc<str>) = ("one".into(), "two".into());
        let start = Instant::now();
        let admitted = |key: &Arc<str>, millis: u64| {
            limit
                .admit_at(key, start + Duration::from_millis(millis))
                .is_ok()
        };
        assert_eq!((0..30).filter(|_| admitted(&one, 0)).count(), 10);
        assert!(admitted(&two, 0));
        assert!(!admitted(&one, 199));
        assert!(admitted(&one, 200) && !admitted(&one, 200));
        let later = (0..100)
            .filter(|step| admitted(&one, 200 + 100 * step))
            .count();
        assert_eq!(later, 49, "five a second for ten seconds");
    }

    #[test]
    fn a_slow_rate_admits_one_and_says_how_long_to_wait() {
        let limit = RateLimit::new(0.1);
        let key: Arc<str> = "one".into();
        let start = Instant::now();
        assert!(limit.admit_at(&key, start).is_ok());
        let refused = limit.admit_at(&key, start).unwrap_err();
        assert_eq!(refused.retry_after, Some(10));
    }
}
