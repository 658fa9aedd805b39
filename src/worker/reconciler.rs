//! Cleans up after the dead. Cheap, jittered, and safe in any number of processes at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::litter;
use super::pulse::Pulse;
use super::reporter::Reporter;
use crate::db::Database;
use crate::domain::LONGEST_LEASE;
use crate::domain::origin_record::LONGEST_PARK;
use crate::domain::retry;
use crate::storage::Storage;

const INTERVAL: Duration = Duration::from_secs(1);
/// Signs of life and litter are looked after once in so many rounds.
const SLOW_ROUNDS: u32 = 4;
/// Old records of origins are removed once in so many rounds.
const FORGETTING_ROUNDS: u32 = 60;
/// A clock may be set by so much in its normal course.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

pub(super) struct Reconciler {
    pub database: Database,
    pub storage: Storage,
    pub worker: uuid::Uuid,
    pub pulse: Pulse,
    pub reporter: Arc<Reporter>,
    pub max_attempts: u32,
    pub lease: Duration,
}

impl Reconciler {
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut round: u32 = 0;
        while !stop.is_cancelled() {
            self.take_over_expired().await;
            if round.is_multiple_of(SLOW_ROUNDS) {
                if self.pulse.is_consuming() {
                    self.sign_of_life().await;
                }
                self.remove_litter().await;
                self.pull_in().await;
                self.reporter.write_flow().await;
            }
            self.reporter.give_up().await;
            if round.is_multiple_of(FORGETTING_ROUNDS) {
                self.reporter.forget().await;
            }
            round = round.wrapping_add(1);
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(INTERVAL.mul_f64(0.7 + 0.6 * rand::random::<f64>())) => {}
            }
        }
    }

    async fn take_over_expired(&self) {
        let max_attempts = self.max_attempts;
        let delay = |attempts| retry::delay_after_death(attempts, rand::random());
        let database = &self.database;
        match database.take_over_expired(max_attempts, delay).await {
            Ok((requeued, failed)) => {
                for id in requeued {
                    tracing::warn!(job.id = %id, "its lease expired: pending again");
                }
                for id in failed {
                    tracing::warn!(job.id = %id, "its lease expired in the last attempt: failed");
                    // An attempt may have published and died before it could say so.
                    if let Err(error) = self.storage.remove(id).await {
                        tracing::warn!(%error, "a thumbnail without a job stays behind");
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "expired leases could not be looked for"),
        }
    }

    async fn sign_of_life(&self) {
        if let Err(error) = self.database.mark_worker_alive(self.worker).await {
            tracing::debug!(%error, "no sign of life given");
        }
    }

    /// Mends times that lie in the future because the database's clock was set back.
    async fn pull_in(&self) {
        let database = &self.database;
        let delays = database.pull_in_delays(retry::LONGEST_DELAY + CLOCK_TOLERANCE);
        match delays.await {
            Ok(0) => {}
            Ok(jobs) => tracing::warn!(jobs, "due too far in the future: due now"),
            Err(error) => tracing::warn!(%error, "times in the future could not be looked for"),
        }
        let origins = database.pull_in_origins(LONGEST_PARK + CLOCK_TOLERANCE);
        match origins.await {
            Ok(0) => {}
            Ok(origins) => tracing::warn!(origins, "parked too far in the future: asked again"),
            Err(error) => tracing::warn!(%error, "parks in the future could not be looked for"),
        }
        let longest = LONGEST_LEASE + CLOCK_TOLERANCE;
        let leases = database.pull_in_leases(longest, self.lease);
        match leases.await {
            Ok(0) => {}
            Ok(jobs) => tracing::warn!(
                jobs,
                "leases that would end too far in the future: shortened"
            ),
            Err(error) => tracing::warn!(%error, "leases in the future could not be looked for"),
        }
    }

    /// Removes temporary files whose claim is over, and what else was written under it.
    async fn remove_litter(&self) {
        match self.storage.temporary_files().await {
            Ok(files) if files.is_empty() => {}
            Ok(files) => litter::clear(&self.database, &self.storage, &files).await,
            Err(error) => tracing::warn!(%error, "temporary files could not be listed"),
        }
    }
}
