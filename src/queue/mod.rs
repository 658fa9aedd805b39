//! The hint: a FIFO of job ids, in a Redis list or in this process.
//!
//! It carries only ids and may lose, repeat or invent them: the database holds the work, and
//! workers find there what the queue has lost.

mod error;
mod memory;
mod redis_answer;
mod redis_list;
mod redis_pusher;

use std::time::Duration;

pub use error::QueueError;
pub use memory::MemoryQueue;
pub use redis_list::RedisQueue;

use crate::domain::JobId;

/// The queue of this process. Cheap to clone.
#[derive(Clone)]
pub enum Queue {
    Redis(RedisQueue),
    Memory(MemoryQueue),
}

impl Queue {
    /// Announces a committed job. Waits a quarter of a second at most and never fails: an id that
    /// could not be pushed is found in the database.
    pub async fn push(&self, id: JobId) {
        match self {
            Self::Redis(queue) => queue.push(id).await,
            Self::Memory(queue) => queue.push(id),
        }
    }

    /// Announces many committed jobs at once. Never fails either.
    pub async fn push_many(&self, ids: &[JobId]) {
        match self {
            Self::Redis(queue) => queue.push_many(ids).await,
            Self::Memory(queue) => queue.push_many(ids),
        }
    }

    /// Puts ids back that were taken but could not be claimed, so that they come next again.
    pub async fn push_back(&self, ids: &[JobId]) {
        match self {
            Self::Redis(queue) => queue.push_back(ids).await,
            Self::Memory(queue) => queue.push_back(ids),
        }
    }

    /// Takes the oldest ids, at most `max`; waits up to `wait` for the first. Empty if none came. A
    /// text that is not a UUID is logged and dropped. Dropping the future may lose an id from the
    /// queue, never from the database.
    pub async fn pop(&self, max: usize, wait: Duration) -> Result<Vec<JobId>, QueueError> {
        match self {
            Self::Redis(queue) => queue.pop(max, wait).await,
            Self::Memory(queue) => Ok(queue.pop(max, wait).await),
        }
    }

    /// Whether ids can be read and written; changes nothing.
    ///
    /// # Errors
    /// [`QueueError::Refused`] if a setting is wrong, [`QueueError::Unavailable`] if the same call
    /// may succeed later.
    pub async fn ping(&self) -> Result<(), QueueError> {
        match self {
            Self::Redis(queue) => queue.ping().await,
            Self::Memory(_) => Ok(()),
        }
    }

    /// How many ids wait.
    pub async fn backlog(&self) -> Result<usize, QueueError> {
        match self {
            Self::Redis(queue) => queue.backlog().await,
            Self::Memory(queue) => Ok(queue.len()),
        }
    }
}
