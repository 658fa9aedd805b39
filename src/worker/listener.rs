//! The doorbell: an id from the queue says that its origin has work. While nobody else waits, the
//! first due job of that origin is claimed with the same statement that looks the id up; else the
//! origin takes its place among those whose turn comes.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::claimer::Claimer;
use super::crew::Crew;
use super::pulse::Pulse;
use super::seats::Seats;
use super::strangers::Strangers;
use super::turns::{Claimant, Turns};
use crate::db::{Database, DbError};
use crate::domain::JobId;
use crate::queue::{Queue, QueueError};

/// Pause after a fault of queue or database.
const PAUSE: Duration = Duration::from_millis(500);
/// While all places are taken, bells are left to other processes for so long, and then answered.
const UNHEARD: Duration = Duration::from_millis(50);
/// Most bells that are taken at once to be looked up.
const LARGEST_LOOKUP: usize = 256;
/// How often to look whether more origins can be kept in mind.
const FULL_PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Listener {
    pub queue: Queue,
    pub database: Database,
    pub turns: Arc<Turns>,
    pub seats: Arc<Seats>,
    pub claimer: Arc<Claimer>,
    pub crew: Arc<Crew>,
    pub pulse: Pulse,
    /// True if any origin has caps: then each is claimed for in its turn.
    pub has_caps: bool,
    /// How long to block on an empty queue.
    pub poll_timeout: Duration,
}

impl Listener {
    /// Takes ids from the queue and answers them, until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut queue_is_away = false;
        // A full look-up means that there is more.
        let mut is_behind = false;
        let mut strangers = Strangers::default();
        loop {
            self.pulse.note_poll();
            let heard = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                heard = self.hear(is_behind, &mut strangers) => heard,
            };
            let healthy = match heard {
                Ok(ids) => {
                    if std::mem::take(&mut queue_is_away) {
                        tracing::info!("the queue is back");
                    }
                    is_behind = ids.len() == LARGEST_LOOKUP;
                    ids.is_empty() || self.answer(ids, &mut strangers).await
                }
                Err(error) => {
                    if !std::mem::replace(&mut queue_is_away, true) {
                        tracing::warn!(%error, "working from the database alone");
                    }
                    false
                }
            };
            if !healthy {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = sleep(PAUSE.mul_f64(0.5 + rand::random::<f64>())) => {}
                }
            }
        }
    }

    /// Takes as many ids as can be begun with, or more if others wait anyway.
    async fn hear(
        &self,
        is_behind: bool,
        strangers: &mut Strangers,
    ) -> Result<Vec<JobId>, QueueError> {
        while self.turns.is_full() {
            sleep(FULL_PAUSE).await;
            self.pulse.note_poll();
        }
        let free = if self.bells_may_claim() {
            self.seats.free()
        } else {
            0
        };
        let most = if free == 0 {
            if !is_behind && !self.has_caps {
                sleep(UNHEARD).await;
            }
            LARGEST_LOOKUP
        } else {
            free
        };
        let ids = self.queue.pop(most, self.poll_timeout).await?;
        Ok(strangers.put_back(&self.queue, &self.database, ids).await)
    }

    fn bells_may_claim(&self) -> bool {
        !self.has_caps && self.turns.claimant() == Claimant::Bells
    }

    /// False if the database did not answer; then the ids are back in the queue.
    async fn answer(&self, ids: Vec<JobId>, strangers: &mut Strangers) -> bool {
        let seats = if self.bells_may_claim() {
            self.seats.take_free(ids.len())
        } else {
            Vec::new()
        };
        let answered = if seats.len() == ids.len() {
            let claimed = self.claimer.claim_by_bells(ids.clone()).await;
            claimed.map(|claims| {
                let led_to = claims.len();
                self.crew.start(claims, seats);
                led_to
            })
        } else {
            drop(seats);
            self.look_up(&ids).await
        };
        match answered {
            Ok(0) => strangers.look_at(&self.database, &ids).await,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, jobs = ids.len(), "not claimed; back to the queue");
                self.queue.push_back(&ids).await;
                return false;
            }
        }
        true
    }

    /// How many origins the ids led to.
    async fn look_up(&self, ids: &[JobId]) -> Result<usize, DbError> {
        let ready = self.database.origins_of(ids).await?;
        let led_to = ready.len();
        self.turns.mark_all_ready(ready);
        Ok(led_to)
    }
}
