//! The workers of a process: they claim jobs, make thumbnails, and clean up after the dead.
//!
//! | file | thought |
//! | --- | --- |
//! | `parts`, `settings` | what the workers are given: adapters and rules |
//! | `attempt` | one attempt at one job, from URL to published thumbnail |
//! | `record` | what was made, as files and as the job's record |
//! | `outcome` | how an attempt ended, to the database |
//! | `engine` | the CPU side: how many decodes at once, in how much memory |
//! | `rendering`, `imaging_failure` | the blocking half of the engine, and what its failures mean |
//! | `leases` | which jobs this process holds, and until when |
//! | `lost_claims` | jobs that were claimed and whose answer did not arrive |
//! | `seats` | what a job needs to begin: a place in the line, a socket, a storage that works |
//! | `claimer` | claims by bells and by turns, and holds what was claimed |
//! | `crew` | the attempts that run, from claim to written outcome |
//! | `litter` | what dead workers left in the storage |
//! | `line` | how much work is begun ahead of the engine |
//! | `turns` | whose turn it is: what is known of origins, fair shares, learned windows |
//! | `listener` | from the queue: an id shows that its origin has work |
//! | `strangers` | ids from the queue that are not this database's |
//! | `dispatcher` | from the origins whose turn it is to the crew |
//! | `sweeper` | from the database to the origins: retries, and what the queue has lost |
//! | `reporter` | what was seen of origins to the database, and what follows |
//! | `storage_gate` | no jobs while the storage fails |
//! | `pulse` | whether all this really consumes |
//! | `presence` | signs of life |
//! | `reconciler` | expired leases, litter |

mod attempt;
mod claimer;
mod crew;
mod dispatcher;
mod engine;
mod imaging_failure;
mod leases;
mod line;
mod listener;
mod litter;
mod lost_claims;
mod outcome;
mod parts;
mod presence;
mod pulse;
mod reconciler;
mod record;
mod rendering;
mod reporter;
mod seats;
mod settings;
mod storage_gate;
mod strangers;
mod sweeper;
#[cfg(test)]
mod testing;
mod turns;

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use claimer::Claimer;
use crew::Crew;
use dispatcher::Dispatcher;
use leases::Leases;
use listener::Listener;
use lost_claims::LostClaims;
use presence::Presence;
use reconciler::Reconciler;
use reporter::Reporter;
use seats::Seats;
use storage_gate::StorageGate;
use sweeper::Sweeper;
use turns::Turns;

use crate::db::Database;
use crate::storage::Storage;

pub use attempt::Attempt;
pub use engine::{DecodeLimits, Engine};
pub use parts::Parts;
pub use pulse::Pulse;
pub(crate) use rendering::Opened;
pub use rendering::{Made, VariantFailure, Wanted};
pub use settings::WorkerSettings;
pub use turns::CapsOf;

/// The workers of this process.
pub struct Workers {
    id: uuid::Uuid,
    database: Database,
    settings: WorkerSettings,
    storage: Storage,
    crew: Arc<Crew>,
    pulse: Pulse,
    storage_gate: StorageGate,
    leases: Leases,
    lost_claims: Arc<LostClaims>,
    reporter: Arc<Reporter>,
    listener: Listener,
    dispatcher: Dispatcher,
    sweeper: Sweeper,
    reconciler: Reconciler,
}

impl Workers {
    pub fn new(parts: Parts, settings: WorkerSettings) -> Self {
        // Of this run of this process; never used again.
        let id = uuid::Uuid::now_v7();
        let database = parts.database.clone();
        let storage = parts.storage.clone();
        let lease = settings.lease;
        let storage_gate = StorageGate::open();
        let pulse = Pulse::new(settings.poll_timeout, lease, storage_gate.clone());
        let leases = Leases::new(database.clone(), id, lease);
        let lost_claims = LostClaims::new(database.clone(), id, lease, leases.clone());
        let lost_claims = Arc::new(lost_claims);
        let turns = Turns::new(settings.sockets(), Arc::clone(&parts.caps_of));
        let turns = Arc::new(turns);
        let seats = Arc::new(Seats::new(
            settings.places(),
            settings.downloads,
            settings.concurrency,
            storage_gate.clone(),
            parts.fetcher.memory().clone(),
        ));
        let claimer = Arc::new(Claimer {
            database: database.clone(),
            worker: id,
            duration: lease,
            leases: leases.clone(),
            lost_claims: Arc::clone(&lost_claims),
            pulse: pulse.clone(),
            turns: Arc::clone(&turns),
        });
        let reporter = Arc::new(Reporter::new(
            database.clone(),
            storage.clone(),
            Arc::clone(&turns),
            settings.origin_breaker,
            settings.origin_max_wait,
            parts.meters.clone(),
        ));
        let crew = Arc::new(Crew::new(
            parts.clone(),
            settings.clone(),
            Arc::clone(&turns),
            Arc::clone(&reporter),
            storage_gate.clone(),
        ));
        Self {
            listener: Listener {
                queue: parts.queue,
                database: database.clone(),
                turns: Arc::clone(&turns),
                seats: Arc::clone(&seats),
                claimer: Arc::clone(&claimer),
                crew: Arc::clone(&crew),
                pulse: pulse.clone(),
                has_caps: settings.has_caps,
                poll_timeout: settings.poll_timeout,
            },
            dispatcher: Dispatcher {
                turns: Arc::clone(&turns),
                seats,
                claimer,
                crew: Arc::clone(&crew),
            },
            sweeper: Sweeper {
                database: database.clone(),
                turns,
                pulse: pulse.clone(),
            },
            reconciler: Reconciler {
                database: database.clone(),
                storage: storage.clone(),
                reporter: Arc::clone(&reporter),
                meters: parts.meters.clone(),
                max_attempts: settings.max_attempts,
                lease,
            },
            id,
            database,
            settings,
            storage,
            crew,
            pulse,
            storage_gate,
            leases,
            lost_claims,
            reporter,
        }
    }

    /// Reports whether these workers really consume.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// How many jobs this process holds, at every moment.
    pub fn leases_held(&self) -> impl Fn() -> usize + Send + Sync + use<> {
        let leases = self.leases.clone();
        move || leases.count()
    }

    /// Whether the storage fails, at every moment.
    pub fn storage_failing(&self) -> impl Fn() -> bool + Send + Sync + use<> {
        let gate = self.storage_gate.clone();
        move || !gate.is_open()
    }

    /// Works until `stop`, then takes no more jobs, finishes those in flight, and hands back
    /// what is not finished shortly before the grace period ends. Jobs handed back lose no attempt.
    /// Whatever hangs, it returns when the grace period is over.
    pub async fn run(self, stop: CancellationToken) {
        let Self {
            id, settings, crew, ..
        } = self;
        let (lost_claims, reporter) = (self.lost_claims, self.reporter);
        tracing::info!(worker.id = %id, downloads = settings.downloads, "workers start");
        let mut taking = JoinSet::new();
        taking.spawn(self.listener.run(stop.clone()));
        taking.spawn(self.dispatcher.run(stop.clone()));
        taking.spawn(self.sweeper.run(stop.clone()));
        let (presence, gone) = (
            Presence {
                database: self.database.clone(),
                sign: Presence::sign_of(id),
                pulse: self.pulse.clone(),
                storage_gate: self.storage_gate.clone(),
            },
            CancellationToken::new(),
        );
        let showing = tokio::spawn(presence.show(stop.clone(), gone.clone()));
        let mut keeping = JoinSet::new();
        keeping.spawn(self.leases.renew_forever(self.pulse));
        keeping.spawn(Arc::clone(&lost_claims).release_forever());
        keeping.spawn(Arc::clone(&reporter).report_forever());
        keeping.spawn(self.storage_gate.guard(self.storage));
        keeping.spawn(self.reconciler.run(stop.clone()));
        stop.cancelled().await;
        let end = Instant::now() + settings.shutdown_grace;
        let drained = crew.drain(taking, end);
        let noted = async {
            drained.await;
            lost_claims.release().await;
            reporter.write_flow().await;
            // After its last sign.
            gone.cancel();
            let _ = showing.await;
            self.database.mark_worker_gone(id).await
        };
        match timeout_at(end, noted).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the end of the workers could not be noted"),
            Err(_) => tracing::warn!(
                jobs = crew.in_flight(),
                "the grace period is over; what is left is taken over by others"
            ),
        }
        crew.end_traces().await;
        tracing::info!(worker.id = %id, "workers have ended");
    }
}
