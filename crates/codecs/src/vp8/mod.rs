//! A decoder of VP8 key frames, the lossy pictures of WebP, for thumbnails. It gives rows of planes
//! as it makes them, and holds no more than a row of macroblocks.
//!
//! ```text
//! header ─ tables           what the frame declares
//! bool_reader               partitions → booleans
//! modes                     → how each macroblock is predicted
//! tokens ─ token_defaults, token_updates   → its coefficients
//! area ─ predict, transform → its samples
//! band ─ filter             a row of macroblocks, with the loop filter or without
//! decode                    the door
//! ```
//!
//! Format: RFC 6386, from which the tables are taken.

mod area;
mod band;
mod bool_reader;
mod decode;
mod error;
mod filter;
mod header;
mod modes;
mod predict;
mod tables;
#[cfg(test)]
mod tests;
mod token_defaults;
mod token_updates;
mod tokens;
mod transform;

pub use decode::{LoopFilter, Progress, Rows, Scratch, decode, memory_estimate};
pub use error::Vp8Error;
pub use header::{FrameSize, read_size};
