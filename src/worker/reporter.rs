//! Reports what was seen of origins, and acts on what their records say.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::sleep;

use super::turns::Turns;
use crate::db::Database;
use crate::domain::{FailureCode, JobId, Origin};
use crate::observe::{WorkMeters, WorkOutcome};
use crate::storage::Storage;

/// Reports that come within so long are one.
const TOGETHER: Duration = Duration::from_millis(100);
/// Pause after a fault of the database; what was seen is not reported again.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Reporter {
    database: Database,
    storage: Storage,
    turns: Arc<Turns>,
    /// How long an origin's breaker stays open at first.
    breaker: Duration,
    /// How long a job waits for an origin that can't be asked.
    max_wait: Duration,
    meters: WorkMeters,
    /// Held while a report is written.
    reporting: Mutex<()>,
}

impl Reporter {
    pub(super) fn new(
        database: Database,
        storage: Storage,
        turns: Arc<Turns>,
        breaker: Duration,
        max_wait: Duration,
        meters: WorkMeters,
    ) -> Self {
        Self {
            database,
            storage,
            turns,
            breaker,
            max_wait,
            meters,
            reporting: Mutex::default(),
        }
    }

    /// Reports whenever there is something to report. It ends with the process.
    pub(super) async fn report_forever(self: Arc<Self>) {
        loop {
            self.turns.news().await;
            sleep(TOGETHER).await;
            if !self.report().await {
                sleep(PAUSE).await;
            }
        }
    }

    /// Reports all that is to be reported. When it returns, what others had taken to report is
    /// written too. False if it could not be written.
    pub(super) async fn report(&self) -> bool {
        let _others_are_done = self.reporting.lock().await;
        let news = self.turns.take_news();
        if news.is_empty() {
            return true;
        }
        match self.database.report_origins(news, self.breaker).await {
            Ok(states) => {
                self.turns.apply_states(&states);
                true
            }
            Err(error) => {
                tracing::warn!(%error, "what was seen of origins is not written");
                false
            }
        }
    }

    /// Ends the jobs that wait for origins that can't be asked.
    pub(super) async fn give_up(&self) {
        for origin in self.turns.giving_up() {
            self.give_up_tried(&origin).await;
        }
        match self.database.give_up_overdue(self.max_wait).await {
            Ok(ended) => self.clean_up_after(None, &ended).await,
            Err(error) => {
                tracing::warn!(%error, "jobs of unavailable origins could not be looked for");
            }
        }
    }

    async fn give_up_tried(&self, origin: &Origin) {
        match self.database.give_up_tried(origin).await {
            Ok(Some(ended)) => self.clean_up_after(Some(origin), &ended).await,
            Ok(None) => self.turns.stop_giving_up(origin),
            Err(error) => tracing::warn!(%error, %origin, "its jobs could not be given up"),
        }
    }

    async fn clean_up_after(&self, origin: Option<&Origin>, ended: &[JobId]) {
        let failed = WorkOutcome::Failed(FailureCode::OriginUnavailable);
        self.meters.note_outcomes(failed, ended.len());
        for id in ended {
            tracing::warn!(
                job.id = %id,
                source.host = origin.map(Origin::host),
                error.code = "origin_unavailable",
                "failed"
            );
            // An earlier attempt may have published and died before it could say so.
            if let Err(error) = self.storage.remove(*id).await {
                tracing::warn!(%error, "a thumbnail without a job stays behind");
            }
        }
    }

    /// Writes what ended at each origin.
    pub(super) async fn write_flow(&self) {
        let flow = self.turns.take_flow();
        if flow.is_empty() {
            return;
        }
        if let Err(error) = self.database.add_flow(flow).await {
            tracing::debug!(%error, "what ended at origins is not counted");
        }
    }

    /// Forgets records and counts that are too old to matter.
    pub(super) async fn forget(&self) {
        if let Err(error) = self.database.forget_origins().await {
            tracing::debug!(%error, "old records of origins could not be removed");
        }
        if let Err(error) = self.database.forget_flow().await {
            tracing::debug!(%error, "old counts of origins could not be removed");
        }
    }
}
