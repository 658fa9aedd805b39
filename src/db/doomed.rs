//! Jobs whose files are to be removed: of deleted jobs, and of those that were cancelled while a
//! worker held them. The row that says so is written with the change of the job, and removed when
//! the files are gone, so that a crash in between leaves neither files nor rows.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::future::BoxFuture;

use super::pools::{read_query, write_query, write_transaction};
use super::schema::{doomed_files, jobs};
use super::types::{Id, Status};
use super::{Database, DbError, clock};
use crate::domain::{JobId, JobStatus};

/// A job whose files may be removed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doomed {
    /// Its row is gone, and no id comes back.
    Gone(JobId),
    /// It has a row: [`Database::remove_of_ended`] says whether its files are to go.
    Known(JobId),
}

impl Database {
    /// Jobs whose files may be removed now, `limit` at most.
    pub async fn doomed(&self, limit: u32) -> Result<Vec<Doomed>, DbError> {
        let rows: Vec<(Id, Option<Id>)> = read_query!(self.pools, connection => doomed_files::table
            .left_join(jobs::table.on(jobs::id.eq(doomed_files::job_id)))
            .filter(doomed_files::due_at.le(clock::now()))
            .order(doomed_files::due_at.asc())
            .select((doomed_files::job_id, jobs::id.nullable()))
            .limit(i64::from(limit))
            .load(connection)
            .await)?;
        let doomed = rows.into_iter().map(|(id, known)| match known {
            None => Doomed::Gone(JobId(id.0)),
            Some(_) => Doomed::Known(JobId(id.0)),
        });
        Ok(doomed.collect())
    }

    /// Call it when the files of these jobs are gone.
    pub async fn forget_doomed(&self, ids: &[JobId]) -> Result<(), DbError> {
        let ids: Vec<Id> = ids.iter().map(|id| (*id).into()).collect();
        write_query!(self.pools, connection => diesel::delete(
                doomed_files::table
                    .filter(doomed_files::job_id.eq_any(ids))
                    // Noted again meanwhile, for a later moment.
                    .filter(doomed_files::due_at.le(clock::now())),
            )
            .execute(connection)
            .await)
        .map(|_| ())
    }

    /// Removes the files of a job that has ended without any. Its row is locked meanwhile, so that
    /// nobody can retry it. If it is active again, or completed, its files are its own.
    ///
    /// # Errors
    /// If the database can't be written. What `remove` reports is the answer.
    pub async fn remove_of_ended<E: Send + 'static>(
        &self,
        id: JobId,
        remove: impl Fn() -> BoxFuture<'static, Result<(), E>> + Send + Sync + 'static,
    ) -> Result<Result<(), E>, DbError> {
        let id = Id::from(id);
        write_transaction!(self.pools, connection => {
            // An update that changes nothing locks the row in both databases.
            let ended = [JobStatus::Failed, JobStatus::Cancelled].map(Status);
            let locked = diesel::update(
                    jobs::table.find(id).filter(jobs::status.eq_any(ended)),
                )
                .set(jobs::deaths.eq(jobs::deaths))
                .execute(connection)
                .await?;
            let removed = match locked {
                0 => Ok(()),
                _ => remove().await,
            };
            if removed.is_ok() {
                diesel::delete(
                        doomed_files::table
                            .find(id)
                            .filter(doomed_files::due_at.le(clock::now())),
                    )
                    .execute(connection)
                    .await?;
            }
            Ok::<_, diesel::result::Error>(removed)
        })
    }
}
