//! What the live worker processes do, and whether anybody works on what is due.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};
use diesel_async::RunQueryDsl;

use super::dialect::Dialect;
use super::oldest::OldestWaits;
use super::pools::{read_query, read_snapshot};
use super::schema::workers;
use super::types::{Id, Moment, sql};
use super::worker_presence::ALIVE_WITHIN;
use super::{Database, DbError, clock};
use crate::domain::{JobId, Timestamp, WorkerState};

/// Most workers, and most jobs in work, that are looked at.
const MOST_WORKERS: i64 = 1000;
const MOST_JOBS: u32 = 10_000;
/// Most jobs of a worker that are named.
const NAMED: u32 = 20;
/// Events among which an end of a job is looked for.
const NEWEST_EVENTS: u32 = 100;

/// What the workers do.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkersReport {
    /// In the order of their begin.
    pub workers: Vec<WorkerReport>,
    /// Jobs in work whose worker gives no sign of life. Others take them over when their leases end.
    pub jobs_without_worker: u64,
    /// False if there are more workers or jobs in work than were looked at.
    pub is_exact: bool,
    /// Everything is paused.
    pub is_paused: bool,
    /// For how long the oldest job has waited that could run; `None` without one.
    pub oldest_pending_seconds: Option<f64>,
    /// A job that could run has waited for longer than 15 s, no live worker has a job in work, and
    /// none has ended one within 15 s.
    pub is_backlog_unattended: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct WorkerReport {
    pub id: uuid::Uuid,
    /// What the worker reported about itself; earlier versions reported nothing.
    pub host: Option<String>,
    pub version: Option<String>,
    pub began_at: Option<Timestamp>,
    pub seen_at: Timestamp,
    pub state: WorkerState,
    /// How many jobs it has.
    pub job_count: u64,
    /// Those that it has had for longest.
    pub jobs: Vec<JobInWork>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobInWork {
    pub id: JobId,
    pub host: String,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// When this attempt began.
    pub since: Timestamp,
}

#[derive(Queryable)]
struct WorkerRow {
    id: Id,
    host: Option<String>,
    version: Option<String>,
    began_at: Option<Moment>,
    seen_at: Moment,
    state: String,
}

#[derive(QueryableByName)]
struct HeldRow {
    #[diesel(sql_type = sql::Id)]
    id: Id,
    #[diesel(sql_type = sql::Id)]
    worker_id: Id,
    #[diesel(sql_type = Text)]
    host: String,
    #[diesel(sql_type = Integer)]
    attempts: i32,
    #[diesel(sql_type = sql::Moment)]
    updated_at: Moment,
    /// Jobs of the same worker.
    #[diesel(sql_type = BigInt)]
    held: i64,
    /// Jobs of all workers.
    #[diesel(sql_type = BigInt)]
    all_held: i64,
}

#[derive(QueryableByName)]
struct Recent {
    #[diesel(sql_type = BigInt)]
    ends: i64,
}

impl Database {
    /// What the live workers do, with at most 20 jobs of each.
    pub async fn report_workers(&self) -> Result<WorkersReport, DbError> {
        self.workers_beside(self.oldest_waits().await?).await
    }

    pub(super) async fn workers_beside(
        &self,
        oldest: OldestWaits,
    ) -> Result<WorkersReport, DbError> {
        let OldestWaits {
            runnable: oldest_pending_seconds,
            is_paused,
            ..
        } = oldest;
        let held = held(Dialect::of(&self.pools));
        let (alive, held): (Vec<WorkerRow>, Vec<HeldRow>) = read_snapshot!(self.pools, connection => {
            let alive = workers::table
                .filter(workers::seen_at.gt(clock::before(ALIVE_WITHIN)))
                // Seen before the clock was set back: that proves nothing.
                .filter(workers::seen_at.lt(clock::after(ALIVE_WITHIN)))
                .order(workers::id.asc())
                .select((
                    workers::id,
                    workers::host,
                    workers::version,
                    workers::began_at,
                    workers::seen_at,
                    workers::state,
                ))
                .limit(MOST_WORKERS)
                .load(connection)
                .await?;
            let held = diesel::sql_query(held).load(connection).await?;
            Ok::<_, diesel::result::Error>((alive, held))
        })?;
        let all_held = held.as_slice().first().map_or(0, |row| row.all_held);
        let is_exact = (alive.len() as i64) < MOST_WORKERS && all_held < i64::from(MOST_JOBS);
        let mut by_worker = by_worker(held);
        let workers: Vec<WorkerReport> = alive
            .into_iter()
            .map(|row| {
                let (job_count, jobs) = by_worker.remove(&row.id).unwrap_or_default();
                row.report(job_count, jobs)
            })
            .collect();
        let waits_long =
            oldest_pending_seconds.is_some_and(|seconds| seconds > ALIVE_WITHIN.as_secs_f64());
        let is_at_work = workers.iter().any(|worker| worker.job_count > 0);
        Ok(WorkersReport {
            jobs_without_worker: by_worker.values().map(|(count, _)| count).sum(),
            is_backlog_unattended: waits_long && !is_at_work && !self.ended_lately().await?,
            workers,
            is_exact,
            is_paused,
            oldest_pending_seconds,
        })
    }

    /// Whether a worker has ended a job lately: between two jobs it has none.
    async fn ended_lately(&self) -> Result<bool, DbError> {
        let since = Dialect::of(&self.pools).before(ALIVE_WITHIN);
        let text = format!(
            "SELECT count(*) AS ends FROM (SELECT type, created_at FROM events \
             ORDER BY sequence DESC LIMIT {NEWEST_EVENTS}) AS newest \
             WHERE type IN ('image.completed', 'image.failed') AND created_at > {since}"
        );
        let recent: Recent = read_query!(self.pools, connection =>
            diesel::sql_query(text).get_result(connection).await)?;
        Ok(recent.ends > 0)
    }
}

/// The jobs in work, those that began first of each worker. The claim set `updated_at`, and nothing
/// has changed it since.
fn held(dialect: Dialect) -> String {
    let host = dialect.host_of_job();
    format!(
        "SELECT id, worker_id, host, attempts, updated_at, held, all_held FROM (\
         SELECT id, worker_id, {host} AS host, attempts, updated_at, \
         count(*) OVER (PARTITION BY worker_id) AS held, count(*) OVER () AS all_held, \
         row_number() OVER (PARTITION BY worker_id ORDER BY updated_at, id) AS number \
         FROM (SELECT * FROM jobs WHERE status = 'processing' AND worker_id IS NOT NULL \
         ORDER BY due_at LIMIT {MOST_JOBS}) AS jobs) AS numbered \
         WHERE number <= {NAMED} ORDER BY worker_id, number"
    )
}

fn by_worker(rows: Vec<HeldRow>) -> HashMap<Id, (u64, Vec<JobInWork>)> {
    let mut by_worker: HashMap<Id, (u64, Vec<JobInWork>)> = HashMap::new();
    for row in rows {
        let (count, jobs) = by_worker.entry(row.worker_id).or_default();
        *count = u64::try_from(row.held).unwrap_or(0);
        jobs.push(JobInWork {
            id: JobId(row.id.0),
            host: row.host,
            attempt: u32::try_from(row.attempts).unwrap_or(0),
            since: row.updated_at.0,
        });
    }
    by_worker
}

impl WorkerRow {
    fn report(self, job_count: u64, jobs: Vec<JobInWork>) -> WorkerReport {
        let known = WorkerState::ALL.into_iter();
        let state = known.into_iter().find(|state| state.as_str() == self.state);
        WorkerReport {
            id: self.id.0,
            host: self.host,
            version: self.version,
            began_at: self.began_at.map(|moment| moment.0),
            seen_at: self.seen_at.0,
            // A word of a later version: it does not say that the worker takes jobs.
            state: state.unwrap_or(WorkerState::NotReady),
            job_count,
            jobs,
        }
    }
}
