//! The workers of a process: they claim jobs, make thumbnails, and clean up after the dead.
//!
//! | file | thought |
//! | --- | --- |
//! | `parts`, `settings` | what the workers are given: adapters and rules |
//! | `attempt` | one attempt at one job, from URL to published thumbnail; the step that tests call |
//! | `record` | what was made, as files and as the job's record |
//! | `engine` | the CPU side: how many decodes at once, in how much memory |
//! | `leases` | which jobs this process holds, and until when |
//! | `lost_claims` | jobs that were claimed and whose answer did not arrive |
//! | `crew` | places, sockets and running attempts |
//! | `litter` | what dead workers left in the storage |
//! | `line` | how much work is begun ahead of the engine |
//! | `turns` | whose turn it is: what is known of origins, fair shares, learned windows |
//! | `listener` | from the queue: an id tells that its origin has work |
//! | `dispatcher` | from the origins whose turn it is to the crew |
//! | `sweeper` | from the database to the origins: retries, and what the queue has lost |
//! | `reporter` | what was seen of origins to the database, and what follows |
//! | `storage_gate` | no jobs while the storage fails |
//! | `pulse` | whether all this really consumes |
//! | `reconciler` | expired leases, litter, signs of life |

mod attempt;
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
mod pulse;
mod reconciler;
mod record;
mod rendering;
mod reporter;
mod settings;
mod storage_gate;
mod sweeper;
mod turns;

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

pub use attempt::Attempt;
pub use engine::{DecodeLimits, Engine};
pub use parts::Parts;
pub use pulse::Pulse;
pub use rendering::{Made, VariantFailure, Wanted};
pub use settings::WorkerSettings;
pub use turns::CapsOf;

/// The workers of this process.
pub struct Workers {
    crew: Arc<crew::Crew>,
}

impl Workers {
    pub fn new(parts: Parts, settings: WorkerSettings) -> Self {
        Self {
            crew: Arc::new(crew::Crew::new(parts, settings)),
        }
    }

    /// Tells whether these workers really consume.
    pub fn pulse(&self) -> Pulse {
        self.crew.pulse.clone()
    }

    /// Works until `stop`, then takes no more jobs, finishes those in flight, and hands back
    /// what is not finished shortly before the grace period ends. Jobs handed back lose no attempt.
    /// Whatever hangs, it returns when the grace period is over.
    pub async fn run(self, stop: CancellationToken) {
        let crew = self.crew;
        tracing::info!(worker.id = %crew.id, downloads = crew.settings.downloads, "workers start");
        let mut taking = JoinSet::new();
        taking.spawn(listener::run(Arc::clone(&crew), stop.clone()));
        taking.spawn(dispatcher::run(Arc::clone(&crew), stop.clone()));
        taking.spawn(sweeper::run(Arc::clone(&crew), stop.clone()));
        let mut keeping = JoinSet::new();
        keeping.spawn(leases::renew_forever(Arc::clone(&crew)));
        keeping.spawn(lost_claims::release_forever(Arc::clone(&crew)));
        keeping.spawn(reporter::report_forever(Arc::clone(&crew)));
        keeping.spawn(storage_gate::guard(Arc::clone(&crew)));
        keeping.spawn(reconciler::run(Arc::clone(&crew), stop.clone()));
        stop.cancelled().await;
        let end = Instant::now() + crew.settings.shutdown_grace;
        let drained = crew.drain(taking, end);
        let noted = async {
            drained.await;
            lost_claims::release(&crew).await;
            reporter::write_flow(&crew).await;
            crew.parts.database.mark_worker_gone(crew.id).await
        };
        match timeout_at(end, noted).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the end of the workers could not be noted"),
            Err(_) => tracing::warn!(
                jobs = crew.in_flight(),
                "the grace period is over; what is left is taken over by others"
            ),
        }
        tracing::info!(worker.id = %crew.id, "workers have ended");
    }
}
