//! Maps the failures of the image engine to those of a job.

use thumbforge_imaging::{ErrorKind, ImagingError};

use crate::domain::{Failure, FailureCode};

impl From<ImagingError> for Failure {
    fn from(error: ImagingError) -> Self {
        let code = match error.kind() {
            ErrorKind::Empty => FailureCode::EmptySource,
            ErrorKind::Unsupported => FailureCode::UnsupportedFormat,
            ErrorKind::TooLarge => FailureCode::ImageTooLarge,
            ErrorKind::Corrupt => FailureCode::CorruptImage,
            ErrorKind::OutputTooManyPixels => FailureCode::OutputTooLarge,
            ErrorKind::OutputTooManyBytes => FailureCode::VariantTooLarge,
            ErrorKind::Timeout => FailureCode::DecodeTimeout,
            ErrorKind::Internal => FailureCode::Internal,
        };
        Self::new(code, error.to_string())
    }
}
