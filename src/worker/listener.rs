//! The doorbell: an id from the queue says that its origin has work. While nobody else waits, the
//! first due job of that origin is claimed with the same statement that looks the id up; else the
//! origin takes its place among those whose turn comes.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::crew::Crew;
use super::turns::Claimant;
use crate::db::DbError;
use crate::domain::JobId;
use crate::queue::QueueError;

/// Pause after a fault of queue or database.
const PAUSE: Duration = Duration::from_millis(500);
/// While all places are taken, bells are left to other processes for so long, and then answered.
const UNHEARD: Duration = Duration::from_millis(50);
/// Most bells that are taken at once to be looked up.
const LARGEST_LOOKUP: usize = 256;
/// How often to look whether more origins can be kept in mind.
const FULL_PAUSE: Duration = Duration::from_millis(100);

/// Takes ids from the queue and answers them, until `stop`.
pub(super) async fn run(crew: Arc<Crew>, stop: CancellationToken) {
    let mut queue_is_away = false;
    // A full look-up means that there is more.
    let mut is_behind = false;
    loop {
        crew.pulse.looks();
        let heard = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            heard = hear(&crew, is_behind) => heard,
        };
        let healthy = match heard {
            Ok(ids) => {
                if std::mem::take(&mut queue_is_away) {
                    tracing::info!("the queue is back");
                }
                is_behind = ids.len() == LARGEST_LOOKUP;
                ids.is_empty() || answer(&crew, ids).await
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
async fn hear(crew: &Crew, is_behind: bool) -> Result<Vec<JobId>, QueueError> {
    while crew.turns.is_full() {
        sleep(FULL_PAUSE).await;
        crew.pulse.looks();
    }
    let free = if bells_may_claim(crew) {
        crew.free_places()
    } else {
        0
    };
    let most = if free == 0 {
        if !is_behind && !crew.settings.has_caps {
            sleep(UNHEARD).await;
        }
        LARGEST_LOOKUP
    } else {
        free
    };
    crew.parts.queue.pop(most, crew.settings.poll_timeout).await
}

fn bells_may_claim(crew: &Crew) -> bool {
    !crew.settings.has_caps && crew.turns.claimant() == Claimant::Bells
}

/// False if the database did not answer; then the ids are back in the queue.
async fn answer(crew: &Arc<Crew>, ids: Vec<JobId>) -> bool {
    let seats = if bells_may_claim(crew) {
        crew.free_seats(ids.len())
    } else {
        Vec::new()
    };
    let answered = if seats.len() == ids.len() {
        crew.claim_by_bells(ids.clone(), seats).await
    } else {
        drop(seats);
        look_up(crew, &ids).await
    };
    if let Err(error) = answered {
        tracing::warn!(%error, jobs = ids.len(), "not claimed; back to the queue");
        crew.parts.queue.push_back(&ids).await;
        return false;
    }
    true
}

async fn look_up(crew: &Crew, ids: &[JobId]) -> Result<(), DbError> {
    let ready = crew.parts.database.origins_of(ids).await?;
    crew.turns.mark_all_ready(ready);
    Ok(())
}
