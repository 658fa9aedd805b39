//! What can go wrong with the storage.

use crate::domain::{Failure, FailureCode};

#[derive(Debug, thiserror::Error)]
#[error("{action}: {cause}")]
pub struct StorageError {
    action: &'static str,
    cause: std::io::Error,
}

impl StorageError {
    pub(super) fn of(action: &'static str) -> impl Fn(std::io::Error) -> Self + Copy {
        move |cause| Self { action, cause }
    }

    /// What the system said.
    pub fn kind(&self) -> std::io::ErrorKind {
        self.cause.kind()
    }
}

impl From<StorageError> for Failure {
    /// Names the cause but no path.
    fn from(error: StorageError) -> Self {
        let reason = match error.cause.kind() {
            std::io::ErrorKind::StorageFull => "the storage is full",
            std::io::ErrorKind::QuotaExceeded => "the storage's quota is used up",
            std::io::ErrorKind::ReadOnlyFilesystem => "the storage is read-only",
            std::io::ErrorKind::PermissionDenied => "the storage can't be written",
            _ => "the thumbnail could not be stored",
        };
        Self::new(FailureCode::StorageFailed, reason)
    }
}
