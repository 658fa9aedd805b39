//! How a download ends without a source.

use super::download::Download;
use super::error::FetchError;
use super::memory::OutOfMemory;
use crate::domain::{Failure, Origin};

/// Why there is no [`Download`].
#[derive(Debug)]
pub enum Stopped {
    Failed(Failure),
    /// The body broke off. If no further attempt is to be made, the part that came may be enough of
    /// a picture.
    Cut {
        failure: Failure,
        partial: Box<Download>,
    },
    /// The caller did not allow a visit to this origin; `status` came with the hop before. That is
    /// no failure.
    Parked {
        origin: Origin,
        status: Option<u16>,
    },
    /// The memory of downloads ran out, and this was among the youngest. That is no failure.
    OutOfMemory,
}

/// The same before the failure is put into words.
pub(super) enum Ended {
    Failed(FetchError),
    Cut(FetchError, Box<Download>),
    Parked(Origin),
    OutOfMemory,
}

impl Ended {
    /// The last status, if there was one.
    pub(super) fn told(self, status: Option<u16>) -> Stopped {
        let failure = |error: FetchError| Failure::from(error).with_source_status(status);
        match self {
            Self::Failed(error) => Stopped::Failed(failure(error)),
            Self::Cut(error, partial) => Stopped::Cut {
                failure: failure(error),
                partial,
            },
            Self::Parked(origin) => Stopped::Parked { origin, status },
            Self::OutOfMemory => Stopped::OutOfMemory,
        }
    }
}

impl From<FetchError> for Ended {
    fn from(error: FetchError) -> Self {
        Self::Failed(error)
    }
}

impl From<OutOfMemory> for Ended {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}
