//! The JSON of worker processes.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::db::{JobInWork, WorkerReport, WorkersReport};
use crate::domain::WorkerState;

/// What the live worker processes do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WorkerList)]
pub struct WorkersBody {
    /// Those that showed life within 15 s, in the order of their begin.
    pub items: Vec<WorkerItem>,
    /// True while everything is paused.
    pub paused: bool,
    /// For how long the oldest job waits that could run; null if there is none.
    #[schema(required, example = 0.41)]
    pub oldest_pending_seconds: Option<f64>,
    /// True if a job that could run has waited for more than 15 s, no live worker has a job in work,
    /// and none has ended one within 15 s. Jobs that are paused or parked, or whose origin is, could
    /// not run.
    pub backlog_unattended: bool,
    /// Jobs in work whose worker gives no sign of life. Others take them over when their leases end.
    #[schema(example = 0)]
    pub jobs_without_worker: u64,
    /// False if there are more than 1,000 workers or 10,000 jobs in work: the others are not looked
    /// at.
    #[schema(example = true)]
    pub is_exact: bool,
}

/// A worker process.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Worker)]
pub struct WorkerItem {
    /// Of this run of the process; `worker` in the `attempts_log` of its jobs.
    id: Uuid,
    /// The name of its machine or container; null if it is of an early version.
    #[schema(required, example = "worker-1")]
    host: Option<String>,
    /// Of the program; null if it is an early one.
    #[schema(required, example = "0.1.0")]
    version: Option<String>,
    /// UTC; null if it is of an early version.
    #[schema(required, format = DateTime)]
    began_at: Option<String>,
    /// UTC.
    #[schema(format = DateTime)]
    seen_at: String,
    state: WorkerWord,
    /// How many jobs it has.
    #[schema(example = 1)]
    jobs: u64,
    /// Those that it has had for longest.
    #[schema(max_items = 20)]
    in_work: Vec<JobInWorkItem>,
}

/// Whether the worker takes jobs: `storage_failing` until its storage can be written, `not_ready`
/// if it has just begun or the database or the queue has not answered it lately, `stopping` while it
/// finishes what it has.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WorkerState)]
enum WorkerWord {
    Ready,
    StorageFailing,
    NotReady,
    Stopping,
}

/// A job that a worker has.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobInWork)]
struct JobInWorkItem {
    id: Uuid,
    /// Of its URL.
    #[schema(example = "images.example.org")]
    host: String,
    /// Which attempt it is, from 1.
    #[schema(example = 1)]
    attempt: u32,
    /// When the attempt began; UTC.
    #[schema(format = DateTime)]
    since: String,
}

impl From<WorkersReport> for WorkersBody {
    fn from(report: WorkersReport) -> Self {
        let items = report.workers.into_iter();
        Self {
            items: items.map(WorkerItem::from).collect(),
            paused: report.is_paused,
            oldest_pending_seconds: report.oldest_pending_seconds,
            backlog_unattended: report.is_backlog_unattended,
            jobs_without_worker: report.jobs_without_worker,
            is_exact: report.is_exact,
        }
    }
}

impl From<WorkerReport> for WorkerItem {
    fn from(worker: WorkerReport) -> Self {
        let jobs = worker.jobs.into_iter();
        Self {
            id: worker.id,
            host: worker.host,
            version: worker.version,
            began_at: worker.began_at.map(|moment| moment.to_string()),
            seen_at: worker.seen_at.to_string(),
            state: match worker.state {
                WorkerState::Ready => WorkerWord::Ready,
                WorkerState::StorageFailing => WorkerWord::StorageFailing,
                WorkerState::NotReady => WorkerWord::NotReady,
                WorkerState::Stopping => WorkerWord::Stopping,
            },
            jobs: worker.job_count,
            in_work: jobs.map(JobInWorkItem::from).collect(),
        }
    }
}

impl From<JobInWork> for JobInWorkItem {
    fn from(job: JobInWork) -> Self {
        Self {
            id: job.id.0,
            host: job.host,
            attempt: job.attempt,
            since: job.since.to_string(),
        }
    }
}
