//! One try of a delivery.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::db::{ClaimedDelivery, DeliveryEnd, WebhookSecrets};
use crate::domain::SourceUrl;
use crate::domain::webhook::{TriedDelivery, wait_after};
use crate::fetch::{PostAnswer, Poster};

use super::secrets::{SecretBox, SecretError};
use super::signature::sign;

/// The longest wait that a receiver can ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 3600);
/// Receivers that are tried again do not come all at the same moment: up to so much of the wait more.
const JITTER: f64 = 0.1;

/// How a try went.
pub(super) struct Tried {
    pub end: DeliveryEnd,
    pub outcome: TriedDelivery,
    /// The receiver wants no more deliveries.
    pub is_gone: bool,
}

/// Sends a delivery once.
pub(super) async fn send(poster: &Poster, secrets: &SecretBox, claim: &ClaimedDelivery) -> Tried {
    let began = Instant::now();
    let answer = match request(secrets, claim) {
        Ok((url, fields)) => poster
            .post(&url, &fields, &claim.body)
            .await
            .map_err(|failure| failure.message),
        Err(reason) => Err(reason),
    };
    judge(answer, claim.attempt, began.elapsed())
}

type Fields = Vec<(&'static str, String)>;

fn request(secrets: &SecretBox, claim: &ClaimedDelivery) -> Result<(SourceUrl, Fields), String> {
    let url = SourceUrl::parse(&claim.url).map_err(|error| error.to_string())?;
    let keys = signing_keys(secrets, &claim.secrets).map_err(|error| error.to_string())?;
    // Of this try: receivers compare it with their own clock.
    #[expect(clippy::disallowed_methods, reason = "it is for others")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = since.map_or(0, |since| since.as_secs());
    let fields = vec![
        ("webhook-id", claim.event_id.to_string()),
        ("webhook-timestamp", now.to_string()),
        (
            "webhook-signature",
            sign(&keys, claim.event_id, now, &claim.body),
        ),
    ];
    Ok((url, fields))
}

/// The newest must sign. One that it replaced may be encrypted under a key that is gone.
fn signing_keys(secrets: &SecretBox, kept: &WebhookSecrets) -> Result<Vec<Vec<u8>>, SecretError> {
    let mut keys = Vec::new();
    for (place, kept) in kept.0.iter().enumerate() {
        match secrets.signing_key(kept) {
            Ok(key) => keys.push(key),
            Err(error) if place == 0 => return Err(error),
            Err(_) => {}
        }
    }
    Ok(keys)
}

fn judge(answer: Result<PostAnswer, String>, attempt: u32, took: Duration) -> Tried {
    let (response_status, response_body, error, asked) = match answer {
        Ok(answer) => {
            let error = match answer.status {
                200..=299 => None,
                300..=399 => Some("the receiver redirects, which is not followed".to_owned()),
                410 => Some("the receiver wants no more deliveries (410)".to_owned()),
                status => Some(format!("the receiver answered {status}")),
            };
            (
                Some(answer.status),
                Some(answer.body),
                error,
                answer.retry_after,
            )
        }
        Err(reason) => (None, None, Some(reason), None),
    };
    let is_gone = response_status == Some(410);
    let end = match error {
        None => DeliveryEnd::Delivered,
        Some(_) if is_gone => DeliveryEnd::Failed(None),
        Some(_) => DeliveryEnd::Failed(wait_after(attempt).map(|wait| {
            let asked = asked.unwrap_or_default().min(LONGEST_ASKED);
            wait.mul_f64(1.0 + JITTER * rand::random::<f64>())
                .max(asked)
        })),
    };
    Tried {
        end,
        is_gone,
        outcome: TriedDelivery {
            response_status,
            response_body,
            error,
            duration: Some(took),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, asked: u64, attempt: u32) -> Tried {
        let answer = PostAnswer {
            status,
            retry_after: Some(Duration::from_secs(asked)),
            body: String::new(),
        };
        judge(Ok(answer), attempt, Duration::ZERO)
    }

    #[test]
    fn only_success_ends_well_and_the_tenth_failure_for_good() {
        for status in [200, 202, 204] {
            assert_eq!(answered(status, 0, 1).end, DeliveryEnd::Delivered);
        }
        for status in [301, 400, 404, 429, 500, 503] {
            let DeliveryEnd::Failed(Some(wait)) = answered(status, 0, 1).end else {
                panic!("{status} is tried again");
            };
            assert!((5.0..=5.5).contains(&wait.as_secs_f64()), "{wait:?}");
            assert_eq!(answered(status, 0, 10).end, DeliveryEnd::Failed(None));
        }
        let gone = answered(410, 0, 1);
        assert_eq!((gone.end, gone.is_gone), (DeliveryEnd::Failed(None), true));
        let lost = judge(Err("connection refused".to_owned()), 1, Duration::ZERO);
        assert!(matches!(lost.end, DeliveryEnd::Failed(Some(_))) && !lost.is_gone);
    }

    #[test]
    fn a_rotation_helps_where_the_key_of_the_old_secret_is_gone() {
        let (gone, present) = (
            SecretBox::new(Some("gone")),
            SecretBox::new(Some("present")),
        );
        let old = gone.seal(&SecretBox::generate()).unwrap();
        let before = WebhookSecrets(vec![old.clone()]);
        assert_eq!(signing_keys(&present, &before), Err(SecretError::OtherKey));
        let new = present.seal(&SecretBox::generate()).unwrap();
        let after = WebhookSecrets(vec![new, old]);
        assert_eq!(signing_keys(&present, &after).unwrap().len(), 1);
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_wait() {
        let DeliveryEnd::Failed(Some(wait)) = answered(429, 60, 1).end else {
            panic!("it is tried again");
        };
        assert_eq!(wait, Duration::from_secs(60));
        let DeliveryEnd::Failed(Some(wait)) = answered(503, u64::MAX, 1).end else {
            panic!("it is tried again");
        };
        assert_eq!(wait, LONGEST_ASKED);
    }
}
