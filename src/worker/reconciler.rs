//! Cleans up after the dead. Cheap, jittered, and safe in any number of processes at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::litter;
use super::reporter::Reporter;
use crate::db::Database;
use crate::domain::LONGEST_LEASE;
use crate::domain::origin_record::LONGEST_PARK;
use crate::domain::retry;
use crate::observe::{WorkMeters, WorkOutcome};
use crate::storage::Storage;

const INTERVAL: Duration = Duration::from_secs(1);
/// After a database that was away for longer than a lease, all leases have expired, and no job was
/// given up: its worker has this long to renew. An answer that is waited for and does not come takes
/// 5 s, and a new connection 3 s at most.
const GRACE: Duration = Duration::from_secs(8);
/// Litter is looked after once in so many rounds.
const SLOW_ROUNDS: u32 = 4;
/// Old records of origins are removed once in so many rounds.
const FORGETTING_ROUNDS: u32 = 60;
/// A clock may be set by so much in its normal course.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

pub(super) struct Reconciler {
    pub database: Database,
    pub storage: Storage,
    pub reporter: Arc<Reporter>,
    pub meters: WorkMeters,
    pub max_attempts: u32,
    pub lease: Duration,
}

/// Since when the database answers, and how long it must.
#[derive(Debug)]
struct Answers {
    since: Option<Instant>,
    grace: Duration,
}

impl Answers {
    /// At the start of a process, which may be the end of the database's absence.
    fn at_start(lease: Duration) -> Self {
        Self {
            since: None,
            grace: GRACE.min(lease / 2),
        }
    }

    fn note(&mut self, answered: bool) {
        if answered {
            self.since.get_or_insert_with(Instant::now);
        } else {
            (self.since, self.grace) = (None, GRACE);
        }
    }

    /// True if workers that live have had time to renew their leases, and the others are dead.
    fn for_long(&self) -> bool {
        self.since
            .is_some_and(|since| since.elapsed() >= self.grace)
    }
}

impl Reconciler {
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut round: u32 = 0;
        let mut answers = Answers::at_start(self.lease);
        while !stop.is_cancelled() {
            answers.note(self.take_over_expired(&answers).await);
            if round.is_multiple_of(SLOW_ROUNDS) {
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

    /// Returns whether the database answered.
    async fn take_over_expired(&self, answers: &Answers) -> bool {
        if !answers.for_long() {
            return self.database.ping().await.is_ok();
        }
        let max_attempts = self.max_attempts;
        let delay = |attempts| retry::delay_after_death(attempts, rand::random());
        let database = &self.database;
        match database.take_over_expired(max_attempts, delay).await {
            Ok((requeued, failed)) => {
                let taken = requeued.len();
                self.meters.note_outcomes(WorkOutcome::TakenOver, taken);
                for id in requeued {
                    tracing::warn!(job.id = %id, "its lease expired: pending again");
                }
                for (id, code) in failed {
                    self.meters.note_outcome(WorkOutcome::Failed(code));
                    tracing::warn!(job.id = %id, "its lease expired in the last attempt: failed");
                    // An attempt may have published and died before it could say so.
                    if let Err(error) = self.storage.remove(id).await {
                        tracing::warn!(%error, "a thumbnail without a job stays behind");
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "expired leases could not be looked for");
                return !error.is_unavailable();
            }
        }
        true
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
