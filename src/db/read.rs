//! The queries that change nothing.

use diesel::dsl::count_star;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::counts::StatusCounts;
use super::pools::read_query;
use super::row::JobRow;
use super::schema::{jobs, workers};
use super::types::Id;
use super::worker_presence::ALIVE_WITHIN;
use super::{Database, DbError, clock};
use crate::domain::{Event, Job, JobId, PastAttempt};

#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobCounts {
    pub by_status: StatusCounts,
    /// Age of the oldest job that could run; `None` without one.
    pub oldest_pending_seconds: Option<f64>,
    /// Age of the oldest job that is due, but whose origin, or everything, is parked or paused.
    pub oldest_parked_seconds: Option<f64>,
    /// Worker processes that showed themselves within the last fifteen seconds.
    pub workers_alive: u64,
}

impl Database {
    /// A round trip to the database. A database that answers it may still refuse a write:
    /// [`Self::try_writing`] finds that out.
    pub async fn ping(&self) -> Result<(), DbError> {
        read_query!(self.pools, connection =>
            jobs::table.select(jobs::id).limit(1).load::<Id>(connection).await.map(|_| ()))
    }

    pub async fn find(&self, id: JobId) -> Result<Option<Job>, DbError> {
        read_query!(self.pools, connection => jobs::table
            .find(Id::from(id))
            .select(JobRow::as_select())
            .first(connection)
            .await
            .optional())?
        .map(Job::try_from)
        .transpose()
    }

    /// How the attempts of a job ended, the last one last; the oldest of very many are forgotten.
    pub async fn attempts_of(&self, id: JobId) -> Result<Vec<PastAttempt>, DbError> {
        let log: Option<Option<String>> = read_query!(self.pools, connection => jobs::table
            .find(Id::from(id))
            .select(jobs::attempts_log)
            .first(connection)
            .await
            .optional())?;
        let json = format!("[{}]", log.flatten().unwrap_or_default());
        serde_json::from_str(&json)
            .map_err(|error| DbError::Unreadable(format!("attempts of {id}: {error}")))
    }

    /// How many jobs are in each state, and how many workers are alive.
    pub async fn counts(&self) -> Result<JobCounts, DbError> {
        let oldest = self.oldest_waits().await?;
        Ok(JobCounts {
            by_status: self.count_created(None, None).await?,
            oldest_pending_seconds: oldest.runnable,
            oldest_parked_seconds: oldest.held_up,
            workers_alive: self.workers_alive().await?,
        })
    }

    async fn workers_alive(&self) -> Result<u64, DbError> {
        let alive: i64 = read_query!(self.pools, connection => workers::table
            .filter(workers::seen_at.gt(clock::before(ALIVE_WITHIN)))
            // Seen before the clock was set back: that proves nothing.
            .filter(workers::seen_at.lt(clock::after(ALIVE_WITHIN)))
            .select(count_star())
            .first(connection)
            .await)?;
        Ok(u64::try_from(alive).unwrap_or(0))
    }

    /// How many jobs wait, counted up to `limit` so that the answer stays cheap.
    pub async fn pending_up_to(&self, limit: u64) -> Result<u64, DbError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let ids: Vec<Id> = read_query!(self.pools, connection => jobs::table
            .filter(is_pending())
            .select(jobs::id)
            .limit(limit)
            .load(connection)
            .await)?;
        Ok(ids.len() as u64)
    }
}

/// `status = 'pending'`, as a literal: with a bound value a planned statement could not use the
/// partial index.
pub(super) fn is_pending() -> diesel::expression::SqlLiteral<diesel::sql_types::Bool> {
    diesel::dsl::sql("jobs.status = 'pending'")
}

/// The job is in the state in which alone `event` may happen, as a literal (see [`is_pending`]).
pub(super) fn may(event: Event) -> diesel::expression::SqlLiteral<diesel::sql_types::Bool> {
    diesel::dsl::sql(&format!("jobs.status = '{}'", event.from().as_str()))
}

/// `status = 'processing'`, as a literal (see [`is_pending`]).
pub(super) fn is_processing() -> diesel::expression::SqlLiteral<diesel::sql_types::Bool> {
    diesel::dsl::sql("jobs.status = 'processing'")
}
