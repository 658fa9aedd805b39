//! When a call is made again, and for how long.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use crate::trouble::Trouble;

/// First and longest pause between two tries; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// A longer `Retry-After` is asked about again, since the service may be back earlier.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(120);

/// For how long after its first failure a call is made again.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    limit: Duration,
    /// When the first pause was asked for. A call may itself take as long as the limit.
    began: Option<Instant>,
    pause: Duration,
}

impl Patience {
    pub fn new(limit: Duration) -> Self {
        Self {
            limit,
            began: None,
            pause: FIRST_PAUSE,
        }
    }

    /// How long to wait before another try; `None` if another one won't help, or it is time to give
    /// up.
    pub fn pause_after(&mut self, trouble: &Trouble) -> Option<Duration> {
        let asked = match trouble {
            Trouble::Unreachable(_) => None,
            Trouble::Refused(refusal) if is_passing(refusal.status.as_u16(), refusal.code()) => {
                refusal.retry_after.map(Duration::from_secs)
            }
            _ => return None,
        };
        let own = self.pause;
        self.pause = (own * 2).min(LONGEST_PAUSE);
        let pause = asked.map_or(own, |asked| asked.clamp(own, LONGEST_RETRY_AFTER));
        let began = self.began.get_or_insert_with(Instant::now);
        (began.elapsed() + pause <= self.limit).then_some(pause)
    }
}

/// Makes `attempt` until it succeeds, or `may` or `patience` says no: then the last trouble is
/// returned.
pub async fn retried<T, A>(
    mut patience: Patience,
    may: impl Fn(&Trouble) -> bool,
    attempt: impl Fn() -> A,
) -> Result<T, Trouble>
where
    A: Future<Output = Result<T, Trouble>>,
{
    loop {
        let trouble = match attempt().await {
            Ok(value) => return Ok(value),
            Err(trouble) => trouble,
        };
        if !may(&trouble) {
            return Err(trouble);
        }
        match patience.pause_after(&trouble) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => return Err(trouble),
        }
    }
}

/// Whether the same request may succeed later.
fn is_passing(status: u16, code: &str) -> bool {
    match status {
        // Of the service, and of a proxy before it.
        408 | 429 | 502 | 503 | 504 => true,
        409 => code == "idempotency_key_in_use",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use serde_json::json;

    use super::*;
    use crate::trouble::Refusal;

    fn refused(status: u16, retry_after: Option<u64>) -> Trouble {
        Trouble::Refused(Refusal {
            status: StatusCode::from_u16(status).unwrap(),
            problem: json!({"code": "x"}),
            retry_after,
        })
    }

    #[test]
    fn what_passes_is_tried_again_after_the_time_that_it_asks_for() {
        let mut patience = Patience::new(Duration::from_secs(60));
        let away = Trouble::Unreachable(String::new());
        assert_eq!(patience.pause_after(&away), Some(FIRST_PAUSE));
        assert_eq!(patience.pause_after(&away), Some(FIRST_PAUSE * 2));
        let busy = refused(429, Some(7));
        assert_eq!(patience.pause_after(&busy), Some(Duration::from_secs(7)));
        assert_eq!(patience.pause_after(&refused(503, Some(61))), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_before_the_first_failure_does_not_count() {
        let limit = FIRST_PAUSE * 2;
        let mut patience = Patience::new(limit);
        tokio::time::advance(limit).await;
        let away = Trouble::Unreachable(String::new());
        assert_eq!(patience.pause_after(&away), Some(FIRST_PAUSE));
        tokio::time::advance(limit).await;
        assert_eq!(patience.pause_after(&away), None);
    }

    #[test]
    fn what_will_not_pass_is_not() {
        let mut patience = Patience::new(Duration::from_secs(60));
        for status in [400, 401, 404, 409, 422, 500] {
            assert_eq!(patience.pause_after(&refused(status, Some(1))), None);
        }
    }
}
