//! Ends jobs whose origin stays unavailable.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;

use super::claim_ready::ALL_ORIGINS;
use super::literal::{Literal, literal};
use super::pools::{read_query, write_query};
use super::read::{is_pending, is_still};
use super::ready_origins::{is_ready, is_waiting};
use super::schema::{jobs, origins};
use super::types::{Id, Moment, Status, sql};
use super::{Database, DbError, clock};
use crate::domain::origin_record::PROBES_TO_GIVE_UP;
use crate::domain::{Event, FailureCode, JobId, Origin, Priority};

/// Most jobs that end in one statement: others get their turn in between.
const LARGEST_GROUP: i64 = 500;

const UNAVAILABLE: &str = "the source's origin could not be asked for too long: \
    it refuses requests or does not answer";

/// Origins that have been unavailable for long enough, with jobs that have waited for long enough.
/// `$1` is the latest moment at which they began; `$2` the longest wait in milliseconds. As `EXISTS`
/// Postgres may read the whole backlog at once.
const OVERDUE: &str = "\
    SELECT origin, unavailable_since, updated_at FROM origins \
    WHERE unavailable_since <= $1 AND NOT paused AND ((SELECT 1 FROM jobs \
            WHERE jobs.status = 'pending' AND NOT jobs.waiting AND jobs.origin = origins.origin \
            AND jobs.rank - jobs.priority * 60000 <= $2 LIMIT 1) IS NOT NULL \
        OR (SELECT 1 FROM jobs \
            WHERE jobs.status = 'pending' AND jobs.waiting AND jobs.origin = origins.origin \
            AND jobs.rank - jobs.priority * 60000 <= $2 LIMIT 1) IS NOT NULL)";

#[derive(QueryableByName)]
struct Overdue {
    #[diesel(sql_type = Text)]
    origin: String,
    #[diesel(sql_type = sql::Moment)]
    unavailable_since: Moment,
    #[diesel(sql_type = sql::Moment)]
    updated_at: Moment,
}

/// A group of an origin's pending jobs for which `$condition` holds. Each index answers its own
/// part: a query for both parts could use neither.
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
    /// Fails pending jobs of `origin` that have used an attempt, a group of them, and returns
    /// which. `None` if its record no longer says that they are to end.
    pub async fn give_up_tried(&self, origin: &Origin) -> Result<Option<Vec<JobId>>, DbError> {
        let name = origin.as_str().to_owned();
        let openings: Option<i32> = read_query!(self.pools, connection => origins::table
            .find(name)
            .select(origins::openings)
            .first(connection)
            .await
            .optional())?;
        let failed = openings.and_then(|openings| u32::try_from(openings).ok());
        if failed.is_none_or(|openings| openings <= PROBES_TO_GIVE_UP) {
            return Ok(None);
        }
        let tried = || jobs::attempts.gt(0);
        let ids = pending_of!(self.pools, origin.as_str().to_owned(), tried());
        self.give_up(ids).await.map(Some)
    }

    /// Fails pending jobs that have waited for longer than `longest` and whose origin gave nothing
    /// but refusals and failures in all that time, the last of them after that; a group of each
    /// origin. Returns which. While everything is paused no origin is asked, and nothing ends.
    pub async fn give_up_overdue(&self, longest: Duration) -> Result<Vec<JobId>, DbError> {
        let (now, paused): (Moment, bool) = read_query!(self.pools, connection => {
            let now: Moment = diesel::select(clock::now()).get_result(connection).await?;
            let paused: Option<bool> = origins::table
                .find(ALL_ORIGINS)
                .select(origins::paused)
                .first(connection)
                .await
                .optional()?;
            Ok::<_, diesel::result::Error>((now, paused.unwrap_or(false)))
        })?;
        if paused {
            return Ok(Vec::new());
        }
        let longest = clock::millis(longest);
        let latest = super::origin_row::millis(now) - longest;
        let since = super::origin_row::moment(latest);
        let overdue: Vec<Overdue> = read_query!(self.pools, connection =>
            diesel::sql_query(OVERDUE)
                .bind::<sql::Moment, _>(since)
                .bind::<BigInt, _>(latest)
                .load(connection)
                .await)?;
        let mut ended = Vec::new();
        for found in overdue {
            // What matters is when the origin was last asked, not what time it is.
            let last = super::origin_row::millis(found.updated_at) - longest;
            if super::origin_row::millis(found.unavailable_since) > last {
                continue;
            }
            let waited = move || waits_since_millis().le(last);
            let ids = pending_of!(self.pools, found.origin, waited());
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
                    .filter(is_still(Event::OriginGivenUp.from())),
            )
            .set((
                jobs::status.eq(Status(Event::OriginGivenUp.to())),
                jobs::due_at.eq(None::<Moment>),
                jobs::waiting.eq(false),
                jobs::updated_at.eq(clock::now()),
                jobs::error.eq(Some(UNAVAILABLE)),
                jobs::error_code.eq(Some(FailureCode::OriginUnavailable.as_str())),
                jobs::error_variant.eq(None::<String>),
            ))
            .returning(jobs::id)
            .load(connection)
            .await)?;
        Ok(ended.into_iter().map(|id| JobId(id.0)).collect())
    }
}

/// When the wait of a job began, in milliseconds since the Unix epoch.
fn waits_since_millis() -> Literal<BigInt> {
    literal(format!(
        "(jobs.rank - jobs.priority * {})",
        Priority::STEP_MILLIS
    ))
}
