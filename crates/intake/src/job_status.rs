//! The states of a job, and which states may follow which.

/// The states of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobStatus {
    /// Waits for a worker: new, due later (a retry), or taken back from a dead worker.
    Pending,
    /// Held by one worker under a lease.
    Processing,
    /// The thumbnail is published. Final.
    Completed,
    /// Given up, with a reason. Final.
    Failed,
}

impl JobStatus {
    pub const ALL: [Self; 4] = [
        Self::Pending,
        Self::Processing,
        Self::Completed,
        Self::Failed,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// The legal transitions. Everything else is a bug, and the database's conditions refuse it.
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Pending, Self::Processing | Self::Failed)
                | (
                    Self::Processing,
                    Self::Pending | Self::Completed | Self::Failed
                )
        )
    }

    /// True if a job in this state will still change.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Pending | Self::Processing)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown status; expected pending, processing, completed or failed")]
pub struct UnknownStatus;

impl std::str::FromStr for JobStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(UnknownStatus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_states_have_no_successor() {
        for status in JobStatus::ALL {
            let successors = JobStatus::ALL
                .into_iter()
                .filter(|next| status.may_become(*next))
                .count();
            assert_eq!(status.is_active(), successors > 0, "{status:?}");
        }
    }
}
