//! No jobs are taken while the storage fails: each would use up an attempt for nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::storage::Storage;

/// How often a failing storage is tried.
const INTERVAL: Duration = Duration::from_secs(1);

/// Closed by an attempt that could not store its thumbnail, opened when the storage can be written
/// again. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct StorageGate(Arc<watch::Sender<bool>>);

impl StorageGate {
    pub(super) fn open() -> Self {
        Self(Arc::new(watch::Sender::new(true)))
    }

    pub(super) fn is_open(&self) -> bool {
        *self.0.borrow()
    }

    pub(super) fn close(&self) {
        if self.0.send_replace(false) {
            tracing::warn!("the storage fails: no jobs are taken until it can be written");
        }
    }

    /// Waits until jobs may be taken.
    pub(super) async fn opened(&self) {
        self.wait_for(true).await;
    }

    async fn wait_for(&self, open: bool) {
        let waited = self
            .0
            .subscribe()
            .wait_for(|now| *now == open)
            .await
            .map(drop);
        waited.expect("the sender is ours");
    }

    /// Tries the storage while the gate is closed. It ends with the process.
    pub(super) async fn guard(self, storage: Storage) {
        loop {
            self.wait_for(false).await;
            sleep(INTERVAL.mul_f64(0.7 + 0.6 * rand::random::<f64>())).await;
            match storage.reopen().await {
                Ok(()) => {
                    self.0.send_replace(true);
                    tracing::info!("the storage can be written again");
                }
                Err(error) => tracing::debug!(%error, "the storage still fails"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_closed_gate_opens_when_the_storage_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path()).unwrap();
        let gate = StorageGate::open();
        let guarding = tokio::spawn(gate.clone().guard(storage));
        gate.close();
        assert!(!gate.is_open());
        gate.opened().await;
        assert!(gate.is_open());
        guarding.abort();
    }
}
