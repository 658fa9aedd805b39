//! Takes jobs of origins without restrictions: many origins in one statement.
//!
//! An origin whose record restricts it is skipped here, and named in the answer: its jobs are
//! claimed one origin at a time, under its record ([`super::claim_limited`]).

use std::collections::HashMap;
use std::time::Duration;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Integer, Nullable, SmallInt, Text};
use diesel_async::RunQueryDsl;

use super::claim::{ClaimRow, claim_columns, claim_of, claiming, understood};
use super::origin_row::{OriginRow, millis};
use super::pools::{AsyncSqlite, Pool, Pools, on_pool};
use super::postgres_pool::PostgresPool;
use super::prepared::Prepare;
use super::read::is_pending;
use super::schema::{jobs, origins};
use super::types::{Id, Moment, Status, sql};
use super::{Database, DbError, clock};
use crate::domain::{Claim, Event, JobId, Origin};

/// The row that stands for all origins.
pub(super) const ALL_ORIGINS: &str = "*";

/// Which jobs to claim. Of each origin the first ones are taken, in the order of claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimSource {
    /// As many jobs of an origin as there are ids of its jobs here, whatever became of those; at
    /// most `room` of it, or as many as `rooms` gives it.
    Bells {
        ids: Vec<JobId>,
        room: u32,
        rooms: Vec<(Origin, u32)>,
    },
    /// This many jobs of each.
    Origins(Vec<(Origin, u32)>),
}

/// The result of a claim.
#[derive(Debug, Default)]
pub struct Claimed {
    pub claims: Vec<Claim>,
    pub skipped: Vec<SkippedOrigin>,
    /// Nothing is claimed at all at present.
    pub queue_is_paused: bool,
}

/// An origin that was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedOrigin {
    pub origin: Origin,
    /// When to ask again; zero if its jobs are to be claimed under its record at once.
    pub ask_again: Duration,
}

/// Longer lists are rare, and each length is a statement of its own in SQLite.
const FEW: usize = 16;

/// How long to wait for the end of a pause that no other process announces.
pub(super) const PAUSE_RECHECK: Duration = Duration::from_secs(1);

impl Database {
    /// Claims pending jobs for `worker`: of any number of concurrent claims of a job exactly one
    /// returns it. The lease ends after `lease` by the database's clock unless it is renewed.
    pub async fn claim(
        &self,
        source: ClaimSource,
        worker: uuid::Uuid,
        lease: Duration,
    ) -> Result<Claimed, DbError> {
        match &self.pools {
            Pools::Postgres(pool) => claim_in_statement(pool, source, worker, lease).await,
            Pools::Sqlite { readers, writer } => {
                let (ids, mut claimed) = choose(readers, source).await?;
                if !ids.is_empty() {
                    let are_few = ids.len() <= FEW;
                    let rows: Vec<ClaimRow> = on_pool!(writer, connection => claiming!(
                        jobs::table.filter(jobs::id.eq_any(ids)), worker, lease
                    ).prepared_if(are_few).load(connection).await)?;
                    claimed.claims = rows.into_iter().map(claim_of).collect();
                }
                Ok(claimed.in_order())
            }
        }
    }
}

impl Claimed {
    /// RETURNING keeps no order; UUIDv7 ids sort by the time of submission.
    fn in_order(mut self) -> Self {
        self.claims.sort_by_key(|claim| claim.id);
        self
    }

    fn hold_back(&mut self, row: &OriginRow, now: Moment) {
        let record = row.record();
        let now = millis(now);
        if row.origin == ALL_ORIGINS {
            self.queue_is_paused |= record.paused;
        } else if record.restricts(now) {
            let ask_again = match record.parked_until {
                _ if record.paused => PAUSE_RECHECK,
                Some(until) => Duration::from_millis(u64::try_from(until - now).unwrap_or(0)),
                None => Duration::ZERO,
            };
            let origin = Origin::stored(&row.origin);
            self.skipped.push(SkippedOrigin { origin, ask_again });
        }
    }
}

/// Looks for what may be claimed, without a lock: SQLite has one writer at a time.
async fn choose(
    readers: &Pool<AsyncSqlite>,
    source: ClaimSource,
) -> Result<(Vec<Id>, Claimed), DbError> {
    on_pool!(readers, connection => {
        let wanted: Vec<(String, u32)> = match source {
            ClaimSource::Origins(wanted) => wanted
                .into_iter()
                .map(|(origin, count)| (origin.as_str().to_owned(), count))
                .collect(),
            ClaimSource::Bells { ids, room, rooms } => {
                let ids: Vec<Id> = ids.into_iter().map(Id::from).collect();
                let rung: Vec<String> = jobs::table
                    .filter(jobs::id.eq_any(ids))
                    .select(jobs::origin)
                    .load(connection)
                    .await?;
                let mut counts: HashMap<String, u32> = HashMap::new();
                for origin in rung {
                    *counts.entry(origin).or_default() += 1;
                }
                let known = |origin: &str| {
                    let of = |(name, room): &(Origin, u32)| (name.as_str() == origin).then_some(*room);
                    rooms.iter().find_map(of).unwrap_or(room)
                };
                counts
                    .into_iter()
                    .map(|(origin, count)| {
                        let count = count.min(known(&origin));
                        (origin, count)
                    })
                    .collect()
            }
        };
        let names = wanted.iter().map(|(origin, _)| origin.as_str()).chain([ALL_ORIGINS]);
        let rows: Vec<(OriginRow, Moment)> = origins::table
            .filter(origins::origin.eq_any(names))
            .select((OriginRow::as_select(), clock::now()))
            .load(connection)
            .await?;
        let mut claimed = Claimed::default();
        for (row, now) in &rows {
            claimed.hold_back(row, *now);
        }
        let mut chosen: Vec<Id> = Vec::new();
        for (origin, count) in wanted {
            let is_held = claimed.skipped.iter().any(|skipped| skipped.origin.as_str() == origin);
            if count == 0 || is_held || claimed.queue_is_paused {
                continue;
            }
            let ids: Vec<Id> = ready_of!(origin, count).load(connection).await?;
            chosen.extend(ids);
        }
        Ok::<_, diesel::result::Error>((chosen, claimed))
    })
}

/// The ids of an origin's first jobs that may be claimed.
macro_rules! ready_of {
    ($origin:expr, $count:expr) => {
        jobs::table
            .filter(is_pending())
            .filter($crate::db::ready_origins::is_ready())
            .filter($crate::db::claim::is_understood())
            .filter(jobs::origin.eq($origin))
            .order((jobs::rank.asc(), jobs::id.asc()))
            .select(jobs::id)
            .limit(i64::from($count))
    };
}
pub(super) use ready_of;

async fn claim_in_statement(
    pool: &PostgresPool,
    source: ClaimSource,
    worker: uuid::Uuid,
    lease: Duration,
) -> Result<Claimed, DbError> {
    let (wanted, bells) = match source {
        ClaimSource::Origins(wanted) => (wanted, None),
        ClaimSource::Bells { ids, room, rooms } => (rooms, Some((ids, room))),
    };
    let claim = ClaimMany {
        origins: wanted
            .iter()
            .map(|(origin, _)| origin.as_str().to_owned())
            .collect(),
        counts: wanted
            .iter()
            .map(|(_, count)| i32::try_from(*count).unwrap_or(i32::MAX))
            .collect(),
        room: bells
            .as_ref()
            .map(|(_, room)| i32::try_from(*room).unwrap_or(i32::MAX)),
        ids: bells
            .into_iter()
            .flat_map(|(ids, _)| ids)
            .map(Id::from)
            .collect(),
        status: Status(Event::Claimed.to()),
        worker: Id(worker),
        lease_millis: clock::millis(lease),
    };
    let rows: Vec<Row> = on_pool!(pool, connection => claim.load(connection).await)?;
    let mut claimed = Claimed::default();
    for (origin, id, url, attempts, fence, rank, priority, variants, ask_again) in rows {
        match (id, url, attempts, fence, rank, priority) {
            (Some(id), Some(url), Some(attempts), Some(fence), Some(rank), Some(priority)) => {
                let row = (id, url, attempts, fence, origin, rank, priority, variants);
                claimed.claims.push(claim_of(row));
            }
            _ if origin == ALL_ORIGINS => claimed.queue_is_paused = true,
            _ => claimed.skipped.push(SkippedOrigin {
                origin: Origin::stored(&origin),
                ask_again: Duration::from_millis(
                    ask_again
                        .and_then(|millis| u64::try_from(millis).ok())
                        .unwrap_or(0),
                ),
            }),
        }
    }
    Ok(claimed.in_order())
}

/// A claimed job, or an origin that is held back, with the milliseconds to wait.
type Row = (
    String,
    Option<Id>,
    Option<String>,
    Option<i32>,
    Option<i64>,
    Option<i64>,
    Option<i16>,
    Option<String>,
    Option<i64>,
);

#[derive(QueryId)]
struct ClaimMany {
    origins: Vec<String>,
    counts: Vec<i32>,
    /// With bells: of an origin that is not named in `origins`.
    room: Option<i32>,
    ids: Vec<Id>,
    /// Bound, though it is always the same: a proxy in the tests recognises claims by it.
    status: Status,
    worker: Id,
    lease_millis: i64,
}

impl Query for ClaimMany {
    type SqlType = (
        Text,
        Nullable<sql::Id>,
        Nullable<Text>,
        Nullable<Integer>,
        Nullable<BigInt>,
        Nullable<BigInt>,
        Nullable<SmallInt>,
        Nullable<Text>,
        Nullable<BigInt>,
    );
}

impl QueryFragment<Pg> for ClaimMany {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql("WITH named AS (SELECT * FROM unnest(");
        pass.push_bind_param::<Array<Text>, _>(&self.origins)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Array<Integer>, _>(&self.counts)?;
        pass.push_sql(") AS n (origin, room)), rung AS (SELECT origin, count(*) AS bells FROM jobs WHERE id = ANY(");
        pass.push_bind_param::<Array<sql::Id>, _>(&self.ids)?;
        pass.push_sql(") GROUP BY origin), room AS (SELECT ");
        pass.push_bind_param::<Nullable<Integer>, _>(&self.room)?;
        // The planner does not know how few are wanted, and might read a whole table or the whole
        // backlog. So origins are looked up laterally, and the jobs by an array of ids, with the
        // status in a form that no index answers. Without bells, and so without room for origins
        // that are not named, all that are named are wanted.
        pass.push_sql(
            " AS room), wanted AS MATERIALIZED (\
             SELECT origin, room FROM named WHERE (SELECT room FROM room) IS NULL \
             UNION ALL \
             SELECT rung.origin, LEAST(rung.bells, COALESCE(named.room, (SELECT room FROM room))) \
             FROM rung LEFT JOIN named ON named.origin COLLATE \"C\" = rung.origin), \
             held AS MATERIALIZED (SELECT origin, 0::bigint AS ask_again FROM origins \
             WHERE origin = '*' AND paused \
             UNION ALL \
             SELECT o.origin, CASE WHEN o.paused THEN 1000 \
             WHEN o.parked_until > now() THEN (extract(epoch FROM o.parked_until - now()) * 1000)::bigint \
             ELSE 0 END FROM wanted CROSS JOIN LATERAL (SELECT * FROM origins \
             WHERE origins.origin = wanted.origin COLLATE \"C\" LIMIT 1) AS o \
             WHERE o.paused OR o.parked_until > now() OR o.rate IS NOT NULL OR o.openings > 0), \
             open AS MATERIALIZED (SELECT origin, room FROM wanted WHERE room > 0 \
             AND NOT EXISTS (SELECT FROM held \
             WHERE held.origin = '*' OR held.origin = wanted.origin COLLATE \"C\")), \
             picked AS MATERIALIZED (SELECT ready.id FROM open CROSS JOIN LATERAL \
             (SELECT jobs.id FROM jobs WHERE jobs.status = 'pending' AND NOT jobs.waiting AND jobs.",
        );
        pass.push_sql(&understood());
        pass.push_sql(
            " AND jobs.origin = open.origin COLLATE \"C\" ORDER BY jobs.rank, jobs.id \
             LIMIT open.room FOR UPDATE SKIP LOCKED) AS ready), \
             claimed AS (UPDATE jobs SET status = ",
        );
        pass.push_bind_param::<Text, _>(&self.status)?;
        pass.push_sql(
            ", attempts = attempts + 1, fence = fence + 1, updated_at = now(), due_at = now() + ",
        );
        pass.push_bind_param::<BigInt, _>(&self.lease_millis)?;
        pass.push_sql(" * interval '1 millisecond', worker_id = ");
        pass.push_bind_param::<sql::Id, _>(&self.worker)?;
        pass.push_sql(
            " WHERE jobs.id = ANY (ARRAY(SELECT id FROM picked)) AND jobs.status || '' = 'pending' \
             RETURNING jobs.origin, jobs.id, jobs.url, jobs.attempts, jobs.fence, jobs.rank, \
             jobs.priority, jobs.variants) \
             SELECT origin, id, url, attempts, fence, rank, priority, variants, NULL::bigint \
             FROM claimed UNION ALL \
             SELECT origin, NULL, NULL, NULL, NULL, NULL, NULL, NULL, ask_again FROM held",
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_take_jobs_in_the_state_that_the_table_says() {
        let claim = ClaimMany {
            origins: Vec::new(),
            counts: Vec::new(),
            room: None,
            ids: Vec::new(),
            status: Status(Event::Claimed.to()),
            worker: Id(uuid::Uuid::nil()),
            lease_millis: 0,
        };
        let text = diesel::debug_query::<Pg, _>(&claim).to_string();
        let word = Event::Claimed.from().as_str();
        for status in ["jobs.status = ", "jobs.status || '' = "] {
            assert_eq!(text.matches(status).count(), 1, "{text}");
            let condition = format!("{status}'{word}' ");
            assert_eq!(text.matches(&condition).count(), 1, "{text}");
        }
    }
}
