//! Ids from the queue of which the database holds no job. Where another deployment is known to use
//! the same list, they are put back for its workers, for some seconds; else they are nobody's, and a
//! warning reports them if there are many.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::db::Database;
use crate::domain::JobId;
use crate::queue::Queue;

/// How long nothing is taken after only strange ids were: the others may take them meanwhile.
/// Doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// After so long an id is nobody's: whose it is has found its job in the database long ago.
const DROPPED_AFTER: Duration = Duration::from_secs(10);
/// Most ids that are kept in mind; beyond them all are forgotten, and stay for longer.
const MOST_IN_MIND: usize = 10_000;
/// Ids that led to nothing are looked up once in this time.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// So many unknown ids are no accident, such as jobs that were deleted while they waited.
const MANY: usize = 5;
const AGAIN_AFTER: Duration = Duration::from_secs(3600);

#[derive(Default)]
pub(super) struct Strangers {
    pause: Duration,
    looked: Option<Instant>,
    seen: usize,
    /// When each was first put back.
    put_back: HashMap<JobId, Instant>,
    warned: Option<Instant>,
}

impl Strangers {
    /// Puts back what belongs to another deployment; returns the rest.
    pub(super) async fn put_back(
        &mut self,
        queue: &Queue,
        database: &Database,
        ids: Vec<JobId>,
    ) -> Vec<JobId> {
        if ids.is_empty() || !queue.is_shared() {
            self.pause = Duration::ZERO;
            return ids;
        }
        let strange = match database.unknown_ids(&ids).await {
            Ok(strange) => strange,
            Err(error) => {
                tracing::debug!(%error, "ids can't be looked up");
                return ids;
            }
        };
        if strange.is_empty() {
            self.pause = Duration::ZERO;
            return ids;
        }
        // At the far end: what is ours comes before them.
        let young = self.not_too_old(&strange);
        if !young.is_empty() {
            queue.push_many(&young).await;
        }
        let strange: HashSet<JobId> = strange.into_iter().collect();
        let own: Vec<JobId> = ids.into_iter().filter(|id| !strange.contains(id)).collect();
        self.pause = match own.is_empty() {
            true => (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE),
            false => Duration::ZERO,
        };
        sleep(self.pause).await;
        own
    }

    fn not_too_old(&mut self, strange: &[JobId]) -> Vec<JobId> {
        let now = Instant::now();
        if self.put_back.len() > MOST_IN_MIND {
            self.put_back
                .retain(|_, first| now - *first < DROPPED_AFTER);
        }
        if self.put_back.len() > MOST_IN_MIND {
            self.put_back.clear();
        }
        let is_young = |id: &&JobId| {
            let first = *self.put_back.entry(**id).or_insert(now);
            let is_young = now - first < DROPPED_AFTER;
            if !is_young {
                self.put_back.remove(*id);
            }
            is_young
        };
        strange.iter().filter(is_young).copied().collect()
    }

    /// Looks now and then at ids that led to no job.
    pub(super) async fn look_at(&mut self, database: &Database, ids: &[JobId]) {
        let is_soon = |at: &Option<Instant>, after| at.is_some_and(|at| at.elapsed() < after);
        if is_soon(&self.looked, LOOK_INTERVAL) || is_soon(&self.warned, AGAIN_AFTER) {
            return;
        }
        self.looked = Some(Instant::now());
        match database.unknown_ids(ids).await {
            Ok(unknown) => self.seen += unknown.len(),
            Err(error) => tracing::debug!(%error, "ids can't be looked up"),
        }
        if self.seen >= MANY {
            self.seen = 0;
            self.warned = Some(Instant::now());
            tracing::warn!(
                "ids come from the queue that the database does not know: unless jobs were deleted \
                 while they waited, another deployment, or another database, uses the list that \
                 THUMBFORGE_QUEUE_NAME and THUMBFORGE_REDIS_URL name"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ids_are_put_back_for_some_seconds_and_no_longer() {
        let id = JobId(uuid::Uuid::now_v7());
        let mut strangers = Strangers::default();
        assert_eq!(strangers.not_too_old(&[id]), [id]);
        tokio::time::advance(DROPPED_AFTER / 2).await;
        assert_eq!(strangers.not_too_old(&[id]), [id]);
        tokio::time::advance(DROPPED_AFTER / 2).await;
        assert_eq!(strangers.not_too_old(&[id]), []);
        assert!(strangers.put_back.is_empty());
    }
}
