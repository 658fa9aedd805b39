/// Most scans a picture may have. Photographs have 1 to 12; a thousand empty scans over a large
/// picture is an attack.
pub const MAX_SCANS: usize = 100;

/// Why a JPEG was not decoded, or not to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JpegError {
    /// A lawful or at least common kind of file that this decoder leaves to a complete one.
    #[error("JPEG feature left to another decoder: {0}")]
    Unsupported(&'static str),
    /// The file breaks the format.
    #[error("corrupt JPEG: {0}")]
    Corrupt(&'static str),
    /// The file ends before its picture does.
    #[error("JPEG ends before its picture does")]
    Truncated,
    /// The deadline is over.
    #[error("decoding took longer than allowed")]
    TimedOut,
    #[error("JPEG has more than {MAX_SCANS} scans")]
    TooManyScans,
}
