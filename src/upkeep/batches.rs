//! Ends the acceptance of batches whose process died while their items came in, and forgets old
//! batches without jobs.

use std::time::Duration;

use super::pause;
use crate::db::Database;

const INTERVAL: Duration = Duration::from_secs(10);
const GROUP: u32 = 100;
const FORGETTING: Duration = Duration::from_secs(600);

pub(super) async fn forget_forever(database: &Database) {
    loop {
        match database.forget_batches(GROUP).await {
            Ok(forgotten) if forgotten >= GROUP as usize => continue,
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "old batches are not forgotten yet"),
        }
        pause(FORGETTING).await;
    }
}

pub(super) async fn end_stale_forever(database: &Database) {
    loop {
        match database.end_stale_acceptances(GROUP).await {
            Ok(0) => {}
            Ok(ended) => tracing::info!(ended, "batches are incomplete: their process is gone"),
            Err(error) => tracing::warn!(%error, "incomplete batches are not ended yet"),
        }
        pause(INTERVAL).await;
    }
}
