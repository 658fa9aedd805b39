//! An event as clients read it. Streams and webhooks send the same JSON.

use std::sync::OnceLock;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::{PublicEvent, Subject};
use crate::http::batch_dto::{BatchAnswer, BatchStatusBody};
use crate::http::dto::{JobBody, StatusBody};
use crate::http::prefix::Prefix;

/// What happened, of an event about an image.
#[derive(Debug, Serialize, ToSchema)]
pub enum ImageEventType {
    #[serde(rename = "image.completed")]
    Completed,
    #[serde(rename = "image.failed")]
    Failed,
    #[serde(rename = "image.cancelled")]
    Cancelled,
}

/// A job ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImageEvent {
    #[serde(rename = "type")]
    event_type: ImageEventType,
    /// The same for every receiver, however often it is sent.
    id: Uuid,
    /// Grows from event to event.
    #[schema(minimum = 1, example = 17)]
    sequence: u64,
    /// When it happened; UTC.
    #[schema(format = DateTime, example = "2026-01-31T12:00:00.250000Z")]
    timestamp: String,
    data: ImageEventData,
}

/// The job as it was then.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ImageEventData {
    Job(Box<JobBody>),
    Deleted(DeletedJob),
}

/// A job that was deleted since; nothing else is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeletedJob {
    id: Uuid,
    status: StatusBody,
    #[schema(required)]
    error_code: Option<String>,
    #[schema(required)]
    batch_id: Option<Uuid>,
    /// Always true.
    deleted: bool,
}

/// What happened, of an event about a batch.
#[derive(Debug, Serialize, ToSchema)]
pub enum BatchEventType {
    #[serde(rename = "batch.finished")]
    Finished,
}

/// A batch ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchEvent {
    #[serde(rename = "type")]
    event_type: BatchEventType,
    /// The same for every receiver, however often it is sent.
    id: Uuid,
    /// Grows from event to event.
    #[schema(minimum = 1, example = 18)]
    sequence: u64,
    /// When it happened; UTC.
    #[schema(format = DateTime, example = "2026-01-31T12:00:00.250000Z")]
    timestamp: String,
    data: BatchEventData,
}

/// The batch as it was then.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum BatchEventData {
    Batch(Box<BatchAnswer>),
    Deleted(DeletedBatch),
}

/// A batch that was forgotten since.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeletedBatch {
    id: Uuid,
    status: BatchStatusBody,
    /// Always true.
    deleted: bool,
}

/// The JSON of `event` for a receiver that sees the API at `public_url`.
///
/// # Errors
/// If it can't be written.
pub fn event_json(event: &PublicEvent, public_url: Option<&url::Url>) -> Result<String, String> {
    let prefix = public_url.map(Prefix::of_url).unwrap_or_default();
    json(event, &prefix).map_err(|error| format!("event {}: {error}", event.sequence))
}

/// The JSON of `event` for a client that sees the API under `prefix`.
pub(in crate::http) fn json(event: &PublicEvent, prefix: &Prefix) -> serde_json::Result<String> {
    let (id, sequence) = (event.id, event.sequence);
    let timestamp = event.happened_at.to_string();
    let image = |event_type, data| ImageEvent {
        event_type,
        id,
        sequence,
        timestamp: timestamp.clone(),
        data,
    };
    let batch = |data| BatchEvent {
        event_type: BatchEventType::Finished,
        id,
        sequence,
        timestamp: timestamp.clone(),
        data,
    };
    match event.subject.clone() {
        Subject::Job(job) => {
            let event_type = image_type(job.status);
            let body = JobBody::new(*job, prefix);
            serde_json::to_string(&image(event_type, ImageEventData::Job(Box::new(body))))
        }
        Subject::DeletedJob {
            id,
            status,
            error_code,
            batch_id,
        } => serde_json::to_string(&image(
            image_type(status),
            ImageEventData::Deleted(DeletedJob {
                id: id.0,
                status: status.into(),
                error_code,
                batch_id,
                deleted: true,
            }),
        )),
        Subject::Batch(found) => {
            let body = Box::new(BatchAnswer::from(*found));
            serde_json::to_string(&batch(BatchEventData::Batch(body)))
        }
        Subject::DeletedBatch { id, status } => {
            serde_json::to_string(&batch(BatchEventData::Deleted(DeletedBatch {
                id,
                status: status.into(),
                deleted: true,
            })))
        }
    }
}

const fn image_type(status: crate::domain::JobStatus) -> ImageEventType {
    match status {
        crate::domain::JobStatus::Completed => ImageEventType::Completed,
        crate::domain::JobStatus::Cancelled => ImageEventType::Cancelled,
        _ => ImageEventType::Failed,
    }
}

/// An event, and its text in a stream, which most readers share.
pub(in crate::http) struct Shown {
    pub event: PublicEvent,
    text: OnceLock<(Prefix, String)>,
}

impl Shown {
    pub const fn new(event: PublicEvent) -> Self {
        Self {
            event,
            text: OnceLock::new(),
        }
    }

    /// Appends it as one event of a stream.
    pub fn write_to(&self, stream: &mut String, prefix: &Prefix) {
        let (of, text) = self
            .text
            .get_or_init(|| (prefix.clone(), block(&self.event, prefix)));
        match of.as_str() == prefix.as_str() {
            true => stream.push_str(text),
            false => stream.push_str(&block(&self.event, prefix)),
        }
    }
}

fn block(event: &PublicEvent, prefix: &Prefix) -> String {
    match json(event, prefix) {
        Ok(json) => sse_event(event.sequence, event.event_type.as_str(), &json),
        Err(error) => {
            tracing::error!(%error, sequence = event.sequence, "an event can't be shown");
            String::new()
        }
    }
}

/// One event of a stream (WHATWG HTML, section 9.2.6). JSON has no line breaks.
pub(super) fn sse_event(id: u64, name: &str, json: &str) -> String {
    format!("id: {id}\nevent: {name}\ndata: {json}\n\n")
}
