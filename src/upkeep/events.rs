//! Numbers events, and deletes old ones.

use std::time::Duration;

use tokio::time::sleep;
use uuid::Uuid;

use super::pause;
use crate::db::{Database, DbError};

/// How soon after its commit an event is numbered. Numbering is a commit of its own, which costs
/// as much for one event as for a hundred.
const NUMBERING_INTERVAL: Duration = Duration::from_millis(100);
const DELETION_INTERVAL: Duration = Duration::from_secs(30);
/// Events that are deleted at once.
const GROUP: u32 = 2000;
/// Half of the time is left to others.
const BETWEEN_GROUPS: Duration = Duration::from_millis(50);
const TURN: &str = "event_retention_turn";
const TURN_LENGTH: Duration = Duration::from_secs(60);

/// Numbers the events of jobs that ended, by whichever process.
pub(super) async fn number_forever(database: &Database) {
    loop {
        match database.number_events().await {
            Ok(numbered) if numbered >= Database::EVENTS_AT_ONCE => continue,
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "events are not numbered"),
        }
        pause(NUMBERING_INTERVAL).await;
    }
}

/// Deletes events that are older than `keeping`; `None`: never.
pub(super) async fn delete_forever(database: &Database, keeping: Option<Duration>) {
    let Some(keeping) = keeping else { return };
    let holder = Uuid::now_v7();
    loop {
        if let Err(error) = delete(database, keeping, holder).await {
            tracing::warn!(%error, "old events are not deleted yet");
        }
        pause(DELETION_INTERVAL).await;
    }
}

async fn delete(database: &Database, keeping: Duration, holder: Uuid) -> Result<(), DbError> {
    while database.take_turn(TURN, holder, TURN_LENGTH).await?
        && database.delete_old_events(keeping, GROUP).await? >= GROUP as usize
    {
        sleep(BETWEEN_GROUPS).await;
    }
    Ok(())
}
