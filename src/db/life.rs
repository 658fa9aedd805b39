//! What clients do to jobs: cancel, retry, delete. Each is one statement on Postgres and one
//! immediate transaction on SQLite, for any number of jobs.
//!
//! A worker may hold a cancelled or deleted job and not know it yet. Its claim is void, so it writes
//! no row; but it may publish files until its lease is over. So the job is noted in `doomed_files`,
//! to be cleared up after that moment, and a new attempt begins no sooner.

use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Text};
use diesel_async::RunQueryDsl;

use super::attempts_log::logged;
use super::dialect::Dialect;
use super::pools::{Pools, on_pool, read_query};
use super::schema::jobs;
use super::submit::is_active;
use super::types::{Id, sql};
use super::{Database, DbError};
use crate::domain::{Event, JobId, Priority};

/// A job that was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
struct Changed {
    #[diesel(sql_type = sql::Id)]
    id: Id,
    /// Files of it may be there.
    #[diesel(sql_type = Bool)]
    is_doomed: bool,
}

/// A deleted job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deleted {
    pub id: JobId,
    /// Files of it may be there, or come.
    pub has_files: bool,
}

impl Database {
    /// Cancels those of these jobs that are pending or being worked on; returns which. A worker
    /// learns of it when it next renews its lease.
    pub async fn cancel(&self, ids: &[JobId]) -> Result<Vec<JobId>, DbError> {
        let log = logged(&self.pools, Event::Stopped, None);
        let (pending, processing) = (Event::Withdrawn.from(), Event::Stopped.from());
        let (pending, processing) = (pending.as_str(), processing.as_str());
        let cancelled = Event::Stopped.to().as_str();
        let change = Change {
            chosen: format!(
                "SELECT id, status, due_at AS free_at FROM jobs WHERE {{}} \
                 AND status IN ('{pending}', '{processing}')"
            ),
            doomed: format!(
                "SELECT id AS job_id, free_at AS due_at FROM chosen WHERE status = '{processing}'"
            ),
            apply: format!(
                "UPDATE jobs SET status = '{cancelled}', fence = jobs.fence + 1, due_at = NULL, \
                 waiting = false, worker_id = NULL, updated_at = {{now}}, attempts_log = \
                 CASE WHEN jobs.status = '{processing}' THEN {log} ELSE jobs.attempts_log END \
                 FROM chosen WHERE jobs.id = chosen.id \
                 RETURNING jobs.id AS id, false AS is_doomed"
            ),
        };
        self.change(change, ids).await.map(ids_of)
    }

    /// Makes those of these jobs pending again, with all their attempts, that failed or were
    /// cancelled; returns which. A job of the policy `reject-active` is left as it is if another
    /// job with its URL and variants is active.
    pub async fn retry(&self, ids: &[JobId]) -> Result<Vec<JobId>, DbError> {
        let many = self.change(Self::retrying(&self.pools, false), ids).await?;
        let mut retried = ids_of(many);
        // One at a time: of those with one URL the first makes the others' retry impossible.
        for id in self.exclusive_of(ids).await? {
            match self.change(Self::retrying(&self.pools, true), &[id]).await {
                Ok(one) => retried.extend(ids_of(one)),
                // Another was faster than the look.
                Err(DbError::Refused(reason)) if reason.contains(EXCLUSIVE) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(retried)
    }

    fn retrying(pools: &Pools, exclusive: bool) -> Change {
        let Dialect { now, millis, .. } = Dialect::of(pools);
        let (failed, cancelled) = (Event::RetryAsked.from(), Event::Restored.from());
        let (failed, cancelled) = (failed.as_str(), cancelled.as_str());
        let pending = Event::RetryAsked.to().as_str();
        let step = Priority::STEP_MILLIS;
        let alone = match exclusive {
            false => "NOT exclusive",
            true => {
                "exclusive AND NOT EXISTS (SELECT 1 FROM jobs AS other \
                 WHERE other.url_hash = jobs.url_hash AND other.spec_hash = jobs.spec_hash \
                 AND other.status IN ('pending', 'processing'))"
            }
        };
        Change {
            chosen: format!(
                "SELECT id, (SELECT due_at FROM doomed_files WHERE job_id = jobs.id) AS free_at \
                 FROM jobs WHERE {{}} AND status IN ('{failed}', '{cancelled}') AND {alone}"
            ),
            doomed: String::new(),
            apply: format!(
                "UPDATE jobs SET status = '{pending}', attempts = 0, deaths = 0, \
                 fence = jobs.fence + 1, \
                 due_at = CASE WHEN chosen.free_at > {now} THEN chosen.free_at ELSE {now} END, \
                 waiting = COALESCE(chosen.free_at > {now}, false), worker_id = NULL, \
                 rank = {millis} + jobs.priority * {step}, updated_at = {now}, error = NULL, \
                 error_code = NULL, error_variant = NULL, source_status = NULL \
                 FROM chosen WHERE jobs.id = chosen.id \
                 RETURNING jobs.id AS id, false AS is_doomed"
            ),
        }
    }

    /// Those of these jobs that a client submitted under `reject-active`.
    async fn exclusive_of(&self, ids: &[JobId]) -> Result<Vec<JobId>, DbError> {
        let ids: Vec<Id> = ids.iter().map(|id| (*id).into()).collect();
        let found: Vec<Id> = read_query!(self.pools, connection => jobs::table
            .filter(jobs::id.eq_any(ids))
            .filter(jobs::exclusive.eq(true))
            .select(jobs::id)
            .order(jobs::id.asc())
            .load(connection)
            .await)?;
        Ok(found.into_iter().map(|id| JobId(id.0)).collect())
    }

    /// An active job with the URL and variants of this one.
    pub async fn active_duplicate_of(&self, id: JobId) -> Result<Option<JobId>, DbError> {
        let active: Option<Id> = read_query!(self.pools, connection => {
            let what: Option<(String, String)> = jobs::table
                .find(Id::from(id))
                .select((jobs::url_hash, jobs::spec_hash))
                .first(connection)
                .await
                .optional()?;
            match what {
                None => Ok(None),
                Some((url_hash, spec_hash)) => jobs::table
                    .filter(jobs::url_hash.eq(url_hash))
                    .filter(jobs::spec_hash.eq(spec_hash))
                    .filter(is_active())
                    .select(jobs::id)
                    .first(connection)
                    .await
                    .optional(),
            }
        })?;
        Ok(active.map(|id| JobId(id.0)))
    }

    /// Deletes the rows of those of these jobs that exist, in whatever state; returns which. Then
    /// their files are to be removed ([`Self::doomed`]).
    pub async fn delete(&self, ids: &[JobId]) -> Result<Vec<Deleted>, DbError> {
        let processing = Event::Stopped.from().as_str();
        let change = Change {
            chosen: format!(
                "SELECT id, fence > 0 AS is_doomed, \
                 CASE WHEN status = '{processing}' THEN due_at ELSE {{now}} END AS free_at \
                 FROM jobs WHERE {{}}"
            ),
            // A job that was never claimed has no files.
            doomed: "SELECT id AS job_id, free_at AS due_at FROM chosen WHERE is_doomed".to_owned(),
            apply: "DELETE FROM jobs".to_owned(),
        };
        let changed = self.change(change, ids).await?;
        let deleted = |changed: Changed| Deleted {
            id: JobId(changed.id.0),
            has_files: changed.is_doomed,
        };
        Ok(changed.into_iter().map(deleted).collect())
    }

    async fn change(&self, change: Change, ids: &[JobId]) -> Result<Vec<Changed>, DbError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<Id> = ids.iter().map(|id| (*id).into()).collect();
        match &self.pools {
            Pools::Postgres(pool) => {
                let text = change.in_postgres();
                on_pool!(pool, connection => diesel::sql_query(text)
                    .bind::<Array<sql::Id>, _>(ids)
                    .load(connection)
                    .await)
            }
            Pools::Sqlite { writer, .. } => {
                let (doom, apply) = change.in_sqlite();
                let ids: Vec<String> = ids.iter().map(|id| id.0.to_string()).collect();
                let ids = serde_json::json!(ids).to_string();
                on_pool!(writer, writer => writer.immediate_transaction(async move |connection| {
                    if let Some(doom) = doom {
                        diesel::sql_query(doom)
                            .bind::<Text, _>(&ids)
                            .execute(connection)
                            .await?;
                    }
                    diesel::sql_query(apply)
                        .bind::<Text, _>(&ids)
                        .load(connection)
                        .await
                }).await)
            }
        }
    }
}

/// The words by which both databases name the index that refused.
const EXCLUSIVE: &str = "jobs_exclusive_idx";

fn ids_of(changed: Vec<Changed>) -> Vec<JobId> {
    changed.iter().map(|changed| JobId(changed.id.0)).collect()
}

/// The parts of a change. In each, `{now}` stands for the database's time.
struct Change {
    /// A query of the jobs to be changed; `{}` stands for the condition that names them.
    chosen: String,
    /// A query of `chosen` for what to note in `doomed_files`; empty for nothing.
    doomed: String,
    apply: String,
}

const NOTE_DOOMED: &str = "INSERT INTO doomed_files (job_id, due_at) ";
const NOTED_BEFORE: &str = " ON CONFLICT (job_id) DO UPDATE SET due_at = excluded.due_at \
     WHERE excluded.due_at > doomed_files.due_at";
const DELETE: &str = "DELETE FROM jobs";

impl Change {
    /// Locks in the order of the ids, as every statement does that locks several jobs.
    fn in_postgres(self) -> String {
        let now = Dialect::POSTGRES.now;
        let chosen = self.chosen.replace("{}", "id = ANY($1)");
        let mut text =
            format!("WITH chosen AS MATERIALIZED ({chosen} ORDER BY id FOR UPDATE OF jobs)");
        if !self.doomed.is_empty() {
            let doomed = &self.doomed;
            text += &format!(", doomed AS ({NOTE_DOOMED}{doomed}{NOTED_BEFORE}) ");
        }
        text += match self.apply.as_str() {
            DELETE => {
                " DELETE FROM jobs USING chosen WHERE jobs.id = chosen.id \
                 RETURNING jobs.id AS id, chosen.is_doomed AS is_doomed"
            }
            apply => apply,
        };
        text.replace("{now}", now)
    }

    /// One writer at a time: what the first statement chose, the second finds as it was.
    fn in_sqlite(self) -> (Option<String>, String) {
        let now = Dialect::SQLITE.now;
        let named = "id IN (SELECT value FROM json_each(?))";
        let with = format!("WITH chosen AS ({})", self.chosen.replace("{}", named));
        let doomed = (!self.doomed.is_empty()).then(|| {
            // Without a condition the parser takes ON for that of a join.
            let noted = format!("{NOTE_DOOMED}{} AND true{NOTED_BEFORE}", self.doomed);
            format!("{with} {noted}").replace("{now}", now)
        });
        let apply = match self.apply.as_str() {
            DELETE => {
                format!("DELETE FROM jobs WHERE {named} RETURNING id, fence > 0 AS is_doomed")
            }
            apply => format!("{with} {apply}"),
        };
        (doomed, apply.replace("{now}", now))
    }
}
