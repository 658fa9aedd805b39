//! A change of many jobs that a client asked for.

use super::{JobFilter, JobId, Timestamp};

/// What is done to each job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionKind {
    Retry,
    Cancel,
    Delete,
}

impl ActionKind {
    pub const ALL: [Self; 3] = [Self::Retry, Self::Cancel, Self::Delete];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Cancel => "cancel",
            Self::Delete => "delete",
        }
    }
}

/// Which jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionTarget {
    Ids(Vec<JobId>),
    /// With an upper bound of time, so that later jobs are not concerned.
    Filter(JobFilter),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionStatus {
    Running,
    Done,
    Aborted,
}

impl ActionStatus {
    pub const ALL: [Self; 3] = [Self::Running, Self::Done, Self::Aborted];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Aborted => "aborted",
        }
    }
}

/// How far it is, in jobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ActionCounts {
    /// When it was asked for; more if more were found.
    pub matched: u64,
    pub done: u64,
    /// Those that were not in a state to be changed, or were changed by others meanwhile.
    pub skipped: u64,
    /// Those that the database refused to change.
    pub failed: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    pub id: uuid::Uuid,
    pub kind: ActionKind,
    pub target: ActionTarget,
    pub status: ActionStatus,
    pub counts: ActionCounts,
    /// The name of the API key.
    pub submitted_by: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}
