//! From the queue to the crew.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::crew::{Crew, Slots};
use crate::db::ClaimSource;

/// Pause after a fault of queue or database.
const PAUSE: Duration = Duration::from_millis(500);

/// Takes ids from the queue and starts on their jobs, until `stop`.
pub(super) async fn run(crew: Arc<Crew>, stop: CancellationToken) {
    let mut queue_is_away = false;
    loop {
        let slots = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            slots = crew.free_slots() => slots,
        };
        crew.pulse.looks();
        let popped = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            popped = crew.parts.queue.pop(slots.len(), crew.settings.poll_timeout) => popped,
        };
        let healthy = match popped {
            Ok(ids) => {
                if std::mem::take(&mut queue_is_away) {
                    tracing::info!("the queue is back");
                }
                ids.is_empty() || start(&crew, ids, slots).await
            }
            Err(error) => {
                if !std::mem::replace(&mut queue_is_away, true) {
                    tracing::warn!(%error, "working from the database alone");
                }
                let overdue = Duration::ZERO;
                let limit = slots.len() as u32;
                // A full batch means that there is more: no pause.
                let source = ClaimSource::Due { overdue, limit };
                matches!(crew.claim_and_start(source, slots).await, Ok(count) if count == limit as usize)
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

/// False if the database did not answer; then the ids are back in the queue.
async fn start(crew: &Arc<Crew>, ids: Vec<crate::domain::JobId>, slots: Slots) -> bool {
    match crew
        .claim_and_start(ClaimSource::Ids(ids.clone()), slots)
        .await
    {
        Ok(claimed) => {
            if claimed < ids.len() {
                // Pushed twice, unknown, ended, or claimed from the database meanwhile.
                tracing::debug!(popped = ids.len(), claimed, "ids without a job to claim");
            }
            true
        }
        Err(error) => {
            tracing::warn!(%error, jobs = ids.len(), "not claimed; back to the queue");
            crew.parts.queue.push_back(&ids).await;
            false
        }
    }
}
