//! The connection for commands that Redis answers at once. All of a process share it.

use std::sync::Arc;

use redis::{Cmd, FromRedisValue, RedisError};
use tokio::sync::Mutex;

use super::QueueError;
use super::redis_answer::bounded;
use super::redis_link::{Link, is_useless};
use super::redis_servers::Servers;

/// Cheap to clone. Connects when it is first used, and anew after a fault.
#[derive(Clone)]
pub(super) struct Wire {
    servers: Arc<Servers>,
    open: Arc<Mutex<Option<Link>>>,
}

impl Wire {
    pub(super) fn new(servers: Arc<Servers>) -> Self {
        Self {
            servers,
            open: Arc::default(),
        }
    }

    /// Sends a command, in bounded time. If the connection that was there is broken, or leads to a
    /// server that lost its office, the command is sent once more, on a new one: it must do no harm
    /// twice.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, QueueError> {
        Ok(self.send(command).await??)
    }

    /// The same, for a caller that judges what the server said.
    pub(super) async fn send<T: FromRedisValue>(
        &self,
        command: &Cmd,
    ) -> Result<Result<T, RedisError>, QueueError> {
        let mut used = None;
        let answered = bounded(async {
            loop {
                let (link, was_there) = self.link().await?;
                used = Some(link.clone());
                match link.ask(command).await {
                    Err(error) if was_there && is_useless(&error) => self.give_up(&link).await,
                    answer => return Ok(answer),
                }
            }
        })
        .await;
        let is_of_no_use = match &answered {
            Ok(Ok(_)) => false,
            Ok(Err(error)) => is_useless(error),
            Err(_) => true,
        };
        if let Some(used) = used.filter(|_| is_of_no_use) {
            self.give_up(&used).await;
        }
        answered
    }

    /// The connection, and whether it was there before.
    async fn link(&self) -> Result<(Link, bool), QueueError> {
        let mut open = self.open.lock().await;
        if let Some(link) = &*open {
            return Ok((link.clone(), true));
        }
        let link = self.servers.link().await?;
        *open = Some(link.clone());
        Ok((link, false))
    }

    /// The next command connects anew, unless another one has already.
    async fn give_up(&self, link: &Link) {
        let mut open = self.open.lock().await;
        if open.as_ref().is_some_and(|other| other.is(link)) {
            *open = None;
        }
    }

    /// The next command connects anew.
    pub(super) async fn forget(&self) {
        *self.open.lock().await = None;
    }
}
