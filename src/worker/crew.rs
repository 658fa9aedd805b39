//! Who works: places in the line, sockets, and the attempts that run.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::attempt::{Attempt, Fetched};
use super::leases::{Lease, Leases};
use super::line::{Line, Standing};
use super::lost_claims::LostClaims;
use super::parts::Parts;
use super::pulse::Pulse;
use super::settings::WorkerSettings;
use super::storage_gate::StorageGate;
use super::turns::{Turn, Turns, Visit};
use super::{outcome, reporter};
use crate::db::{ClaimSource, Claimed, DbError};
use crate::domain::{Claim, Failure, FailureCode, JobId, Origin, Outcome};

/// Most jobs that are claimed with one statement.
const LARGEST_CLAIM: usize = 64;
/// A download that takes longer leaves the line and waits with its socket alone.
const PATIENCE: Duration = Duration::from_millis(100);
/// One that takes so long counts against its origin's share of the sockets.
const LONG: Duration = Duration::from_secs(1);
/// How long a claim is put off while the memory of downloads is scarce.
const SCARCE_FOR: Duration = Duration::from_millis(250);
/// Thumbnails that may wait for the disks of storage and database, for each place in the line. A
/// flush takes milliseconds, and those that wait together share it.
const PUBLISHING_A_PLACE: usize = 4;
/// Time that is kept at the end of the grace period for handing jobs back.
const HANDING_BACK: Duration = Duration::from_secs(3);
/// How long nothing is claimed after a claim found the queue paused.
const PAUSED_FOR: Duration = Duration::from_secs(1);

pub(super) struct Crew {
    /// Of this run of this process; never used again.
    pub id: uuid::Uuid,
    pub parts: Parts,
    pub settings: WorkerSettings,
    pub leases: Leases,
    pub lost_claims: LostClaims,
    pub pulse: Pulse,
    pub storage_gate: StorageGate,
    pub turns: Arc<Turns>,
    /// Held by who reports.
    pub reporting: tokio::sync::Mutex<()>,
    line: Arc<Line>,
    /// Sockets: one a download.
    downloads: Arc<Semaphore>,
    /// Jobs in flight, where the operator bounds them.
    jobs: Option<Arc<Semaphore>>,
    /// Places for thumbnails that are made and not yet published and written.
    publishing: Semaphore,
    running: TaskTracker,
    /// Cancelled when what still runs must be handed back.
    hand_back: CancellationToken,
}

/// What a job needs to begin.
pub(super) struct Seat {
    standing: Standing,
    download: OwnedSemaphorePermit,
    job: Option<OwnedSemaphorePermit>,
}

impl Crew {
    pub(super) fn new(parts: Parts, settings: WorkerSettings) -> Self {
        let id = uuid::Uuid::now_v7();
        let storage_gate = StorageGate::open();
        let places = settings.concurrency.unwrap_or(settings.line);
        let sockets = settings
            .concurrency
            .unwrap_or(usize::MAX)
            .min(settings.downloads);
        Self {
            id,
            leases: Leases::new(parts.database.clone(), id, settings.lease),
            lost_claims: LostClaims::none(),
            pulse: Pulse::new(settings.poll_timeout, settings.lease, storage_gate.clone()),
            storage_gate,
            turns: Arc::new(Turns::new(sockets, Arc::clone(&parts.caps_of))),
            reporting: tokio::sync::Mutex::default(),
            line: Line::new(places),
            downloads: Arc::new(Semaphore::new(settings.downloads)),
            jobs: settings
                .concurrency
                .map(|most| Arc::new(Semaphore::new(most))),
            publishing: Semaphore::new(places.saturating_mul(PUBLISHING_A_PLACE)),
            running: TaskTracker::new(),
            hand_back: CancellationToken::new(),
            parts,
            settings,
        }
    }

    /// Waits for a place in the line, a socket, and a storage that works, and takes as many more as
    /// there are.
    pub(super) async fn seats(&self) -> Vec<Seat> {
        let first_job = match &self.jobs {
            Some(jobs) => Some(acquire(jobs).await),
            None => None,
        };
        let first_download = acquire(&self.downloads).await;
        self.storage_gate.opened().await;
        // Not for ever: small bodies may fit, and the youngest give way.
        let plentiful = self.parts.fetcher.memory().plentiful();
        let _ = timeout(SCARCE_FOR, plentiful).await;
        let mut places = self.line.join(LARGEST_CLAIM).await.into_iter();
        let mut seats: Vec<Seat> = places
            .next()
            .map(|standing| Seat {
                standing,
                download: first_download,
                job: first_job,
            })
            .into_iter()
            .collect();
        seats.extend(places.map_while(|standing| self.seat(standing)));
        seats
    }

    /// How many jobs could begin at once.
    pub(super) fn free_places(&self) -> usize {
        let downloads = self.downloads.available_permits();
        let jobs = self
            .jobs
            .as_ref()
            .map_or(usize::MAX, |jobs| jobs.available_permits());
        self.line.free().min(downloads).min(jobs).min(LARGEST_CLAIM)
    }

    /// The same without waiting, perhaps none; `most` at most.
    pub(super) fn free_seats(&self, most: usize) -> Vec<Seat> {
        if !self.storage_gate.is_open() || self.parts.fetcher.memory().is_scarce() {
            return Vec::new();
        }
        let places = self.line.try_join(most.min(LARGEST_CLAIM)).into_iter();
        places.map_while(|standing| self.seat(standing)).collect()
    }

    fn seat(&self, standing: Standing) -> Option<Seat> {
        let job = match &self.jobs {
            Some(jobs) => Some(Arc::clone(jobs).try_acquire_owned().ok()?),
            None => None,
        };
        let download = Arc::clone(&self.downloads).try_acquire_owned().ok()?;
        Some(Seat {
            standing,
            download,
            job,
        })
    }

    /// Claims by bells, a seat for each, and starts on what was claimed.
    pub(super) async fn claim_by_bells(
        self: &Arc<Self>,
        ids: Vec<JobId>,
        seats: Vec<Seat>,
    ) -> Result<(), DbError> {
        let room = Turns::first_room();
        let rooms = self.turns.rooms();
        let noted = self.lost_claims.claiming().await;
        let asked = Instant::now();
        let source = ClaimSource::Bells { ids, room, rooms };
        let claimed = self.asked(
            self.parts
                .database
                .claim(source, self.id, self.settings.lease)
                .await,
        )?;
        let mut origins: HashMap<Origin, u32> = HashMap::new();
        for claim in &claimed.claims {
            *origins.entry(claim.origin.clone()).or_default() += 1;
        }
        self.turns.note_claimed(&origins, room);
        self.note_skipped(&claimed);
        self.start(claimed.claims, asked, seats);
        drop(noted);
        Ok(())
    }

    /// Claims what has its turn, a seat for each job, and starts on what was claimed.
    pub(super) async fn claim_turns(
        self: &Arc<Self>,
        turns: Vec<Turn>,
        mut seats: Vec<Seat>,
    ) -> Result<(), DbError> {
        let (limited, free): (Vec<Turn>, Vec<Turn>) =
            turns.into_iter().partition(|turn| turn.limits.is_some());
        let mut claims = Vec::new();
        let noted = self.lost_claims.claiming().await;
        let asked = Instant::now();
        let mut fault = None;
        let mut note = |claimed: Result<Vec<Claim>, DbError>| match claimed {
            Ok(claimed) => claims.extend(claimed),
            Err(error) => fault = Some(error),
        };
        if !free.is_empty() {
            note(self.claim_free(&free).await);
        }
        let each = limited.iter().map(|turn| self.claim_limited(turn));
        for claimed in futures_util::future::join_all(each).await {
            note(claimed);
        }
        seats.truncate(claims.len());
        self.start(claims, asked, seats);
        drop(noted);
        fault.map_or(Ok(()), Err)
    }

    async fn claim_free(&self, turns: &[Turn]) -> Result<Vec<Claim>, DbError> {
        let wanted = turns
            .iter()
            .map(|turn| (turn.origin.clone(), turn.jobs))
            .collect();
        let source = ClaimSource::Origins(wanted);
        let claimed = self
            .parts
            .database
            .claim(source, self.id, self.settings.lease)
            .await;
        let claimed = self.asked(claimed).inspect_err(|_| {
            for turn in turns {
                self.turns.give_back(turn);
            }
        })?;
        for turn in turns {
            let of_turn = claimed
                .claims
                .iter()
                .filter(|claim| claim.origin == turn.origin);
            self.turns.settle(turn, of_turn.count());
            if claimed.queue_is_paused {
                self.turns.mark_ready(&turn.origin);
            }
        }
        self.note_skipped(&claimed);
        Ok(claimed.claims)
    }

    async fn claim_limited(&self, turn: &Turn) -> Result<Vec<Claim>, DbError> {
        let caps = turn.limits.unwrap_or_default();
        let database = &self.parts.database;
        let lease = self.settings.lease;
        let claimed = database
            .claim_limited(&turn.origin, turn.jobs, caps, self.id, lease)
            .await;
        let claimed = self
            .asked(claimed)
            .inspect_err(|_| self.turns.give_back(turn))?;
        self.turns.settle(turn, claimed.claims.len());
        if !claimed.is_drained {
            self.turns.mark_ready(&turn.origin);
        }
        self.turns.apply_limits(turn, &claimed);
        Ok(claimed.claims)
    }

    /// Notes that the database answered a claim, or that nobody knows what it did.
    fn asked<T>(&self, answer: Result<T, DbError>) -> Result<T, DbError> {
        match &answer {
            Ok(_) => self.pulse.claimed(),
            Err(error) if error.is_unavailable() => self.lost_claims.suspect(),
            Err(_) => {}
        }
        answer
    }

    fn note_skipped(&self, claimed: &Claimed) {
        if !claimed.skipped.is_empty() {
            self.turns.note_skipped(claimed.skipped.clone());
        }
        if claimed.queue_is_paused {
            self.turns.pause(PAUSED_FOR);
        }
    }

    fn start(self: &Arc<Self>, claims: Vec<Claim>, asked: Instant, seats: Vec<Seat>) {
        for (claim, seat) in claims.into_iter().zip(seats) {
            let lease = self.leases.hold(claim.clone(), asked);
            let database = Some(self.parts.database.clone());
            let visit = Visit::of(&self.turns, &claim.origin, database);
            let crew = Arc::clone(self);
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

    /// From claim to written outcome. The place in the line is free again when the thumbnail is
    /// made: what follows is waiting for disks, and many wait as long as one.
    async fn work(&self, claim: &Claim, lease: &Lease, seat: Seat, visit: Visit) {
        let attempt = Attempt {
            parts: &self.parts,
            thumbnail: &self.settings.thumbnail,
            max_attempts: self.settings.max_attempts,
            max_wait: self.settings.origin_max_wait,
        };
        let attempted = AssertUnwindSafe(async {
            let Seat {
                standing,
                download,
                job,
            } = seat;
            let (fetched, standing) = self.fetch(&attempt, claim, &visit, standing).await;
            drop((visit, download));
            let made = match fetched {
                Ok(fetched) => attempt.make(claim, fetched).await,
                Err(outcome) => Err(outcome),
            };
            let place = self.publishing.acquire().await;
            drop((standing, job));
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
            () = self.hand_back.cancelled() => (Some(Outcome::Released { delay: Duration::ZERO }), None),
        };
        if let Some(Outcome::Retry { code, .. } | Outcome::Failed { code, .. }) = &ended
            && *code == FailureCode::StorageFailed
        {
            self.storage_gate.close();
        }
        match ended {
            Some(outcome) => {
                // A job that is pending again must not be claimed before its origin's record says
                // what came of this attempt.
                if !matches!(outcome, Outcome::Completed { .. })
                    && self.turns.is_in_trouble(&claim.origin)
                {
                    reporter::report(self).await;
                }
                outcome::write(&self.parts, claim, &outcome).await;
                self.turns.note_end(&claim.origin);
                match outcome {
                    Outcome::Completed { .. } => self.turns.count_end(&claim.origin, true),
                    Outcome::Failed { .. } => self.turns.count_end(&claim.origin, false),
                    Outcome::Parked { .. } => self.turns.mark_ready(&claim.origin),
                    Outcome::Retry { .. } | Outcome::Released { .. } => {}
                }
            }
            None => tracing::warn!("the lease was lost; nothing is published"),
        }
    }

    /// Downloads; a slow one leaves the line meanwhile.
    async fn fetch(
        &self,
        attempt: &Attempt<'_>,
        claim: &Claim,
        visit: &Visit,
        standing: Standing,
    ) -> (Result<Fetched, Outcome>, Standing) {
        let fetching = attempt.fetch(claim, visit);
        tokio::pin!(fetching);
        match timeout(PATIENCE, &mut fetching).await {
            Ok(fetched) => (fetched, standing),
            Err(_) => {
                drop(standing);
                let fetched = match timeout(LONG, &mut fetching).await {
                    Ok(fetched) => fetched,
                    Err(_) => {
                        visit.linger();
                        fetching.await
                    }
                };
                (fetched, self.line.come_back())
            }
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

async fn acquire(semaphore: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    Arc::clone(semaphore)
        .acquire_owned()
        .await
        .expect("the semaphore is never closed")
}
