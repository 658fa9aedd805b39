//! Folds the kept counts.

use std::time::Duration;

use super::pause;
use crate::db::Database;

const INTERVAL: Duration = Duration::from_secs(1);

pub(super) async fn fold_forever(database: &Database) {
    loop {
        if let Err(error) = database.fold_counts().await {
            tracing::debug!(%error, "counts are not folded");
        }
        pause(INTERVAL).await;
    }
}
