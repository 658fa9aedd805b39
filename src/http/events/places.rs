//! How many clients may listen at once: they hold connections that others need.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Half of all connections.
const SHARE: usize = 2;

#[derive(Clone)]
pub(in crate::http) struct Places {
    taken: Arc<AtomicUsize>,
    most: usize,
}

/// A client's place, until it is dropped.
pub(in crate::http) struct Place(Arc<AtomicUsize>);

impl Places {
    /// For a server with so many connections.
    pub fn of(connections: usize) -> Self {
        Self {
            taken: Arc::default(),
            most: (connections / SHARE).max(1),
        }
    }

    /// `None` if all are taken.
    pub fn take(&self) -> Option<Place> {
        if self.taken.fetch_add(1, Ordering::Relaxed) < self.most {
            return Some(Place(Arc::clone(&self.taken)));
        }
        self.taken.fetch_sub(1, Ordering::Relaxed);
        None
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_connections_may_be_taken() {
        let places = Places::of(4);
        let taken = [places.take(), places.take()];
        assert!(taken.iter().all(Option::is_some) && places.take().is_none());
        drop(taken);
        assert!(places.take().is_some());
    }
}
