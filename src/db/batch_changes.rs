//! What clients and time do to whole batches, a slice of jobs at a time.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::literal::{Literal, literal};
use super::pools::read_query;
use super::schema::{batches, jobs};
use super::types::Id;
use super::{Database, DbError, clock};
use crate::domain::transition::is_active;
use crate::domain::{BatchStatus, Event, JobFilter, JobId, JobStatus, ListPlace};

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
        let mut found = Vec::new();
        for ended in [Event::RetryAsked.from(), Event::Restored.from()] {
            let filter = JobFilter {
                batch_id: Some(batch),
                status: Some(ended),
                ..JobFilter::default()
            };
            let (places, _) = self.places(&filter, limit, 0, after).await?;
            found.extend(places);
        }
        found.sort_unstable_by(|one, other| other.cmp(one));
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found)
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
