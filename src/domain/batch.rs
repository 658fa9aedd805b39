//! Jobs that were submitted together.

use serde::{Deserialize, Serialize};
use thumbforge_intake::{BatchStatus, Timestamp};
use uuid::Uuid;

use super::JobId;

/// Why an item of a batch was refused; the JSON of the API and of the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemError {
    /// The item's place in the batch, from 0.
    pub index: u32,
    /// A stable word.
    pub code: String,
    /// For humans.
    pub detail: String,
    /// JSON pointer into the item, as URI fragment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The active job that the item collided with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<Uuid>,
}

/// Items by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BatchCounts {
    pub total: u64,
    pub pending: u64,
    pub processing: u64,
    pub completed: u64,
    pub failed: u64,
    pub cancelled: u64,
    /// Refused.
    pub rejected: u64,
    /// An earlier job stands for them.
    pub reused: u64,
}

impl BatchCounts {
    /// Those whose jobs are gone.
    pub fn deleted(&self) -> u64 {
        let known = self.pending
            + self.processing
            + self.completed
            + self.failed
            + self.cancelled
            + self.rejected
            + self.reused;
        self.total.saturating_sub(known)
    }
}

/// A batch as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub id: Uuid,
    pub status: BatchStatus,
    pub counts: BatchCounts,
    /// The first that were refused, at most [`MOST_ERRORS`].
    pub errors: Vec<ItemError>,
    /// The request broke off, or was cancelled, before its end.
    pub incomplete: bool,
    /// A JSON object, as text.
    pub metadata: Option<String>,
    /// The name of the API key.
    pub submitted_by: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

/// Most refused items whose reasons are kept; all are counted.
pub const MOST_ERRORS: usize = 100;

/// A place in a list of the jobs of a batch, with what was found there.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchItem {
    pub index: u32,
    /// The job is an earlier one.
    pub reused: bool,
    pub job: super::Job,
}

/// The reason of an item that `reject-active` refused: its place, and the active job.
pub type ExplainActive = fn(u32, JobId) -> ItemError;
