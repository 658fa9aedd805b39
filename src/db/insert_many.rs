//! Many new jobs in one statement, for Postgres: a group of submissions costs one round trip
//! instead of one each. SQLite has neither arrays nor round trips.

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, Nullable, SmallInt, Text};
use diesel_async::RunQueryDsl;

use super::DbError;
use super::pools::{Pool, on_pool};
use super::submit::NewJob;
use super::types::{Id, Moment, sql};
use crate::domain::Priority;

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
        origins: new_jobs.iter().map(|new| new.origin.clone()).collect(),
        priorities: new_jobs
            .iter()
            .map(|new| i16::from(new.schedule.priority.get()))
            .collect(),
        not_before: new_jobs
            .iter()
            .map(|new| new.schedule.not_before.map(Moment))
            .collect(),
        variants: new_jobs.iter().map(|new| new.variants.clone()).collect(),
        spec_hashes: new_jobs.iter().map(|new| new.spec_hash.clone()).collect(),
        spec_versions: new_jobs.iter().map(|new| new.spec_version).collect(),
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
    origins: Vec<String>,
    priorities: Vec<i16>,
    not_before: Vec<Option<Moment>>,
    variants: Vec<Option<String>>,
    spec_hashes: Vec<String>,
    spec_versions: Vec<i16>,
}

impl Query for InsertMany {
    type SqlType = sql::Moment;
}

impl QueryFragment<Pg> for InsertMany {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql(
            "INSERT INTO jobs (id, url, url_hash, exclusive, created_at, updated_at, due_at, waiting, \
             origin, priority, rank, not_before, variants, spec_hash, spec_version) \
             SELECT id, url, url_hash, false, now(), now(), GREATEST(now(), not_before), \
             COALESCE(not_before > now(), false), origin, priority, \
             (date_part('epoch', GREATEST(now(), not_before)) * 1000)::bigint \
             + priority * ",
        );
        pass.push_bind_param::<BigInt, _>(&Priority::STEP_MILLIS)?;
        pass.push_sql(", not_before, variants, spec_hash, spec_version FROM unnest(");
        pass.push_bind_param::<Array<sql::Id>, _>(&self.ids)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Array<Text>, _>(&self.urls)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Array<Text>, _>(&self.hashes)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Array<Text>, _>(&self.origins)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Array<SmallInt>, _>(&self.priorities)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Array<Nullable<sql::Moment>>, _>(&self.not_before)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Array<Nullable<Text>>, _>(&self.variants)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Array<Text>, _>(&self.spec_hashes)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Array<SmallInt>, _>(&self.spec_versions)?;
        pass.push_sql(
            ") AS new (id, url, url_hash, origin, priority, not_before, variants, spec_hash, \
             spec_version) RETURNING created_at",
        );
        Ok(())
    }
}
