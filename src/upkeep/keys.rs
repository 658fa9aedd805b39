//! Deletes the answers to requests with an `Idempotency-Key` after their day.

use std::time::Duration;

use super::pause;
use crate::db::Database;

const INTERVAL: Duration = Duration::from_secs(10);
/// Rows that are deleted at once.
const GROUP: u32 = 500;

pub(super) async fn forget_forever(database: &Database) {
    loop {
        match database.forget_keys(GROUP).await {
            Ok(deleted) if deleted >= GROUP as usize => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "old idempotency keys are not deleted yet"),
        }
        pause(INTERVAL).await;
    }
}
