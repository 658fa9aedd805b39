//! Signs of life: whether a worker takes jobs, or only finishes what it has.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::pulse::Pulse;
use super::storage_gate::StorageGate;
use crate::db::Database;
use crate::domain::{WorkerSign, WorkerState};

const INTERVAL: Duration = Duration::from_secs(4);
/// A process that has just begun becomes ready within a moment.
const FIRST_INTERVAL: Duration = Duration::from_millis(250);

pub(super) struct Presence {
    pub database: Database,
    pub sign: WorkerSign,
    pub pulse: Pulse,
    pub storage_gate: StorageGate,
}

impl Presence {
    /// What a worker reports about itself besides its id.
    pub(super) fn sign_of(id: uuid::Uuid) -> WorkerSign {
        let system = rustix::system::uname();
        let host = system.nodename().to_str();
        WorkerSign {
            host: host.ok().filter(|name| !name.is_empty()).map(str::to_owned),
            version: Some(env!("CARGO_PKG_VERSION")),
            ..WorkerSign::ready(id)
        }
    }

    /// Gives signs until `end`; after `stop` they say that no more jobs are taken.
    pub(super) async fn show(mut self, stop: CancellationToken, end: CancellationToken) {
        let mut first = FIRST_INTERVAL;
        loop {
            self.sign.state = self.state(&stop);
            if let Err(error) = self.database.mark_worker_alive(&self.sign).await {
                tracing::debug!(%error, "no sign of life given");
            }
            let interval = match self.sign.state {
                // One that stays so writes no more often than others.
                WorkerState::NotReady => {
                    let longer = (first * 2).min(INTERVAL);
                    std::mem::replace(&mut first, longer)
                }
                _ => INTERVAL,
            };
            let stops = async {
                match self.sign.state {
                    WorkerState::Stopping => std::future::pending().await,
                    _ => stop.cancelled().await,
                }
            };
            tokio::select! {
                () = end.cancelled() => return,
                () = stops => {}
                () = sleep(interval.mul_f64(0.7 + 0.6 * rand::random::<f64>())) => {}
            }
        }
    }

    fn state(&self, stop: &CancellationToken) -> WorkerState {
        if stop.is_cancelled() {
            WorkerState::Stopping
        } else if !self.storage_gate.is_open() {
            WorkerState::StorageFailing
        } else if self.pulse.is_consuming() {
            WorkerState::Ready
        } else {
            WorkerState::NotReady
        }
    }
}
