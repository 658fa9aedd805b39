//! The hint: a FIFO of job ids, in a Redis list or in this process.
//!
//! It carries only ids and may lose, repeat or invent them: the database holds the work, and
//! workers find there what the queue has lost.
//!
//! | file | thought |
//! | --- | --- |
//! | `memory` | the queue inside the process |
//! | `redis_list` | the queue in Redis: pushes, pops, pings |
//! | `redis_pusher` | ids that wait at the same time are pushed together |
//! | `redis_servers` | which server holds the list: one, a master, a node of a cluster |
//! | `redis_wire`, `redis_link` | the shared connection; one connection |
//! | `redis_users` | which databases' processes use the list |
//! | `redis_settings` | how the list is reached, TLS included |
//! | `redis_answer`, `error` | limits of time; what can go wrong |

mod error;
mod memory;
mod redis_answer;
mod redis_link;
mod redis_list;
mod redis_pusher;
mod redis_servers;
mod redis_settings;
mod redis_users;
mod redis_wire;

use std::time::Duration;

pub use error::QueueError;
pub use memory::MemoryQueue;
pub use redis_list::RedisQueue;
pub use redis_settings::RedisSettings;

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

    /// Says beside the queue that this database's processes use it, and returns the names of other
    /// databases whose processes said so since this process did. `id` is the database's own; `name`
    /// is shown to the operators of the others.
    pub async fn sign_in(&self, id: &str, name: &str) -> Result<Vec<String>, QueueError> {
        match self {
            Self::Redis(queue) => queue.sign_in(id, name).await,
            Self::Memory(_) => Ok(Vec::new()),
        }
    }

    /// True if another database's processes use this queue, by the last [`Self::sign_in`].
    pub fn is_shared(&self) -> bool {
        match self {
            Self::Redis(queue) => queue.is_shared(),
            Self::Memory(_) => false,
        }
    }

    /// True if other processes can use it, too.
    pub const fn is_between_processes(&self) -> bool {
        matches!(self, Self::Redis(_))
    }

    /// How many ids wait.
    pub async fn backlog(&self) -> Result<usize, QueueError> {
        match self {
            Self::Redis(queue) => queue.backlog().await,
            Self::Memory(queue) => Ok(queue.len()),
        }
    }
}
