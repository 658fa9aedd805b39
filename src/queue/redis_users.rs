//! Which databases' processes use the list: each says so now and then in a sorted set beside it.
//! Two deployments on one list take each other's ids, and so their jobs wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use redis::Cmd;

use super::QueueError;
use super::redis_wire::Wire;

/// A database whose processes said nothing for so long uses the list no more.
const FORGOTTEN_AFTER_SECONDS: u64 = 60;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Users {
    key: Arc<str>,
    /// Seconds since the Unix epoch by the server's clock; 0: not yet.
    joined: Arc<AtomicU64>,
    several: Arc<AtomicBool>,
}

impl Users {
    pub(super) fn of_list(list: &str) -> Self {
        Self {
            key: key_beside(list).into(),
            joined: Arc::default(),
            several: Arc::default(),
        }
    }

    pub(super) fn are_several(&self) -> bool {
        self.several.load(Ordering::Relaxed)
    }

    /// Says that the processes of database `id` use the list. Returns the names of others that said
    /// so later than this process did for the first time: what was said before may be over.
    pub(super) async fn sign_in(
        &self,
        wire: &Wire,
        id: &str,
        name: &str,
    ) -> Result<Vec<String>, QueueError> {
        let (now, _): (u64, u64) = wire.ask(&redis::cmd("TIME")).await?;
        let own = format!("{id} {name}");
        let mut sign = self.command("ZADD");
        wire.ask::<()>(sign.arg(now).arg(&own)).await?;
        let mut forget = self.command("ZREMRANGEBYSCORE");
        let oldest = now.saturating_sub(FORGOTTEN_AFTER_SECONDS);
        wire.ask::<()>(forget.arg("-inf").arg(oldest)).await?;
        let joined =
            match self
                .joined
                .compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => now,
                Err(joined) => joined,
            };
        let mut list = self.command("ZRANGEBYSCORE");
        // A clock that was set back must not hide them for long.
        let since = if joined > now { oldest } else { joined + 1 };
        let signed: Vec<String> = wire.ask(list.arg(since).arg("+inf")).await?;
        let others = signed.iter().filter_map(|signed| {
            let (other, name) = signed.split_once(' ')?;
            (other != id).then(|| name.to_owned())
        });
        let others: Vec<String> = others.collect();
        self.several.store(!others.is_empty(), Ordering::Relaxed);
        Ok(others)
    }

    fn command(&self, name: &str) -> Cmd {
        let mut command = redis::cmd(name);
        command.arg(&*self.key);
        command
    }
}

/// A key that a cluster keeps on the same node as the list
/// (<https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags>).
fn key_beside(list: &str) -> String {
    let tag = list
        .split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'));
    match tag {
        Some((tag, _)) if !tag.is_empty() => format!("{list}:users"),
        _ => format!("{{{list}}}:users"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_lies_where_the_list_lies() {
        assert_eq!(
            key_beside("thumbforge:image_jobs"),
            "{thumbforge:image_jobs}:users"
        );
        assert_eq!(key_beside("a{b}c"), "a{b}c:users");
    }
}
