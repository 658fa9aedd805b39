//! Finds the origins that have work, without reading their jobs.

use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, SmallInt, Text};
use diesel_async::RunQueryDsl;

use super::claim::{is_understood, understood};
use super::literal::{Literal, literal};
use super::pools::{read_query, write_query};
use super::read::{is_pending, is_still};
use super::schema::jobs;
use super::types::{Id, Moment, sql};
use super::{Database, DbError, clock};
use crate::domain::{JobId, JobStatus, Origin, Priority, SourceUrl};

/// Most jobs whose wait ends in one statement, and most statements in one call.
const LARGEST_GROUP: i64 = 500;
const MOST_GROUPS: usize = 20;

/// Where jobs are put whose URL has no origin.
const NOWHERE: &str = "http://invalid:80";

/// An origin with jobs that may be claimed, and the priority of the first of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadyOrigin {
    pub origin: Origin,
    pub priority: Priority,
    /// Its record holds a pause or a park.
    pub is_held: bool,
}

#[derive(QueryableByName)]
struct ReadyRow {
    #[diesel(sql_type = Text)]
    origin: String,
    #[diesel(sql_type = SmallInt)]
    priority: i16,
    #[diesel(sql_type = Bool)]
    is_held: bool,
}

/// A loose index scan (<https://wiki.postgresql.org/wiki/Loose_indexscan>): each step finds the
/// next origin in the index, however many jobs the one before has.
fn next_origins() -> String {
    let (known, of_jobs) = (understood(), format!("jobs.{}", understood()));
    format!(
        "WITH RECURSIVE found (origin) AS ( \
            SELECT * FROM (SELECT origin FROM jobs WHERE status = 'pending' AND NOT waiting \
                AND {known} AND origin > $1 ORDER BY origin LIMIT 1) AS first \
            UNION ALL \
            SELECT (SELECT jobs.origin FROM jobs WHERE jobs.status = 'pending' \
                AND NOT jobs.waiting AND {of_jobs} \
                AND jobs.origin > found.origin ORDER BY jobs.origin LIMIT 1) \
            FROM found WHERE found.origin IS NOT NULL), \
        page AS (SELECT origin FROM found WHERE origin IS NOT NULL LIMIT $2) \
        SELECT page.origin AS origin, (SELECT jobs.priority FROM jobs \
            WHERE jobs.status = 'pending' AND NOT jobs.waiting AND {of_jobs} \
            AND jobs.origin = page.origin \
            ORDER BY jobs.rank, jobs.id LIMIT 1) AS priority, \
            EXISTS (SELECT 1 FROM origins WHERE origins.origin = page.origin \
                AND (origins.paused OR origins.parked_until > $3)) AS is_held \
        FROM page WHERE EXISTS (SELECT 1 FROM jobs \
            WHERE jobs.status = 'pending' AND NOT jobs.waiting AND {of_jobs} \
            AND jobs.origin = page.origin)"
    )
}

impl Database {
    /// Origins with jobs that may be claimed, in the order of their names, `limit` at most,
    /// beginning after `after`.
    pub async fn ready_origins(
        &self,
        after: Option<&Origin>,
        limit: u32,
    ) -> Result<Vec<ReadyOrigin>, DbError> {
        let after = after.map_or(String::new(), |origin| origin.as_str().to_owned());
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let rows: Vec<ReadyRow> = read_query!(self.pools, connection => {
            let now: Moment = diesel::select(clock::now()).get_result(connection).await?;
            diesel::sql_query(next_origins())
                .bind::<Text, _>(after)
                .bind::<Integer, _>(limit)
                .bind::<sql::Moment, _>(now)
                .load(connection)
                .await
        })?;
        Ok(rows
            .into_iter()
            .map(|row| ready(row.origin, row.priority, row.is_held))
            .collect())
    }

    /// The origins of those of these jobs that still wait to be claimed. If an origin's jobs have
    /// several priorities, it comes with the most urgent last.
    pub async fn origins_of(&self, ids: &[JobId]) -> Result<Vec<ReadyOrigin>, DbError> {
        let ids: Vec<Id> = ids.iter().map(|id| (*id).into()).collect();
        let rows: Vec<(String, i16)> = read_query!(self.pools, connection => jobs::table
            .filter(jobs::id.eq_any(ids))
            .filter(is_still(JobStatus::Pending))
            .filter(is_understood())
            .select((jobs::origin, jobs::priority))
            .distinct()
            .order(jobs::priority.desc())
            .load(connection)
            .await)?;
        Ok(rows
            .into_iter()
            .map(|(origin, priority)| ready(origin, priority, false))
            .collect())
    }

    /// Gives an origin and a place in the order of claims to jobs that lack them, because a process
    /// of an older version wrote them; a group of them. Returns how many.
    pub async fn adopt_strays(&self) -> Result<usize, DbError> {
        let strays: Vec<(Id, String, Moment)> = read_query!(self.pools, connection => jobs::table
            .filter(is_pending())
            .filter(is_ready())
            .filter(jobs::origin.eq(""))
            .select((jobs::id, jobs::url, jobs::created_at))
            .limit(LARGEST_GROUP)
            .load(connection)
            .await)?;
        let mut adopted = 0;
        for (id, url, created_at) in strays {
            // A URL that was once accepted and is no longer a URL fails when it is claimed.
            let origin =
                SourceUrl::parse(&url).map_or(NOWHERE.to_owned(), |url| url.origin().to_string());
            let rank = super::origin_row::millis(created_at) + Priority::default().millis();
            adopted += write_query!(self.pools, connection => diesel::update(
                    jobs::table.find(id).filter(jobs::origin.eq("")),
                )
                .set((jobs::origin.eq(origin), jobs::rank.eq(rank)))
                .execute(connection)
                .await)?;
        }
        Ok(adopted)
    }

    /// Ends the wait of pending jobs that have become due, 10,000 at most; returns how many.
    pub async fn end_waits(&self) -> Result<usize, DbError> {
        let mut ended = 0;
        for _ in 0..MOST_GROUPS {
            // Looked for first: there are rarely any, and a look takes no lock.
            let ids: Vec<Id> = read_query!(self.pools, connection => jobs::table
                .filter(is_pending())
                .filter(is_waiting())
                .filter(jobs::due_at.le(clock::now().nullable()))
                .order(jobs::due_at.asc())
                .select(jobs::id)
                .limit(LARGEST_GROUP)
                .load(connection)
                .await)?;
            let found = ids.len();
            if found == 0 {
                break;
            }
            ended += write_query!(self.pools, connection => diesel::update(
                    jobs::table
                        .filter(jobs::id.eq_any(ids))
                        .filter(is_still(JobStatus::Pending))
                        .filter(jobs::waiting.eq(true))
                        .filter(jobs::due_at.le(clock::now().nullable())),
                )
                .set(jobs::waiting.eq(false))
                .execute(connection)
                .await)?;
            if (found as i64) < LARGEST_GROUP {
                break;
            }
        }
        Ok(ended)
    }
}

fn ready(origin: String, priority: i16, is_held: bool) -> ReadyOrigin {
    ReadyOrigin {
        is_held,
        origin: Origin::stored(&origin),
        priority: u8::try_from(priority)
            .ok()
            .and_then(Priority::new)
            .unwrap_or_default(),
    }
}

/// `waiting`, as a literal: with a bound value a planned statement could not use the partial
/// index.
pub(super) fn is_waiting() -> Literal<diesel::sql_types::Bool> {
    literal("jobs.waiting")
}

/// Not `waiting`, as a literal (see [`is_waiting`]).
pub(super) fn is_ready() -> Literal<diesel::sql_types::Bool> {
    literal("NOT jobs.waiting")
}
