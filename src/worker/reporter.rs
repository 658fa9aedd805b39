//! Reports what was seen of origins, and acts on what their records say.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::crew::Crew;
use crate::domain::{JobId, Origin};

/// Reports that come within so long are one.
const TOGETHER: Duration = Duration::from_millis(100);
/// Pause after a fault of the database; what was seen is not reported again.
const PAUSE: Duration = Duration::from_millis(500);

/// Reports whenever there is something to report. It ends with the process.
pub(super) async fn report_forever(crew: Arc<Crew>) {
    loop {
        crew.turns.news().await;
        sleep(TOGETHER).await;
        if !report(&crew).await {
            sleep(PAUSE).await;
        }
    }
}

/// Reports all that is to be reported. When it returns, what others had taken to report is
/// written too. False if it could not be written.
pub(super) async fn report(crew: &Crew) -> bool {
    let _others_are_done = crew.reporting.lock().await;
    let news = crew.turns.take_news();
    if news.is_empty() {
        return true;
    }
    let breaker = crew.settings.origin_breaker;
    match crew.parts.database.report_origins(news, breaker).await {
        Ok(states) => {
            crew.turns.apply_states(&states);
            true
        }
        Err(error) => {
            tracing::warn!(%error, "what was seen of origins is not written");
            false
        }
    }
}

/// Ends the jobs that wait for origins that can't be asked.
pub(super) async fn give_up(crew: &Crew) {
    for origin in crew.turns.giving_up() {
        give_up_tried(crew, &origin).await;
    }
    let longest = crew.settings.origin_max_wait;
    match crew.parts.database.give_up_overdue(longest).await {
        Ok(ended) => after(crew, &ended).await,
        Err(error) => tracing::warn!(%error, "jobs of unavailable origins could not be looked for"),
    }
}

async fn give_up_tried(crew: &Crew, origin: &Origin) {
    match crew.parts.database.give_up_tried(origin).await {
        Ok(Some(ended)) => after(crew, &ended).await,
        Ok(None) => crew.turns.stop_giving_up(origin),
        Err(error) => tracing::warn!(%error, %origin, "its jobs could not be given up"),
    }
}

async fn after(crew: &Crew, ended: &[JobId]) {
    for id in ended {
        tracing::warn!(job.id = %id, error.code = "origin_unavailable", "failed");
        // An earlier attempt may have published and died before it could say so.
        if let Err(error) = crew.parts.storage.remove(*id).await {
            tracing::warn!(%error, "a thumbnail without a job stays behind");
        }
    }
}

/// Writes what ended at each origin.
pub(super) async fn write_flow(crew: &Crew) {
    let flow = crew.turns.take_flow();
    if flow.is_empty() {
        return;
    }
    if let Err(error) = crew.parts.database.add_flow(flow).await {
        tracing::debug!(%error, "what ended at origins is not counted");
    }
}

/// Forgets records and counts that are too old to matter.
pub(super) async fn forget(crew: &Crew) {
    let database = &crew.parts.database;
    if let Err(error) = database.forget_origins().await {
        tracing::debug!(%error, "old records of origins could not be removed");
    }
    if let Err(error) = database.forget_flow().await {
        tracing::debug!(%error, "old counts of origins could not be removed");
    }
}
