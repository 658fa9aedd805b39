//! Which worker processes are alive.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::pools::write_query;
use super::schema::workers;
use super::types::Id;
use super::{Database, DbError, clock};

/// A worker that was not seen for longer counts as gone.
pub(super) const ALIVE_WITHIN: Duration = Duration::from_secs(15);
/// After this time its row is removed.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);

impl Database {
    /// Records that `worker` takes jobs, and forgets workers that are long gone.
    pub async fn mark_worker_alive(&self, worker: uuid::Uuid) -> Result<(), DbError> {
        write_query!(self.pools, connection => diesel::insert_into(workers::table)
            .values((workers::id.eq(Id(worker)), workers::seen_at.eq(clock::now())))
            .on_conflict(workers::id)
            .do_update()
            .set(workers::seen_at.eq(clock::now()))
            .execute(connection)
            .await)?;
        write_query!(self.pools, connection => diesel::delete(
                workers::table.filter(
                    workers::seen_at
                        .lt(clock::before(FORGOTTEN_AFTER))
                        // The clock was set back since.
                        .or(workers::seen_at.gt(clock::after(FORGOTTEN_AFTER))),
                ))
            .execute(connection)
            .await)
        .map(|_| ())
    }

    /// Records that `worker` has ended.
    pub async fn mark_worker_gone(&self, worker: uuid::Uuid) -> Result<(), DbError> {
        write_query!(self.pools, connection => diesel::delete(workers::table.find(Id(worker)))
            .execute(connection)
            .await)
        .map(|_| ())
    }
}
