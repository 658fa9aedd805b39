//! Events as they are read, in the order of their numbers.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::dialect::Dialect;
use super::pools::read_query;
use super::prepared::Prepare;
use super::row::JobRow;
use super::schema::jobs;
use super::types::{Id, Moment, sql};
use super::{Database, DbError};
use crate::domain::{Batch, BatchStatus, Job, JobId, JobStatus, PublicEvent, Subject};

/// The text that remembers up to which number events were deleted.
pub(super) const DELETED_UP_TO: &str = "events_deleted_up_to";

/// The largest number that was ever given; an expression.
pub(super) fn newest() -> String {
    format!(
        "COALESCE((SELECT max(sequence) FROM events), {}, 0)",
        deleted_up_to()
    )
}

fn deleted_up_to() -> String {
    format!("(SELECT CAST(value AS bigint) FROM service_state WHERE name = '{DELETED_UP_TO}')")
}

/// Which events there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRange {
    /// Events up to this number are deleted; 0: none are.
    pub deleted: u64,
    /// The number of the newest; that of the last deleted one if all are, and 0 before the first.
    pub newest: u64,
}

impl EventRange {
    /// Whether a reader that has seen the event `after` can go on without missing any.
    pub const fn can_follow(self, after: u64) -> bool {
        self.deleted <= after && after <= self.newest
    }
}

/// Of what the events are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventsOf {
    Everything,
    Job(JobId),
    /// The batch, and the jobs that it made.
    Batch(Uuid),
}

#[derive(QueryableByName)]
struct RangeRow {
    #[diesel(sql_type = BigInt)]
    newest: i64,
    #[diesel(sql_type = BigInt)]
    deleted: i64,
}

#[derive(QueryableByName)]
struct EventRow {
    #[diesel(sql_type = BigInt)]
    sequence: i64,
    #[diesel(sql_type = sql::Id)]
    id: Id,
    #[diesel(sql_type = Text)]
    event_type: String,
    #[diesel(sql_type = Nullable<sql::Id>)]
    job_id: Option<Id>,
    #[diesel(sql_type = Nullable<sql::Id>)]
    batch_id: Option<Id>,
    #[diesel(sql_type = Text)]
    status: String,
    #[diesel(sql_type = Nullable<Integer>)]
    attempts: Option<i32>,
    #[diesel(sql_type = Nullable<Text>)]
    error: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    error_code: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    error_variant: Option<String>,
    #[diesel(sql_type = Nullable<Integer>)]
    source_status: Option<i32>,
    #[diesel(sql_type = sql::Moment)]
    created_at: Moment,
}

impl Database {
    /// Which events there are.
    pub async fn event_range(&self) -> Result<EventRange, DbError> {
        let text = format!(
            "SELECT {} AS newest, COALESCE({}, 0) AS deleted",
            newest(),
            deleted_up_to()
        );
        let row: RangeRow = read_query!(self.pools, connection =>
            diesel::sql_query(text).prepared().get_result(connection).await)?;
        Ok(EventRange {
            deleted: u64::try_from(row.deleted).unwrap_or(0),
            newest: u64::try_from(row.newest).unwrap_or(0),
        })
    }

    /// The first `limit` events after the number `after`. Each shows what ended as it was then.
    pub async fn events_after(
        &self,
        of: EventsOf,
        after: u64,
        limit: u32,
    ) -> Result<Vec<PublicEvent>, DbError> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let [first, second] = [1, 2].map(|number| Dialect::of(&self.pools).parameter(number));
        let (condition, id) = match of {
            EventsOf::Everything => (String::new(), None),
            EventsOf::Job(id) => (format!(" AND job_id = {second}"), Some(Id(id.0))),
            EventsOf::Batch(id) => (format!(" AND batch_id = {second}"), Some(Id(id))),
        };
        let text = format!(
            "SELECT sequence, id, type AS event_type, job_id, batch_id, status, attempts, error, \
             error_code, error_variant, source_status, created_at FROM events \
             WHERE sequence > {first}{condition} ORDER BY sequence LIMIT {limit}"
        );
        let rows: Vec<EventRow> = read_query!(self.pools, connection => {
            let query = diesel::sql_query(text).bind::<BigInt, _>(after);
            match id {
                None => query.prepared().load(connection).await,
                Some(id) => query.bind::<sql::Id, _>(id).prepared().load(connection).await,
            }
        })?;
        self.with_subjects(rows).await
    }

    async fn with_subjects(&self, rows: Vec<EventRow>) -> Result<Vec<PublicEvent>, DbError> {
        let ids: Vec<Id> = rows.iter().filter_map(|row| row.job_id).collect();
        let mut known: HashMap<Id, JobRow> = HashMap::new();
        if !ids.is_empty() {
            let found: Vec<JobRow> = read_query!(self.pools, connection => jobs::table
                .filter(jobs::id.eq_any(ids))
                .select(JobRow::as_select())
                .load(connection)
                .await)?;
            known.extend(found.into_iter().map(|row| (row.id, row)));
        }
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let subject = match (row.job_id, row.batch_id) {
                (Some(id), _) => match known.get(&id) {
                    Some(job) => row.job(job.clone())?,
                    None => row.deleted_job(JobId(id.0))?,
                },
                (None, Some(id)) => match self.find_batch(id.0).await? {
                    Some(batch) => row.batch(batch)?,
                    None => Subject::DeletedBatch {
                        id: id.0,
                        status: row.batch_status()?,
                    },
                },
                (None, None) => return Err(row.unreadable(&"it is of nothing")),
            };
            events.push(row.with(subject)?);
        }
        Ok(events)
    }
}

impl EventRow {
    fn unreadable(&self, reason: &dyn std::fmt::Display) -> DbError {
        DbError::Unreadable(format!("event {}: {reason}", self.sequence))
    }

    fn with(&self, subject: Subject) -> Result<PublicEvent, DbError> {
        let event_type = self.event_type.parse();
        Ok(PublicEvent {
            sequence: u64::try_from(self.sequence).unwrap_or(0),
            id: self.id.0,
            event_type: event_type.map_err(|error| self.unreadable(&error))?,
            happened_at: self.created_at.0,
            subject,
        })
    }

    fn job_status(&self) -> Result<JobStatus, DbError> {
        let status = self.status.parse();
        status.map_err(|error| self.unreadable(&error))
    }

    fn batch_status(&self) -> Result<BatchStatus, DbError> {
        let status = self.status.parse();
        status.map_err(|error| self.unreadable(&error))
    }

    /// The job may have been tried again since. The result of a completed one never changes.
    fn job(&self, now: JobRow) -> Result<Subject, DbError> {
        let status = self.job_status()?;
        let job = Job::try_from(now)?;
        Ok(Subject::Job(Box::new(Job {
            status,
            attempts: self
                .attempts
                .and_then(|attempts| u32::try_from(attempts).ok())
                .unwrap_or(job.attempts),
            updated_at: self.created_at.0,
            result: job.result.filter(|_| status == JobStatus::Completed),
            error: self.error.clone(),
            error_code: self.error_code.clone(),
            error_variant: self.error_variant.clone(),
            source_status: self
                .source_status
                .and_then(|status| u16::try_from(status).ok()),
            ..job
        })))
    }

    fn deleted_job(&self, id: JobId) -> Result<Subject, DbError> {
        Ok(Subject::DeletedJob {
            id,
            status: self.job_status()?,
            error_code: self.error_code.clone(),
            batch_id: self.batch_id.map(|id| id.0),
        })
    }

    /// Jobs of the batch may have been tried again since.
    fn batch(&self, now: Batch) -> Result<Subject, DbError> {
        Ok(Subject::Batch(Box::new(Batch {
            status: self.batch_status()?,
            updated_at: self.created_at.0,
            finished_at: Some(self.created_at.0),
            ..now
        })))
    }
}
