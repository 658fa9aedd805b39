//! What the handlers share, and how they call the parts: never longer than a deadline.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::web::ServiceConfig;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::backlog::BacklogLimit;
use super::body_memory::BodyMemory;
use super::descriptors::connections_that_fit;
use super::events::{Feed, Places};
use super::health::{HealthCheck, Probe, probe};
use super::live_keys::LiveKeys;
use super::paced_stream::Pace;
use super::problem::Problem;
use super::problem_kind::ProblemKind;
use super::rate_limit::RateLimit;
use crate::db::{Database, DbError};
use crate::domain::{DuplicateHandling, JobId, SourceUrl, Variants};
use crate::observe::{Exposition, RequestMeters};
use crate::queue::Queue;
use crate::storage::{Storage, StorageError};
use crate::webhooks::SecretBox;

/// Longest wait of a request for the database or the storage.
pub(super) const PART_DEADLINE: Duration = Duration::from_secs(5);

/// Judges where a URL leads before it is accepted; the error is a sentence for the client.
pub type SourceCheck = Arc<dyn Fn(&SourceUrl) -> Result<(), String> + Send + Sync>;

/// Adds the routes of pages for people; each is counted.
pub type Pages = Arc<dyn Fn(&mut ServiceConfig, &RequestMeters) + Send + Sync>;

/// The parts that the API uses, and its settings.
pub struct ApiState {
    pub database: Database,
    pub queue: Queue,
    pub storage: Storage,
    pub source_check: SourceCheck,
    /// The same for receivers of webhooks.
    pub webhook_check: SourceCheck,
    /// Keeps the secrets of webhooks.
    pub secrets: SecretBox,
    pub settings: ApiSettings,
    /// What `/metrics` shows.
    pub(super) exposition: Arc<Exposition>,
    /// All parts, for `/v1/healthz`.
    pub(super) health: HealthCheck,
    /// The parts that the API needs, for `/readyz`. The queue is not among them: jobs that could
    /// not be announced are found in the database.
    pub(super) readiness: HealthCheck,
    pub(super) backlog: Option<BacklogLimit>,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(super) large_bodies: BodyMemory,
    /// The events that clients follow, and how many clients may.
    pub(super) feed: Feed,
    pub(super) places: Places,
    /// Tells streams and long polls to end.
    pub(super) ending: CancellationToken,
    untrusted_prefix: AtomicBool,
    /// The dashboard, if it is shown.
    pub(super) pages: Option<Pages>,
    /// Work that outlives its request: pushes to the queue. The server waits for it before it ends.
    pub(super) background: TaskTracker,
    runtime: Handle,
}

/// The settings of the API, as plain values.
#[derive(Clone)]
pub struct ApiSettings {
    pub duplicate_handling: DuplicateHandling,
    /// Variants that clients ask for by one name.
    pub presets: BTreeMap<String, Variants>,
    pub default_page_size: u32,
    pub max_page_size: u32,
    /// Submissions are refused while this many jobs are pending.
    pub max_pending: Option<u64>,
    /// They may change at any time.
    pub api_keys: LiveKeys,
    /// Requests a second that each key may send to this process.
    pub rate_limit_per_key: Option<f64>,
    /// Origins whose pages may use the API (CORS); `*` for all. Empty: none.
    pub cors_origins: Vec<String>,
    /// Where clients reach the API, if that is set.
    pub public_url: Option<url::Url>,
    /// Peers whose word about the path under which clients see the API is believed.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// Connections at once; half of them may follow events or wait.
    pub max_connections: usize,
    /// How long, and how much, a client may send without being answered.
    pub pace: Pace,
}

impl ApiState {
    /// Must be called inside the runtime on which the parts live: connections are bound to the
    /// runtime that opened them, and the server's threads, which have their own, end before the
    /// process does.
    pub fn new(
        database: Database,
        queue: Queue,
        storage: Storage,
        source_check: SourceCheck,
        settings: ApiSettings,
    ) -> Self {
        let database_probe = {
            let database = database.clone();
            probe(move || {
                let database = database.clone();
                async move { database.try_writing().await }
            })
        };
        let queue_probe = {
            let queue = queue.clone();
            probe(move || {
                let queue = queue.clone();
                async move { queue.ping().await }
            })
        };
        let storage_probe = {
            let storage = storage.clone();
            probe(move || {
                let storage = storage.clone();
                async move { storage.ping().await }
            })
        };
        let needed = vec![("database", database_probe), ("storage", storage_probe)];
        let mut all = needed.clone();
        all.insert(1, ("queue", queue_probe));
        Self {
            backlog: settings.max_pending.map(BacklogLimit::new),
            rate_limit: settings.rate_limit_per_key.map(RateLimit::new),
            health: HealthCheck::new(all),
            readiness: HealthCheck::new(needed),
            feed: Feed::begin(database.clone()),
            places: Places::of(connections_that_fit(settings.max_connections)),
            ending: CancellationToken::new(),
            database,
            queue,
            storage,
            webhook_check: Arc::clone(&source_check),
            secrets: SecretBox::new(None),
            source_check,
            settings,
            exposition: Arc::new(Exposition::of_this_process()),
            large_bodies: BodyMemory::default(),
            untrusted_prefix: AtomicBool::new(false),
            pages: None,
            background: TaskTracker::new(),
            runtime: Handle::current(),
        }
    }

    /// Shows these metrics, and counts requests in them.
    #[must_use]
    pub fn with_exposition(mut self, exposition: Arc<Exposition>) -> Self {
        self.exposition = exposition;
        self
    }

    /// Shows these pages beside the API.
    #[must_use]
    pub fn with_pages(mut self, pages: Pages) -> Self {
        self.pages = Some(pages);
        self
    }

    /// Judges receivers of webhooks, and keeps their secrets.
    #[must_use]
    pub fn with_webhooks(mut self, check: SourceCheck, secrets: SecretBox) -> Self {
        self.webhook_check = check;
        self.secrets = secrets;
        self
    }

    /// Puts a question to the database, as [`Self::bounded`] does.
    pub(crate) async fn ask<T, F>(&self, question: impl FnOnce(Database) -> F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, DbError>> + Send + 'static,
    {
        self.bounded("database", question(self.database.clone()))
            .await
    }

    /// Makes readiness depend on the workers in this process too: on whether they really consume.
    /// It also says what an operator should know of them.
    #[must_use]
    pub fn with_workers(mut self, workers: Probe, notes: Vec<String>) -> Self {
        self.readiness.add("workers", workers);
        self.readiness = self.readiness.with_notes(notes);
        self
    }

    /// Runs `work` on the parts' runtime, whatever becomes of the request. The server waits for it
    /// before it ends.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.background.spawn_on(work, &self.runtime);
    }

    /// Announces committed jobs while no client waits.
    pub(super) fn announce(&self, ids: Vec<JobId>) {
        let queue = self.queue.clone();
        self.background
            .spawn(async move { queue.push_many(&ids).await });
    }

    pub(super) fn is_draining(&self) -> bool {
        self.ending.is_cancelled()
    }

    /// Whether somebody who is not trusted names a prefix for the first time: strangers could fill
    /// our log.
    pub(super) fn is_first_untrusted_prefix(&self) -> bool {
        !self.untrusted_prefix.swap(true, Ordering::Relaxed)
    }

    /// Runs `work` on the parts' runtime for at most [`PART_DEADLINE`]. It runs to its end even if
    /// the client goes away meanwhile.
    pub(crate) async fn bounded<T, E>(
        &self,
        part: &'static str,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: PartError + Send + 'static,
    {
        // Boxed, so that the task is compiled once for each kind of answer.
        let work: BoxFuture<'static, Result<T, E>> = Box::pin(work);
        // Made inside the task, the timer is of that runtime too.
        let limited = async move { tokio::time::timeout(PART_DEADLINE, work).await };
        match self.runtime.spawn(limited).await {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(error))) if error.is_unavailable() => Err(unavailable(part, &error)),
            Ok(Ok(Err(error))) => {
                tracing::error!(part, %error, "request failed");
                Err(Problem::internal())
            }
            Ok(Err(elapsed)) => Err(unavailable(part, &elapsed)),
            Err(error) => {
                tracing::error!(part, %error, "request handler failed");
                Err(Problem::internal())
            }
        }
    }

    /// Asks the parts of `check`, on their runtime.
    pub(super) async fn failing(
        self: &Arc<Self>,
        check: fn(&Self) -> &HealthCheck,
    ) -> Vec<&'static str> {
        let state = Arc::clone(self);
        let asked = self
            .runtime
            .spawn(async move { check(&state).failing().await });
        asked.await.unwrap_or_else(|error| {
            tracing::error!(%error, "health check failed");
            vec!["health check"]
        })
    }
}

fn unavailable(part: &'static str, reason: &dyn Display) -> Problem {
    tracing::warn!(part, %reason, "request refused: part not available");
    let detail = "The request could not be served in time; try again.";
    Problem::new(ProblemKind::Unavailable, detail).with_failing(vec![part])
}

/// An error of a part that handlers call.
pub(crate) trait PartError: Display {
    /// True if the same call may succeed later.
    fn is_unavailable(&self) -> bool;
}

impl PartError for DbError {
    fn is_unavailable(&self) -> bool {
        self.is_unavailable()
    }
}

impl PartError for StorageError {
    /// Any fault of the storage (permissions, a lost mount, a full disk) can be repaired.
    fn is_unavailable(&self) -> bool {
        true
    }
}
