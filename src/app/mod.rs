//! The composition root: settings become parts. The only place that builds adapters.

mod entrance;
mod error;
mod keys_file;
mod metrics;
mod opening;
mod probes;
mod rules;
mod tidying;

use std::net::TcpListener;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use entrance::{listen, reserve};
pub use error::AppError;
pub use keys_file::{KeysFile, ReadKeys};
pub use opening::init_database;
pub use tidying::{Tidying, TidyingError};

use crate::config::{SecretText, Settings};
use crate::db::{Database, QueueUse};
use crate::fetch::{FetchSettings, Fetcher, Poster};
use crate::http::{self, ApiSettings, ApiState, ReservedAddress};
use crate::observe::{DeliveryMeters, Exposition, WorkMeters};
use crate::queue::Queue;
use crate::storage::Storage;
use crate::traces::Traces;
use crate::ui;
use crate::upkeep::Upkeep;
use crate::webhooks::{Deliverer, SecretBox};
use crate::worker::{Parts, Workers};
use opening::{
    fetch_settings, open_current_database, open_queue, open_storage, say_who_owns, webhook_settings,
};
use rules::{
    DOWNLOADS_ALONE, DOWNLOADS_BESIDE_CLIENTS, caps_of, decoders, downloads_that_fit, engine,
    retention, sign, worker_settings,
};

/// The parts of one process, checked and ready.
pub struct App {
    settings: Settings,
    database: Database,
    queue: Queue,
    storage: Storage,
    fetch: FetchSettings,
    deliveries: DeliveryMeters,
    /// The address of metrics alone.
    metrics: Option<ReservedAddress>,
}

impl App {
    /// Opens database, queue and storage, and applies pending migrations unless told not to.
    /// Redis may be away: jobs are accepted and worked on without it. `None` if it was stopped
    /// before that was done.
    ///
    /// # Errors
    /// If the database can't be reached, or the storage can't be written.
    pub async fn open(
        settings: Settings,
        stop: &CancellationToken,
    ) -> Result<Option<Self>, AppError> {
        tokio::select! {
            opened = Self::open_parts(settings) => opened.map(Some),
            () = stop.cancelled() => Ok(None),
        }
    }

    async fn open_parts(settings: Settings) -> Result<Self, AppError> {
        let metrics = settings
            .metrics_bind
            .map(|address| reserve(address, metrics::SETTING))
            .transpose()?;
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
            deliveries: DeliveryMeters::default(),
            metrics,
        })
    }

    /// Serves the API until `stop`.
    ///
    /// # Errors
    /// If the server can't start or breaks.
    pub async fn serve(
        mut self,
        listener: TcpListener,
        keys: &Arc<KeysFile>,
        stop: CancellationToken,
    ) -> Result<(), AppError> {
        self.begin_upkeep(&[QueueUse::Pushes], &stop);
        let exposition = Arc::new(metrics::exposition(&self.database));
        self.show_apart(&exposition, &stop)?;
        let state = self.api_state(keys, &stop).with_exposition(exposition);
        self.run_api(listener, state, stop).await
    }

    /// Works until `stop`, with health checks on `WORKER_BIND` where that is set.
    ///
    /// # Errors
    /// If the fetcher can't be set up, or the health checks' address can't be bound.
    pub async fn work(mut self, stop: CancellationToken) -> Result<(), AppError> {
        let (workers, exposition, notes) = self.workers(DOWNLOADS_ALONE)?;
        self.begin_upkeep(&[QueueUse::Pops], &stop);
        self.show_apart(&exposition, &stop)?;
        let delivering = self.begin_deliveries(&stop)?;
        let Some(address) = self.settings.worker_bind else {
            let _ = tokio::join!(workers.run(stop), delivering);
            return Ok(());
        };
        let parts = vec![
            ("workers", probes::consuming(&workers)),
            ("database", probes::database(&self.database)),
            ("storage", probes::storage(&self.storage)),
        ];
        let setting = "THUMBFORGE_WORKER_BIND";
        let listener = listen(reserve(address, setting)?, setting)?;
        let health = http::HealthCheck::new(parts).with_notes(notes);
        let probes = http::run_probes(listener, health, exposition, stop.clone().cancelled_owned());
        let ((), probed, _) = tokio::join!(workers.run(stop), probes, delivering);
        probed.map_err(AppError::Http)
    }

    /// Serves the API and works, both in this process, until `stop`.
    ///
    /// # Errors
    /// As [`Self::serve`] and [`Self::work`].
    pub async fn all(
        mut self,
        listener: TcpListener,
        keys: &Arc<KeysFile>,
        stop: CancellationToken,
    ) -> Result<(), AppError> {
        let (workers, exposition, notes) = self.workers(DOWNLOADS_BESIDE_CLIENTS)?;
        self.show_apart(&exposition, &stop)?;
        let state = self
            .api_state(keys, &stop)
            .with_exposition(exposition)
            .with_workers(probes::consuming(&workers), notes);
        self.begin_upkeep(&[QueueUse::Pushes, QueueUse::Pops], &stop);
        let delivering = self.begin_deliveries(&stop)?;
        let working = tokio::spawn(workers.run(stop.clone()));
        let served = self.run_api(listener, state, stop.clone()).await;
        // Without the API there is nothing to work for.
        stop.cancel();
        if let Err(error) = working.await {
            tracing::error!(%error, "the workers have broken");
        }
        if let Err(error) = delivering.await {
            tracing::error!(%error, "the deliveries have broken");
        }
        served
    }

    /// Serves metrics on their own address, if they have one.
    fn show_apart(
        &mut self,
        exposition: &Arc<Exposition>,
        stop: &CancellationToken,
    ) -> Result<(), AppError> {
        match self.metrics.take() {
            Some(reserved) => metrics::serve_apart(reserved, exposition.clone(), stop.clone()),
            None => Ok(()),
        }
    }

    /// It ends with `stop`, or with the runtime.
    fn begin_upkeep(&self, uses: &[QueueUse], stop: &CancellationToken) {
        let upkeep = Upkeep {
            database: self.database.clone(),
            storage: self.storage.clone(),
            queue: self.queue.clone(),
            sign: sign(&self.settings, uses),
            retention: retention(&self.settings),
            retain_events: self.settings.retain_events,
            sweep_orphans: self.settings.sweep_orphans,
        };
        tokio::spawn(upkeep.run(stop.clone()));
    }

    /// Delivers events to webhooks until `stop`.
    fn begin_deliveries(&self, stop: &CancellationToken) -> Result<JoinHandle<()>, AppError> {
        let public_url = self.settings.public_url.clone();
        let deliverer = Deliverer {
            database: self.database.clone(),
            poster: Poster::new(webhook_settings(&self.settings))?,
            secrets: self.secrets(),
            render: Arc::new(move |event| http::event_json(event, public_url.as_ref())),
            retain: self.settings.retain_events,
            meters: self.deliveries.clone(),
        };
        let grace = self.settings.shutdown_grace;
        Ok(tokio::spawn(deliverer.run(stop.clone(), grace)))
    }

    fn secrets(&self) -> SecretBox {
        let key = self.settings.secrets_key.as_ref();
        SecretBox::new(key.map(SecretText::reveal))
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
        if !address.ip().is_loopback() && !state.settings.api_keys.are_needed() {
            tracing::warn!(
                %address,
                "the API is open to everybody who reaches this address: set \
                 THUMBFORGE_API_KEYS_FILE, or let a proxy guard it"
            );
        }
        let state = state.with_pages(ui::pages(address.ip().is_loopback()));
        let grace = self.settings.shutdown_grace;
        http::run(listener, state, stop.cancelled_owned(), grace)
            .await
            .map_err(AppError::Http)
    }

    /// The keys are watched until `stop`.
    fn api_state(&self, keys: &Arc<KeysFile>, stop: &CancellationToken) -> ApiState {
        tokio::spawn(Arc::clone(keys).watch(stop.clone()));
        let policy = self.fetch.source_policy();
        let receivers = webhook_settings(&self.settings).source_policy();
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
                api_keys: keys.live(),
                rate_limit_per_key: self.settings.rate_limit_per_key,
                cors_origins: self.settings.cors_allowed_origins.clone(),
                public_url: self.settings.public_url.clone(),
                trusted_proxies: self.settings.trusted_proxies.clone(),
                max_connections: self.settings.max_connections,
                pace: http::Pace::default(),
            },
        )
        .with_webhooks(
            Arc::new(move |url| {
                receivers
                    .check_url(url)
                    .map_err(|forbidden| forbidden.to_string())
            }),
            self.secrets(),
        )
    }

    fn traces(&self) -> Result<Traces, AppError> {
        match self.settings.exports_traces {
            true => Ok(Traces::exporting()?),
            false => Ok(Traces::default()),
        }
    }

    /// One of `share` open files may be a download's. Also what a process with them shows: its
    /// metrics, and what an operator should know of it.
    fn workers(&self, share: u64) -> Result<(Workers, Arc<Exposition>, Vec<String>), AppError> {
        let settings = &self.settings;
        let downloads = downloads_that_fit(settings.downloads, share);
        let decoders = decoders(settings)?;
        let notes = decoders.notice().map(str::to_owned);
        let parts = Parts {
            database: self.database.clone(),
            queue: self.queue.clone(),
            storage: self.storage.clone(),
            fetcher: Fetcher::new(self.fetch.clone())?,
            engine: engine(settings, decoders),
            caps_of: caps_of(settings.origins.clone()),
            meters: WorkMeters::default(),
            traces: self.traces()?,
        };
        let shown = parts.clone();
        let workers = Workers::new(parts, worker_settings(settings, downloads));
        let exposition = metrics::exposition(&self.database);
        let exposition = metrics::with_workers(exposition, &workers, &shown);
        // A process that works delivers, too.
        let exposition = exposition.with_deliveries(&self.deliveries);
        Ok((workers, Arc::new(exposition), notes.into_iter().collect()))
    }
}
