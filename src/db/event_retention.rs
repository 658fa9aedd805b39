//! Deletes old events.

use std::time::Duration;

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable};
use diesel_async::RunQueryDsl;

use super::dialect::Dialect;
use super::events::DELETED_UP_TO;
use super::pools::write_transaction;
use super::{Database, DbError};

#[derive(QueryableByName)]
struct Last {
    #[diesel(sql_type = Nullable<BigInt>)]
    sequence: Option<i64>,
}

impl Database {
    /// Deletes those of the `limit` oldest events that are older than `keeping`; returns how many.
    pub async fn delete_old_events(&self, keeping: Duration, limit: u32) -> Result<usize, DbError> {
        let dialect = Dialect::of(&self.pools);
        let before = dialect.before(keeping);
        let counted = super::job_flow::POSITION;
        // Up to the first that is not old, or not counted: what is left has no gap.
        let last = format!(
            "SELECT max(sequence) AS sequence FROM (SELECT sequence, created_at FROM events \
             ORDER BY sequence LIMIT {limit}) AS oldest WHERE created_at < {before} \
             AND sequence <= COALESCE((SELECT CAST(value AS bigint) FROM service_state \
             WHERE name = '{counted}'), 0)"
        );
        write_transaction!(self.pools, connection => {
            let last: Last = diesel::sql_query(last).get_result(connection).await?;
            let Some(last) = last.sequence else {
                return Ok(0);
            };
            // Readers must not take deleted numbers for ones that are still to come.
            diesel::sql_query(format!(
                "INSERT INTO service_state (name, value) VALUES ('{DELETED_UP_TO}', '{last}') \
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value \
                 WHERE CAST(service_state.value AS bigint) < {last}"
            ))
            .execute(connection)
            .await?;
            diesel::sql_query(format!("DELETE FROM events WHERE sequence <= {last}"))
                .execute(connection)
                .await
        })
    }
}
