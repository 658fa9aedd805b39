//! Stores the items of a batch inside a transaction: new jobs, and what the duplicate policies give
//! instead.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::future::BoxFuture;

use super::begin::{Begin, Rank, Waits};
use super::dialect::Dialect;
use super::pools::AsyncSqlite;
use super::row::JobRow;
use super::schema::jobs;
use super::submit::{
    NewJob, Submission, insert_one, insert_row, is_active, is_completed, is_in_any_week,
    newest_duplicate, submission_of_known,
};
use super::types::{Id, Moment, Status, sql};
use super::{DbError, clock, insert_json, insert_many};
use crate::domain::{DuplicateHandling, Job, JobId, JobStatus};

/// What became of the items, by their places in the batch.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub created: Vec<JobId>,
    pub reused: Vec<(i32, Id)>,
    pub refused: Vec<(i32, JobId)>,
}

impl Stored {
    fn note(&mut self, new: &NewJob, submission: Submission) {
        let index = new.place();
        match submission {
            Submission::Created(job) => self.created.push(job.id),
            Submission::Reused(job) => self.reused.push((index, job.id.into())),
            Submission::Rejected { active } => self.refused.push((index, active)),
        }
    }
}

/// A connection that stores items inside its open transaction.
pub(super) trait StoreItems {
    fn store(&mut self, new_jobs: Vec<NewJob>) -> BoxFuture<'_, QueryResult<Stored>>;

    /// Notes the items for which earlier jobs stand.
    fn note_reused<'a>(
        &'a mut self,
        batch: Id,
        reused: &'a [(i32, Id)],
    ) -> BoxFuture<'a, QueryResult<()>>;
}

/// Stores items: one statement looks for completed jobs, one inserts; `reject-active` takes its turn
/// for each job.
macro_rules! store_all {
    ($connection:ident, $new_jobs:ident, $dialect:expr, $completed_of:path, $insert_group:path) => {{
        let mut stored = Stored::default();
        let (mut exclusive, mut plain): (Vec<_>, Vec<_>) = $new_jobs
            .into_iter()
            .partition(|new| new.policy == DuplicateHandling::RejectActive);
        // The others would stand in their way.
        in_common_order(&mut exclusive);
        for new in exclusive {
            let new = &new;
            let submission: Result<Submission, DbError> = insert_one!($connection, new, $dialect);
            stored.note(new, submission.map_err(as_diesel)?);
        }
        if plain.iter().any(asks_for_completed) {
            let completed = $completed_of($connection, &plain).await?;
            plain.retain(|new| {
                let earlier = completed.get(&new.place());
                stored.reused.extend(earlier.map(|id| (new.place(), *id)));
                earlier.is_none()
            });
        }
        if !plain.is_empty() {
            $insert_group($connection, &plain).await?;
            let ids = plain.iter().map(|new| JobId(new.id.0));
            stored.created.extend(ids);
        }
        Ok(stored)
    }};
}

fn asks_for_completed(new: &NewJob) -> bool {
    new.policy == DuplicateHandling::ReuseCompleted
}

fn as_diesel(error: DbError) -> diesel::result::Error {
    diesel::result::Error::QueryBuilderError(Box::new(error))
}

/// Groups that insert the same URLs wait for each other in the unique index; in a common order they
/// don't deadlock.
fn in_common_order(new_jobs: &mut [NewJob]) {
    new_jobs.sort_by(|a, b| a.what().cmp(&b.what()));
}

impl StoreItems for AsyncSqlite {
    fn store(&mut self, new_jobs: Vec<NewJob>) -> BoxFuture<'_, QueryResult<Stored>> {
        Box::pin(async move {
            let connection = self;
            store_all!(
                connection,
                new_jobs,
                Dialect::SQLITE,
                completed_in_sqlite,
                insert_json::insert_group
            )
        })
    }

    fn note_reused<'a>(
        &'a mut self,
        batch: Id,
        reused: &'a [(i32, Id)],
    ) -> BoxFuture<'a, QueryResult<()>> {
        Box::pin(async move {
            if reused.is_empty() {
                return Ok(());
            }
            let places = reused.iter().map(|(index, job)| (index, job.0.to_string()));
            let places: Vec<_> = places.collect();
            diesel::sql_query(
                "INSERT INTO batch_reused (batch_id, batch_index, job_id) \
                 SELECT ?1, value ->> 0, value ->> 1 FROM json_each(?2)",
            )
            .bind::<sql::Id, _>(batch)
            .bind::<Text, _>(serde_json::json!(places).to_string())
            .execute(self)
            .await
            .map(|_| ())
        })
    }
}

impl StoreItems for AsyncPgConnection {
    fn store(&mut self, new_jobs: Vec<NewJob>) -> BoxFuture<'_, QueryResult<Stored>> {
        Box::pin(async move {
            let connection = self;
            store_all!(
                connection,
                new_jobs,
                Dialect::POSTGRES,
                completed_in_postgres,
                insert_many::insert_group
            )
        })
    }

    fn note_reused<'a>(
        &'a mut self,
        batch: Id,
        reused: &'a [(i32, Id)],
    ) -> BoxFuture<'a, QueryResult<()>> {
        Box::pin(async move {
            if reused.is_empty() {
                return Ok(());
            }
            let (indexes, ids): (Vec<i32>, Vec<Id>) = reused.iter().copied().unzip();
            diesel::sql_query(
                "INSERT INTO batch_reused (batch_id, batch_index, job_id) \
                 SELECT $1, batch_index, job_id FROM unnest($2, $3) AS new (batch_index, job_id)",
            )
            .bind::<sql::Id, _>(batch)
            .bind::<Array<Integer>, _>(indexes)
            .bind::<Array<sql::Id>, _>(ids)
            .execute(self)
            .await
            .map(|_| ())
        })
    }
}

#[derive(QueryableByName)]
struct CompletedRow {
    #[diesel(sql_type = Integer)]
    place: i32,
    #[diesel(sql_type = sql::Id)]
    id: Id,
}

/// The newest completed jobs of the items of `reuse-completed`, by the items' places.
type Completed = HashMap<i32, Id>;

async fn completed_in_postgres(
    connection: &mut AsyncPgConnection,
    new_jobs: &[NewJob],
) -> QueryResult<Completed> {
    let asking = || new_jobs.iter().filter(|new| asks_for_completed(new));
    let places: Vec<i32> = asking().map(NewJob::place).collect();
    let urls: Vec<&str> = asking().map(|new| &*new.url_hash).collect();
    let specs: Vec<&str> = asking().map(|new| &*new.spec_hash).collect();
    let rows: Vec<CompletedRow> = diesel::sql_query(format!(
        "SELECT asking.place, newest.id \
         FROM unnest($1, $2, $3) AS asking (place, url_hash, spec_hash), \
         LATERAL (SELECT id FROM jobs WHERE {} \
             AND hashtextextended(jobs.url_hash, 0) = hashtextextended(asking.url_hash, 0) \
             AND jobs.url_hash = asking.url_hash \
             AND jobs.spec_hash = asking.spec_hash AND jobs.status = 'completed' \
             ORDER BY jobs.created_at DESC LIMIT 1) AS newest",
        is_in_any_week()
    ))
    .bind::<Array<Integer>, _>(places)
    .bind::<Array<Text>, _>(urls)
    .bind::<Array<Text>, _>(specs)
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.place, row.id)).collect())
}

async fn completed_in_sqlite(
    connection: &mut AsyncSqlite,
    new_jobs: &[NewJob],
) -> QueryResult<Completed> {
    let asking = new_jobs.iter().filter(|new| asks_for_completed(new));
    let asking: Vec<_> = asking
        .map(|new| (new.place(), &*new.url_hash, &*new.spec_hash))
        .collect();
    let rows: Vec<CompletedRow> = diesel::sql_query(
        "SELECT place, id FROM (SELECT value ->> 0 AS place, (SELECT id FROM jobs \
             WHERE jobs.url_hash = value ->> 1 AND jobs.spec_hash = value ->> 2 \
             AND jobs.status = 'completed' ORDER BY jobs.created_at DESC LIMIT 1) AS id \
         FROM json_each(?1)) WHERE id IS NOT NULL",
    )
    .bind::<Text, _>(serde_json::json!(asking).to_string())
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.place, row.id)).collect())
}
