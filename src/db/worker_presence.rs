//! Which worker processes are alive.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::pools::write_query;
use super::schema::workers;
use super::types::Id;
use super::{Database, DbError, clock};
use crate::domain::WorkerSign;

/// A worker that was not seen for longer counts as gone.
pub(super) const ALIVE_WITHIN: Duration = Duration::from_secs(15);
/// After this time its row is removed.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);

impl Database {
    /// Records that a worker lives, and whether it takes jobs; forgets workers that are long gone.
    pub async fn mark_worker_alive(&self, sign: &WorkerSign) -> Result<(), DbError> {
        let state = sign.state.as_str();
        let new = (
            workers::id.eq(Id(sign.id)),
            workers::seen_at.eq(clock::now()),
            workers::began_at.eq(clock::now().nullable()),
            workers::host.eq(sign.host.clone()),
            workers::version.eq(sign.version),
            workers::state.eq(state),
        );
        write_query!(self.pools, connection => diesel::insert_into(workers::table)
            .values(new)
            .on_conflict(workers::id)
            .do_update()
            .set((workers::seen_at.eq(clock::now()), workers::state.eq(state)))
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
