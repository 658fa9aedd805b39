//! Whether the workers really consume. A ping of database and queue would say nothing about it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The last time this process looked for work and got an answer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pulse {
    beat: Arc<Mutex<Option<Instant>>>,
    /// Between two beats lies one blocking wait on the queue at most; more is silence.
    silence: Duration,
}

impl Pulse {
    pub(super) fn new(poll_timeout: Duration) -> Self {
        Self {
            beat: Arc::default(),
            silence: poll_timeout + Duration::from_secs(10),
        }
    }

    pub(super) fn beat(&self) {
        *self.beat.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// True if the workers looked for work recently and were able to take it.
    pub fn is_consuming(&self) -> bool {
        self.beat
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some_and(|beat| beat.elapsed() < self.silence)
    }
}
