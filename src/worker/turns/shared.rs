//! What the workers share: the state behind its lock, and the signals that it changed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::state::{CapsOf, State};

pub(in crate::worker) struct Turns {
    state: Mutex<State>,
    /// Somebody's turn may have come.
    pub(super) changed: Notify,
    /// There is something to report.
    pub(super) news: Notify,
}

impl Turns {
    pub(in crate::worker) fn new(downloads: usize, caps_of: CapsOf) -> Self {
        Self {
            state: Mutex::new(State::new(downloads, caps_of)),
            changed: Notify::new(),
            news: Notify::new(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
