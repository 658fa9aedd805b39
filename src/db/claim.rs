//! What every claim returns, what is held, and taking jobs over from those that died.

use std::collections::HashSet;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use diesel_async::RunQueryDsl;

use super::attempts_log::logged;
use super::literal::{Literal, literal};
use super::pools::{read_query, write_transaction};
use super::read::{is_processing, may};
use super::row::JobRow;
use super::schema::{jobs, traced_jobs};
use super::types::{Id, Moment, Status};
use super::{Database, DbError, clock};
use crate::domain::variant::SPEC_VERSION;
use crate::domain::{
    Claim, Event, FailureCode, Job, JobId, JobResult, Origin, Priority, Timestamp, TraceParent,
};

macro_rules! claim_columns {
    () => {
        (
            jobs::id,
            jobs::url,
            jobs::attempts,
            jobs::fence,
            jobs::origin,
            jobs::rank,
            jobs::priority,
            jobs::variants,
        )
    };
}

pub(super) use claim_columns;

pub(super) type ClaimRow = (Id, String, i32, i64, String, i64, i16, Option<String>);

impl Database {
    /// Which of these `(job, fence)` pairs a worker holds right now.
    pub async fn held(&self, pairs: &[(JobId, i64)]) -> Result<HashSet<(JobId, i64)>, DbError> {
        let ids: Vec<Id> = pairs.iter().map(|(id, _)| (*id).into()).collect();
        let rows: Vec<(Id, i64)> = read_query!(self.pools, connection => jobs::table
            .filter(jobs::id.eq_any(ids))
            .filter(is_processing())
            .select((jobs::id, jobs::fence))
            .load(connection)
            .await)?;
        Ok(rows
            .into_iter()
            .map(|(id, fence)| (JobId(id.0), fence))
            .collect())
    }

    /// The result of a job that was completed under this very claim.
    pub async fn completed_under(
        &self,
        id: JobId,
        fence: i64,
    ) -> Result<Option<JobResult>, DbError> {
        let row: Option<JobRow> = read_query!(self.pools, connection => jobs::table
            .find(Id::from(id))
            .filter(jobs::fence.eq(fence))
            .filter(jobs::status.eq(Status(Event::Completed.to())))
            .select(JobRow::as_select())
            .first(connection)
            .await
            .optional())?;
        Ok(row
            .map(Job::try_from)
            .transpose()?
            .and_then(|job| job.result)
            .map(|result| *result))
    }

    /// In which trace a job was submitted.
    pub async fn traceparent(&self, id: JobId) -> Result<Option<TraceParent>, DbError> {
        let text: Option<Option<String>> = read_query!(self.pools, connection => traced_jobs::table
            .find(Id::from(id))
            .select(traced_jobs::traceparent)
            .first(connection)
            .await
            .optional())?;
        Ok(text.flatten().and_then(|text| TraceParent::parse(&text)))
    }

    /// What `worker` holds, whether it knows that or not.
    pub async fn held_by(&self, worker: uuid::Uuid) -> Result<Vec<Claim>, DbError> {
        let rows: Vec<ClaimRow> = read_query!(self.pools, connection => jobs::table
            .filter(is_processing())
            .filter(jobs::worker_id.eq(Id(worker)))
            .select(claim_columns!())
            .load(connection)
            .await)?;
        Ok(rows.into_iter().map(claim_of).collect())
    }

    /// Makes jobs pending again whose lease has expired. Those that have used up `max_attempts`
    /// fail: as poison if every attempt died, else as lost by their worker. Returns `(requeued,
    /// failed)`. `delay` gives the wait of a job after its number of attempts.
    pub async fn take_over_expired(
        &self,
        max_attempts: u32,
        delay: impl Fn(u32) -> Duration,
    ) -> Result<(Vec<JobId>, Vec<(JobId, FailureCode)>), DbError> {
        // Looked for first: there are rarely any, and a look takes no lock.
        let found: Vec<(Id, i32, i32, i64, Moment)> = read_query!(self.pools, connection => jobs::table
            .filter(is_processing())
            .filter(jobs::due_at.lt(clock::now().nullable()))
            .order(jobs::id.asc())
            .select((jobs::id, jobs::attempts, jobs::deaths, jobs::fence, clock::now()))
            .limit(LARGEST_TAKEOVER)
            .load(connection)
            .await)?;
        let Some(&(.., looked)) = found.as_slice().first() else {
            return Ok(Default::default());
        };
        let expired: Vec<(Id, i64, Result<Duration, FailureCode>)> = found
            .into_iter()
            .map(|(id, attempts, deaths, fence, _)| {
                let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
                let deaths = u32::try_from(deaths).unwrap_or(u32::MAX).saturating_add(1);
                let next = if attempts < max_attempts {
                    Ok(delay(attempts))
                } else if deaths >= max_attempts {
                    Err(FailureCode::Poison)
                } else {
                    Err(FailureCode::WorkerLost)
                };
                (id, fence, next)
            })
            .collect();
        let pools = self.pools.clone();
        let logs = move |event, code: Option<FailureCode>| {
            logged(&pools, event, code.map(FailureCode::as_str))
        };
        write_transaction!(self.pools, connection => {
            let (mut requeued, mut failed) = (Vec::new(), Vec::new());
            for (id, fence, next) in expired {
                let event = match next {
                    Ok(_) => Event::LeaseExpired,
                    Err(_) => Event::WorkerLost,
                };
                // Not "before now": a server that was frozen may run this long after it was sent,
                // when leases have expired that nobody could renew.
                let job = jobs::table
                    .find(id)
                    .filter(may(event))
                    .filter(jobs::fence.eq(fence))
                    .filter(jobs::due_at.lt(looked));
                let common = (
                    jobs::worker_id.eq(None::<Id>),
                    jobs::deaths.eq(jobs::deaths + 1),
                    jobs::updated_at.eq(clock::now()),
                    jobs::attempts_log.eq(literal::<Nullable<Text>>(logs(event, next.err()))),
                );
                match next {
                    Ok(delay) => {
                        let rows = diesel::update(job)
                            .set((
                                common,
                                jobs::status.eq(Status(event.to())),
                                jobs::due_at.eq(clock::after(delay).nullable()),
                                jobs::waiting.eq(true),
                            ))
                            .execute(connection)
                            .await?;
                        requeued.extend((rows == 1).then_some(JobId(id.0)));
                    }
                    Err(code) => {
                        let rows = diesel::update(job)
                            .set((
                                common,
                                jobs::status.eq(Status(event.to())),
                                jobs::due_at.eq(None::<Moment>),
                                jobs::error.eq(Some(lost_message(code))),
                                jobs::error_code.eq(Some(code.as_str())),
                                jobs::error_variant.eq(None::<String>),
                            ))
                            .execute(connection)
                            .await?;
                        failed.extend((rows == 1).then_some((JobId(id.0), code)));
                    }
                }
            }
            Ok::<_, diesel::result::Error>((requeued, failed))
        })
    }
}

pub(super) fn claim_of(row: ClaimRow) -> Claim {
    let (id, url, attempts, fence, origin, rank, priority, variants) = row;
    let waits_since = (rank - i64::from(priority) * Priority::STEP_MILLIS).saturating_mul(1000);
    Claim {
        id: JobId(id.0),
        url,
        origin: Origin::stored(&origin),
        waits_since: Timestamp::from_unix_micros(waits_since).unwrap_or(Timestamp::EPOCH),
        attempt: u32::try_from(attempts).unwrap_or(u32::MAX),
        fence,
        variants,
    }
}

/// A job whose row this version understands: no other job is claimed.
pub(super) fn is_understood() -> Literal<diesel::sql_types::Bool> {
    literal(format!("jobs.{}", understood()))
}

/// The same as text, without the name of the table.
pub(super) fn understood() -> String {
    format!("spec_version <= {SPEC_VERSION}")
}

/// The most jobs that are taken over in one transaction; each costs a round trip.
const LARGEST_TAKEOVER: i64 = 100;

const fn lost_message(code: FailureCode) -> &'static str {
    match code {
        FailureCode::Poison => {
            "the worker died or stalled while it worked on this job, at every allowed attempt"
        }
        _ => "the worker died or stalled during the last attempt",
    }
}

/// The claim itself, on a filtered `jobs` of either database.
macro_rules! claiming {
    ($jobs:expr, $worker:expr, $lease:expr) => {
        diesel::update(
            $jobs
                .filter($crate::db::read::is_still(Event::Claimed.from()))
                .filter(jobs::waiting.eq(false))
                .filter($crate::db::claim::is_understood()),
        )
        .set((
            jobs::status.eq(Status(Event::Claimed.to())),
            jobs::attempts.eq(jobs::attempts + 1),
            jobs::fence.eq(jobs::fence + 1),
            jobs::due_at.eq(clock::after($lease).nullable()),
            jobs::worker_id.eq(Some(Id($worker))),
            jobs::updated_at.eq(clock::now()),
        ))
        .returning(claim_columns!())
    };
}
pub(super) use claiming;
