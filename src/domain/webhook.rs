//! Receivers of events, and what is sent to them. On the wire it is Standard Webhooks 1.0.0
//! (<https://www.standardwebhooks.com>).

use std::time::Duration;

use thumbforge_intake::{EventType, ListPlace, Timestamp};
use uuid::Uuid;

use super::PublicEvent;

/// Longest wait for an answer.
pub const DELIVERY_TIMEOUT: Duration = Duration::from_secs(15);
/// A receiver that has failed for so long without a success is disabled.
pub const FAILING_FOR: Duration = Duration::from_secs(5 * 24 * 3600);

/// A receiver as the API shows it. Its secrets are not among the members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    pub id: Uuid,
    pub url: String,
    pub description: Option<String>,
    pub filter: WebhookFilter,
    /// Since when every delivery has failed.
    pub failing_since: Option<Timestamp>,
    pub last_success_at: Option<Timestamp>,
    pub disabled: Option<(Timestamp, DisabledReason)>,
    /// The name of the API key.
    pub submitted_by: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Which events it receives; `None` means any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebhookFilter {
    pub events: Option<Vec<EventType>>,
    /// Of the job, one of them.
    pub tags: Option<Vec<String>>,
}

impl WebhookFilter {
    pub fn lets_through(&self, event: &PublicEvent) -> bool {
        self.events
            .as_ref()
            .is_none_or(|events| events.contains(&event.event_type))
            && self
                .tags
                .as_ref()
                .is_none_or(|tags| tags.iter().any(|tag| event.has_tag(tag)))
    }
}

/// Why nothing is sent to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisabledReason {
    /// Somebody wanted it.
    Operator,
    /// It answered 410.
    Gone,
    /// It has failed for [`FAILING_FOR`].
    Failing,
}

impl DisabledReason {
    pub const ALL: [Self; 3] = [Self::Operator, Self::Gone, Self::Failing];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }

    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryStatus {
    Pending,
    Delivered,
    Failed,
}

impl DeliveryStatus {
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Failed];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// A delivery as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub id: Uuid,
    pub event_id: Uuid,
    /// `None` of a test.
    pub sequence: Option<u64>,
    pub event_type: String,
    pub status: DeliveryStatus,
    /// Tries begun so far.
    pub attempts: u32,
    /// When it is tried next.
    pub due_at: Option<Timestamp>,
    /// Of the last try.
    pub last: TriedDelivery,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What came of a try.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TriedDelivery {
    pub response_status: Option<u16>,
    /// The beginning of what the receiver answered.
    pub response_body: Option<String>,
    /// A sentence, if it failed.
    pub error: Option<String>,
    pub duration: Option<Duration>,
}

/// A page of deliveries, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryPage {
    pub deliveries: Vec<Delivery>,
    pub next: Option<ListPlace>,
}

/// How long to wait after so many tries that failed; `None`: it has failed for good. The schedule
/// is the one that Standard Webhooks recommends.
pub const fn wait_after(tries: u32) -> Option<Duration> {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    let seconds = match tries {
        0 => 0,
        1 => 5,
        2 => 5 * MINUTE,
        3 => 30 * MINUTE,
        4 => 2 * HOUR,
        5 => 5 * HOUR,
        6 => 10 * HOUR,
        7 => 14 * HOUR,
        8 => 20 * HOUR,
        9 => 24 * HOUR,
        _ => return None,
    };
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_tries_take_three_days() {
        let total: Duration = (0..).map_while(wait_after).sum();
        assert_eq!(total.as_secs() / 3600, 75);
        assert_eq!((0..).map_while(wait_after).count(), 10);
    }
}
