/// Why a VP8 frame was not decoded, or not to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Vp8Error {
    /// The frame breaks the format.
    #[error("corrupt VP8: {0}")]
    Corrupt(&'static str),
    /// The data ends before the picture does.
    #[error("VP8 data ends before its picture does")]
    Truncated,
    /// The deadline is over.
    #[error("decoding took longer than allowed")]
    TimedOut,
}
