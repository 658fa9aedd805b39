//! Removes the files of jobs that were deleted, or cancelled while a worker held them.

use std::time::Duration;

use super::pause;
use crate::db::{Database, DbError, Doomed};
use crate::domain::JobId;
use crate::storage::{Storage, StorageError};

/// Why files can't be removed now.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    #[error(transparent)]
    Database(#[from] DbError),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

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

/// Removes the files of some jobs that are due. Returns how many jobs were found.
///
/// # Errors
/// If database or storage refuse; then they are found again.
pub async fn remove_some(database: &Database, storage: &Storage) -> Result<usize, FilesError> {
    let doomed = database.doomed(GROUP).await?;
    let found = doomed.len();
    let (mut gone, mut known) = (Vec::new(), Vec::new());
    for job in doomed {
        match job {
            Doomed::Gone(id) => gone.push(id),
            Doomed::Known(id) => known.push(id),
        }
    }
    if !gone.is_empty() {
        storage.remove_many(gone.clone()).await?;
        database.forget_doomed(&gone).await?;
    }
    let mut refused = Ok(());
    for id in known {
        // One that refuses keeps no other.
        if let Err(error) = remove_of_ended(database, storage, id).await? {
            refused = Err(error);
        }
    }
    refused?;
    Ok(found)
}

async fn remove_of_ended(
    database: &Database,
    storage: &Storage,
    id: JobId,
) -> Result<Result<(), StorageError>, DbError> {
    let storage = storage.clone();
    database
        .remove_of_ended(id, move || {
            let storage = storage.clone();
            Box::pin(async move { storage.remove(id).await })
        })
        .await
}
