//! Receivers of events, as clients read them.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::origin_dto::CursorPagination;
use crate::domain::webhook::{Delivery, DeliveryStatus, DisabledReason, Webhook};
use thumbforge_intake::EventWord;

/// A receiver of events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub struct WebhookAnswer {
    /// UUID version 7.
    #[schema(example = "01980a5c-7f1e-7cc3-9d7a-6a0f5b1f8e21")]
    id: Uuid,
    #[schema(example = "https://example.org/thumbforge")]
    url: String,
    #[schema(required, example = json!(null))]
    description: Option<String>,
    /// The types of events that it receives; null: all.
    #[schema(required, value_type = Option<Vec<EventWord>>)]
    events: Option<Vec<&'static str>>,
    /// It receives events of jobs with one of these tags; null: all events.
    #[schema(required, example = json!(null))]
    tags: Option<Vec<String>>,
    /// Whether nothing is sent to it.
    disabled: bool,
    /// `operator`, `gone` (it answered 410) or `failing` (for five days).
    #[schema(required, value_type = Option<String>, example = json!(null))]
    disabled_reason: Option<&'static str>,
    /// UTC.
    #[schema(required, format = DateTime, example = json!(null))]
    disabled_at: Option<String>,
    /// Since when every delivery has failed; UTC.
    #[schema(required, format = DateTime, example = json!(null))]
    failing_since: Option<String>,
    /// To the second; UTC.
    #[schema(required, format = DateTime, example = json!(null))]
    last_success_at: Option<String>,
    /// The name of the API key that made it.
    #[schema(required, example = json!(null))]
    submitted_by: Option<String>,
    /// UTC.
    #[schema(format = DateTime, example = "2026-01-31T12:00:00.000000Z")]
    created_at: String,
    /// UTC.
    #[schema(format = DateTime, example = "2026-01-31T12:00:00.000000Z")]
    updated_at: String,
    /// What signs its deliveries. It is shown once: when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: Option<String>,
}

/// All receivers, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhooks)]
pub struct WebhooksBody {
    pub items: Vec<WebhookAnswer>,
}

/// What became of an event for one receiver.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryBody {
    /// UUID version 7.
    #[schema(example = "01980a5c-7f1e-7cc3-9d7a-6a0f5b1f8e21")]
    id: Uuid,
    /// What is sent as `webhook-id`.
    event_id: Uuid,
    /// The number of the event; null of a test.
    #[schema(required, example = 17)]
    sequence: Option<u64>,
    #[serde(rename = "type")]
    #[schema(example = "image.completed")]
    event_type: String,
    #[schema(value_type = String, pattern = "^(pending|delivered|failed)$", example = "delivered")]
    status: &'static str,
    /// Tries begun so far.
    #[schema(example = 1)]
    attempts: u32,
    /// When it is tried next, while it is pending; UTC.
    #[schema(required, format = DateTime, example = json!(null))]
    next_attempt_at: Option<String>,
    /// What the receiver last answered.
    #[schema(required, example = 204)]
    response_status: Option<u16>,
    /// The first kilobyte of that.
    #[schema(required, example = "")]
    response_body: Option<String>,
    /// Why the last try failed, as a sentence.
    #[schema(required, example = json!(null))]
    error: Option<String>,
    /// How long the last try took.
    #[schema(required, example = 0.083)]
    duration_seconds: Option<f64>,
    /// UTC.
    #[schema(format = DateTime, example = "2026-01-31T12:00:00.000000Z")]
    created_at: String,
    /// UTC.
    #[schema(format = DateTime, example = "2026-01-31T12:00:00.083000Z")]
    updated_at: String,
}

/// A page of deliveries, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Deliveries)]
pub struct DeliveriesBody {
    pub items: Vec<DeliveryBody>,
    pub pagination: CursorPagination,
}

impl WebhookAnswer {
    #[must_use]
    pub fn with_secret(mut self, secret: String) -> Self {
        self.secret = Some(secret);
        self
    }
}

impl From<Webhook> for WebhookAnswer {
    fn from(webhook: Webhook) -> Self {
        let events = webhook.filter.events;
        Self {
            id: webhook.id,
            url: webhook.url,
            description: webhook.description,
            events: events.map(|events| events.iter().map(|event| event.as_str()).collect()),
            tags: webhook.filter.tags,
            disabled: webhook.disabled.is_some(),
            disabled_reason: webhook
                .disabled
                .map(|(_, reason)| DisabledReason::as_str(reason)),
            disabled_at: webhook.disabled.map(|(moment, _)| moment.to_string()),
            failing_since: webhook.failing_since.map(|moment| moment.to_string()),
            last_success_at: webhook.last_success_at.map(|moment| moment.to_string()),
            submitted_by: webhook.submitted_by,
            created_at: webhook.created_at.to_string(),
            updated_at: webhook.updated_at.to_string(),
            secret: None,
        }
    }
}

impl From<Delivery> for DeliveryBody {
    fn from(delivery: Delivery) -> Self {
        let is_pending = delivery.status == DeliveryStatus::Pending;
        Self {
            id: delivery.id,
            event_id: delivery.event_id,
            sequence: delivery.sequence,
            event_type: delivery.event_type,
            status: delivery.status.as_str(),
            attempts: delivery.attempts,
            next_attempt_at: delivery
                .due_at
                .filter(|_| is_pending)
                .map(|moment| moment.to_string()),
            response_status: delivery.last.response_status,
            response_body: delivery.last.response_body,
            error: delivery.last.error,
            duration_seconds: delivery.last.duration.map(|took| took.as_secs_f64()),
            created_at: delivery.created_at.to_string(),
            updated_at: delivery.updated_at.to_string(),
        }
    }
}
