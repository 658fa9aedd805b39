//! Which jobs this process holds, and until when.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::pulse::Pulse;
use crate::db::Database;
use crate::domain::{Claim, JobId};

/// The held jobs of a process. Cheap to clone.
#[derive(Clone)]
pub(super) struct Leases {
    database: Database,
    worker: uuid::Uuid,
    duration: Duration,
    held: Arc<Mutex<HashMap<JobId, Held>>>,
    /// Held by the one attempt that asks whether leases that have run out are still ours.
    asking: Arc<AsyncMutex<()>>,
}

/// Longest pause between two attempts to renew while the database is away. When it is back, all
/// leases are to be renewed before [others take jobs over](super::reconciler).
const ASK_AGAIN: Duration = Duration::from_millis(500);

struct Held {
    claim: Claim,
    /// By the local monotonic clock, counted from before the request that granted it: never
    /// later than the database's view.
    valid_until: Instant,
    lost: CancellationToken,
}

/// What came of asking for more time.
enum Renewal {
    Done {
        /// Whether this process still holds a job.
        any: bool,
    },
    /// The database could not be asked.
    Failed,
}

/// The lease of one job; dropped, the job is no longer renewed.
pub struct Lease {
    leases: Leases,
    claim: Claim,
    lost: CancellationToken,
}

impl Leases {
    pub(super) fn new(database: Database, worker: uuid::Uuid, duration: Duration) -> Self {
        Self {
            database,
            worker,
            duration,
            held: Arc::default(),
            asking: Arc::default(),
        }
    }

    /// Notes a claim that was asked for at `asked`.
    pub(super) fn hold(&self, claim: Claim, asked: Instant) -> Lease {
        let lost = CancellationToken::new();
        let held = Held {
            claim: claim.clone(),
            valid_until: asked + self.duration,
            lost: lost.clone(),
        };
        if let Some(before) = self.held().insert(claim.id, held) {
            // This process took the job over from itself.
            before.lost.cancel();
        }
        Lease {
            leases: self.clone(),
            claim,
            lost,
        }
    }

    /// Renews three times in the length of a lease, so that two failures in a row lose nothing.
    pub(super) async fn renew_forever(self, pulse: Pulse) {
        let mut pause = self.duration / 3;
        loop {
            sleep(pause).await;
            pause = self.duration / 3;
            match self.renew().await {
                // Workers whose slots are all taken look for nothing, and yet they consume.
                Renewal::Done { any: true } => pulse.note_busy(),
                Renewal::Done { any: false } => {}
                Renewal::Failed => pause = pause.min(ASK_AGAIN),
            }
        }
    }

    /// Renews all leases; those that were taken over are marked as lost.
    async fn renew(&self) -> Renewal {
        let claims: Vec<Claim> = self
            .held()
            .values()
            .map(|held| held.claim.clone())
            .collect();
        if claims.is_empty() {
            return Renewal::Done { any: false };
        }
        let asked = Instant::now();
        match self
            .database
            .renew(&claims, self.worker, self.duration)
            .await
        {
            Ok(kept) => {
                let mut all = self.held();
                for claim in claims {
                    let Some(held) = all.get_mut(&claim.id) else {
                        continue;
                    };
                    if held.claim.fence != claim.fence {
                        continue;
                    }
                    if kept.contains(&claim.id) {
                        held.valid_until = asked + self.duration;
                    } else {
                        held.lost.cancel();
                    }
                }
                Renewal::Done {
                    any: !kept.is_empty(),
                }
            }
            Err(error) => {
                tracing::warn!(%error, jobs = claims.len(), "leases not renewed");
                Renewal::Failed
            }
        }
    }

    /// The claims that attempts of this process run under.
    pub(super) fn known(&self) -> HashSet<(JobId, i64)> {
        let all = self.held();
        all.values()
            .map(|held| (held.claim.id, held.claim.fence))
            .collect()
    }

    /// How many jobs this process holds.
    pub(super) fn count(&self) -> usize {
        self.held().len()
    }

    fn held(&self) -> MutexGuard<'_, HashMap<JobId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Resolves when another worker has taken the job over.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// True if the job is ours at this moment: by the clock as long as the lease runs, else by
    /// asking the database, again and again while it can't be asked.
    pub async fn still_held(&self) -> bool {
        if self.is_running() && !self.lost.is_cancelled() {
            return true;
        }
        let _others_wait = self.leases.asking.lock().await;
        while !self.lost.is_cancelled() {
            if self.is_running() {
                return true;
            }
            // An answer may take longer than the lease that it grants: then it is asked for again.
            if matches!(self.leases.renew().await, Renewal::Failed) {
                sleep(ASK_AGAIN).await;
            }
        }
        false
    }

    fn is_running(&self) -> bool {
        self.leases.held().get(&self.claim.id).is_some_and(|held| {
            held.claim.fence == self.claim.fence && Instant::now() < held.valid_until
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut all = self.leases.held();
        // The same process may have taken the job over from itself.
        if all
            .get(&self.claim.id)
            .is_some_and(|held| held.claim.fence == self.claim.fence)
        {
            all.remove(&self.claim.id);
        }
    }
}
