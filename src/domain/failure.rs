//! Why a job failed: typed once, where it happens, with the decision to retry or to give up.

use std::time::Duration;

use super::Origin;
use thumbforge_intake::FailureCode;

/// A failure of one attempt, as the client will read it.
///
/// `message` is a sentence for humans; it never contains internal addresses, paths or credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub code: FailureCode,
    pub message: String,
    /// How long the source asked us to wait (`Retry-After`), if it did.
    pub retry_after: Option<Duration>,
    /// The HTTP status of the source's answer, if there was one.
    pub source_status: Option<u16>,
    /// True if another attempt can't change it, although others with its code may pass.
    pub is_permanent: bool,
}

/// The longest single wait of a job because a redirect leads to a paused origin.
pub const LONGEST_PAUSED_STEP: Duration = Duration::from_secs(60);

/// Why a job waits if its redirect leads to an origin that an operator has paused. When the origin
/// is resumed, the job is found by it.
pub fn paused_on_the_way(origin: &Origin) -> String {
    format!("a redirect leads to {origin}, which an operator has paused")
}

impl Failure {
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retry_after: None,
            source_status: None,
            is_permanent: false,
        }
    }

    #[must_use]
    pub fn with_retry_after(mut self, delay: Option<Duration>) -> Self {
        self.retry_after = delay;
        self
    }

    #[must_use]
    pub fn with_source_status(mut self, status: Option<u16>) -> Self {
        self.source_status = status;
        self
    }

    /// Marks that another attempt can't change it.
    #[must_use]
    pub fn permanent(mut self, is_permanent: bool) -> Self {
        self.is_permanent = is_permanent;
        self
    }

    /// True if another attempt may succeed.
    pub fn is_transient(&self) -> bool {
        self.code.is_transient() && !self.is_permanent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permanent_failure_is_not_tried_again_whatever_its_code() {
        let failure = Failure::new(FailureCode::DnsFailed, "no such name");
        assert!(failure.is_transient());
        assert!(!failure.permanent(true).is_transient());
    }
}
