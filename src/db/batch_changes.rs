//! What clients and time do to whole batches, a slice of jobs at a time.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::literal::{Literal, literal};
use super::pools::read_query;
use super::schema::{batches, jobs};
use super::types::{Id, Moment, Status, sql};
use super::{Database, DbError, clock};
use crate::domain::transition::is_active;
use crate::domain::{BatchStatus, Event, JobId, JobStatus, ListPlace};

/// A batch that has been accepting for so long without an item has lost its process.
const ACCEPTING_WITHIN: Duration = Duration::from_secs(60);

impl Database {
    /// Jobs of a batch that are pending or in work, `limit` at most.
    pub async fn active_of_batch(&self, batch: Uuid, limit: u32) -> Result<Vec<JobId>, DbError> {
        let ids: Vec<Id> = read_query!(self.pools, connection => jobs::table
            .filter(jobs::batch_id.eq(Id(batch)))
            .filter(is_active_literal())
            .select(jobs::id)
            .limit(i64::from(limit))
            .load(connection)
            .await)?;
        Ok(ids.into_iter().map(|id| JobId(id.0)).collect())
    }

    /// Jobs of a batch that failed or were cancelled, newest first, from `after` on, `limit` at
    /// most.
    pub async fn retryable_of_batch(
        &self,
        batch: Uuid,
        after: Option<ListPlace>,
        limit: u32,
    ) -> Result<Vec<ListPlace>, DbError> {
        let ended = [Event::RetryAsked, Event::Restored].map(|event| Status(event.from()));
        let rows: Vec<(Id, Moment)> = read_query!(self.pools, connection => {
            let mut query = jobs::table
                .filter(jobs::batch_id.eq(Id(batch)))
                .filter(jobs::status.eq_any(ended))
                .order((jobs::created_at.desc(), jobs::id.desc()))
                .select((jobs::id, jobs::created_at))
                .limit(i64::from(limit))
                .into_boxed();
            if let Some(place) = after {
                let (moment, id) = (Moment(place.created_at), Id(place.id));
                // A comparison of rows, so that the index leads to the place.
                query = query.filter(
                    diesel::dsl::sql::<diesel::sql_types::Bool>("(jobs.created_at, jobs.id) < (")
                        .bind::<sql::Moment, _>(moment)
                        .sql(", ")
                        .bind::<sql::Id, _>(id)
                        .sql(")"),
                );
            }
            query.load(connection).await
        })?;
        let place = |(id, created_at): (Id, Moment)| ListPlace {
            created_at: created_at.0,
            id: id.0,
        };
        Ok(rows.into_iter().map(place).collect())
    }

    /// Ends the acceptance of batches whose process is gone, `limit` at most; returns how many.
    pub async fn end_stale_acceptances(&self, limit: u32) -> Result<usize, DbError> {
        let stale: Vec<Id> = read_query!(self.pools, connection => batches::table
            .filter(literal::<diesel::sql_types::Bool>(ACCEPTING))
            .filter(batches::updated_at.lt(clock::before(ACCEPTING_WITHIN)))
            .order(batches::updated_at.asc())
            .select(batches::id)
            .limit(i64::from(limit))
            .load(connection)
            .await)?;
        let mut ended = 0;
        for id in stale {
            ended += usize::from(self.end_acceptance(id.0, true).await?);
        }
        Ok(ended)
    }

    /// True if a batch takes items, and took some lately.
    pub async fn is_accepting(&self, batch: Uuid) -> Result<bool, DbError> {
        let found: Option<Id> = read_query!(self.pools, connection => batches::table
            .find(Id(batch))
            .filter(batches::status.eq(BatchStatus::Accepting.as_str()))
            .filter(batches::updated_at.ge(clock::before(ACCEPTING_WITHIN)))
            .select(batches::id)
            .first(connection)
            .await
            .optional())?;
        Ok(found.is_some())
    }
}

/// As a literal, so that a planned statement can use the partial index.
const ACCEPTING: &str = "batches.status = 'accepting'";

/// Likewise.
fn is_active_literal() -> Literal<diesel::sql_types::Bool> {
    let words = JobStatus::ALL
        .into_iter()
        .filter(|status| is_active(*status));
    let words: Vec<String> = words
        .map(|status| format!("'{}'", status.as_str()))
        .collect();
    literal(format!("jobs.status IN ({})", words.join(", ")))
}
