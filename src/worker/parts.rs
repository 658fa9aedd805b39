//! The adapters that the workers are given.

use super::engine::Engine;
use super::turns::CapsOf;
use crate::db::Database;
use crate::fetch::Fetcher;
use crate::observe::WorkMeters;
use crate::queue::Queue;
use crate::storage::Storage;
use crate::traces::Traces;

/// What the workers work with.
#[derive(Clone)]
pub struct Parts {
    pub database: Database,
    pub queue: Queue,
    pub storage: Storage,
    pub fetcher: Fetcher,
    pub engine: Engine,
    /// What the operator allows of an origin.
    pub caps_of: CapsOf,
    pub meters: WorkMeters,
    pub traces: Traces,
}
