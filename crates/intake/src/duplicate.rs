//! What happens when a known URL is submitted.

/// The policy for a URL whose hash is known. The database enforces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DuplicateHandling {
    /// Always makes a new job.
    AllowRetry,
    /// Answers with the newest completed job of the URL, if there is one.
    ReuseCompleted,
    /// Refuses while a job of the URL is pending or processing.
    RejectActive,
}

impl DuplicateHandling {
    pub const ALL: [Self; 3] = [Self::AllowRetry, Self::ReuseCompleted, Self::RejectActive];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AllowRetry => "allow-retry",
            Self::ReuseCompleted => "reuse-completed",
            Self::RejectActive => "reject-active",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected allow-retry, reuse-completed or reject-active")]
pub struct UnknownDuplicateHandling;

impl std::str::FromStr for DuplicateHandling {
    type Err = UnknownDuplicateHandling;

    /// Case and the choice of `-` or `_` don't matter: the predecessor wrote `allow_retry`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = text.to_ascii_lowercase().replace('_', "-");
        Self::ALL
            .into_iter()
            .find(|policy| policy.as_str() == word)
            .ok_or(UnknownDuplicateHandling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_is_read_back_from_its_word() {
        for policy in DuplicateHandling::ALL {
            assert_eq!(policy.as_str().parse(), Ok(policy));
        }
        assert_eq!("REJECT_ACTIVE".parse(), Ok(DuplicateHandling::RejectActive));
        assert_eq!(
            "reject".parse::<DuplicateHandling>(),
            Err(UnknownDuplicateHandling)
        );
    }
}
