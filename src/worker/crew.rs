//! Starts attempts, runs each from its claim to its written outcome, and drains them at the end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::attempt::{Attempt, Fetched};
use super::claimer::HeldClaim;
use super::leases::Lease;
use super::line::Standing;
use super::outcome;
use super::parts::Parts;
use super::reporter::Reporter;
use super::seats::Seat;
use super::settings::WorkerSettings;
use super::storage_gate::StorageGate;
use super::turns::{Turns, Visit};
use crate::domain::{Claim, Failure, FailureCode, Outcome};
use crate::observe::Stage;
use crate::traces::AttemptTrace;

/// A download that takes longer leaves the line and waits with its socket alone.
const PATIENCE: Duration = Duration::from_millis(100);
/// One that takes so long counts against its origin's share of the sockets.
const LONG: Duration = Duration::from_secs(1);
/// Thumbnails that may wait for the disks of storage and database, for each place in the line. A
/// flush takes milliseconds, and those that wait together share it.
const PUBLISHING_A_PLACE: usize = 4;
/// Time that is kept at the end of the grace period for handing jobs back.
const HANDING_BACK: Duration = Duration::from_secs(3);

pub(super) struct Crew {
    parts: Parts,
    settings: WorkerSettings,
    turns: Arc<Turns>,
    reporter: Arc<Reporter>,
    storage_gate: StorageGate,
    /// Places for thumbnails that are made and not yet published and written.
    publishing: Semaphore,
    running: TaskTracker,
    /// Cancelled when what still runs must be handed back.
    hand_back: CancellationToken,
}

impl Crew {
    pub(super) fn new(
        parts: Parts,
        settings: WorkerSettings,
        turns: Arc<Turns>,
        reporter: Arc<Reporter>,
        storage_gate: StorageGate,
    ) -> Self {
        let places = settings.places().saturating_mul(PUBLISHING_A_PLACE);
        Self {
            parts,
            settings,
            turns,
            reporter,
            storage_gate,
            publishing: Semaphore::new(places),
            running: TaskTracker::new(),
            hand_back: CancellationToken::new(),
        }
    }

    /// Starts on what was claimed, a seat for each.
    pub(super) fn start(self: &Arc<Self>, claims: Vec<HeldClaim>, mut seats: Vec<Seat>) {
        seats.truncate(claims.len());
        for (HeldClaim { claim, lease }, seat) in claims.into_iter().zip(seats) {
            let database = Some(self.parts.database.clone());
            let visit = Visit::of(&self.turns, &claim.origin, database);
            let crew = Arc::clone(self);
            note_queue_wait(&self.parts, &claim);
            let span = tracing::info_span!("job", job.id = %claim.id, attempt = claim.attempt);
            self.running.spawn(
                async move {
                    crew.work(&claim, &lease, seat, visit).await;
                    drop(lease);
                }
                .instrument(span),
            );
        }
    }

    /// From claim to written outcome.
    async fn work(&self, claim: &Claim, lease: &Lease, seat: Seat, visit: Visit) {
        let trace = self.begin_trace(claim).await;
        let attempt = Attempt {
            parts: &self.parts,
            trace: &trace,
            thumbnail: &self.settings.thumbnail,
            max_attempts: self.settings.max_attempts,
            max_wait: self.settings.origin_max_wait,
        };
        let attempted = self.attempt(&attempt, claim, lease, seat, visit);
        let attempted = AssertUnwindSafe(attempted).catch_unwind();
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
            () = self.hand_back.cancelled() => {
                (Some(Outcome::Released { delay: Duration::ZERO }), None)
            }
        };
        match ended {
            Some(outcome) => self.conclude(claim, &trace, outcome).await,
            None => {
                trace.end(None);
                self.parts.meters.note_lost_lease();
                tracing::warn!("the lease was lost; nothing is published");
            }
        }
    }

    /// Only where spans are exported does a question to the database precede the attempt.
    async fn begin_trace(&self, claim: &Claim) -> AttemptTrace {
        let traces = &self.parts.traces;
        let submitted = match traces.are_exported() {
            true => self.parts.database.traceparent(claim.id).await,
            false => Ok(None),
        };
        let submitted = submitted.unwrap_or_else(|error| {
            tracing::debug!(%error, "where the job was submitted is not known");
            None
        });
        traces.attempt(claim, submitted)
    }

    /// The place in the line is free again when the thumbnail is made: what follows is waiting for
    /// disks, and many wait as long as one.
    async fn attempt(
        &self,
        attempt: &Attempt<'_>,
        claim: &Claim,
        lease: &Lease,
        seat: Seat,
        visit: Visit,
    ) -> (Option<Outcome>, Option<SemaphorePermit<'_>>) {
        let Seat {
            standing,
            download,
            job,
        } = seat;
        let began = Instant::now();
        let (fetched, standing) = fetch(attempt, claim, &visit, standing).await;
        // What was parked or handed back was hardly asked for.
        if !matches!(
            fetched,
            Err(Outcome::Parked { .. } | Outcome::Released { .. })
        ) {
            attempt.note(Stage::Fetch, began.elapsed());
        }
        drop((visit, download));
        let made = match fetched {
            Ok(fetched) => attempt.make(claim, fetched).await,
            Err(outcome) => Err(outcome),
        };
        let place = self.publishing.acquire().await;
        drop((standing, job));
        (attempt.publish(claim, lease, made).await, place.ok())
    }

    /// Writes how an attempt ended, and notes what follows from it.
    async fn conclude(&self, claim: &Claim, trace: &AttemptTrace, outcome: Outcome) {
        if let Outcome::Retry { code, .. } | Outcome::Failed { code, .. } = &outcome
            && *code == FailureCode::StorageFailed
        {
            self.storage_gate.close();
        }
        // A job that is pending again must not be claimed before its origin's record says what came
        // of this attempt.
        if !matches!(outcome, Outcome::Completed { .. }) && self.turns.is_in_trouble(&claim.origin)
        {
            self.reporter.report().await;
        }
        outcome::write(&self.parts, trace, claim, &outcome).await;
        trace.end(Some(&outcome));
        self.turns.note_end(&claim.origin);
        match outcome {
            Outcome::Completed { .. } => self.turns.count_end(&claim.origin, true),
            Outcome::Failed { .. } => self.turns.count_end(&claim.origin, false),
            Outcome::Parked { .. } => self.turns.mark_ready(&claim.origin),
            Outcome::Retry { .. } | Outcome::Released { .. } => {}
        }
    }

    /// Waits for the loops that still take jobs, and for the running attempts; what has not ended
    /// shortly before `end` is handed back.
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

    /// Exports the last spans.
    pub(super) async fn end_traces(&self) {
        self.parts.traces.clone().end().await;
    }

    /// Attempts that run.
    pub(super) fn in_flight(&self) -> usize {
        self.running.len()
    }
}

/// The wait of a job that is claimed for the first time: later ones have waited on purpose. By our
/// clock, because the database's own is not at hand.
fn note_queue_wait(parts: &Parts, claim: &Claim) {
    if claim.is_first() {
        let waited = claim.waits_since.elapsed();
        parts.meters.note_stage(Stage::QueueWait, waited);
    }
}

/// Downloads; a slow one leaves the line meanwhile.
async fn fetch(
    attempt: &Attempt<'_>,
    claim: &Claim,
    visit: &Visit,
    standing: Standing,
) -> (Result<Fetched, Outcome>, Standing) {
    let fetching = attempt.fetch(claim, visit);
    tokio::pin!(fetching);
    if let Ok(fetched) = timeout(PATIENCE, &mut fetching).await {
        return (fetched, standing);
    }
    let away = standing.leave();
    let fetched = match timeout(LONG, &mut fetching).await {
        Ok(fetched) => fetched,
        Err(_) => {
            visit.linger();
            fetching.await
        }
    };
    (fetched, away.come_back())
}
