//! Many new jobs in one statement, for Postgres: a group of submissions costs one round trip
//! instead of one each. SQLite has neither arrays nor round trips.

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{Array, Text};
use diesel_async::RunQueryDsl;

use super::DbError;
use super::pools::{Pool, on_pool};
use super::submit::NewJob;
use super::types::{Id, Moment, sql};

/// Inserts all of `new_jobs` under `allow-retry`, whatever else of their URLs is there. Returns
/// the moment that all of them were created at.
pub(super) async fn insert_many(
    pool: &Pool<diesel_async::AsyncPgConnection>,
    new_jobs: &[NewJob],
) -> Result<Moment, DbError> {
    let insert = InsertMany {
        ids: new_jobs.iter().map(|new| new.id).collect(),
        urls: new_jobs.iter().map(|new| new.url.clone()).collect(),
        hashes: new_jobs.iter().map(|new| new.url_hash.clone()).collect(),
    };
    let created: Vec<Moment> = on_pool!(pool, connection => insert.load(connection).await)?;
    match created[..] {
        [moment, ..] if created.len() == new_jobs.len() => Ok(moment),
        _ => Err(DbError::Refused("not all rows were inserted".to_owned())),
    }
}

/// Diesel's own batches differ in their text with each length and are prepared anew each time;
/// this is one statement, prepared once.
#[derive(QueryId)]
struct InsertMany {
    ids: Vec<Id>,
    urls: Vec<String>,
    hashes: Vec<String>,
}

impl Query for InsertMany {
    type SqlType = sql::Moment;
}

impl QueryFragment<Pg> for InsertMany {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql(
            "INSERT INTO jobs (id, url, url_hash, exclusive, created_at, updated_at, due_at) \
             SELECT id, url, url_hash, false, now(), now(), now() FROM unnest(",
        );
        pass.push_bind_param::<Array<sql::Id>, _>(&self.ids)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Array<Text>, _>(&self.urls)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Array<Text>, _>(&self.hashes)?;
        pass.push_sql(") AS new (id, url, url_hash) RETURNING created_at");
        Ok(())
    }
}
