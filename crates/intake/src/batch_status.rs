//! The states of a batch.

/// The states of a batch. The last four are its ends, which it leaves if one of its jobs is tried
/// again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BatchStatus {
    /// Its items are still coming in.
    Accepting,
    /// A job of it is pending or processing.
    Running,
    /// All its items are completed.
    Completed,
    PartiallyFailed,
    /// All its items failed or were refused.
    Failed,
    /// No item is completed or failed: the jobs were cancelled or deleted.
    Cancelled,
}

impl BatchStatus {
    pub const ALL: [Self; 6] = [
        Self::Accepting,
        Self::Running,
        Self::Completed,
        Self::PartiallyFailed,
        Self::Failed,
        Self::Cancelled,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepting => "accepting",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::PartiallyFailed => "partially_failed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown status of a batch")]
pub struct UnknownBatchStatus;

impl std::str::FromStr for BatchStatus {
    type Err = UnknownBatchStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(UnknownBatchStatus)
    }
}
