//! The filter of a list of jobs.

use crate::job_status::JobStatus;
use crate::timestamp::Timestamp;

/// Which jobs to list; `None` means any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    pub status: Option<JobStatus>,
    /// Created at this moment or later.
    pub created_after: Option<Timestamp>,
    /// Created at this moment or earlier.
    pub created_before: Option<Timestamp>,
}
