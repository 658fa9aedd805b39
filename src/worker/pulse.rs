//! Whether the workers really consume. A ping of database and queue would say nothing about it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::storage_gate::StorageGate;

/// Slots that are all taken are no excuse for longer: a job ends, and its slot is free.
const LONGEST_BUSY: Duration = Duration::from_secs(30);

/// When this process last looked for work and was able to take it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pulse {
    beats: Arc<Mutex<Beats>>,
    /// Between two beats lies at most one blocking wait on the queue, or for a lease to be renewed
    /// while all slots are taken; more is silence.
    silence: Duration,
    storage_gate: StorageGate,
}

#[derive(Debug, Default)]
struct Beats {
    polled: Option<Instant>,
    claimed: Option<Instant>,
}

impl Pulse {
    pub(super) fn new(poll_timeout: Duration, lease: Duration, storage_gate: StorageGate) -> Self {
        Self {
            beats: Arc::default(),
            silence: poll_timeout.max(LONGEST_BUSY.min(lease / 3)) + Duration::from_secs(10),
            storage_gate,
        }
    }

    /// The queue is about to be asked; a queue that is away is replaced by the database.
    pub(super) fn note_poll(&self) {
        self.note(|beats, now| beats.polled = Some(now));
    }

    /// A claim was answered, whether there was a job for it or not.
    pub(super) fn note_claim(&self) {
        self.note(|beats, now| beats.claimed = Some(now));
    }

    /// All slots are taken, and the work in them goes on.
    pub(super) fn note_busy(&self) {
        self.note(|beats, now| (beats.polled, beats.claimed) = (Some(now), Some(now)));
    }

    /// True if the workers looked for work recently, were able to take it, and may.
    pub fn is_consuming(&self) -> bool {
        let beats = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |beat: Option<Instant>| beat.is_some_and(|beat| beat.elapsed() < self.silence);
        recent(beats.polled) && recent(beats.claimed) && self.storage_gate.is_open()
    }

    fn note(&self, beat: impl FnOnce(&mut Beats, Instant)) {
        let mut beats = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        beat(&mut beats, Instant::now());
    }
}
