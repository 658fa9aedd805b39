//! The queue inside the process, for `thumbforge all`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::domain::JobId;

/// Most ids held (16 MB); the others are found in the database.
const CAPACITY: usize = 1_000_000;

#[derive(Clone, Default)]
pub struct MemoryQueue(Arc<Shared>);

#[derive(Default)]
struct Shared {
    ids: Mutex<VecDeque<JobId>>,
    arrived: Notify,
}

impl MemoryQueue {
    pub(super) fn push(&self, id: JobId) {
        let mut ids = self.ids();
        if ids.len() < CAPACITY {
            ids.push_front(id);
        }
        drop(ids);
        self.0.arrived.notify_one();
    }

    pub(super) fn push_many(&self, new: &[JobId]) {
        let mut ids = self.ids();
        let room = CAPACITY.saturating_sub(ids.len());
        for id in new.iter().take(room) {
            ids.push_front(*id);
        }
        drop(ids);
        self.0.arrived.notify_one();
    }

    pub(super) fn push_back(&self, returned: &[JobId]) {
        self.ids().extend(returned.iter().rev());
        self.0.arrived.notify_one();
    }

    pub(super) async fn pop(&self, max: usize, wait: Duration) -> Vec<JobId> {
        let taken = self.take(max);
        if !taken.is_empty() {
            return taken;
        }
        // A push between the look above and this wait has left a permit.
        let _ = tokio::time::timeout(wait, self.0.arrived.notified()).await;
        self.take(max)
    }

    fn take(&self, max: usize) -> Vec<JobId> {
        let mut ids = self.ids();
        let keep = ids.len() - ids.len().min(max);
        let taken = ids.split_off(keep).into_iter().rev().collect();
        if !ids.is_empty() {
            // There may be another taker, and only one permit was left for all pushes.
            self.0.arrived.notify_one();
        }
        taken
    }

    pub(super) fn len(&self) -> usize {
        self.ids().len()
    }

    /// The list is whole after every statement, so a panic elsewhere does not spoil it.
    fn ids(&self) -> MutexGuard<'_, VecDeque<JobId>> {
        self.0.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
