//! How the adapters are opened.

use std::path::Path;

use super::error::AppError;
use crate::config::{DatabaseUrl, Settings};
use crate::db::{Database, DbError, Target};
use crate::fetch::FetchSettings;
use crate::queue::{MemoryQueue, Queue, QueueError, RedisQueue};
use crate::storage::Storage;

/// Applies pending migrations; returns their names.
///
/// # Errors
/// If the database can't be reached or a migration fails.
pub async fn init_database(settings: &Settings) -> Result<Vec<String>, AppError> {
    let (database, target) = open_database(settings)?;
    let applied = database.migrate(&target).await;
    applied.map_err(of_database(settings))
}

pub(super) fn of_database(settings: &Settings) -> impl Fn(DbError) -> AppError + use<> {
    let database = settings.database_url.to_string();
    move |cause| AppError::Database {
        database: database.clone(),
        cause,
    }
}

pub(super) fn open_database(settings: &Settings) -> Result<(Database, Target), AppError> {
    let target = match &settings.database_url {
        DatabaseUrl::Postgres(url) => Target::Postgres(url.clone()),
        DatabaseUrl::Sqlite(path) => {
            make_parent_folder(path)?;
            Target::Sqlite(path.clone())
        }
    };
    let database =
        Database::open(&target, settings.database_pool_size).map_err(of_database(settings))?;
    Ok((database, target))
}

/// Opens the database, applies pending migrations unless told not to, and sees whether the schema is
/// there.
pub(super) async fn open_current_database(
    settings: &Settings,
) -> Result<(Database, Target), AppError> {
    let (database, target) = open_database(settings)?;
    if settings.auto_migrate {
        let applied = database.migrate(&target).await;
        for migration in applied.map_err(of_database(settings))? {
            tracing::info!(migration, "migration applied");
        }
    }
    database.ping().await.map_err(|cause| {
        let database = settings.database_url.to_string();
        match cause {
            DbError::Refused(_) => AppError::Schema { database, cause },
            _ => AppError::Database { database, cause },
        }
    })?;
    Ok((database, target))
}

/// Makes a storage without an owner that of this database. Only the sweep for orphans needs it, and
/// asks again.
pub(super) async fn say_who_owns(database: &Database, storage: &Storage) {
    let owned = match database.storage_owner().await {
        Ok(owner) => storage.own(owner).await.map_err(anyhow::Error::from),
        Err(error) => Err(error.into()),
    };
    if let Err(error) = owned {
        tracing::warn!("it can't be seen whether the storage is this database's: {error:#}");
    }
}

fn make_parent_folder(file: &Path) -> Result<(), AppError> {
    let Some(folder) = file.parent() else {
        return Ok(());
    };
    std::fs::create_dir_all(folder).map_err(|cause| AppError::DatabaseFolder {
        folder: folder.display().to_string(),
        cause,
    })
}

pub(super) fn open_storage(settings: &Settings) -> Result<Storage, AppError> {
    Storage::open(&settings.storage_path).map_err(|cause| AppError::Storage {
        path: settings.storage_path.display().to_string(),
        cause,
    })
}

/// Redis may be away.
pub(super) async fn open_queue(settings: &Settings) -> Result<Queue, AppError> {
    let queue = match &settings.redis_url {
        Some(url) => Queue::Redis(RedisQueue::open(url.as_str(), &settings.queue_name)?),
        None => Queue::Memory(MemoryQueue::default()),
    };
    match queue.ping().await {
        Ok(()) => {}
        Err(error @ QueueError::Unavailable(_)) => {
            tracing::warn!(%error, "starting without the queue");
        }
        // A wrong password or database number does not pass.
        Err(error) => return Err(error.into()),
    }
    Ok(queue)
}

pub(super) fn fetch_settings(settings: &Settings) -> FetchSettings {
    FetchSettings {
        total_timeout: settings.http_timeout,
        connect_timeout: settings.source_connect_timeout,
        head_timeout: settings.source_head_timeout,
        idle_timeout: settings.source_idle_timeout,
        min_bytes_per_second: settings.source_min_bytes_per_second,
        max_bytes: settings.max_source_bytes,
        memory_bytes: settings.download_memory_bytes,
        max_redirects: settings.max_redirects,
        allowed_networks: settings.allowed_source_networks.clone(),
        allowed_ports: settings.allowed_source_ports.clone(),
        user_agent: settings.user_agent.clone(),
        origins: settings.origins.clone(),
        egress_proxy: settings.egress_proxy.clone(),
        ..FetchSettings::default()
    }
}
