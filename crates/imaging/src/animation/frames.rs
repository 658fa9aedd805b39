//! What a frame is, whatever format it comes from.

use crate::error::ImagingError;
use crate::geometry::Size;

/// Takes frames in their order.
pub(crate) trait Animation {
    /// False if no more are wanted.
    ///
    /// # Errors
    /// Whatever ends the work.
    fn show(&mut self, frame: &Frame) -> Result<bool, ImagingError>;
}

/// A picture that is laid on those before it.
pub(crate) struct Frame {
    pub left: u32,
    pub top: u32,
    pub size: Size,
    /// RGBA with straight alpha, of the size.
    pub pixels: Vec<u8>,
    /// Whether what is below shows through; else it is replaced.
    pub blends: bool,
    pub disposal: Disposal,
    /// How long it is seen.
    pub milliseconds: u32,
}

/// What becomes of a frame's place before the next one is laid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disposal {
    Keep,
    /// It becomes transparent.
    Clear,
    /// It becomes what it was before.
    Restore,
}

/// Frames of up to 10 ms are seen for 100 ms, as in browsers: writers mean "as fast as can be".
pub(crate) const fn seen_for(milliseconds: u32) -> u32 {
    if milliseconds <= 10 {
        100
    } else {
        milliseconds
    }
}
