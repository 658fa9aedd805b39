//! From the database to the crew: retries that are due, jobs taken over from the dead, and new
//! jobs whose id the queue has lost (a crash between commit and push, `FLUSHALL`, Redis away).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::crew::Crew;
use crate::db::ClaimSource;

/// How often to look.
const INTERVAL: Duration = Duration::from_secs(1);
/// A new job is left to the queue for so long. In a longer backlog this takes the oldest jobs,
/// whose ids are dropped when the queue brings them.
const OVERDUE: Duration = Duration::from_secs(10);

/// Looks about once a second, and again at once while it finds as much as it can take.
pub(super) async fn run(crew: Arc<Crew>, stop: CancellationToken) {
    loop {
        let slots = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            slots = crew.free_slots() => slots,
        };
        let limit = slots.len() as u32;
        let source = ClaimSource::Due {
            overdue: OVERDUE,
            limit,
        };
        match crew.claim_and_start(source, slots).await {
            Ok(count) if count == limit as usize => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "due jobs could not be looked for"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(INTERVAL.mul_f64(0.7 + 0.6 * rand::random::<f64>())) => {}
        }
    }
}
