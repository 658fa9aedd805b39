//! From the origins whose turn it is to the crew.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::claimer::Claimer;
use super::crew::Crew;
use super::seats::{Seat, Seats};
use super::turns::{Claimant, Turns};

/// Pause after a fault of the database.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Dispatcher {
    pub turns: Arc<Turns>,
    pub seats: Arc<Seats>,
    pub claimer: Arc<Claimer>,
    pub crew: Arc<Crew>,
}

impl Dispatcher {
    /// Claims for the origins that are known to have work, each in its turn, until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        loop {
            let seats = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                seats = self.seats_for_a_turn() => seats,
            };
            let turns = self.turns.take(seats.len());
            if turns.is_empty() {
                continue;
            }
            let (claims, answered) = self.claimer.claim_turns(turns).await;
            self.crew.start(claims, seats);
            if let Err(error) = answered {
                tracing::warn!(%error, "due jobs could not be claimed");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = sleep(PAUSE.mul_f64(0.5 + rand::random::<f64>())) => {}
                }
            }
        }
    }

    async fn seats_for_a_turn(&self) -> Vec<Seat> {
        loop {
            while self.turns.claimant() != Claimant::Turns {
                self.turns.changed().await;
            }
            let seats = self.seats.take_some().await;
            if self.turns.claimant() == Claimant::Turns {
                return seats;
            }
        }
    }
}
