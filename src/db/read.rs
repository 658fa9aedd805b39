//! The queries that change nothing.

use diesel::dsl::count_star;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::counts::StatusCounts;
use super::literal::{Literal, literal};
use super::oldest::OldestWaits;
use super::pools::read_query;
use super::row::JobRow;
use super::schema::{jobs, workers};
use super::types::{Id, Moment};
use super::worker_presence::ALIVE_WITHIN;
use super::worker_report::WorkersReport;
use super::{Database, DbError, clock};
use crate::domain::{Event, Job, JobId, JobStatus, PastAttempt, Timestamp, WorkerState};

#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobCounts {
    pub by_status: StatusCounts,
    /// Age of the oldest job that could run; `None` without one.
    pub oldest_pending_seconds: Option<f64>,
    /// Age of the oldest job that is due, but whose origin, or everything, is parked or paused.
    pub oldest_parked_seconds: Option<f64>,
    /// Worker processes that take jobs, and showed themselves within the last fifteen seconds.
    pub workers_alive: u64,
}

impl Database {
    /// Whether a connection can be made; asks for nothing.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] if waiting may help, [`DbError::Denied`] if not.
    pub async fn reach(&self) -> Result<(), DbError> {
        read_query!(self.pools, _connection => Ok::<_, diesel::result::Error>(()))
    }

    /// A round trip to the database. A database that answers it may still refuse a write:
    /// [`Self::try_writing`] finds that out.
    pub async fn ping(&self) -> Result<(), DbError> {
        read_query!(self.pools, connection =>
            jobs::table.select(jobs::id).limit(1).load::<Id>(connection).await.map(|_| ()))
    }

    /// The database's time.
    pub async fn now(&self) -> Result<Timestamp, DbError> {
        let Moment(now) = read_query!(self.pools, connection =>
            diesel::select(clock::now()).get_result(connection).await)?;
        Ok(now)
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

    /// A job, and how its attempts ended, as both were at one moment. The last attempt is the last;
    /// the oldest of very many are forgotten.
    pub async fn find_with_attempts(
        &self,
        id: JobId,
    ) -> Result<Option<(Job, Vec<PastAttempt>)>, DbError> {
        let found: Option<(JobRow, Option<String>)> = read_query!(self.pools, connection => jobs::table
                .find(Id::from(id))
                .select((JobRow::as_select(), jobs::attempts_log))
                .first(connection)
                .await
                .optional())?;
        let Some((row, log)) = found else {
            return Ok(None);
        };
        let json = format!("[{}]", log.unwrap_or_default());
        let attempts = serde_json::from_str(&json)
            .map_err(|error| DbError::Unreadable(format!("attempts of {id}: {error}")))?;
        Ok(Some((Job::try_from(row)?, attempts)))
    }

    /// How many jobs are in each state, and how many workers are alive.
    pub async fn counts(&self) -> Result<JobCounts, DbError> {
        self.counts_beside(self.oldest_waits().await?).await
    }

    /// Both for one look at the backlog.
    pub async fn counts_and_workers(&self) -> Result<(JobCounts, WorkersReport), DbError> {
        let oldest = self.oldest_waits().await?;
        tokio::try_join!(self.counts_beside(oldest), self.workers_beside(oldest))
    }

    async fn counts_beside(&self, oldest: OldestWaits) -> Result<JobCounts, DbError> {
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
            .filter(workers::state.eq(WorkerState::Ready.as_str()))
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
pub(super) fn is_pending() -> Literal<diesel::sql_types::Bool> {
    literal("jobs.status = 'pending'")
}

/// The job is in the state in which alone `event` may happen, as a literal (see [`is_pending`]).
pub(super) fn may(event: Event) -> Literal<diesel::sql_types::Bool> {
    literal(format!("jobs.status = '{}'", event.from().as_str()))
}

/// The job is in this state, for statements that name jobs by their ids. As an expression no index
/// fits it: by a state that Postgres takes for rare, or knows from an emptier table, it would read
/// the whole backlog instead of looking the ids up.
pub(super) fn is_still(status: JobStatus) -> Literal<diesel::sql_types::Bool> {
    literal(format!("jobs.status || '' = '{}'", status.as_str()))
}

/// `status = 'processing'`, as a literal (see [`is_pending`]).
pub(super) fn is_processing() -> Literal<diesel::sql_types::Bool> {
    literal("jobs.status = 'processing'")
}
