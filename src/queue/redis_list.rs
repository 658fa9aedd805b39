//! The queue in a Redis list: `LPUSH` on the left, consumed from the right.
//!
//! Needs Redis 6.2 or later (`RPOP` with a count). Any program may push ids.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;

use super::QueueError;
use super::redis_answer::{ANSWER_TIMEOUT, bounded, no_answer};
use super::redis_link::{Link, is_useless};
use super::redis_pusher::Pusher;
use super::redis_servers::Servers;
use super::redis_settings::RedisSettings;
use super::redis_users::Users;
use super::redis_wire::Wire;
use crate::domain::JobId;

#[derive(Clone)]
pub struct RedisQueue {
    servers: Arc<Servers>,
    wire: Wire,
    key: Arc<str>,
    pusher: Pusher,
    /// The connection on which this process blocks; absent after a fault.
    popping: Arc<Mutex<Option<Link>>>,
    users: Users,
}

impl RedisQueue {
    /// A list reached by a URL alone.
    ///
    /// # Errors
    /// As [`Self::open_with`].
    pub fn open(url: &str, key: &str) -> Result<Self, QueueError> {
        let url = url.parse().map_err(QueueError::Url)?;
        Self::open_with(&RedisSettings::new(url, key.to_owned()))
    }

    /// Connects when it is first used. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`QueueError::Url`] if the URL can't be used at all, [`QueueError::Tls`] if a file of
    /// certificates can't.
    pub fn open_with(settings: &RedisSettings) -> Result<Self, QueueError> {
        let servers = Arc::new(Servers::new(settings)?);
        let wire = Wire::new(Arc::clone(&servers));
        let key: Arc<str> = settings.key.as_str().into();
        Ok(Self {
            pusher: Pusher::spawn(wire.clone(), Arc::clone(&key)),
            users: Users::of_list(&key),
            servers,
            wire,
            key,
            popping: Arc::default(),
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
        if let Err(error) = self.put("LPUSH", &words).await {
            tracing::warn!(%error, "new jobs are not announced; they are found in the database");
        }
    }

    pub(super) async fn push_back(&self, ids: &[JobId]) {
        let words: Vec<String> = ids.iter().rev().map(JobId::to_string).collect();
        if let Err(error) = self.put("RPUSH", &words).await {
            tracing::warn!(%error, "ids could not be put back; the jobs are found in the database");
        }
    }

    async fn put(&self, command: &str, words: &[String]) -> Result<(), QueueError> {
        let mut command = redis::cmd(command);
        command.arg(&*self.key).arg(words);
        self.wire.ask(&command).await
    }

    pub(super) async fn pop(&self, max: usize, wait: Duration) -> Result<Vec<JobId>, QueueError> {
        let mut slot = self.popping.lock().await;
        let mut was_there = slot.is_some();
        loop {
            // Taken out while in use: if this future is dropped or fails, the connection ends, and
            // Redis stops serving a pop whose client has gone.
            let link = match slot.take() {
                Some(link) => link,
                None => bounded(self.servers.link()).await?,
            };
            match self.pop_on(&link, max, wait).await {
                Ok(words) => {
                    *slot = Some(link);
                    return Ok(words.iter().filter_map(|word| read_id(word)).collect());
                }
                Err(PopError::Redis(error))
                    if is_useless(&error) && std::mem::take(&mut was_there) => {}
                Err(error) => {
                    // The other connection leads through the same broken path.
                    self.wire.forget().await;
                    return Err(error.into());
                }
            }
        }
    }

    async fn pop_on(
        &self,
        link: &Link,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Vec<u8>>, PopError> {
        let mut command = redis::cmd("RPOP");
        command.arg(&*self.key).arg(max.max(1));
        let ready = timeout(ANSWER_TIMEOUT, link.ask::<Option<Vec<Vec<u8>>>>(&command));
        let ready = ready.await.map_err(|_| PopError::Silence)??;
        if let Some(words) = ready.filter(|words| !words.is_empty()) {
            return Ok(words);
        }
        let mut command = redis::cmd("BRPOP");
        command.arg(&*self.key).arg(wait.as_secs_f64());
        let blocked = link.ask::<Option<(Vec<u8>, Vec<u8>)>>(&command);
        let answer = timeout(wait + ANSWER_TIMEOUT, blocked);
        let popped = answer.await.map_err(|_| PopError::Silence)??;
        Ok(popped.map(|(_, word)| word).into_iter().collect())
    }

    pub(super) async fn ping(&self) -> Result<(), QueueError> {
        // A server may accept a connection and serve no command on it, or none on this key.
        self.backlog().await?;
        // A replica, a full server and one that can't save itself serve reads alone. This is a
        // write to them, and yet never changes a list: no list is that long.
        let mut write = redis::cmd("LSET");
        write.arg(&*self.key).arg(i64::MAX).arg("");
        match self.wire.send::<()>(&write).await? {
            Err(error) if !is_out_of_range(&error) => Err(QueueError::of_trial_write(error)),
            _ => Ok(()),
        }
    }

    pub(super) async fn backlog(&self) -> Result<usize, QueueError> {
        let mut length = redis::cmd("LLEN");
        length.arg(&*self.key);
        self.wire.ask(&length).await
    }

    pub(super) async fn sign_in(&self, id: &str, name: &str) -> Result<Vec<String>, QueueError> {
        self.users.sign_in(&self.wire, id, name).await
    }

    pub(super) fn is_shared(&self) -> bool {
        self.users.are_several()
    }
}

/// Why nothing was popped.
enum PopError {
    Silence,
    Redis(redis::RedisError),
}

impl From<redis::RedisError> for PopError {
    fn from(error: redis::RedisError) -> Self {
        Self::Redis(error)
    }
}

impl From<PopError> for QueueError {
    fn from(error: PopError) -> Self {
        match error {
            PopError::Silence => no_answer(),
            PopError::Redis(error) => error.into(),
        }
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
