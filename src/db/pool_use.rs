//! How the pools are used, for monitors.

use deadpool::managed::{Manager, Pool};

use super::Database;
use super::pools::Pools;

/// How a pool is used at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    pub pool: &'static str,
    /// Connections that it may have.
    pub limit: usize,
    /// Connections that it has.
    pub open: usize,
    /// Of these, those at work.
    pub in_use: usize,
    /// Queries that wait for a connection.
    pub waiting: usize,
}

impl PoolUse {
    pub(super) fn of<M: Manager>(pool: &'static str, of: &Pool<M>) -> Self {
        let status = of.status();
        Self {
            pool,
            limit: status.max_size,
            open: status.size,
            in_use: status.size.saturating_sub(status.available),
            waiting: status.waiting,
        }
    }
}

impl Database {
    /// How its pools are used at this moment.
    pub fn pools_in_use(&self) -> Vec<PoolUse> {
        match &self.pools {
            Pools::Postgres(pool) => vec![pool.in_use()],
            Pools::Sqlite { readers, writer } => vec![
                PoolUse::of("readers", readers),
                PoolUse::of("writer", writer),
            ],
        }
    }
}
