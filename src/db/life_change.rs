//! The text of the changes that clients ask for, and how it is run on a connection.

use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::attempts_log::logged;
use super::dialect::Dialect;
use super::pools::{AsyncSqlite, Pools};
use super::prepared::Prepare;
use super::types::{Id, Status, sql};
use crate::domain::{Event, JobId, JobStatus, Priority};

/// A job that was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub(super) struct Changed {
    #[diesel(sql_type = sql::Id)]
    pub id: Id,
    /// Files of it may be there.
    #[diesel(sql_type = Bool)]
    pub is_doomed: bool,
}

/// What must still be so of a job when it is changed; by default nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Guard {
    pub status: Option<JobStatus>,
    pub error_code: Option<String>,
}

/// The words by which both databases name the index that refused.
pub(super) const EXCLUSIVE: &str = "jobs_exclusive_idx";

/// The parts of a change. In each, `{now}` stands for the database's time. Jobs are named by their
/// ids: what else must hold is an expression that no index fits, as `is_still` of `read` is.
pub(super) struct Change {
    /// A query of the jobs to be changed; `{}` stands for the condition that names them.
    chosen: String,
    /// A query of `chosen` for what to note in `doomed_files`; empty for nothing.
    doomed: String,
    /// What must hold of a job that is deleted. It does not depend on the time: in SQLite it is
    /// asked twice.
    condition: Option<String>,
    apply: String,
}

const NOTE_DOOMED: &str = "INSERT INTO doomed_files (job_id, due_at) ";
const NOTED_BEFORE: &str = " ON CONFLICT (job_id) DO UPDATE SET due_at = excluded.due_at \
     WHERE excluded.due_at > doomed_files.due_at";
const DELETE: &str = "DELETE FROM jobs";

impl Change {
    /// Of jobs that are pending or being worked on.
    pub(super) fn cancel(pools: &Pools) -> Self {
        let log = logged(pools, Event::Stopped, None);
        let (pending, processing) = (Event::Withdrawn.from(), Event::Stopped.from());
        let (pending, processing) = (pending.as_str(), processing.as_str());
        let cancelled = Event::Stopped.to().as_str();
        Self {
            chosen: format!(
                "SELECT id, status, due_at AS free_at FROM jobs WHERE {{}} \
                 AND status || '' IN ('{pending}', '{processing}')"
            ),
            doomed: format!(
                "SELECT id AS job_id, free_at AS due_at FROM chosen WHERE status = '{processing}'"
            ),
            condition: None,
            apply: format!(
                "UPDATE jobs SET status = '{cancelled}', fence = jobs.fence + 1, due_at = NULL, \
                 waiting = false, worker_id = NULL, updated_at = {{now}}, attempts_log = \
                 CASE WHEN jobs.status = '{processing}' THEN {log} ELSE jobs.attempts_log END \
                 FROM chosen WHERE jobs.id = chosen.id \
                 RETURNING jobs.id AS id, false AS is_doomed"
            ),
        }
    }

    /// Of jobs of the policy `reject-active`, or of all others.
    pub(super) fn retry(pools: &Pools, exclusive: bool) -> Self {
        let Dialect {
            now,
            millis,
            is_postgres,
            ..
        } = Dialect::of(pools);
        let (failed, cancelled) = (Event::RetryAsked.from(), Event::Restored.from());
        let (failed, cancelled) = (failed.as_str(), cancelled.as_str());
        let pending = Event::RetryAsked.to().as_str();
        let step = Priority::STEP_MILLIS;
        let alone = match exclusive {
            false => "NOT exclusive".to_owned(),
            true => format!(
                "exclusive AND (SELECT 1 FROM jobs AS other WHERE {} \
                 other.url_hash = jobs.url_hash AND other.spec_hash = jobs.spec_hash \
                 AND other.status IN ('pending', 'processing') LIMIT 1) IS NULL",
                match is_postgres {
                    // What the index holds.
                    true =>
                        "hashtextextended(other.url_hash, 0) = hashtextextended(jobs.url_hash, 0) AND",
                    false => "",
                }
            ),
        };
        Self {
            chosen: format!(
                "SELECT id, (SELECT due_at FROM doomed_files WHERE job_id = jobs.id) AS free_at \
                 FROM jobs WHERE {{}} AND status || '' IN ('{failed}', '{cancelled}') AND {alone}"
            ),
            doomed: String::new(),
            condition: None,
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

    /// Of jobs in any state.
    pub(super) fn delete() -> Self {
        let processing = Event::Stopped.from().as_str();
        Self {
            chosen: format!(
                "SELECT id, fence > 0 AS is_doomed, \
                 CASE WHEN status = '{processing}' THEN due_at ELSE {{now}} END AS free_at \
                 FROM jobs WHERE {{}}"
            ),
            // A job that was never claimed has no files.
            doomed: "SELECT id AS job_id, free_at AS due_at FROM chosen WHERE is_doomed".to_owned(),
            condition: None,
            apply: "DELETE FROM jobs".to_owned(),
        }
    }

    /// Of jobs of which a condition holds. It must not depend on the time.
    pub(super) fn delete_where(condition: &str) -> Self {
        Self {
            // As a case no index fits it: SQLite would read all jobs of a state instead of these.
            condition: Some(format!("CASE WHEN {condition} THEN true ELSE false END")),
            ..Self::delete()
        }
    }

    /// A condition holds a moment: each would be kept as a statement of its own.
    const fn is_one_of_few(&self) -> bool {
        self.condition.is_none()
    }

    fn and_condition(&self) -> String {
        let condition = self.condition.as_deref();
        condition.map_or_else(String::new, |condition| format!(" AND {condition}"))
    }

    /// Locks in the order of the ids, as every statement does that locks several jobs.
    fn postgres_text(&self) -> String {
        let now = Dialect::POSTGRES.now;
        let condition = self.and_condition();
        let named = format!(
            "id = ANY($1) AND ($2 IS NULL OR status || '' = $2) \
             AND ($3 IS NULL OR error_code || '' = $3){condition}"
        );
        let chosen = self.chosen.replace("{}", &named);
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
    fn sqlite_texts(&self) -> (Option<String>, String) {
        let now = Dialect::SQLITE.now;
        let condition = self.and_condition();
        let named = format!(
            "id IN (SELECT value FROM json_each(?1)) AND (?2 IS NULL OR status || '' = ?2) \
             AND (?3 IS NULL OR error_code || '' = ?3){condition}"
        );
        let with = format!("WITH chosen AS ({})", self.chosen.replace("{}", &named));
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

    /// Changes those of these jobs that may be changed; returns which.
    pub(super) async fn in_postgres(
        &self,
        connection: &mut AsyncPgConnection,
        ids: &[JobId],
        guard: &Guard,
    ) -> QueryResult<Vec<Changed>> {
        let ids: Vec<Id> = ids.iter().map(|id| (*id).into()).collect();
        let is_one_of_few = self.is_one_of_few();
        let query = diesel::sql_query(self.postgres_text())
            .bind::<Array<sql::Id>, _>(ids)
            .bind::<Nullable<Text>, _>(guard.status.map(Status))
            .bind::<Nullable<Text>, _>(guard.error_code.as_deref());
        query.prepared_if(is_one_of_few).load(connection).await
    }

    /// The same, in a transaction of the caller.
    pub(super) async fn in_sqlite(
        &self,
        connection: &mut AsyncSqlite,
        ids: &[JobId],
        guard: &Guard,
    ) -> QueryResult<Vec<Changed>> {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let ids = serde_json::json!(ids).to_string();
        let (doom, apply) = self.sqlite_texts();
        let is_one_of_few = self.is_one_of_few();
        if let Some(doom) = doom {
            let query = diesel::sql_query(doom)
                .bind::<Text, _>(&ids)
                .bind::<Nullable<Text>, _>(guard.status.map(Status))
                .bind::<Nullable<Text>, _>(guard.error_code.as_deref());
            query.prepared_if(is_one_of_few).execute(connection).await?;
        }
        let query = diesel::sql_query(apply)
            .bind::<Text, _>(&ids)
            .bind::<Nullable<Text>, _>(guard.status.map(Status))
            .bind::<Nullable<Text>, _>(guard.error_code.as_deref());
        query.prepared_if(is_one_of_few).load(connection).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_connection_keeps_the_statements_of_retention() {
        let overdue = Change::delete_where("updated_at < 17");
        assert!(!overdue.is_one_of_few());
        let named = Change::delete();
        assert!(named.is_one_of_few());
        assert_eq!(named.postgres_text(), Change::delete().postgres_text());
    }
}
