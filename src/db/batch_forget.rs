//! Forgets batches that ended long ago and whose jobs are gone.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;

use super::literal::literal;
use super::pools::{read_query, write_transaction};
use super::schema::{batch_reused, batches};
use super::types::Id;
use super::{Database, DbError, clock};

/// How long a batch is kept after its end.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

impl Database {
    /// Deletes the rows of such batches, `limit` at most; returns how many.
    pub async fn forget_batches(&self, limit: u32) -> Result<usize, DbError> {
        let old: Vec<Id> = read_query!(self.pools, connection => batches::table
            .filter(batches::finished_at.lt(clock::before(KEPT).nullable()))
            .filter(literal::<Bool>(
                "NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.batch_id = batches.id)",
            ))
            .order((batches::created_at.asc(), batches::id.asc()))
            .select(batches::id)
            .limit(i64::from(limit))
            .load(connection)
            .await)?;
        if old.is_empty() {
            return Ok(0);
        }
        // Nothing adds a job to a batch that has ended, and no job of it is left to be retried.
        write_transaction!(self.pools, connection => {
            diesel::delete(batch_reused::table.filter(batch_reused::batch_id.eq_any(&old)))
                .execute(connection)
                .await?;
            diesel::delete(batches::table.filter(batches::id.eq_any(&old)))
                .execute(connection)
                .await
        })
    }
}
