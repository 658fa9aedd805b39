//! Batches, as clients read them.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use super::dto::JobBody;
use super::origin_dto::CursorPagination;
use super::prefix::Prefix;
use crate::db::StoredAnswer;
use crate::domain::{Batch, BatchCounts, BatchItem, BatchStatus, ItemError};

/// Jobs that were submitted together.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Batch)]
pub struct BatchAnswer {
    /// UUID version 7.
    #[schema(example = "01980a5c-7f1e-7cc3-9d7a-6a0f5b1f8e21")]
    id: Uuid,
    status: BatchStatusBody,
    counts: BatchCountsBody,
    /// Why items were refused: the first 100.
    #[schema(max_items = 100)]
    errors: Vec<ItemErrorBody>,
    /// True if the request ended before its last item.
    incomplete: bool,
    /// As it was submitted.
    #[schema(required, value_type = Option<Object>, example = json!(null))]
    metadata: Option<Box<RawValue>>,
    /// The name of the API key that submitted it.
    #[schema(required, example = json!(null))]
    submitted_by: Option<String>,
    /// UTC.
    #[schema(format = DateTime, example = "2026-01-31T12:00:00.000000Z")]
    created_at: String,
    /// When it began, took items, ended, or ran again; UTC.
    #[schema(format = DateTime, example = "2026-01-31T12:00:00.250000Z")]
    updated_at: String,
    /// When it ended; UTC.
    #[schema(required, format = DateTime, example = json!(null))]
    finished_at: Option<String>,
}

/// The states of a batch. The last four are its ends; it runs again if a job of it is retried.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BatchStatus)]
pub enum BatchStatusBody {
    Accepting,
    Running,
    Completed,
    PartiallyFailed,
    Failed,
    Cancelled,
}

/// Items by what became of them; `total` is the sum of the others.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BatchCounts)]
pub struct BatchCountsBody {
    #[schema(example = 100)]
    total: u64,
    #[schema(example = 97)]
    pending: u64,
    #[schema(example = 0)]
    processing: u64,
    #[schema(example = 0)]
    completed: u64,
    #[schema(example = 0)]
    failed: u64,
    #[schema(example = 0)]
    cancelled: u64,
    /// Their jobs were deleted.
    #[schema(example = 0)]
    deleted: u64,
    /// They were refused.
    #[schema(example = 1)]
    rejected: u64,
    /// An earlier, completed job stands for them.
    #[schema(example = 2)]
    reused: u64,
}

/// Why an item was refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ItemError)]
pub struct ItemErrorBody {
    /// The item's place, from 0.
    #[schema(example = 7)]
    index: u32,
    /// The `code` that a submission of its own would have got.
    #[schema(example = "invalid_url")]
    code: String,
    #[schema(example = "it is not an absolute URL")]
    detail: String,
    /// JSON pointer into the item, as URI fragment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "#/url")]
    pointer: Option<String>,
    /// With `duplicate_active`: the job that is pending or processing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    job_id: Option<Uuid>,
}

/// A page of batches, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BatchList)]
pub struct BatchesBody {
    pub items: Vec<BatchAnswer>,
    pub pagination: CursorPagination,
}

/// A page of the jobs of a batch.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BatchImages)]
pub struct BatchImagesBody {
    pub items: Vec<BatchImageBody>,
    pub pagination: CursorPagination,
}

/// A job, and the item of the batch that it stands for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BatchImage)]
pub struct BatchImageBody {
    /// The item's place, from 0.
    #[schema(example = 7)]
    index: u32,
    /// True if the job is an earlier one.
    reused: bool,
    job: JobBody,
}

impl BatchImageBody {
    /// Its links are for a client that sees the API under `prefix`.
    pub fn new(item: BatchItem, prefix: &Prefix) -> Self {
        Self {
            index: item.index,
            reused: item.reused,
            job: JobBody::new(item.job, prefix),
        }
    }
}

impl From<BatchStatus> for BatchStatusBody {
    fn from(status: BatchStatus) -> Self {
        match status {
            BatchStatus::Accepting => Self::Accepting,
            BatchStatus::Running => Self::Running,
            BatchStatus::Completed => Self::Completed,
            BatchStatus::PartiallyFailed => Self::PartiallyFailed,
            BatchStatus::Failed => Self::Failed,
            BatchStatus::Cancelled => Self::Cancelled,
        }
    }
}

impl From<BatchCounts> for BatchCountsBody {
    fn from(counts: BatchCounts) -> Self {
        Self {
            total: counts.total,
            pending: counts.pending,
            processing: counts.processing,
            completed: counts.completed,
            failed: counts.failed,
            cancelled: counts.cancelled,
            deleted: counts.deleted(),
            rejected: counts.rejected,
            reused: counts.reused,
        }
    }
}

impl From<ItemError> for ItemErrorBody {
    fn from(error: ItemError) -> Self {
        Self {
            index: error.index,
            code: error.code,
            detail: error.detail,
            pointer: error.pointer,
            job_id: error.job_id,
        }
    }
}

impl From<Batch> for BatchAnswer {
    fn from(batch: Batch) -> Self {
        let errors = batch.errors.into_iter().map(ItemErrorBody::from);
        let metadata = batch.metadata.map(RawValue::from_string);
        Self {
            id: batch.id,
            status: batch.status.into(),
            counts: batch.counts.into(),
            errors: errors.collect(),
            incomplete: batch.incomplete,
            metadata: metadata.and_then(Result::ok),
            submitted_by: batch.submitted_by,
            created_at: batch.created_at.to_string(),
            updated_at: batch.updated_at.to_string(),
            finished_at: batch.finished_at.map(|moment| moment.to_string()),
        }
    }
}

/// The answer to a submission of this batch.
pub(super) fn accepted(batch: &Batch) -> StoredAnswer {
    let location = format!("/v1/batches/{}", batch.id);
    let document = serde_json::to_string(&BatchAnswer::from(batch.clone()));
    StoredAnswer {
        status: 202,
        headers: vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("location".to_owned(), location),
        ],
        body: document.unwrap_or_else(|error| {
            tracing::error!(%error, "a batch could not be written");
            String::from("{}")
        }),
    }
}
