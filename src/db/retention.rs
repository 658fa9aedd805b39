//! Jobs whose time is over: they ended long ago, or have passed the end that their client set.
//!
//! Both are found in slices and by indexes that are there for other queries. A job ends after it was
//! created, so those that ended long ago are among the oldest of their state.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::dialect::Dialect;
use super::life::Deleted;
use super::pools::read_query;
use super::schema::jobs;
use super::types::{Id, Moment, Status, sql};
use super::{Database, DbError, clock};
use crate::domain::{JobId, JobStatus, ListPlace, Timestamp};

/// Some of the oldest jobs of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    status: JobStatus,
    /// The jobs among them that ended before `before`.
    pub ids: Vec<JobId>,
    before: Timestamp,
    /// Where to go on; `None`: there are no more.
    pub next: Option<ListPlace>,
}

/// Some of the jobs whose own end has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    pub ids: Vec<JobId>,
    before: Timestamp,
}

#[derive(QueryableByName)]
struct ExpiredRow {
    #[diesel(sql_type = sql::Id)]
    id: Id,
    #[diesel(sql_type = sql::Moment)]
    now: Moment,
}

/// Earlier than every job.
const BEGINNING: ListPlace = ListPlace {
    created_at: Timestamp::EPOCH,
    id: uuid::Uuid::nil(),
};

impl Database {
    /// Looks at `limit` jobs with a final `status` that were created more than `keeping` ago, the
    /// oldest first, from `after` on.
    pub async fn overdue(
        &self,
        status: JobStatus,
        keeping: Duration,
        after: Option<ListPlace>,
        limit: u32,
    ) -> Result<Option<Overdue>, DbError> {
        let ListPlace { created_at, id } = after.unwrap_or(BEGINNING);
        let rows: Vec<(Id, Moment, bool, Moment)> = read_query!(self.pools, connection => jobs::table
            .filter(jobs::status.eq(Status(status)))
            .filter(jobs::created_at.lt(clock::before(keeping)))
            .filter(jobs::created_at.ge(Moment(created_at)))
            .filter(jobs::created_at.gt(Moment(created_at)).or(jobs::id.gt(Id(id))))
            .order((jobs::created_at.asc(), jobs::id.asc()))
            .select((
                jobs::id,
                jobs::created_at,
                // Nothing changes an ended job: this is its end.
                jobs::updated_at.lt(clock::before(keeping)),
                clock::before(keeping),
            ))
            .limit(i64::from(limit))
            .load(connection)
            .await)?;
        let Some(&(Id(id), Moment(created_at), _, Moment(before))) = rows.last() else {
            return Ok(None);
        };
        let is_full = rows.len() >= limit as usize;
        let ended = rows.into_iter().filter(|(_, _, has_ended, _)| *has_ended);
        Ok(Some(Overdue {
            status,
            ids: ended.map(|(id, ..)| JobId(id.0)).collect(),
            before,
            next: is_full.then_some(ListPlace { created_at, id }),
        }))
    }

    /// Deletes those of these jobs that nobody has tried again meanwhile.
    pub async fn delete_overdue(&self, overdue: &Overdue) -> Result<Vec<Deleted>, DbError> {
        let before = Dialect::of(&self.pools).moment(overdue.before.unix_micros());
        let status = overdue.status.as_str();
        let condition = format!("status = '{status}' AND updated_at < {before}");
        self.delete_where(&overdue.ids, &condition).await
    }

    /// Up to `limit` jobs whose own end has come, the longest past first; `None` without any.
    pub async fn expired(&self, limit: u32) -> Result<Option<Expired>, DbError> {
        let now = Dialect::of(&self.pools).now;
        let text = format!(
            "SELECT id, {now} AS now FROM jobs WHERE expires_at IS NOT NULL \
             AND expires_at <= {now} ORDER BY expires_at LIMIT {limit}"
        );
        let rows: Vec<ExpiredRow> = read_query!(self.pools, connection =>
            diesel::sql_query(text).load(connection).await)?;
        let [first, ..] = &rows[..] else {
            return Ok(None);
        };
        let before = first.now.0;
        let ids = rows.into_iter().map(|row| JobId(row.id.0)).collect();
        Ok(Some(Expired { ids, before }))
    }

    /// Deletes those of these jobs that nobody has tried again meanwhile.
    pub async fn delete_expired(&self, expired: &Expired) -> Result<Vec<Deleted>, DbError> {
        let before = Dialect::of(&self.pools).moment(expired.before.unix_micros());
        let condition = format!("expires_at <= {before}");
        self.delete_where(&expired.ids, &condition).await
    }
}
