//! Notices processes that share the queue and should not, or should and don't: another database's
//! on the same list of Redis, and a list that was renamed for the API or for the workers alone.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::pause;
use crate::db::{Database, DbError, QueueUse};
use crate::queue::Queue;

const INTERVAL: Duration = Duration::from_secs(5);
/// What was warned of is not warned of again for so long.
const AGAIN_AFTER: Duration = Duration::from_secs(3600);

/// What this process shows to others.
#[derive(Debug, Clone, Default)]
pub struct Sign {
    /// The database without a login, for the operators of other deployments.
    pub database: String,
    /// The list, and the number of its database in Redis.
    pub queue: String,
    pub uses: Vec<QueueUse>,
}

pub(super) async fn watch_forever(database: &Database, queue: &Queue, sign: &Sign) {
    if !queue.is_between_processes() {
        return;
    }
    let mut warned = Warned::default();
    let mut began = None;
    let id = loop {
        match database.storage_owner().await {
            Ok(id) => break id.to_string(),
            Err(error) => tracing::debug!(%error, "the database's own id is not known"),
        }
        pause(INTERVAL).await;
    };
    loop {
        look_for_strangers(queue, &id, sign, &mut warned).await;
        match look_for_relatives(database, sign, &mut began, &mut warned).await {
            Ok(()) => {}
            Err(error) => tracing::debug!(%error, "queues can't be compared"),
        }
        pause(INTERVAL).await;
    }
}

/// Another database's processes on the same list.
async fn look_for_strangers(queue: &Queue, id: &str, sign: &Sign, warned: &mut Warned) {
    match queue.sign_in(id, &sign.database).await {
        Ok(others) => {
            for other in others.into_iter().filter(|other| warned.is_news(other)) {
                tracing::warn!(
                    queue = sign.queue,
                    other,
                    "another deployment, with another database, uses the same Redis list, so jobs \
                     of both wait longer: give each a THUMBFORGE_QUEUE_NAME of its own, or another \
                     database in THUMBFORGE_REDIS_URL"
                );
            }
        }
        // A user with restricted rights may lack those to the key beside the list.
        Err(error) => tracing::debug!(%error, "other users of the queue are not seen"),
    }
}

/// Processes of this database on another list.
async fn look_for_relatives(
    database: &Database,
    sign: &Sign,
    began: &mut Option<i64>,
    warned: &mut Warned,
) -> Result<(), DbError> {
    let since = began.unwrap_or(i64::MAX);
    let (names, now) = database.say_queue(&sign.uses, &sign.queue, since).await?;
    began.get_or_insert(now);
    let is_other = |name: &String| *name != sign.queue;
    // Where some of the others are right, a change is under way.
    let all_differ = |names: &[String]| !names.is_empty() && names.iter().all(is_other);
    let pushes = sign.uses.contains(&QueueUse::Pushes);
    let pops = sign.uses.contains(&QueueUse::Pops);
    if pushes && !pops && all_differ(&names.popped) && warned.is_news(&names.popped[0]) {
        tracing::warn!(
            pushed = sign.queue,
            popped = names.popped.join(", "),
            "the workers take ids from another queue than this process pushes to, so jobs wait \
             longer: THUMBFORGE_QUEUE_NAME and THUMBFORGE_REDIS_URL must be the same for all"
        );
    }
    if pops && !pushes && all_differ(&names.pushed) && warned.is_news(&names.pushed[0]) {
        tracing::warn!(
            popped = sign.queue,
            pushed = names.pushed.join(", "),
            "the API pushes ids to another queue than this process takes them from, so jobs wait \
             longer: THUMBFORGE_QUEUE_NAME and THUMBFORGE_REDIS_URL must be the same for all"
        );
    }
    Ok(())
}

/// What was warned of, and when.
#[derive(Default)]
struct Warned(HashMap<String, Instant>);

impl Warned {
    /// True if it was not warned of lately; it is from now on.
    fn is_news(&mut self, of: &str) -> bool {
        self.0.retain(|_, at| at.elapsed() < AGAIN_AFTER);
        let is_news = !self.0.contains_key(of);
        if is_news {
            self.0.insert(of.to_owned(), Instant::now());
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_warned_of_is_told_again_after_an_hour() {
        let mut warned = Warned::default();
        assert!(warned.is_news("a"));
        tokio::time::advance(AGAIN_AFTER / 2).await;
        assert!(!warned.is_news("a"));
        assert!(warned.is_news("b"));
        tokio::time::advance(AGAIN_AFTER / 2).await;
        assert!(warned.is_news("a"));
        assert!(!warned.is_news("b"));
    }
}
