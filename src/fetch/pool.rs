//! Connections that wait for the next request to the same origin.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::connection::Connection;
use super::connector::Origin;

/// Kept connections to all origins together.
const MAX_IDLE: usize = 256;

/// Kept by scheme, host name and port, so that a name never inherits what another name was allowed.
pub(super) struct Pool {
    max_idle_per_host: usize,
    keep_alive: Duration,
    idle: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    connections: HashMap<Origin, Vec<Idle>>,
    count: usize,
    next_sweep: Option<Instant>,
}

struct Idle {
    connection: Connection,
    until: Instant,
}

impl Pool {
    pub(super) fn new(max_idle_per_host: usize, keep_alive: Duration) -> Self {
        Self {
            max_idle_per_host,
            keep_alive,
            idle: Mutex::default(),
        }
    }

    /// The connection to `origin` that was used last, if it is still open and silent.
    pub(super) fn take(&self, origin: &Origin) -> Option<Connection> {
        let mut shelf = self.lock();
        shelf.sweep(self.keep_alive);
        loop {
            let idle = shelf.connections.get_mut(origin)?.pop()?;
            shelf.count -= 1;
            let mut connection = idle.connection;
            if idle.until > Instant::now() && connection.is_quiet() {
                return Some(connection);
            }
        }
    }

    pub(super) fn put(&self, origin: Origin, connection: Connection) {
        let mut shelf = self.lock();
        shelf.sweep(self.keep_alive);
        if shelf.count >= MAX_IDLE {
            return;
        }
        let kept = shelf.connections.entry(origin).or_default();
        if kept.len() < self.max_idle_per_host {
            kept.push(Idle {
                connection,
                until: Instant::now() + self.keep_alive,
            });
            shelf.count += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        // Nothing between lock and unlock leaves the shelf half changed.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    /// Closes what was kept too long, at most once per `interval`.
    fn sweep(&mut self, interval: Duration) {
        let now = Instant::now();
        if self.next_sweep.is_some_and(|next| now < next) {
            return;
        }
        self.next_sweep = Some(now + interval);
        self.connections.retain(|_, kept| {
            kept.retain(|idle| idle.until > now);
            !kept.is_empty()
        });
        self.count = self.connections.values().map(Vec::len).sum();
    }
}
