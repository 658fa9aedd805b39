//! What a job needs to begin: a place in the line, a socket, and a storage that works.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::line::{Line, Standing};
use super::storage_gate::StorageGate;
use crate::fetch::DownloadMemory;

/// Most jobs that are claimed with one statement.
const LARGEST_CLAIM: usize = 64;
/// How long a claim is put off while the memory of downloads is scarce.
const SCARCE_FOR: Duration = Duration::from_millis(250);

pub(super) struct Seats {
    line: Arc<Line>,
    /// Sockets: one a download.
    downloads: Arc<Semaphore>,
    /// Jobs in flight, where the operator bounds them.
    jobs: Option<Arc<Semaphore>>,
    storage_gate: StorageGate,
    memory: DownloadMemory,
}

/// What a job needs to begin; dropped, it is free.
pub(super) struct Seat {
    pub standing: Standing,
    pub download: OwnedSemaphorePermit,
    pub job: Option<OwnedSemaphorePermit>,
}

impl Seats {
    /// `jobs`: at once in flight, where the operator bounds them.
    pub(super) fn new(
        places: usize,
        downloads: usize,
        jobs: Option<usize>,
        storage_gate: StorageGate,
        memory: DownloadMemory,
    ) -> Self {
        Self {
            line: Line::new(places),
            downloads: Arc::new(Semaphore::new(downloads)),
            jobs: jobs.map(|most| Arc::new(Semaphore::new(most))),
            storage_gate,
            memory,
        }
    }

    /// Waits for a place in the line, a socket, and a storage that works, and takes as many more as
    /// there are.
    pub(super) async fn take_some(&self) -> Vec<Seat> {
        let first_job = match &self.jobs {
            Some(jobs) => Some(acquire(jobs).await),
            None => None,
        };
        let first_download = acquire(&self.downloads).await;
        self.storage_gate.opened().await;
        // Not for ever: small bodies may fit, and the youngest give way.
        let _ = timeout(SCARCE_FOR, self.memory.plentiful()).await;
        let mut places = self.line.join(LARGEST_CLAIM).await.into_iter();
        let mut seats: Vec<Seat> = places
            .next()
            .map(|standing| Seat {
                standing,
                download: first_download,
                job: first_job,
            })
            .into_iter()
            .collect();
        seats.extend(places.map_while(|standing| self.seat(standing)));
        seats
    }

    /// The same without waiting, perhaps none; `most` at most.
    pub(super) fn take_free(&self, most: usize) -> Vec<Seat> {
        if !self.storage_gate.is_open() || self.memory.is_scarce() {
            return Vec::new();
        }
        let places = self.line.try_join(most.min(LARGEST_CLAIM)).into_iter();
        places.map_while(|standing| self.seat(standing)).collect()
    }

    /// How many jobs could begin at once.
    pub(super) fn free(&self) -> usize {
        let downloads = self.downloads.available_permits();
        let jobs = self
            .jobs
            .as_ref()
            .map_or(usize::MAX, |jobs| jobs.available_permits());
        self.line.free().min(downloads).min(jobs).min(LARGEST_CLAIM)
    }

    fn seat(&self, standing: Standing) -> Option<Seat> {
        let job = match &self.jobs {
            Some(jobs) => Some(Arc::clone(jobs).try_acquire_owned().ok()?),
            None => None,
        };
        let download = Arc::clone(&self.downloads).try_acquire_owned().ok()?;
        Some(Seat {
            standing,
            download,
            job,
        })
    }
}

async fn acquire(semaphore: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    Arc::clone(semaphore)
        .acquire_owned()
        .await
        .expect("the semaphore is never closed")
}
