//! Gives events their numbers, for Postgres: after the commit of what they report, by one process at a
//! time. So numbers become visible in their order, and a reader that has seen one never meets a
//! smaller one later. In SQLite, where writers take turns anyway, the row's own number does.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool};
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::events::newest;
use super::pools::{Pools, on_pool};
use super::prepared::Prepare;
use super::{Database, DbError};

/// Key of the advisory lock of the process that numbers: "thumbevt" in ASCII.
const NUMBER_KEY: i64 = 0x7468_756d_6265_7674;
/// Most events that are numbered in one transaction.
pub(super) const LARGEST_GROUP: u32 = 2000;

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Bool)]
    yes: bool,
}

#[derive(QueryableByName)]
struct Numbered {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

impl Database {
    /// Numbers events that were committed; returns how many. None are left if that is fewer than
    /// [`Self::EVENTS_AT_ONCE`] and no other process was numbering.
    pub async fn number_events(&self) -> Result<u64, DbError> {
        let Pools::Postgres(pool) = &self.pools else {
            return Ok(0);
        };
        let found: Found = on_pool!(pool, connection => diesel::sql_query(
            "SELECT EXISTS (SELECT FROM event_outbox) AS yes").prepared().get_result(connection).await)?;
        if !found.yes {
            return Ok(0);
        }
        let numbered: i64 = on_pool!(pool, connection => {
            connection.transaction(async move |connection| {
                let lock = format!("SELECT pg_try_advisory_xact_lock({NUMBER_KEY}) AS yes");
                let locked: Found = diesel::sql_query(lock).prepared().get_result(connection).await?;
                if !locked.yes {
                    return Ok(0);
                }
                // A statement of its own: it sees what was committed before the lock was had.
                let numbered: Numbered =
                    diesel::sql_query(number()).get_result(connection).await?;
                Ok::<_, diesel::result::Error>(numbered.n)
            }).await
        })?;
        Ok(u64::try_from(numbered).unwrap_or(0))
    }

    /// Most events that [`Self::number_events`] numbers at once.
    pub const EVENTS_AT_ONCE: u64 = LARGEST_GROUP as u64;
}

fn number() -> String {
    let newest = newest();
    format!(
        "WITH taken AS (DELETE FROM event_outbox WHERE n IN \
             (SELECT n FROM event_outbox ORDER BY n LIMIT {LARGEST_GROUP}) RETURNING *), \
         numbered AS (INSERT INTO events (sequence, id, type, job_id, batch_id, status, attempts, \
             error, error_code, error_variant, source_status, wait_millis, work_millis, created_at) \
             SELECT (SELECT {newest}) + row_number() OVER (ORDER BY n), id, type, job_id, batch_id, \
             status, attempts, error, error_code, error_variant, source_status, wait_millis, \
             work_millis, created_at FROM taken ORDER BY n RETURNING 1) \
         SELECT count(*) AS n FROM numbered"
    )
}
