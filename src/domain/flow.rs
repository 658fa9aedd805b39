//! How it goes: ends of jobs in a span of time.

use thumbforge_intake::JobStatus;

use super::histogram::Histogram;

/// Jobs that ended within a span of time. A job that was retried by a client may end again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlowCounts {
    pub completed: u64,
    pub failed: u64,
    pub cancelled: u64,
    /// From the submission, the retry by a client, or `not_before`, to the first claim since; of all
    /// jobs that ended and were ever claimed.
    pub waits: Histogram,
    /// From the last claim to the end, of completed and failed jobs.
    pub works: Histogram,
}

impl FlowCounts {
    /// Counts jobs with one outcome.
    pub fn add_outcome(
        &mut self,
        outcome: JobStatus,
        n: u64,
        waits: &Histogram,
        works: &Histogram,
    ) {
        match outcome {
            JobStatus::Completed => self.completed += n,
            JobStatus::Failed => self.failed += n,
            JobStatus::Cancelled => self.cancelled += n,
            JobStatus::Pending | JobStatus::Processing => return,
        }
        self.waits.add(waits);
        if outcome != JobStatus::Cancelled {
            self.works.add(works);
        }
    }

    /// Counts what `other` counted.
    pub fn add(&mut self, other: &Self) {
        self.completed += other.completed;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
        self.waits.add(&other.waits);
        self.works.add(&other.works);
    }
}
