//! The queues that the processes of this database use, so that the API and the workers notice that
//! they use different ones.

use std::collections::BTreeMap;

use super::{Database, DbError};

const NAME: &str = "queues";
/// A process that said nothing for so long is gone.
const FORGOTTEN_AFTER_MILLIS: i64 = 60_000;
/// What was said is said again after so long.
const AGAIN_AFTER_MILLIS: i64 = 10_000;

/// What a process does with its queue.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum QueueUse {
    Pushes,
    Pops,
}

/// By use and name of the queue: when it was last said, in milliseconds since the Unix epoch.
type Said = BTreeMap<QueueUse, BTreeMap<String, i64>>;

/// Names of queues that were said since a moment, by use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueNames {
    pub pushed: Vec<String>,
    pub popped: Vec<String>,
}

impl Database {
    /// Notes that this process uses a queue. Returns the names that others said after `since`, and
    /// the present moment, both in milliseconds of the database's clock.
    pub async fn say_queue(
        &self,
        uses: &[QueueUse],
        queue: &str,
        since: i64,
    ) -> Result<(QueueNames, i64), DbError> {
        let found = self.remembered(NAME).await?;
        let now = found.now;
        // What can't be read is no list of this version's.
        let before: Said = found
            .value
            .as_deref()
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default();
        let mut said = before.clone();
        let mut is_news = false;
        for each in uses {
            let names = said.entry(*each).or_default();
            let last = names.get(queue).copied();
            if last.is_none_or(|last| !(0..AGAIN_AFTER_MILLIS).contains(&(now - last))) {
                names.insert(queue.to_owned(), now);
                is_news = true;
            }
        }
        for names in said.values_mut() {
            names.retain(|_, last| (now - *last).abs() < FORGOTTEN_AFTER_MILLIS);
        }
        if is_news && let Ok(json) = serde_json::to_string(&said) {
            // Where another process was faster, it is said the next time.
            self.remember(NAME, found.value.as_deref(), &json).await?;
        }
        let later = |of: QueueUse| {
            let names = before.get(&of).into_iter().flatten();
            let later = names.filter(|(_, last)| **last > since && **last <= now);
            later.map(|(name, _)| name.clone()).collect()
        };
        let names = QueueNames {
            pushed: later(QueueUse::Pushes),
            popped: later(QueueUse::Pops),
        };
        Ok((names, now))
    }
}
