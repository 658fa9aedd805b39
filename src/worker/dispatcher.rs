//! From the origins whose turn it is to the crew.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::crew::{Crew, Seat};
use super::turns::Claimant;

/// Pause after a fault of the database.
const PAUSE: Duration = Duration::from_millis(500);

/// Claims for the origins that are known to have work, each in its turn, until `stop`.
pub(super) async fn run(crew: Arc<Crew>, stop: CancellationToken) {
    loop {
        let seats = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            seats = seats_for_a_turn(&crew) => seats,
        };
        let turns = crew.turns.take(seats.len());
        if turns.is_empty() {
            continue;
        }
        if let Err(error) = crew.claim_turns(turns, seats).await {
            tracing::warn!(%error, "due jobs could not be claimed");
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(PAUSE.mul_f64(0.5 + rand::random::<f64>())) => {}
            }
        }
    }
}

async fn seats_for_a_turn(crew: &Crew) -> Vec<Seat> {
    loop {
        while crew.turns.claimant() != Claimant::Turns {
            crew.turns.changed().await;
        }
        let seats = crew.seats().await;
        if crew.turns.claimant() == Claimant::Turns {
            return seats;
        }
    }
}
