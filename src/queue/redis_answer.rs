//! How long Redis may take to answer.

use std::time::Duration;

use tokio::time::timeout;

use super::QueueError;

/// Longest wait for an answer that should come at once. A frozen Redis must not freeze us.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) async fn bounded<T>(
    work: impl Future<Output = Result<T, QueueError>>,
) -> Result<T, QueueError> {
    timeout(ANSWER_TIMEOUT, work)
        .await
        .unwrap_or_else(|_| Err(no_answer()))
}

pub(super) fn no_answer() -> QueueError {
    QueueError::Unavailable("no answer in time".to_owned())
}
