//! The composition root: settings become parts. The only place that builds adapters.

mod entrance;
mod error;
mod opening;
mod probes;
mod rules;
mod tidying;

use std::net::TcpListener;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use entrance::{listen, read_api_keys, reserve};
pub use error::AppError;
pub use opening::init_database;
pub use tidying::{Tidying, TidyingError};

use crate::config::Settings;
use crate::db::Database;
use crate::fetch::{FetchSettings, Fetcher};
use crate::http::{self, ApiKeys, ApiSettings, ApiState};
use crate::queue::Queue;
use crate::storage::Storage;
use crate::upkeep::Upkeep;
use crate::worker::{Parts, Workers};
use opening::{fetch_settings, open_current_database, open_queue, open_storage, say_who_owns};
use rules::{
    DOWNLOADS_ALONE, DOWNLOADS_BESIDE_CLIENTS, caps_of, downloads_that_fit, engine, retention,
    worker_settings,
};

/// The parts of one process, checked and ready.
pub struct App {
    settings: Settings,
    database: Database,
    queue: Queue,
    storage: Storage,
    fetch: FetchSettings,
}

impl App {
    /// Opens database, queue and storage, and applies pending migrations unless told not to.
    /// Redis may be away: jobs are accepted and worked on without it.
    ///
    /// # Errors
    /// If the database can't be reached, or the storage can't be written.
    pub async fn open(settings: Settings) -> Result<Self, AppError> {
        let (database, _) = open_current_database(&settings).await?;
        let storage = open_storage(&settings)?;
        say_who_owns(&database, &storage).await;
        let queue = open_queue(&settings).await?;
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
        self.begin_upkeep(&stop);
        let state = self.api_state(api_keys);
        self.run_api(listener, state, stop).await
    }

    /// Works until `stop`, with health checks on `WORKER_BIND` where that is set.
    ///
    /// # Errors
    /// If the fetcher can't be set up, or the health checks' address can't be bound.
    pub async fn work(&self, stop: CancellationToken) -> Result<(), AppError> {
        let workers = self.workers(DOWNLOADS_ALONE)?;
        self.begin_upkeep(&stop);
        let Some(address) = self.settings.worker_bind else {
            workers.run(stop).await;
            return Ok(());
        };
        let parts = vec![
            ("workers", probes::consuming(&workers)),
            ("database", probes::database(&self.database)),
            ("storage", probes::storage(&self.storage)),
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
            .with_workers(probes::consuming(&workers));
        self.begin_upkeep(&stop);
        let working = tokio::spawn(workers.run(stop.clone()));
        let served = self.run_api(listener, state, stop.clone()).await;
        // Without the API there is nothing to work for.
        stop.cancel();
        if let Err(error) = working.await {
            tracing::error!(%error, "the workers have broken");
        }
        served
    }

    /// It ends with `stop`, or with the runtime.
    fn begin_upkeep(&self, stop: &CancellationToken) {
        let upkeep = Upkeep {
            database: self.database.clone(),
            storage: self.storage.clone(),
            retention: retention(&self.settings),
            sweep_orphans: self.settings.sweep_orphans,
        };
        tokio::spawn(upkeep.run(stop.clone()));
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
                rate_limit_per_key: self.settings.rate_limit_per_key,
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
            engine: engine(settings),
            caps_of: caps_of(settings.origins.clone()),
        };
        let settings = worker_settings(settings, downloads);
        Ok(Workers::new(parts, settings))
    }
}
