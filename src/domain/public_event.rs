//! What clients are told: that a job or a batch ended.

use thumbforge_intake::{BatchStatus, EventType, JobStatus, Timestamp};
use uuid::Uuid;

use super::{Batch, Job, JobId};

/// An event with its number. Numbers grow; readers see them in their order, and none between.
#[derive(Debug, Clone, PartialEq)]
pub struct PublicEvent {
    pub sequence: u64,
    /// The same for all who are told, however often.
    pub id: Uuid,
    pub event_type: EventType,
    pub happened_at: Timestamp,
    pub subject: Subject,
}

/// What ended, as it was at that moment.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    Job(Box<Job>),
    Batch(Box<Batch>),
    /// It was deleted since.
    DeletedJob {
        id: JobId,
        status: JobStatus,
        error_code: Option<String>,
        batch_id: Option<Uuid>,
    },
    DeletedBatch {
        id: Uuid,
        status: BatchStatus,
    },
}

impl PublicEvent {
    pub fn job_id(&self) -> Option<JobId> {
        match &self.subject {
            Subject::Job(job) => Some(job.id),
            Subject::DeletedJob { id, .. } => Some(*id),
            Subject::Batch(_) | Subject::DeletedBatch { .. } => None,
        }
    }

    /// The batch that ended, or of which the job is.
    pub fn batch_id(&self) -> Option<Uuid> {
        match &self.subject {
            Subject::Job(job) => job.batch_id,
            Subject::DeletedJob { batch_id, .. } => *batch_id,
            Subject::Batch(batch) => Some(batch.id),
            Subject::DeletedBatch { id, .. } => Some(*id),
        }
    }

    /// Whether the job has this tag. Batches have none, and those of a deleted job are forgotten.
    pub fn has_tag(&self, tag: &str) -> bool {
        match &self.subject {
            Subject::Job(job) => job.tags.iter().any(|known| known == tag),
            _ => false,
        }
    }
}
