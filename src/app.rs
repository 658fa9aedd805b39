//! The composition root: settings become parts. The only place that builds adapters.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use thumbforge_imaging::Variant;

use crate::config::{DatabaseUrl, Settings};
use crate::db::{Database, DbError, Target};
use crate::domain::OriginRule;
use crate::domain::origin_record::Caps;
use crate::fetch::{FetchSettings, FetchSetupError, Fetcher};
use crate::http::{self, ApiKeys, ApiKeysError, ApiSettings, ApiState, ReservedAddress};
use crate::queue::{MemoryQueue, Queue, QueueError, RedisQueue};
use crate::storage::{Storage, StorageError};
use crate::worker::{CapsOf, DecodeLimits, Engine, Parts, WorkerSettings, Workers};

/// One in this many open files may be a download's: in a process of workers, and beside the API.
const DOWNLOADS_ALONE: u64 = 2;
const DOWNLOADS_BESIDE_CLIENTS: u64 = 8;
/// Jobs begun ahead of the engine for each of its threads: enough that it never waits.
const LINE_A_THREAD: usize = 4;

/// Why a process can't start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error("can't listen on {address}: {cause}")]
    Listen {
        address: SocketAddr,
        cause: std::io::Error,
    },
    #[error("the folder of the database, {folder}, can't be created: {cause}")]
    DatabaseFolder {
        folder: String,
        cause: std::io::Error,
    },
    #[error("{database}: {cause}; is the schema there? `thumbforge init-db` creates it")]
    Schema { database: String, cause: DbError },
    /// `database` is its URL without the password.
    #[error("{database}: {cause}")]
    Database { database: String, cause: DbError },
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error("the storage {path} can't be used: {cause}")]
    Storage { path: String, cause: StorageError },
    #[error(transparent)]
    Fetch(#[from] FetchSetupError),
    #[error("the file {path} that THUMBFORGE_API_KEYS_FILE names: {cause}")]
    ApiKeys { path: String, cause: ApiKeysError },
    #[error("the HTTP server failed")]
    Http(#[source] std::io::Error),
}

/// The address of the API; taken first, so that a busy port is noticed before anything is changed.
///
/// # Errors
/// If the address can't be bound.
pub fn reserve(address: SocketAddr) -> Result<ReservedAddress, AppError> {
    ReservedAddress::new(address).map_err(|cause| AppError::Listen { address, cause })
}

/// Listens where an address was reserved. Until then clients are refused: otherwise they would wait
/// for a process whose start waits for its database.
///
/// # Errors
/// If another process has begun to listen there since.
pub fn listen(reserved: ReservedAddress) -> Result<TcpListener, AppError> {
    let address = reserved.address();
    let listening = reserved.listen();
    listening.map_err(|cause| AppError::Listen { address, cause })
}

/// The keys that may use the API, or `None` if it needs none.
///
/// # Errors
/// If there is a file of keys that can't be read, or that has a fault or no key.
pub fn read_api_keys(settings: &Settings) -> Result<Option<ApiKeys>, AppError> {
    let Some(path) = &settings.api_keys_file else {
        return Ok(None);
    };
    let keys = ApiKeys::read(path).map_err(|cause| AppError::ApiKeys {
        path: path.display().to_string(),
        cause,
    })?;
    Ok(Some(keys))
}

/// Applies pending migrations; returns their names.
///
/// # Errors
/// If the database can't be reached or a migration fails.
pub async fn init_database(settings: &Settings) -> Result<Vec<String>, AppError> {
    let (database, target) = open_database(settings)?;
    let applied = database.migrate(&target).await;
    applied.map_err(of_database(settings))
}

fn of_database(settings: &Settings) -> impl Fn(DbError) -> AppError + use<> {
    let database = settings.database_url.to_string();
    move |cause| AppError::Database {
        database: database.clone(),
        cause,
    }
}

/// The parts of one process, checked and ready.
pub struct App {
    settings: Settings,
    database: Database,
    queue: Queue,
    storage: Storage,
    fetch: FetchSettings,
}

impl App {
    /// Opens database, queue and storage, and applies pending migrations unless that is switched
    /// off. Redis may be away: jobs are accepted and worked on without it.
    ///
    /// # Errors
    /// If the database can't be reached, or the storage can't be written.
    pub async fn open(settings: Settings) -> Result<Self, AppError> {
        let (database, target) = open_database(&settings)?;
        if settings.auto_migrate {
            let applied = database.migrate(&target).await;
            for migration in applied.map_err(of_database(&settings))? {
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
        let storage = Storage::open(&settings.storage_path).map_err(|cause| AppError::Storage {
            path: settings.storage_path.display().to_string(),
            cause,
        })?;
        let queue = match &settings.redis_url {
            Some(url) => Queue::Redis(RedisQueue::open(url.as_str(), &settings.queue_name)?),
            None => Queue::Memory(MemoryQueue::default()),
        };
        match queue.ping().await {
            Ok(()) => {}
            Err(error @ QueueError::Unavailable(_)) => {
                tracing::warn!(%error, "starting without the queue");
            }
            // A wrong password or database number won't correct itself.
            Err(error) => return Err(error.into()),
        }
        Ok(Self {
            fetch: fetch_settings(&settings),
            settings,
            database,
            queue,
            storage,
        })
    }

    /// Serves the API until `stop`.
    ///
    /// # Errors
    /// If the server can't start or breaks.
    pub async fn serve(
        &self,
        listener: TcpListener,
        api_keys: Option<ApiKeys>,
        stop: CancellationToken,
    ) -> Result<(), AppError> {
        let state = self.api_state(api_keys);
        self.run_api(listener, state, stop).await
    }

    /// Works until `stop`, with health checks on `WORKER_BIND` where that is set.
    ///
    /// # Errors
    /// If the fetcher can't be set up, or the health checks' address can't be bound.
    pub async fn work(&self, stop: CancellationToken) -> Result<(), AppError> {
        let workers = self.workers(DOWNLOADS_ALONE)?;
        let Some(address) = self.settings.worker_bind else {
            workers.run(stop).await;
            return Ok(());
        };
        let parts = vec![
            ("workers", consuming_probe(&workers)),
            ("database", self.database_probe()),
            ("storage", self.storage_probe()),
        ];
        let listener = listen(reserve(address)?)?;
        let probes = http::run_probes(listener, parts, stop.clone().cancelled_owned());
        let ((), probed) = tokio::join!(workers.run(stop), probes);
        probed.map_err(AppError::Http)
    }

    /// Serves the API and works, both in this process, until `stop`.
    ///
    /// # Errors
    /// As [`Self::serve`] and [`Self::work`].
    pub async fn all(
        &self,
        listener: TcpListener,
        api_keys: Option<ApiKeys>,
        stop: CancellationToken,
    ) -> Result<(), AppError> {
        let workers = self.workers(DOWNLOADS_BESIDE_CLIENTS)?;
        let state = self
            .api_state(api_keys)
            .with_workers(consuming_probe(&workers));
        let working = tokio::spawn(workers.run(stop.clone()));
        let served = self.run_api(listener, state, stop.clone()).await;
        // Without the API there is no reason to go on.
        stop.cancel();
        if let Err(error) = working.await {
            tracing::error!(%error, "the workers have failed");
        }
        served
    }

    async fn run_api(
        &self,
        listener: TcpListener,
        state: ApiState,
        stop: CancellationToken,
    ) -> Result<(), AppError> {
        let address = listener.local_addr().map_err(AppError::Http)?;
        if self.settings.worker_bind.is_some() {
            tracing::info!(
                "THUMBFORGE_WORKER_BIND is for `thumbforge work`; here the API answers /readyz"
            );
        }
        if !address.ip().is_loopback() && state.settings.api_keys.is_none() {
            tracing::warn!(
                %address,
                "the API is open to everybody who reaches this address: set \
                 THUMBFORGE_API_KEYS_FILE, or let a proxy guard it"
            );
        }
        let grace = self.settings.shutdown_grace;
        http::run(listener, state, stop.cancelled_owned(), grace)
            .await
            .map_err(AppError::Http)
    }

    fn api_state(&self, api_keys: Option<ApiKeys>) -> ApiState {
        let policy = self.fetch.source_policy();
        ApiState::new(
            self.database.clone(),
            self.queue.clone(),
            self.storage.clone(),
            Arc::new(move |url| {
                policy
                    .check_url(url)
                    .map_err(|forbidden| forbidden.to_string())
            }),
            ApiSettings {
                duplicate_handling: self.settings.duplicate_handling,
                presets: self.settings.presets.clone(),
                default_page_size: self.settings.default_page_size,
                max_page_size: self.settings.max_page_size,
                max_pending: self.settings.max_pending,
                api_keys,
                cors_origins: self.settings.cors_allowed_origins.clone(),
                public_url: self.settings.public_url.clone(),
                pace: http::Pace::default(),
            },
        )
    }

    /// One of `share` open files may be a download's.
    fn workers(&self, share: u64) -> Result<Workers, AppError> {
        let settings = &self.settings;
        let downloads = downloads_that_fit(settings.downloads, share);
        let parts = Parts {
            database: self.database.clone(),
            queue: self.queue.clone(),
            storage: self.storage.clone(),
            fetcher: Fetcher::new(self.fetch.clone())?,
            engine: Engine::new(
                settings.cpu_threads,
                DecodeLimits {
                    max_pixels: settings.max_source_pixels,
                    max_output_pixels: settings.max_output_pixels,
                    memory_bytes: settings.decode_memory_bytes,
                    timeout: settings.decode_timeout,
                },
            ),
            caps_of: caps_of(settings.origins.clone()),
        };
        let settings = WorkerSettings {
            concurrency: settings.worker_concurrency,
            line: settings.cpu_threads.saturating_mul(LINE_A_THREAD),
            downloads,
            has_caps: settings.origins.iter().any(is_capped),
            origin_breaker: settings.origin_breaker,
            origin_max_wait: settings.origin_max_wait,
            poll_timeout: settings.worker_poll_timeout,
            max_attempts: settings.max_attempts,
            lease: settings.lease,
            shutdown_grace: settings.shutdown_grace,
            thumbnail: Variant::thumbnail(settings.thumbnail_size, settings.jpeg_quality),
        };
        Ok(Workers::new(parts, settings))
    }

    fn storage_probe(&self) -> http::Probe {
        let storage = self.storage.clone();
        http::probe(move || {
            let storage = storage.clone();
            async move { storage.ping().await }
        })
    }

    fn database_probe(&self) -> http::Probe {
        let database = self.database.clone();
        http::probe(move || {
            let database = database.clone();
            async move { database.try_writing().await }
        })
    }
}

fn consuming_probe(workers: &Workers) -> http::Probe {
    let pulse = workers.pulse();
    http::probe(move || {
        let consuming = pulse.is_consuming();
        async move { consuming.then_some(()).ok_or("the workers take no jobs") }
    })
}

/// As many downloads as were asked for, within the number of files that the system lets a process
/// open.
fn downloads_that_fit(wished: usize, share: u64) -> usize {
    let Some(open_files) = http::raise_open_files() else {
        return wished;
    };
    let fit = usize::try_from(open_files / share).unwrap_or(wished).max(1);
    if fit < wished {
        tracing::warn!(
            open_files,
            downloads = fit,
            "the limit on open files allows fewer downloads than THUMBFORGE_DOWNLOADS"
        );
    }
    wished.min(fit)
}

fn is_capped(rule: &OriginRule) -> bool {
    rule.concurrency.is_some() || rule.per_second.is_some()
}

fn caps_of(rules: Vec<OriginRule>) -> CapsOf {
    Arc::new(move |origin| Caps {
        concurrency: OriginRule::find(&rules, origin, |rule| rule.concurrency),
        per_second: OriginRule::find(&rules, origin, |rule| rule.per_second),
    })
}

fn open_database(settings: &Settings) -> Result<(Database, Target), AppError> {
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

fn make_parent_folder(file: &Path) -> Result<(), AppError> {
    let Some(folder) = file.parent() else {
        return Ok(());
    };
    std::fs::create_dir_all(folder).map_err(|cause| AppError::DatabaseFolder {
        folder: folder.display().to_string(),
        cause,
    })
}

fn fetch_settings(settings: &Settings) -> FetchSettings {
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
