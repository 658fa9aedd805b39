//! The end of an attempt, written only by the worker that still holds the job.

use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use diesel_async::RunQueryDsl;

use super::dialect::Dialect;
use super::finish_many::finish_many;
use super::literal::literal;
use super::pools::{AsyncSqlite, Pool, Pools, on_pool};
use super::prepared::Prepare;
use super::read::may;
use super::schema::jobs;
use super::types::{Document, Id, Moment, Status};
use super::{Database, DbError, clock};
use crate::domain::{Claim, Event, Outcome};

/// A claim, and what is to be written under it.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    pub id: Id,
    pub fence: i64,
    pub change: Change,
}

#[derive(Debug, Clone)]
pub(super) struct Change {
    pub event: Event,
    pub result: Option<Document>,
    pub error: Option<String>,
    pub error_code: Option<&'static str>,
    pub error_variant: Option<String>,
    pub source_status: Option<u16>,
    /// When a job that is pending again becomes due.
    pub due_after: Option<std::time::Duration>,
    /// Attempts that do not count after all.
    pub refunded_attempts: i32,
}

impl Database {
    /// Ends an attempt. Returns false if the claim was lost meanwhile; then nothing is written.
    ///
    /// # Errors
    /// After [`DbError::Unavailable`] it is unknown whether the write happened; repeating the
    /// call is safe and may return false for a write that had happened.
    pub async fn finish(&self, claim: &Claim, outcome: &Outcome) -> Result<bool, DbError> {
        let ending = Ending {
            id: claim.id.into(),
            fence: claim.fence,
            change: Change::of(outcome)?,
        };
        self.committer.finish(ending).await
    }
}

impl Change {
    /// The log of attempts after this one, in SQLite.
    fn logged(&self) -> String {
        let quoted = |word: &str| format!("'{word}'");
        let code = self.error_code.map_or("NULL".to_owned(), quoted);
        Dialect::SQLITE.logged_attempt(&quoted(self.event.word()), &code)
    }

    /// True if the job is pending again and not due yet.
    pub(super) fn waits(&self) -> bool {
        self.due_after.is_some_and(|delay| !delay.is_zero())
    }

    fn of(outcome: &Outcome) -> Result<Self, DbError> {
        let blank = Self {
            event: outcome.event(),
            result: None,
            error: None,
            error_code: None,
            error_variant: None,
            source_status: None,
            due_after: None,
            refunded_attempts: 0,
        };
        Ok(match outcome {
            Outcome::Completed {
                result,
                source_status,
            } => Self {
                source_status: *source_status,
                result: Some(Document(serde_json::to_string(result).map_err(
                    |error| {
                        DbError::Refused(format!("the result can't be written as JSON: {error}"))
                    },
                )?)),
                ..blank
            },
            Outcome::Failed {
                code,
                message,
                source_status,
                variant,
            } => Self {
                error_variant: variant.clone(),
                source_status: *source_status,
                error: Some(message.clone()),
                error_code: Some(code.as_str()),
                ..blank
            },
            Outcome::Retry {
                code,
                message,
                source_status,
                variant,
                delay,
            } => Self {
                error_variant: variant.clone(),
                source_status: *source_status,
                error: Some(message.clone()),
                error_code: Some(code.as_str()),
                due_after: Some(*delay),
                ..blank
            },
            Outcome::Parked {
                code,
                message,
                source_status,
                delay,
            } => Self {
                source_status: *source_status,
                error: Some(message.clone()),
                error_code: Some(code.as_str()),
                due_after: Some(*delay),
                refunded_attempts: 1,
                ..blank
            },
            Outcome::Released { delay } => Self {
                due_after: Some(*delay),
                refunded_attempts: 1,
                ..blank
            },
        })
    }
}

/// Writes all of `endings` in one transaction; reports for each whether its claim still held.
pub(super) async fn write(pools: &Pools, endings: Vec<Ending>) -> Result<Vec<bool>, DbError> {
    match pools {
        Pools::Postgres(pool) => finish_many(pool, &endings).await,
        Pools::Sqlite { writer, .. } => write_in_transaction(writer, endings).await,
    }
}

async fn write_in_transaction(
    writer: &Pool<AsyncSqlite>,
    endings: Vec<Ending>,
) -> Result<Vec<bool>, DbError> {
    on_pool!(writer, writer => writer.immediate_transaction(async move |connection| {
        let mut held = vec![false; endings.len()];
        for (held, ending) in held.iter_mut().zip(&endings) {
            let Ending { id, fence, change } = ending;
            let job = jobs::table
                .find(*id)
                .filter(jobs::fence.eq(*fence))
                .filter(may(change.event));
            let common = (
                jobs::status.eq(Status(change.event.to())),
                jobs::attempts.eq(jobs::attempts - change.refunded_attempts),
                jobs::worker_id.eq(None::<Id>),
                jobs::updated_at.eq(clock::now()),
                jobs::result.eq(change.result.clone()),
                jobs::error.eq(change.error.clone()),
                jobs::error_code.eq(change.error_code),
                jobs::error_variant.eq(change.error_variant.clone()),
                jobs::source_status.eq(change.source_status.map(i32::from)),
                jobs::waiting.eq(change.waits()),
                jobs::attempts_log.eq(literal::<Nullable<Text>>(change.logged())),
            );
            let rows = match change.due_after {
                Some(delay) => diesel::update(job)
                    .set((common, jobs::due_at.eq(clock::after(delay).nullable())))
                    .prepared()
                    .execute(connection)
                    .await?,
                None => diesel::update(job)
                    .set((common, jobs::due_at.eq(None::<Moment>)))
                    .prepared()
                    .execute(connection)
                    .await?,
            };
            *held = rows == 1;
        }
        Ok::<_, diesel::result::Error>(held)
    }).await)
}
