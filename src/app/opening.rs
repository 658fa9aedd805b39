//! How the adapters are opened.

use std::path::Path;
use std::time::{Duration, Instant};

use super::error::AppError;
use crate::config::{DatabaseUrl, RedisUrl, Settings};
use crate::db::{Database, DbError, Target};
use crate::domain::webhook::DELIVERY_TIMEOUT;
use crate::fetch::FetchSettings;
use crate::queue::{MemoryQueue, Queue, QueueError, RedisQueue, RedisSettings};
use crate::storage::Storage;

/// Time between two attempts to reach the database.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(250);

/// Applies pending migrations; returns their names.
///
/// # Errors
/// If the database can't be reached or a migration fails.
pub async fn init_database(settings: &Settings) -> Result<Vec<String>, AppError> {
    let (database, target) = open_database(settings)?;
    patiently(settings, async |give_up| {
        wait_until_reachable(&database, settings, give_up).await?;
        migrate(&database, &target, settings).await
    })
    .await
}

/// Does what opens connections to a server that is starting, anew if it goes away in between.
async fn patiently<T>(
    settings: &Settings,
    work: impl AsyncFn(Instant) -> Result<T, AppError>,
) -> Result<T, AppError> {
    let give_up = Instant::now() + settings.startup_wait;
    loop {
        match work(give_up).await {
            Err(AppError::Database {
                cause: DbError::Unavailable(reason),
                ..
            }) if Instant::now() < give_up => {
                tracing::warn!(%reason, "the database went away while it was opened: trying again");
                tokio::time::sleep(BETWEEN_ATTEMPTS).await;
            }
            done => return done,
        }
    }
}

/// Waits for a server that is starting. One that answers and lets nobody in is an error at once.
async fn wait_until_reachable(
    database: &Database,
    settings: &Settings,
    give_up: Instant,
) -> Result<(), AppError> {
    let mut said = false;
    loop {
        let reason = match database.reach().await {
            Ok(()) => return Ok(()),
            Err(DbError::Unavailable(reason)) if Instant::now() < give_up => reason,
            Err(error) => return Err(of_database(settings)(error)),
        };
        if !said {
            let seconds = settings.startup_wait.as_secs();
            tracing::warn!("waiting up to {seconds} s for the database: {reason}");
            said = true;
        }
        tokio::time::sleep(BETWEEN_ATTEMPTS).await;
    }
}

async fn migrate(
    database: &Database,
    target: &Target,
    settings: &Settings,
) -> Result<Vec<String>, AppError> {
    database.migrate(target).await.map_err(|cause| {
        let lacks_rights = cause.to_string().contains("permission denied");
        let error = of_database(settings)(cause);
        match (lacks_rights, error) {
            (true, AppError::Database { database, cause }) => AppError::Rights { database, cause },
            (_, error) => error,
        }
    })
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
    patiently(settings, async |give_up| {
        make_current(&database, &target, settings, give_up).await
    })
    .await?;
    Ok((database, target))
}

async fn make_current(
    database: &Database,
    target: &Target,
    settings: &Settings,
    give_up: Instant,
) -> Result<(), AppError> {
    wait_until_reachable(database, settings, give_up).await?;
    if settings.auto_migrate {
        for migration in migrate(database, target, settings).await? {
            tracing::info!(migration, "migration applied");
        }
    }
    database.ping().await.map_err(|cause| {
        let database = settings.database_url.to_string();
        match cause {
            DbError::Refused(_) => AppError::Schema { database, cause },
            _ => AppError::Database { database, cause },
        }
    })
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
    let path = &settings.storage_path;
    Storage::open(path).map_err(|cause| AppError::storage(path, cause))
}

/// Redis may be away.
pub(super) async fn open_queue(settings: &Settings) -> Result<Queue, AppError> {
    let queue = match &settings.redis_url {
        Some(url) => Queue::Redis(RedisQueue::open_with(&redis_settings(settings, url))?),
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

fn redis_settings(settings: &Settings, url: &RedisUrl) -> RedisSettings {
    if settings.redis_ca_file.is_some() && !url.is_encrypted() {
        tracing::warn!(
            "THUMBFORGE_REDIS_CA_FILE is not used: THUMBFORGE_REDIS_URL asks for no TLS"
        );
    }
    let identity = settings.redis_cert_file.clone();
    RedisSettings {
        ca_file: settings.redis_ca_file.clone(),
        identity: identity.zip(settings.redis_key_file.clone()),
        ..RedisSettings::new(url.clone(), settings.queue_name.clone())
    }
}

/// Connections to a receiver that are kept: events come in groups.
const DELIVERY_CONNECTIONS: usize = 64;

/// How receivers of webhooks are reached.
pub(super) fn webhook_settings(settings: &Settings) -> FetchSettings {
    FetchSettings {
        total_timeout: DELIVERY_TIMEOUT,
        head_timeout: DELIVERY_TIMEOUT,
        allowed_networks: settings.allowed_webhook_networks.clone(),
        allowed_ports: settings.allowed_webhook_ports.clone(),
        max_idle_per_host: DELIVERY_CONNECTIONS,
        origins: Vec::new(),
        ..fetch_settings(settings)
    }
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
