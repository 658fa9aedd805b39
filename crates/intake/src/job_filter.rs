//! The filter of a list of jobs.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::job_status::JobStatus;
use crate::timestamp::Timestamp;

/// Which jobs to list; `None` means any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<JobStatus>,
    /// Created at this moment or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_after: Option<Timestamp>,
    /// Created at this moment or earlier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_before: Option<Timestamp>,
    /// Of the last failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// The name in the submitted URL, in lower case; an IPv6 address is in brackets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<Uuid>,
    /// The name of an API key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submitted_by: Option<String>,
}

impl JobFilter {
    /// True if it lets every job through.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A place in a list of jobs, which are ordered by their creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListPlace {
    pub created_at: Timestamp,
    pub id: Uuid,
}
