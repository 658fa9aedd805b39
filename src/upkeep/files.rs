//! Removes the files of jobs that were deleted, or cancelled while a worker held them.

use std::time::Duration;

use super::pause;
use crate::db::{Database, DbError, Doomed};
use crate::domain::JobId;
use crate::storage::{Storage, StorageError};

const INTERVAL: Duration = Duration::from_secs(1);
/// Jobs whose files are removed before their rows are forgotten.
const GROUP: u32 = 500;

pub(super) async fn remove_forever(database: &Database, storage: &Storage) {
    loop {
        match remove_some(database, storage).await {
            Ok(found) if found >= GROUP as usize => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "files of deleted jobs are not removed yet"),
        }
        pause(INTERVAL).await;
    }
}

/// Returns how many jobs were found.
async fn remove_some(database: &Database, storage: &Storage) -> Result<usize, DbError> {
    let doomed = database.doomed(GROUP).await?;
    let found = doomed.len();
    let mut gone = Vec::new();
    for job in doomed {
        match job {
            Doomed::Gone(id) => gone.push(id),
            Doomed::Known(id) => remove_of_ended(database, storage, id).await?,
        }
    }
    if !gone.is_empty() {
        match storage.remove_many(gone.clone()).await {
            Ok(()) => database.forget_doomed(&gone).await?,
            Err(error) => {
                tracing::warn!(%error, "files of deleted jobs are not removed yet");
                // What refuses now may refuse again at once.
                return Ok(0);
            }
        }
    }
    Ok(found)
}

async fn remove_of_ended(database: &Database, storage: &Storage, id: JobId) -> Result<(), DbError> {
    let storage = storage.clone();
    let removed: Result<(), StorageError> = database
        .remove_of_ended(id, move || {
            let storage = storage.clone();
            Box::pin(async move { storage.remove(id).await })
        })
        .await?;
    if let Err(error) = removed {
        tracing::warn!(%error, job.id = %id, "files of a cancelled job are not removed yet");
    }
    Ok(())
}
