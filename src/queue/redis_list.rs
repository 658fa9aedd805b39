//! The queue in a Redis list: `LPUSH` on the left, consumed from the right.
//!
//! Needs Redis 6.2 or later (`RPOP` with a count). Any program may push ids.

use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::{Connection, Manager, Pool, Runtime, Timeouts};
use redis::{AsyncConnectionConfig, AsyncTypedCommands};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::QueueError;
use super::redis_answer::{ANSWER_TIMEOUT, bounded, no_answer};
use super::redis_pusher::Pusher;
use crate::domain::JobId;

/// Two for the pusher and the popper of the process, the rest for pings.
const POOL_SIZE: usize = 6;

#[derive(Clone)]
pub struct RedisQueue {
    pool: Pool,
    key: Arc<str>,
    pusher: Pusher,
    /// The connection on which this process blocks; absent after a fault.
    popping: Arc<Mutex<Option<Connection>>>,
}

impl RedisQueue {
    /// Connects when it is first used. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`QueueError::Url`] if the URL can't be used at all.
    pub fn open(url: &str, key: &str) -> Result<Self, QueueError> {
        let unusable = |error: &dyn std::fmt::Display| QueueError::Url(error.to_string());
        // Blocking commands wait longer than any fixed limit: each call here has its own.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER_TIMEOUT))
            .set_response_timeout(None);
        let manager = Manager::new_with_config(url, config).map_err(|error| unusable(&error))?;
        let pool = Pool::builder(manager)
            .max_size(POOL_SIZE)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts {
                wait: Some(ANSWER_TIMEOUT),
                create: Some(ANSWER_TIMEOUT),
                recycle: Some(ANSWER_TIMEOUT),
            })
            .build()
            .map_err(|error| unusable(&error))?;
        let key: Arc<str> = key.into();
        Ok(Self {
            pusher: Pusher::spawn(pool.clone(), Arc::clone(&key)),
            pool,
            key,
            popping: Arc::new(Mutex::new(None)),
        })
    }

    pub(super) async fn push(&self, id: JobId) {
        self.pusher.push(id).await;
    }

    pub(super) async fn push_many(&self, ids: &[JobId]) {
        if self.pusher.is_away() {
            return;
        }
        let words: Vec<String> = ids.iter().map(JobId::to_string).collect();
        let pushed = bounded(async {
            let mut connection = self.pool.get().await?;
            connection.lpush(&*self.key, words).await?;
            Ok(())
        });
        if let Err(error) = pushed.await {
            tracing::warn!(%error, "new jobs are not announced; they are found in the database");
        }
    }

    pub(super) async fn push_back(&self, ids: &[JobId]) {
        let words: Vec<String> = ids.iter().rev().map(JobId::to_string).collect();
        let pushed = bounded(async {
            let mut connection = self.pool.get().await?;
            connection.rpush(&*self.key, words).await?;
            Ok(())
        });
        if let Err(error) = pushed.await {
            tracing::warn!(%error, "ids could not be put back; the jobs are found in the database");
        }
    }

    pub(super) async fn pop(&self, max: usize, wait: Duration) -> Result<Vec<JobId>, QueueError> {
        let mut slot = self.popping.lock().await;
        // Taken out while in use: if this future is dropped or fails, so is the connection, and
        // Redis stops serving a pop whose client has gone.
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => self.pool.get().await?,
        };
        match self.pop_on(&mut connection, max, wait).await {
            Ok(words) => {
                *slot = Some(connection);
                Ok(words.iter().filter_map(|word| read_id(word)).collect())
            }
            Err(error) => {
                drop(Connection::take(connection));
                // The idle ones lead through the same broken path.
                self.pool.retain(|_, _| false);
                Err(error)
            }
        }
    }

    async fn pop_on(
        &self,
        connection: &mut Connection,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Vec<u8>>, QueueError> {
        let count = max.max(1);
        let ready: Option<Vec<Vec<u8>>> = bounded(async {
            Ok(redis::cmd("RPOP")
                .arg(&*self.key)
                .arg(count)
                .query_async(connection)
                .await?)
        })
        .await?;
        if let Some(words) = ready.filter(|words| !words.is_empty()) {
            return Ok(words);
        }
        let blocked = async {
            redis::cmd("BRPOP")
                .arg(&*self.key)
                .arg(wait.as_secs_f64())
                .query_async::<Option<(Vec<u8>, Vec<u8>)>>(connection)
                .await
        };
        match timeout(wait + ANSWER_TIMEOUT, blocked).await {
            Ok(answer) => Ok(answer?.map(|(_, word)| word).into_iter().collect()),
            Err(_) => Err(no_answer()),
        }
    }

    pub(super) async fn ping(&self) -> Result<(), QueueError> {
        // A server may accept a connection and serve no command on it, or none on this key.
        self.backlog().await?;
        let tried = bounded(async {
            let mut connection = self.pool.get().await?;
            // A replica, a full server and one that can't save itself serve reads alone. This is a
            // write to them, and yet never changes a list: no list is that long.
            let tried = redis::cmd("LSET")
                .arg(&*self.key)
                .arg(i64::MAX)
                .arg("")
                .exec_async(&mut connection)
                .await;
            Ok(tried)
        })
        .await?;
        match tried {
            Err(error) if !is_out_of_range(&error) => Err(QueueError::of_trial_write(error)),
            _ => Ok(()),
        }
    }

    pub(super) async fn backlog(&self) -> Result<usize, QueueError> {
        bounded(async { Ok(self.pool.get().await?.llen(&*self.key).await?) }).await
    }
}

/// Redis' words when it would have written: there is no list, or it is shorter.
fn is_out_of_range(error: &redis::RedisError) -> bool {
    matches!(error.detail(), Some("no such key" | "index out of range"))
}

/// Other programs push here too: a text that is not a UUID can't be a job.
fn read_id(word: &[u8]) -> Option<JobId> {
    let id = std::str::from_utf8(word)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    if id.is_none() {
        let start: String = String::from_utf8_lossy(word).chars().take(80).collect();
        tracing::warn!(word = ?start, "dropped from the queue: not a UUID");
    }
    id
}
