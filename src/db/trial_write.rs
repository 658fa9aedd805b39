//! Whether the database can be written. A standby, a full disk and a lock that is never released
//! answer every query and keep nothing.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::pools::write_query;
use super::schema::workers;
use super::types::Id;
use super::{Database, DbError, clock};

/// No worker runs under this id.
const NOBODY: uuid::Uuid = uuid::Uuid::nil();
/// When the row was last seen, by its own account: it never counts as alive, and is forgotten as
/// old workers are.
const LONG_AGO: Duration = Duration::from_secs(365 * 24 * 3600);

impl Database {
    /// Commits a write that leaves no trace. Waits for no longer than any other statement does.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] if the database can't be reached or written at present.
    pub async fn try_writing(&self) -> Result<(), DbError> {
        // The row changes with the clock: SQLite does not touch the disk for one that stays as it
        // is.
        let seen_at = clock::before(LONG_AGO);
        write_query!(self.pools, connection => diesel::insert_into(workers::table)
            .values((workers::id.eq(Id(NOBODY)), workers::seen_at.eq(seen_at)))
            .on_conflict(workers::id)
            .do_update()
            .set(workers::seen_at.eq(seen_at))
            .execute(connection)
            .await)
        .map(|_| ())
    }
}
