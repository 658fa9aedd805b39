//! What nobody rings for: retries that are due, jobs taken over from the dead, and jobs whose id
//! the queue has lost (a crash between commit and push, `FLUSHALL`, Redis away) or another process
//! took. Once a second the database is asked which origins have work.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::pulse::Pulse;
use super::turns::Turns;
use crate::db::{Database, DbError};
use crate::domain::Origin;

/// How often to look.
const INTERVAL: Duration = Duration::from_secs(1);
/// Most origins that are looked for at once; the next look goes on after them.
const PAGE: u32 = 1000;

pub(super) struct Sweeper {
    pub database: Database,
    pub turns: Arc<Turns>,
    pub pulse: Pulse,
}

impl Sweeper {
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut last: Option<Origin> = None;
        while !stop.is_cancelled() {
            match self.sweep(last.take()).await {
                Ok(reached) => last = reached,
                Err(error) => tracing::warn!(%error, "due jobs could not be looked for"),
            }
            self.turns.tidy();
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(INTERVAL.mul_f64(0.7 + 0.6 * rand::random::<f64>())) => {}
            }
        }
    }

    /// Looks on after `last`; returns how far it came, or `None` at the end.
    async fn sweep(&self, last: Option<Origin>) -> Result<Option<Origin>, DbError> {
        self.database.end_waits().await?;
        self.database.adopt_strays().await?;
        if self.turns.is_full() {
            return Ok(last);
        }
        let mut ready = self.database.ready_origins(last.as_ref(), PAGE).await?;
        if ready.is_empty() && last.is_some() {
            ready = self.database.ready_origins(None, PAGE).await?;
        }
        let is_whole = ready.len() < PAGE as usize;
        let reached = ready.last().map(|ready| ready.origin.clone());
        ready.retain(|ready| !ready.is_held);
        if ready.is_empty() {
            // There is nothing to claim; else claims must be answered.
            self.pulse.note_claim();
        }
        self.turns.mark_all_ready(ready);
        Ok(reached.filter(|_| !is_whole))
    }
}

#[cfg(test)]
mod tests {
    use super::super::storage_gate::StorageGate;
    use super::super::testing;
    use super::super::turns::Claimant;
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_job_that_nobody_rings_for_gives_its_origin_a_turn() {
        let folder = tempfile::tempdir().unwrap();
        let database = testing::database(folder.path()).await;
        testing::submit(&database, "https://a.example/x").await;
        let turns = testing::turns();
        let second = Duration::from_secs(1);
        let sweeper = Sweeper {
            database,
            turns: Arc::clone(&turns),
            pulse: Pulse::new(second, second, StorageGate::open()),
        };
        assert_eq!(turns.claimant(), Claimant::Bells);
        let stop = CancellationToken::new();
        let running = tokio::spawn(sweeper.run(stop.clone()));
        while turns.claimant() != Claimant::Turns {
            turns.changed().await;
        }
        let origins: Vec<_> = turns.take(5).into_iter().map(|turn| turn.origin).collect();
        assert_eq!(origins, [Origin::stored("https://a.example:443")]);
        stop.cancel();
        running.await.unwrap();
    }
}
