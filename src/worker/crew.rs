//! Slots, and the attempts that run in them.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::attempt::Attempt;
use super::leases::{Lease, Leases};
use super::lost_claims::LostClaims;
use super::pulse::Pulse;
use super::storage_gate::StorageGate;
use super::{Parts, WorkerSettings, outcome};
use crate::db::{ClaimSource, DbError};
use crate::domain::{Claim, Failure, FailureCode, Outcome};

/// Most jobs that are claimed with one statement.
const LARGEST_CLAIM: usize = 32;
/// Thumbnails that may wait for the disks of storage and database, for each slot. A flush takes
/// milliseconds, and those that wait together share it.
const PUBLISHING_A_SLOT: usize = 4;
/// Time that is kept at the end of the grace period for handing jobs back.
const HANDING_BACK: Duration = Duration::from_secs(3);

pub(super) struct Crew {
    /// Of this run of this process; never used again.
    pub id: uuid::Uuid,
    pub parts: Parts,
    pub settings: WorkerSettings,
    pub leases: Leases,
    pub lost_claims: LostClaims,
    pub pulse: Pulse,
    pub storage_gate: StorageGate,
    slots: Arc<Semaphore>,
    /// Places for thumbnails that are made and not yet published and written.
    publishing: Semaphore,
    running: TaskTracker,
    /// Cancelled when what still runs must be handed back.
    hand_back: CancellationToken,
}

/// Free slots, each for one job.
pub(super) struct Slots(Vec<OwnedSemaphorePermit>);

impl Slots {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Crew {
    pub(super) fn new(parts: Parts, settings: WorkerSettings) -> Self {
        let id = uuid::Uuid::now_v7();
        let storage_gate = StorageGate::open();
        Self {
            id,
            leases: Leases::new(parts.database.clone(), id, settings.lease),
            lost_claims: LostClaims::none(),
            pulse: Pulse::new(settings.poll_timeout, settings.lease, storage_gate.clone()),
            storage_gate,
            slots: Arc::new(Semaphore::new(settings.concurrency)),
            publishing: Semaphore::new(settings.concurrency.saturating_mul(PUBLISHING_A_SLOT)),
            running: TaskTracker::new(),
            hand_back: CancellationToken::new(),
            parts,
            settings,
        }
    }

    /// Waits for a free slot, and for a storage that works, and takes up to half of the others that
    /// are free: the rest is for whoever looks in the other place (queue or database). Who waits
    /// longest comes first.
    pub(super) async fn free_slots(&self) -> Slots {
        let first = Arc::clone(&self.slots)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        self.storage_gate.opened().await;
        let more = (self.slots.available_permits() / 2).min(LARGEST_CLAIM - 1);
        let others = (0..more).map_while(|_| Arc::clone(&self.slots).try_acquire_owned().ok());
        Slots(std::iter::once(first).chain(others).collect())
    }

    /// Claims what `source` names, at most as many as there are slots, and starts on it. Returns
    /// how many jobs were claimed.
    pub(super) async fn claim_and_start(
        self: &Arc<Self>,
        source: ClaimSource,
        slots: Slots,
    ) -> Result<usize, DbError> {
        let noted = self.lost_claims.claiming().await;
        let asked = Instant::now();
        let lease = self.settings.lease;
        let claims = self
            .parts
            .database
            .claim(source, self.id, lease)
            .await
            .inspect_err(|error| {
                if error.is_unavailable() {
                    self.lost_claims.suspect();
                }
            })?;
        self.pulse.claimed();
        let count = claims.len();
        for (claim, slot) in claims.into_iter().zip(slots.0) {
            let lease = self.leases.hold(claim.clone(), asked);
            let crew = Arc::clone(self);
            let span = tracing::info_span!("job", job.id = %claim.id, attempt = claim.attempt);
            self.running.spawn(
                async move {
                    crew.work(&claim, &lease, slot).await;
                    drop(lease);
                }
                .instrument(span),
            );
        }
        drop(noted);
        Ok(count)
    }

    /// From claim to written outcome. The slot is free again when the thumbnail is made: what
    /// follows is waiting for disks, and many wait as long as one.
    async fn work(&self, claim: &Claim, lease: &Lease, slot: OwnedSemaphorePermit) {
        let attempt = Attempt {
            parts: &self.parts,
            spec: self.settings.spec,
            max_attempts: self.settings.max_attempts,
        };
        let attempted = AssertUnwindSafe(async {
            let made = attempt.make(claim).await;
            let place = self.publishing.acquire().await;
            drop(slot);
            (attempt.publish(claim, lease, made).await, Some(place))
        })
        .catch_unwind();
        // The place is kept until the outcome is written.
        let (ended, _place) = tokio::select! {
            biased;
            () = lease.lost() => (None, None),
            ended = attempted => ended.unwrap_or_else(|_| {
                tracing::error!("a panic inside the attempt");
                let failure = Failure::new(
                    FailureCode::Internal,
                    "an internal error interrupted the work",
                );
                (Some(attempt.judge(claim, failure)), None)
            }),
            () = self.hand_back.cancelled() => (Some(Outcome::Released), None),
        };
        if let Some(Outcome::Retry { code, .. } | Outcome::Failed { code, .. }) = &ended
            && *code == FailureCode::StorageFailed
        {
            self.storage_gate.close();
        }
        match ended {
            Some(outcome) => outcome::write(&self.parts, claim, &outcome).await,
            None => tracing::warn!("the lease was lost; nothing is published"),
        }
    }

    /// Waits for who still takes jobs, and for the running attempts; what has not ended shortly
    /// before `end` is handed back.
    pub(super) async fn drain(&self, mut taking: JoinSet<()>, end: Instant) {
        let grace = self.settings.shutdown_grace;
        let hand_back = end - HANDING_BACK.min(grace / 2);
        let ended = async {
            // A claim that is under way may still start attempts.
            while taking.join_next().await.is_some() {}
            self.running.close();
            self.running.wait().await;
        };
        tokio::pin!(ended);
        if timeout_at(hand_back, &mut ended).await.is_ok() {
            return;
        }
        tracing::info!(jobs = self.in_flight(), "handing jobs back");
        self.hand_back.cancel();
        ended.await;
    }

    /// Attempts that run.
    pub(super) fn in_flight(&self) -> usize {
        self.running.len()
    }
}
