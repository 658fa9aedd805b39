//! Ending jobs whose origin can't be asked.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::pools::{read_query, write_query};
use super::read::is_pending;
use super::ready_origins::{is_ready, is_waiting};
use super::schema::{jobs, origins};
use super::types::{Id, Moment, Status};
use super::{Database, DbError, clock};
use crate::domain::{FailureCode, JobId, JobStatus, Origin, Priority};

/// Most jobs that end in one statement: others have their turn in between.
const LARGEST_GROUP: i64 = 500;

const UNAVAILABLE: &str =
    "the source's origin could not be asked for too long: it refuses requests or does not answer";

/// A group of an origin's pending jobs for which `$condition` holds. Each index is asked for its own
/// part: a query for both parts could use none.
macro_rules! pending_of {
    ($pools:expr, $origin:expr, $condition:expr) => {{
        let origin: String = $origin;
        let by = origin.clone();
        let mut ids: Vec<Id> = read_query!($pools, connection => jobs::table
            .filter(is_pending())
            .filter(is_ready())
            .filter(jobs::origin.eq(by))
            .filter($condition)
            .select(jobs::id)
            .limit(LARGEST_GROUP)
            .load(connection)
            .await)?;
        let waiting: Vec<Id> = read_query!($pools, connection => jobs::table
            .filter(is_pending())
            .filter(is_waiting())
            .filter(jobs::origin.eq(origin))
            .filter($condition)
            .select(jobs::id)
            .limit(LARGEST_GROUP)
            .load(connection)
            .await)?;
        ids.extend(waiting);
        ids
    }};
}

impl Database {
    /// Fails pending jobs of `origin` that have used an attempt; a group of them. Returns which.
    pub async fn give_up_tried(&self, origin: &Origin) -> Result<Vec<JobId>, DbError> {
        let tried = || jobs::attempts.gt(0);
        let ids = pending_of!(self.pools, origin.as_str().to_owned(), tried());
        self.give_up(ids).await
    }

    /// Fails pending jobs that have waited for longer than `longest` and whose origin was
    /// unavailable all that time; a group of them. Returns which.
    pub async fn give_up_overdue(&self, longest: Duration) -> Result<Vec<JobId>, DbError> {
        let unavailable: Vec<(String, Moment)> = read_query!(self.pools, connection =>
            origins::table
                .filter(origins::unavailable_since.le(clock::before(longest).nullable()))
                .filter(origins::paused.eq(false))
                .select((origins::origin, clock::now()))
                .limit(LARGEST_GROUP)
                .load(connection)
                .await)?;
        let mut ended = Vec::new();
        for (origin, now) in unavailable {
            let latest = super::origin_row::millis(now) - clock::millis(longest);
            let overdue = move || waits_since_millis().le(latest);
            let ids = pending_of!(self.pools, origin, overdue());
            ended.extend(self.give_up(ids).await?);
        }
        Ok(ended)
    }

    async fn give_up(&self, ids: Vec<Id>) -> Result<Vec<JobId>, DbError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ended: Vec<Id> = write_query!(self.pools, connection => diesel::update(
                jobs::table
                    .filter(jobs::id.eq_any(ids))
                    .filter(jobs::status.eq(Status(JobStatus::Pending))),
            )
            .set((
                jobs::status.eq(Status(JobStatus::Failed)),
                jobs::due_at.eq(None::<Moment>),
                jobs::waiting.eq(false),
                jobs::updated_at.eq(clock::now()),
                jobs::error.eq(Some(UNAVAILABLE)),
                jobs::error_code.eq(Some(FailureCode::OriginUnavailable.as_str())),
            ))
            .returning(jobs::id)
            .load(connection)
            .await)?;
        Ok(ended.into_iter().map(|id| JobId(id.0)).collect())
    }
}

/// When the wait of a job began, in milliseconds since the Unix epoch.
pub(super) fn waits_since_millis() -> diesel::expression::SqlLiteral<diesel::sql_types::BigInt> {
    diesel::dsl::sql(&format!(
        "(jobs.rank - jobs.priority * {})",
        Priority::STEP_MILLIS
    ))
}
