//! Decoding in processes of their own, which are locked down and can be killed.
//!
//! | file | thought |
//! | --- | --- |
//! | `decoders` | which formats are decoded where, and which nowhere |
//! | `pool` | the children that wait for work |
//! | `child` | one child: its greeting, its pictures, its end |
//! | `program` | what a child runs, started by a thread that lives as long as the pool |
//! | `pipes` | reading and writing that end at a deadline |
//! | `serve` | the child's own side: `thumbforge decode-child` |
//!
//! A child decodes one picture at a time. It is killed when the time of a decode is over. Whatever
//! it does wrong is a failure of that picture alone: the next one has another child.

mod child;
mod decoders;
mod pipes;
mod pool;
mod program;
mod serve;

use std::time::Duration;

pub use decoders::{DecoderRules, Decoders};
pub use pool::Pool;
pub use program::Program;
pub use serve::serve;

/// Memory of a child for what is not its picture, in bytes.
pub const CHILD_BYTES: u64 = 64 << 20;

/// What children may use up.
#[derive(Debug, Clone, Copy)]
pub struct ChildLimits {
    /// Memory of one child, in bytes: the largest decode, and the largest source.
    pub memory_bytes: u64,
    /// Of one decode, by the wall clock.
    pub timeout: Duration,
}

/// Why no child can be had: the start of a sentence's second half.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CannotIsolate(pub(crate) String);

/// How a child failed at a picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Broken {
    #[error("it did not answer in time")]
    TimedOut,
    /// At its start, which is the fault of no picture.
    #[error("it did not greet in time")]
    Late,
    #[error("it does not start: {0}")]
    NoRoom(String),
    #[error("{0}")]
    Ended(String),
    #[error("its answer makes no sense")]
    Senseless,
}
