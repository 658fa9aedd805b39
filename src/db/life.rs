//! What clients do to jobs: cancel, retry, delete. Each is one statement on Postgres and one
//! immediate transaction on SQLite, for any number of jobs.
//!
//! A worker may hold a cancelled or deleted job and not know it yet. Its claim is void, so it writes
//! no row; but it may publish files until its lease is over. So the job is noted in `doomed_files`,
//! to be cleared up after that moment, and a new attempt begins no sooner.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::dialect::Dialect;
use super::life_change::{Change, Changed, EXCLUSIVE, Guard};
use super::pools::{Pools, on_pool, read_query};
use super::schema::jobs;
use super::submit::is_active;
use super::types::Id;
use super::{Database, DbError};
use crate::domain::JobId;

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
        self.change(Change::cancel(&self.pools), ids)
            .await
            .map(ids_of)
    }

    /// Makes those of these jobs pending again, with all their attempts, that failed or were
    /// cancelled; returns which. A job of the policy `reject-active` is left as it is if another
    /// job with its URL and variants is active.
    pub async fn retry(&self, ids: &[JobId]) -> Result<Vec<JobId>, DbError> {
        let many = self.change(Change::retry(&self.pools, false), ids).await?;
        let mut retried = ids_of(many);
        // One at a time: of those with one URL the first makes the others' retry impossible.
        for id in self.exclusive_of(ids).await? {
            match self.change(Change::retry(&self.pools, true), &[id]).await {
                Ok(one) => retried.extend(ids_of(one)),
                // Another was faster than the look.
                Err(DbError::Refused(reason)) if reason.contains(EXCLUSIVE) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(retried)
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
        let dialect = Dialect::of(&self.pools);
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
                    .filter(is_active(dialect, &url_hash))
                    .filter(jobs::url_hash.eq(&url_hash))
                    .filter(jobs::spec_hash.eq(spec_hash))
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
        self.delete_by(Change::delete(), ids).await
    }

    /// The same for those of which a condition holds. It must not depend on the time.
    pub(super) async fn delete_where(
        &self,
        ids: &[JobId],
        condition: &str,
    ) -> Result<Vec<Deleted>, DbError> {
        self.delete_by(Change::delete_where(condition), ids).await
    }

    async fn delete_by(&self, change: Change, ids: &[JobId]) -> Result<Vec<Deleted>, DbError> {
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
        let ids = ids.to_vec();
        match &self.pools {
            Pools::Postgres(pool) => on_pool!(pool, connection =>
                change.in_postgres(connection, &ids, &Guard::default()).await),
            Pools::Sqlite { writer, .. } => on_pool!(writer, writer =>
                writer.immediate_transaction(async move |connection| {
                    change.in_sqlite(connection, &ids, &Guard::default()).await
                }).await),
        }
    }
}

fn ids_of(changed: Vec<Changed>) -> Vec<JobId> {
    changed.iter().map(|changed| JobId(changed.id.0)).collect()
}
