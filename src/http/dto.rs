//! The JSON that clients read: the public contract, apart from what we hold inside.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use super::prefix::Prefix;
use super::result_dto::ResultBody;
use crate::domain::{Job, JobStatus, PastAttempt, Timestamp};

/// What became of a submitted URL.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
pub struct JobBody {
    /// UUID version 7.
    #[schema(example = "01980a5c-7f1e-7cc3-9d7a-6a0f5b1f8e21")]
    id: Uuid,
    /// The normalised URL: without fragment.
    #[schema(example = "https://images.example.org/harbour.jpg")]
    url: String,
    status: StatusBody,
    /// Attempts begun so far.
    #[schema(example = 1)]
    attempts: u32,
    /// UTC.
    #[schema(format = DateTime, example = "2026-01-31T12:00:00.000000Z")]
    created_at: String,
    /// UTC.
    #[schema(format = DateTime, example = "2026-01-31T12:00:00.250000Z")]
    updated_at: String,
    /// Present when completed.
    #[schema(required)]
    result: Option<Box<ResultBody>>,
    /// The last failure as a sentence; also while a retry is pending.
    #[schema(required, example = json!(null))]
    error: Option<String>,
    /// The last failure as a stable word.
    #[schema(required, example = json!(null))]
    error_code: Option<String>,
    /// 0 runs first, 9 last.
    #[schema(minimum = 0, maximum = 9, example = 5)]
    priority: u8,
    /// No attempt before; UTC.
    #[schema(required, format = DateTime, example = json!(null))]
    not_before: Option<String>,
    /// The HTTP status that the source last answered with.
    #[schema(required, example = 200)]
    source_status: Option<u16>,
    /// The variant that could not be made, if the last failure is the fault of one.
    #[schema(required, example = json!(null))]
    error_variant: Option<String>,
    /// When it ended; UTC.
    #[schema(required, format = DateTime, example = json!(null))]
    finished_at: Option<String>,
    /// The batch that made it.
    #[schema(required, example = json!(null))]
    batch_id: Option<Uuid>,
    /// As they were submitted.
    tags: Vec<String>,
    /// As it was submitted.
    #[schema(required, value_type = Option<Object>, example = json!(null))]
    metadata: Option<Box<RawValue>>,
    /// The name of the API key that submitted it.
    #[schema(required, example = json!(null))]
    submitted_by: Option<String>,
    /// Seconds for which it is kept after its end; null: as the service is set.
    #[schema(required, example = json!(null))]
    expires_in: Option<u64>,
    /// How its attempts ended, the last one last; only on the job alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    attempts_log: Option<Vec<AttemptBody>>,
}

/// How an attempt ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attempt)]
pub struct AttemptBody {
    /// UTC.
    #[schema(format = DateTime, example = "2026-01-31T12:00:00.050000Z")]
    began: String,
    /// UTC.
    #[schema(format = DateTime, example = "2026-01-31T12:00:00.250000Z")]
    ended: String,
    /// The run of a worker process.
    #[schema(required)]
    worker: Option<Uuid>,
    /// `completed`, `failed`, `retried`, `parked`, `handed_back`, `lease_expired`, `worker_lost` or
    /// `cancelled`.
    #[schema(example = "completed")]
    outcome: String,
    #[schema(required, example = json!(null))]
    error_code: Option<String>,
}

/// The states of a job. The last three are its ends; a client can have a failed or cancelled job
/// tried again.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = JobStatus)]
pub enum StatusBody {
    Pending,
    Processing,
    Completed,
    Failed,
    Cancelled,
}

/// A page of jobs, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobList)]
pub struct ListBody {
    pub items: Vec<JobBody>,
    pub pagination: Pagination,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Pagination {
    /// Jobs that match the filter.
    #[schema(example = 1)]
    pub total: u64,
    /// False if there are more: filters other than status and time are counted to 2,000.
    #[schema(example = true)]
    pub total_is_exact: bool,
    /// The limit that was applied.
    #[schema(minimum = 1, example = 20)]
    pub limit: u32,
    #[schema(example = 0)]
    pub offset: u64,
    /// True if there may be matching jobs after this page.
    pub has_more: bool,
    /// The `cursor` of the next page, if there may be one. A page may have fewer jobs than its limit,
    /// or none, and yet not be the last.
    #[schema(required, example = json!(null))]
    pub next_cursor: Option<String>,
}

/// How many jobs are in which state, and whether they move.
#[derive(Debug, Serialize, ToSchema)]
pub struct Metrics {
    #[schema(example = 1204)]
    pub total: u64,
    #[schema(example = 3)]
    pub pending: u64,
    #[schema(example = 1)]
    pub processing: u64,
    #[schema(example = 1188)]
    pub completed: u64,
    #[schema(example = 12)]
    pub failed: u64,
    #[schema(example = 0)]
    pub cancelled: u64,
    /// For how long the oldest job waits that could run; null if there is none.
    #[schema(required, example = 0.41)]
    pub oldest_pending_seconds: Option<f64>,
    /// For how long the oldest job waits that is due, but whose origin is parked or paused, or
    /// everything is paused; null if there is none.
    #[schema(required, example = json!(null))]
    pub oldest_parked_seconds: Option<f64>,
    /// Worker processes that have shown life lately.
    #[schema(example = 2)]
    pub workers_alive: u64,
}

/// All is well.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    #[schema(example = "ok")]
    pub status: &'static str,
    /// Sentences for the operator: what this process can't do, although it is ready.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!([]))]
    pub notes: Vec<String>,
}

impl Health {
    pub const fn ok() -> Self {
        Self {
            status: "ok",
            notes: Vec::new(),
        }
    }
}

impl JobBody {
    /// Its links are for a client that sees the API under `prefix`.
    pub fn new(job: Job, prefix: &Prefix) -> Self {
        let finished_at = job.finished_at().map(|moment| moment.to_string());
        Self {
            id: job.id.0,
            url: job.url,
            status: job.status.into(),
            attempts: job.attempts,
            created_at: job.created_at.to_string(),
            updated_at: job.updated_at.to_string(),
            result: job
                .result
                .map(|result| Box::new(ResultBody::of(job.id, *result, prefix))),
            error: job.error,
            error_code: job.error_code,
            priority: job.priority.get(),
            not_before: job.not_before.map(|moment| moment.to_string()),
            source_status: job.source_status,
            error_variant: job.error_variant,
            finished_at,
            batch_id: job.batch_id,
            tags: job.tags,
            metadata: job
                .metadata
                .and_then(|json| RawValue::from_string(json).ok()),
            submitted_by: job.submitted_by,
            expires_in: job.expires_in.map(|kept| kept.as_secs()),
            attempts_log: None,
        }
    }

    /// With how its attempts ended.
    pub fn with_attempts(job: Job, attempts: Vec<PastAttempt>, prefix: &Prefix) -> Self {
        Self {
            attempts_log: Some(attempts.into_iter().map(AttemptBody::from).collect()),
            ..Self::new(job, prefix)
        }
    }
}

impl From<PastAttempt> for AttemptBody {
    fn from(attempt: PastAttempt) -> Self {
        let moment = |millis: i64| {
            let moment = Timestamp::from_unix_micros(millis.saturating_mul(1000));
            moment.unwrap_or(Timestamp::EPOCH).to_string()
        };
        Self {
            began: moment(attempt.began),
            ended: moment(attempt.ended),
            worker: attempt.worker,
            outcome: attempt.outcome,
            error_code: attempt.error_code,
        }
    }
}

impl From<JobStatus> for StatusBody {
    fn from(status: JobStatus) -> Self {
        match status {
            JobStatus::Pending => Self::Pending,
            JobStatus::Processing => Self::Processing,
            JobStatus::Completed => Self::Completed,
            JobStatus::Failed => Self::Failed,
            JobStatus::Cancelled => Self::Cancelled,
        }
    }
}
