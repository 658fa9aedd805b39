//! Origins, as clients read them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::db::OriginReport;

/// How it goes with one origin.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Origin)]
pub struct OriginItem {
    /// Scheme, host and port.
    #[schema(example = "https://images.example.org:443")]
    origin: String,
    /// Jobs in work.
    #[schema(example = 4)]
    in_flight: u64,
    /// Jobs that could run if the origin may be visited; counted to 100,000.
    #[schema(maximum = 100_000, example = 120)]
    queued: u64,
    /// Jobs that are due later, as retries or by `not_before`; counted to 100,000.
    #[schema(maximum = 100_000, example = 3)]
    waiting: u64,
    /// Jobs that completed within the last hour.
    #[schema(example = 1830)]
    done_last_hour: u64,
    /// Jobs that failed within the last hour.
    #[schema(example = 2)]
    failed_last_hour: u64,
    /// Seconds of a download: a mean in which what is older counts less; null without any.
    #[schema(required, example = 0.21)]
    duration_seconds: Option<f64>,
    /// Downloads a second that the origin bears, learned from its refusals; null: not limited.
    #[schema(required, example = json!(null))]
    rate_per_second: Option<f64>,
    /// No job starts before; UTC. Null if the origin is not parked now.
    #[schema(required, format = DateTime, example = json!(null))]
    parked_until: Option<String>,
    /// `retry_after`, `rate_limited` or `breaker`; null if the origin is not parked now.
    #[schema(required, example = json!(null))]
    park_reason: Option<String>,
    /// Since when nothing but refusals and failures came; UTC.
    #[schema(required, format = DateTime, example = json!(null))]
    unavailable_since: Option<String>,
    /// True while an operator's pause holds its jobs.
    paused: bool,
    /// Downloads in a row that got no answer.
    #[schema(example = 0)]
    failures_in_a_row: u32,
}

/// A page of origins.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OriginList)]
pub struct OriginsBody {
    pub items: Vec<OriginItem>,
    /// True while everything is paused.
    pub paused: bool,
    pub pagination: CursorPagination,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CursorPagination {
    /// The limit that was applied.
    #[schema(minimum = 1, example = 20)]
    pub limit: u32,
    /// `cursor` of the next page; null on the last.
    #[schema(required, example = json!(null))]
    pub next_cursor: Option<String>,
}

/// Whether everything is paused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QueueState)]
pub struct QueueBody {
    pub paused: bool,
}

impl From<OriginReport> for OriginItem {
    fn from(report: OriginReport) -> Self {
        Self {
            origin: report.origin.to_string(),
            in_flight: report.in_flight,
            queued: report.queued,
            waiting: report.waiting,
            done_last_hour: report.done_last_hour,
            failed_last_hour: report.failed_last_hour,
            duration_seconds: report.duration_seconds,
            rate_per_second: report.rate_per_second,
            parked_until: report.parked_until.map(|moment| moment.to_string()),
            park_reason: report.park_reason,
            unavailable_since: report.unavailable_since.map(|moment| moment.to_string()),
            paused: report.paused,
            failures_in_a_row: report.failures_in_a_row,
        }
    }
}
