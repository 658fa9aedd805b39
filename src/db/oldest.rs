//! How long the oldest jobs have waited, counted apart: those that could run, and those that are
//! held up by a park or a pause. No query reads the whole backlog.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable};
use diesel_async::RunQueryDsl;

use super::claim_ready::ALL_ORIGINS;
use super::dialect::Dialect;
use super::origin_sql::BEFORE_ALL;
use super::pools::read_query;
use super::{Database, DbError};
use crate::domain::Priority;

/// How many of the oldest pending jobs are looked at before origins are.
const OLDEST: i64 = 1000;
/// How many origins are looked at then.
const ORIGINS: usize = 10_000;

/// Ages in seconds; `None` where no job waits so.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct OldestWaits {
    pub runnable: Option<f64>,
    pub held_up: Option<f64>,
    /// The whole queue is paused.
    pub is_paused: bool,
}

/// What one look finds out. Moments are milliseconds since the Unix epoch.
#[derive(QueryableByName)]
struct LookRow {
    #[diesel(sql_type = BigInt)]
    is_paused: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    held_up: Option<i64>,
    /// Among the oldest jobs, as is `runnable`.
    #[diesel(sql_type = Nullable<BigInt>)]
    ready: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    runnable: Option<i64>,
    /// How many the oldest are.
    #[diesel(sql_type = BigInt)]
    looked_at: i64,
    #[diesel(sql_type = BigInt)]
    now: i64,
}

#[derive(QueryableByName)]
struct WaitRow {
    #[diesel(sql_type = Nullable<BigInt>)]
    began: Option<i64>,
    #[diesel(sql_type = BigInt)]
    now: i64,
}

impl Database {
    pub(super) async fn oldest_waits(&self) -> Result<OldestWaits, DbError> {
        let Dialect { now, millis, .. } = Dialect::of(&self.pools);
        let blocked = format!("paused OR parked_until > {now}");
        let free = format!("origin NOT IN (SELECT origin FROM origins WHERE {blocked})");
        let began = began();
        let look = format!(
            "SELECT (SELECT count(*) FROM origins WHERE origin = '{ALL_ORIGINS}' AND paused) \
             AS is_paused, \
             (SELECT min((SELECT {began} FROM jobs WHERE status = 'pending' AND NOT waiting \
             AND jobs.origin = origins.origin ORDER BY rank, id LIMIT 1)) \
             FROM origins WHERE {blocked}) AS held_up, \
             count(*) AS looked_at, {millis} AS now, \
             min(CASE WHEN NOT waiting THEN {began} END) AS ready, \
             min(CASE WHEN NOT waiting AND {free} THEN {began} END) AS runnable \
             FROM (SELECT origin, waiting, rank, priority FROM jobs WHERE status = 'pending' \
             ORDER BY created_at, id LIMIT {OLDEST}) AS oldest"
        );
        let look: LookRow = read_query!(self.pools, connection =>
            diesel::sql_query(look).get_result(connection).await)?;
        let since = |began: Option<i64>| began.map(|began| seconds(began, look.now));
        let is_paused = look.is_paused != 0;
        let (free, among_the_oldest) = match is_paused {
            true => ("true", look.ready),
            false => (free.as_str(), look.runnable),
        };
        let first = match since(among_the_oldest) {
            // There may be others than the oldest.
            None if look.looked_at >= OLDEST => self.first_ready(free).await?,
            found => found,
        };
        Ok(match is_paused {
            true => OldestWaits {
                runnable: None,
                held_up: first,
                is_paused,
            },
            false => OldestWaits {
                runnable: first,
                held_up: since(look.held_up),
                is_paused,
            },
        })
    }

    /// Since when the oldest due job of the `free` origins has waited, where those that were looked
    /// at are all held up: the first job of each origin is looked up, each with one look into an
    /// index. A more urgent job comes before one that is up to nine minutes older.
    async fn first_ready(&self, free: &str) -> Result<Option<f64>, DbError> {
        let millis = Dialect::of(&self.pools).millis;
        let began = began();
        let next = |after: &str| {
            format!(
                "SELECT origin FROM jobs WHERE status = 'pending' AND NOT waiting \
                 AND origin > {after} ORDER BY origin LIMIT 1"
            )
        };
        let (first, following) = (next(&format!("'{BEFORE_ALL}'")), next("step.origin"));
        let query = format!(
            "WITH RECURSIVE step (origin, number) AS (SELECT ({first}), 1 UNION ALL \
             SELECT ({following}), number + 1 FROM step \
             WHERE step.origin IS NOT NULL AND number < {ORIGINS}) \
             SELECT min((SELECT {began} FROM jobs WHERE status = 'pending' AND NOT waiting \
             AND jobs.origin = step.origin ORDER BY rank, id LIMIT 1)) AS began, \
             {millis} AS now FROM step WHERE origin IS NOT NULL AND {free}"
        );
        let row: WaitRow = read_query!(self.pools, connection =>
            diesel::sql_query(query).get_result(connection).await)?;
        Ok(row.began.map(|began| seconds(began, row.now)))
    }
}

/// When the wait of a job began, in milliseconds since the Unix epoch.
fn began() -> String {
    format!("rank - priority * {}", Priority::STEP_MILLIS)
}

fn seconds(began: i64, now: i64) -> f64 {
    now.saturating_sub(began).max(0) as f64 / 1e3
}
