//! Claims whose answer was lost. When a connection breaks, the database may have claimed jobs for a
//! worker that does not know of it. Left alone, they would wait for their leases to end, and each
//! would count a death that nobody died.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{RwLock, RwLockReadGuard, watch};
use tokio::time::{Instant, sleep};

use super::leases::Leases;
use crate::db::{Database, DbError};
use crate::domain::{Claim, JobId, Outcome};

/// A claim may still arrive after its connection broke: it is looked for at growing intervals.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A claim may be executed so long after its connection broke: then the server gives it up.
const LATEST_CLAIM: Duration = Duration::from_secs(10);

const RELEASED: Outcome = Outcome::Released {
    delay: Duration::ZERO,
};

pub(super) struct LostClaims {
    database: Database,
    worker: uuid::Uuid,
    /// How long a claim holds without renewal.
    duration: Duration,
    leases: Leases,
    /// Read from a claim's request until its jobs are noted as held, and written to ask for what
    /// is held: in between, nobody can tell a lost claim from one that is under way.
    claiming: RwLock<()>,
    /// When a claim last failed.
    failed: watch::Sender<Option<Instant>>,
}

impl LostClaims {
    pub(super) fn new(
        database: Database,
        worker: uuid::Uuid,
        duration: Duration,
        leases: Leases,
    ) -> Self {
        Self {
            database,
            worker,
            duration,
            leases,
            claiming: RwLock::new(()),
            failed: watch::Sender::new(None),
        }
    }

    /// To be kept from a claim's request until its jobs are noted.
    pub(super) async fn claiming(&self) -> RwLockReadGuard<'_, ()> {
        self.claiming.read().await
    }

    /// A claim failed, and nobody knows whether it happened.
    pub(super) fn suspect(&self) {
        self.failed.send_replace(Some(Instant::now()));
    }

    /// After each claim that failed, hands back what it may have claimed, until its lease would be
    /// over. It ends with the process.
    pub(super) async fn release_forever(self: Arc<Self>) {
        let mut failed = self.failed.subscribe();
        while failed.changed().await.is_ok() {
            let mut pause = FIRST_PAUSE;
            while self.are_possible() {
                self.release().await;
                tokio::select! {
                    _ = failed.changed() => pause = FIRST_PAUSE,
                    () = sleep(pause) => pause = LONGEST_PAUSE.min(pause * 2),
                }
            }
        }
    }

    /// Hands back what is claimed for this worker and not known to it, if a claim failed of late.
    /// Each job gets its attempt back, as after any other hand-over.
    pub(super) async fn release(&self) {
        if !self.are_possible() {
            return;
        }
        let lost = match self.find().await {
            Ok(lost) => lost,
            Err(error) => return tracing::debug!(%error, "lost claims could not be looked for"),
        };
        for claim in lost {
            match self.database.finish(&claim, &RELEASED).await {
                Ok(true) => {
                    tracing::info!(job.id = %claim.id, "claimed without our knowing: handed back");
                }
                Ok(false) => {}
                Err(error) => tracing::debug!(%error, job.id = %claim.id, "not handed back yet"),
            }
        }
    }

    /// True if a claim failed whose lease may still run.
    fn are_possible(&self) -> bool {
        self.failed
            .borrow()
            .is_some_and(|at| at.elapsed() < self.duration + LATEST_CLAIM)
    }

    /// Claims of this worker that no attempt runs under.
    async fn find(&self) -> Result<Vec<Claim>, DbError> {
        let _nobody_claims = self.claiming.write().await;
        // Noted before the question, so that an attempt that ends meanwhile is not taken for lost.
        let known: HashSet<(JobId, i64)> = self.leases.known();
        let mut held = self.database.held_by(self.worker).await?;
        held.retain(|claim| !known.contains(&(claim.id, claim.fence)));
        Ok(held)
    }
}
