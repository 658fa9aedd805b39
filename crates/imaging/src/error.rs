//! Everything that can go wrong between bytes and thumbnail.

use crate::formats::{Format, names_read};

/// Why an image gives no thumbnail. Every variant is final: another attempt on the same bytes ends
/// alike, except for [`ImagingError::Internal`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImagingError {
    #[error("the source is empty")]
    Empty,
    /// `looks_like` names what the bytes seem to be, with its article, e.g. `an HTML page`.
    #[error("the source is {looks_like}; {} images are supported", names_read())]
    Unsupported { looks_like: &'static str },
    /// A format that is supported, in a kind that is not; `kind` with its article.
    #[error("the source is {kind}, a kind of {} that is not supported", .format.name())]
    UnsupportedKind { format: Format, kind: &'static str },
    #[error(
        "{} images are decoded only in a locked-down process, and there is none", .format.name()
    )]
    NeedsLockdown { format: Format },
    #[error("the image has {width} × {height} pixels; at most {max_pixels} pixels are allowed")]
    TooManyPixels {
        width: u32,
        height: u32,
        max_pixels: u64,
    },
    #[error("decoding the image takes {needed_bytes} bytes of memory; {max_bytes} are allowed")]
    TooMuchMemory {
        needed_bytes: usize,
        max_bytes: usize,
    },
    /// The source alone would take less.
    #[error("making the variants takes {needed_bytes} bytes of memory; {max_bytes} are allowed")]
    OutputsTakeMemory {
        needed_bytes: usize,
        max_bytes: usize,
    },
    /// `what` is a plural: scans, chunks.
    #[error("the image has more than {max} {what}")]
    TooMany { what: &'static str, max: u32 },
    #[error("the {} image is corrupt: {reason}", .format.name())]
    Corrupt { format: Format, reason: String },
    #[error(
        "the {} image is truncated: {rows_decoded} of {rows} rows could be decoded, \
         which is less than half", .format.name()
    )]
    Truncated {
        format: Format,
        rows_decoded: u32,
        rows: u32,
    },
    #[error(
        "the {} of {width} × {height} pixels has a side of more than {max_side}", .format.name()
    )]
    OutputTooLong {
        format: Format,
        width: u32,
        height: u32,
        max_side: u32,
    },
    #[error("the output has {pixels} pixels; at most {max_pixels} are allowed")]
    TooManyOutputPixels { pixels: u64, max_pixels: u64 },
    /// The smallest file of those that were tried.
    #[error("the smallest {} takes {smallest_bytes} bytes; {max_bytes} are allowed", .format.name())]
    OutputTooLarge {
        format: Format,
        smallest_bytes: u64,
        max_bytes: u64,
    },
    #[error("decoding took longer than allowed")]
    Timeout,
    /// What a decoder in a process of its own said.
    #[error("{sentence}")]
    Confined { kind: ErrorKind, sentence: String },
    /// A fault of the engine, not of the image.
    #[error("the image engine failed: {0}")]
    Internal(String),
}

impl ImagingError {
    pub(crate) fn corrupt(format: Format, reason: impl std::fmt::Display) -> Self {
        Self::Corrupt {
            format,
            reason: reason.to_string(),
        }
    }

    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Empty => ErrorKind::Empty,
            Self::Confined { kind, .. } => *kind,
            Self::Unsupported { .. }
            | Self::UnsupportedKind { .. }
            | Self::NeedsLockdown { .. } => ErrorKind::Unsupported,
            Self::TooManyPixels { .. } | Self::TooMuchMemory { .. } | Self::TooMany { .. } => {
                ErrorKind::TooLarge
            }
            Self::Corrupt { .. } | Self::Truncated { .. } => ErrorKind::Corrupt,
            Self::OutputTooLong { .. }
            | Self::TooManyOutputPixels { .. }
            | Self::OutputsTakeMemory { .. } => ErrorKind::OutputTooManyPixels,
            Self::OutputTooLarge { .. } => ErrorKind::OutputTooManyBytes,
            Self::Timeout => ErrorKind::Timeout,
            Self::Internal(_) => ErrorKind::Internal,
        }
    }
}

/// The remedies for an [`ImagingError`], for a caller that has its own words for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    Empty,
    Unsupported,
    TooLarge,
    Corrupt,
    /// An output has more pixels than allowed, than its format holds, or than fit into memory.
    OutputTooManyPixels,
    /// No quality gives a file within the bytes that are allowed.
    OutputTooManyBytes,
    Timeout,
    Internal,
}
