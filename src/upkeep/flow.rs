//! Counts the ends of jobs, minute by minute.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::pause;
use crate::db::Database;

const INTERVAL: Duration = Duration::from_secs(2);
/// Old buckets are deleted once in so long.
const FORGETTING_INTERVAL: Duration = Duration::from_secs(600);
/// While very many events are counted, after an upgrade, half of the time is left to others.
const BETWEEN_GROUPS: Duration = Duration::from_millis(20);

pub(super) async fn fold_forever(database: &Database) {
    let mut forgot: Option<Instant> = None;
    loop {
        match database.fold_flow().await {
            Ok(counted) if counted >= Database::ENDS_AT_ONCE => {
                sleep(BETWEEN_GROUPS).await;
                continue;
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "ends are not counted"),
        }
        if forgot.is_none_or(|at| at.elapsed() >= FORGETTING_INTERVAL) {
            match database.forget_job_flow().await {
                Ok(_) => forgot = Some(Instant::now()),
                Err(error) => tracing::debug!(%error, "old counts of ends are not deleted yet"),
            }
        }
        pause(INTERVAL).await;
    }
}
