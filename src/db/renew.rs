//! Renews the leases of a worker together. In Postgres that is one statement over an array, so that
//! a worker of any size costs one round trip; SQLite has no arrays and no round trips.

use std::collections::HashSet;
use std::time::Duration;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt};
use diesel_async::RunQueryDsl;

use super::pools::{AsyncSqlite, Pool, Pools, on_pool};
use super::postgres_pool::PostgresPool;
use super::prepared::Prepare;
use super::read::is_processing;
use super::schema::jobs;
use super::types::{Id, sql};
use super::{Database, DbError, clock};
use crate::domain::{Claim, JobId};

impl Database {
    /// Extends the leases of `held` and returns those that are still held: the others were taken
    /// over, and work on them must stop.
    pub async fn renew(
        &self,
        held: &[Claim],
        worker: uuid::Uuid,
        lease: Duration,
    ) -> Result<HashSet<JobId>, DbError> {
        let ids: Vec<Id> = held.iter().map(|claim| claim.id.into()).collect();
        let worker = Id(worker);
        let rows = match &self.pools {
            Pools::Postgres(pool) => renew_in_statement(pool, ids, worker, lease).await?,
            Pools::Sqlite { writer, .. } => {
                renew_in_transaction(writer, ids, worker, lease).await?
            }
        };
        let rows: HashSet<(Id, i64)> = rows.into_iter().collect();
        Ok(held
            .iter()
            .filter(|claim| rows.contains(&(claim.id.into(), claim.fence)))
            .map(|claim| claim.id)
            .collect())
    }
}

async fn renew_in_transaction(
    writer: &Pool<AsyncSqlite>,
    ids: Vec<Id>,
    worker: Id,
    lease: Duration,
) -> Result<Vec<(Id, i64)>, DbError> {
    on_pool!(writer, writer => writer.immediate_transaction(async move |connection| {
        let mut rows = Vec::with_capacity(ids.len());
        for id in ids {
            let renewed: Option<(Id, i64)> = diesel::update(
                jobs::table
                    .find(id)
                    .filter(is_processing())
                    .filter(jobs::worker_id.eq(worker)),
            )
            .set(jobs::due_at.eq(clock::after(lease).nullable()))
            .returning((jobs::id, jobs::fence))
            .prepared()
            .get_result(connection)
            .await
            .optional()?;
            rows.extend(renewed);
        }
        Ok::<_, diesel::result::Error>(rows)
    }).await)
}

async fn renew_in_statement(
    pool: &PostgresPool,
    ids: Vec<Id>,
    worker: Id,
    lease: Duration,
) -> Result<Vec<(Id, i64)>, DbError> {
    let renew = RenewMany {
        ids,
        worker,
        lease_millis: clock::millis(lease),
    };
    on_pool!(pool, connection => renew.load(connection).await)
}

#[derive(QueryId)]
struct RenewMany {
    ids: Vec<Id>,
    worker: Id,
    lease_millis: i64,
}

impl Query for RenewMany {
    type SqlType = (sql::Id, BigInt);
}

impl QueryFragment<Pg> for RenewMany {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // Locks in the order of the ids, as `finish_many` does: an UPDATE alone locks in an order
        // of the database's choice, and the two would wait for each other.
        pass.push_sql("WITH held AS MATERIALIZED (SELECT id FROM jobs WHERE id = ANY(");
        pass.push_bind_param::<Array<sql::Id>, _>(&self.ids)?;
        pass.push_sql(") AND status = 'processing' AND worker_id = ");
        pass.push_bind_param::<sql::Id, _>(&self.worker)?;
        pass.push_sql(" ORDER BY id FOR UPDATE) UPDATE jobs SET due_at = now() + ");
        pass.push_bind_param::<BigInt, _>(&self.lease_millis)?;
        pass.push_sql(
            " * interval '1 millisecond' FROM held WHERE jobs.id = held.id \
             RETURNING jobs.id, jobs.fence",
        );
        Ok(())
    }
}
