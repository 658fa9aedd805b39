//! Which jobs this process holds, and until when.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
}

struct Held {
    claim: Claim,
    /// By the local monotonic clock, counted from before the request that granted it: never
    /// later than the database's view.
    valid_until: Instant,
    lost: CancellationToken,
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
        loop {
            sleep(self.duration / 3).await;
            if self.renew().await {
                // Workers whose slots are all taken look for nothing, and yet they consume.
                pulse.note_busy();
            }
        }
    }

    /// Renews all leases; those that were taken over are marked as lost. True if any was renewed.
    async fn renew(&self) -> bool {
        let claims: Vec<Claim> = self
            .held()
            .values()
            .map(|held| held.claim.clone())
            .collect();
        if claims.is_empty() {
            return false;
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
                !kept.is_empty()
            }
            Err(error) => {
                tracing::warn!(%error, jobs = claims.len(), "leases not renewed");
                false
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
    /// asking the database. False too if the database can't be asked.
    pub async fn still_held(&self) -> bool {
        if self.lost.is_cancelled() {
            return false;
        }
        if self.is_running() {
            return true;
        }
        self.leases.renew().await;
        !self.lost.is_cancelled() && self.is_running()
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
