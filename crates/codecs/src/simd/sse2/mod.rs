//! SSE2, which every x86-64 processor has.

/// SAFETY: what is unsafe about these intrinsics is only that the processor must have SSE2, and
/// every x86-64 processor has. They take and give values: no pointer is involved.
macro_rules! sse2 {
    ($call:expr) => {
        unsafe { $call }
    };
}

mod bytes;
mod floats;

pub(crate) use bytes::Bytes;
pub(crate) use floats::F4;
