//! The JSON of groups of failures.

use serde::Serialize;
use serde_json::Value;
use thumbforge_intake::FilterSchema;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::db::{FailedJob, FailureGroup, Failures};

/// Failed jobs by cause and host, the largest groups first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FailureGroupList)]
pub struct FailuresBody {
    pub items: Vec<FailureGroupItem>,
    /// How many groups there are; `items` has at most `limit` of them.
    #[schema(example = 7)]
    pub groups: u64,
    /// Failed jobs in all groups.
    #[schema(example = 431)]
    pub jobs: u64,
    /// False if there are older failed jobs, which were not looked at: each group counts those that
    /// its `filter` lets through.
    #[schema(example = true)]
    pub is_exact: bool,
    /// The limit that was applied.
    #[schema(minimum = 1, example = 20)]
    pub limit: u32,
}

/// Failed jobs with one cause and one host.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FailureGroup)]
pub struct FailureGroupItem {
    #[schema(example = "source_client_error")]
    error_code: String,
    #[schema(example = "images.example.org")]
    host: String,
    #[schema(example = 344)]
    count: u64,
    /// When the first of them failed; UTC.
    #[schema(format = DateTime)]
    first_failed_at: String,
    /// UTC.
    #[schema(format = DateTime)]
    last_failed_at: String,
    /// The newest jobs, three at most.
    #[schema(max_items = 3)]
    examples: Vec<FailureExample>,
    /// What `POST /v1/actions` takes to change just these jobs, with `count` as `expected_count`.
    #[schema(value_type = FilterSchema)]
    filter: Value,
}

/// A failed job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FailureExample)]
pub struct FailureExample {
    id: Uuid,
    #[schema(example = "https://images.example.org/harbour.jpg")]
    url: String,
    #[schema(required, example = "the source answered 404")]
    error: Option<String>,
    /// UTC.
    #[schema(format = DateTime)]
    failed_at: String,
}

impl FailuresBody {
    pub fn new(failures: Failures, limit: u32) -> Self {
        let items = failures.groups.into_iter();
        Self {
            items: items.map(FailureGroupItem::from).collect(),
            groups: failures.group_count,
            jobs: failures.job_count,
            is_exact: failures.is_exact,
            limit,
        }
    }
}

impl From<FailureGroup> for FailureGroupItem {
    fn from(group: FailureGroup) -> Self {
        let examples = group.examples.into_iter();
        Self {
            error_code: group.error_code,
            host: group.host,
            count: group.count,
            first_failed_at: group.first_failed_at.to_string(),
            last_failed_at: group.last_failed_at.to_string(),
            examples: examples.map(FailureExample::from).collect(),
            // A filter is made of texts.
            filter: serde_json::to_value(group.filter).unwrap_or_default(),
        }
    }
}

impl From<FailedJob> for FailureExample {
    fn from(job: FailedJob) -> Self {
        Self {
            id: job.id.0,
            url: job.url,
            error: job.error,
            failed_at: job.failed_at.to_string(),
        }
    }
}
