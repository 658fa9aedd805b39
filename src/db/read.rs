//! The queries that change nothing.

use diesel::dsl::count_star;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::pools::read_query;
use super::row::JobRow;
use super::schema::{jobs, workers};
use super::types::{Id, Moment, Status};
use super::worker_presence::ALIVE_WITHIN;
use super::{Database, DbError, clock};
use crate::domain::{Event, Job, JobFilter, JobId, JobStatus};

#[derive(Debug, Clone, PartialEq)]
pub struct JobPage {
    pub jobs: Vec<Job>,
    /// How many jobs the filter lets through, on all pages.
    pub total: u64,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobCounts {
    pub pending: u64,
    pub processing: u64,
    pub completed: u64,
    pub failed: u64,
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

    /// A page of jobs, newest first.
    pub async fn list(
        &self,
        filter: &JobFilter,
        limit: u32,
        offset: u64,
    ) -> Result<JobPage, DbError> {
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        let by = filter.clone();
        let rows: Vec<JobRow> = read_query!(self.pools, connection => {
            let mut query = jobs::table.select(JobRow::as_select()).into_boxed();
            filtered!(query, by);
            query
                .order((jobs::created_at.desc(), jobs::id.desc()))
                .limit(i64::from(limit))
                .offset(offset)
                .load(connection)
                .await
        })?;
        let by = filter.clone();
        let total: i64 = read_query!(self.pools, connection => {
            let mut query = jobs::table.select(count_star()).into_boxed();
            filtered!(query, by);
            query.first(connection).await
        })?;
        Ok(JobPage {
            jobs: rows
                .into_iter()
                .map(Job::try_from)
                .collect::<Result<_, _>>()?,
            total: u64::try_from(total).unwrap_or(0),
        })
    }

    /// How many jobs are in each state, and how many workers are alive.
    pub async fn counts(&self) -> Result<JobCounts, DbError> {
        let by_status: Vec<(Status, i64)> = read_query!(self.pools, connection => jobs::table
            .group_by(jobs::status)
            .select((jobs::status, count_star()))
            .load(connection)
            .await)?;
        let oldest = self.oldest_waits().await?;
        let mut counts = JobCounts {
            oldest_pending_seconds: oldest.runnable,
            oldest_parked_seconds: oldest.held_up,
            workers_alive: self.workers_alive().await?,
            ..JobCounts::default()
        };
        for (Status(status), count) in by_status {
            let count = u64::try_from(count).unwrap_or(0);
            match status {
                JobStatus::Pending => counts.pending = count,
                JobStatus::Processing => counts.processing = count,
                JobStatus::Completed => counts.completed = count,
                JobStatus::Failed => counts.failed = count,
            }
        }
        Ok(counts)
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

/// Applies a [`JobFilter`] to a boxed query of either database.
macro_rules! filtered {
    ($query:ident, $filter:expr) => {
        if let Some(status) = $filter.status {
            $query = $query.filter(jobs::status.eq(Status(status)));
        }
        if let Some(after) = $filter.created_after {
            $query = $query.filter(jobs::created_at.ge(Moment(after)));
        }
        if let Some(before) = $filter.created_before {
            $query = $query.filter(jobs::created_at.le(Moment(before)));
        }
    };
}
use filtered;

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
