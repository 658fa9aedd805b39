//! Many ends of attempts in one statement, for Postgres: a group costs one round trip instead of
//! one each. SQLite has neither arrays nor round trips.

use std::collections::HashSet;
use std::sync::LazyLock;

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::DbError;
use super::dialect::Dialect;
use super::finish::Ending;
use super::pools::on_pool;
use super::postgres_pool::PostgresPool;
use super::types::{Document, Id, Status, sql};

/// Writes all of `endings`; reports for each whether its claim still held.
pub(super) async fn finish_many(
    pool: &PostgresPool,
    endings: &[Ending],
) -> Result<Vec<bool>, DbError> {
    let finish = FinishMany::of(endings);
    let rows: Vec<(Id, i64)> = on_pool!(pool, connection => finish.load(connection).await)?;
    let written: HashSet<(uuid::Uuid, i64)> =
        rows.into_iter().map(|(id, fence)| (id.0, fence)).collect();
    Ok(endings
        .iter()
        .map(|ending| written.contains(&(ending.id.0, ending.fence)))
        .collect())
}

/// One array a column, so that the text of the statement does not depend on their number.
#[derive(QueryId)]
struct FinishMany {
    ids: Vec<Id>,
    fences: Vec<i64>,
    statuses: Vec<Status>,
    outcomes: Vec<&'static str>,
    results: Vec<Option<Document>>,
    errors: Vec<Option<String>>,
    error_codes: Vec<Option<&'static str>>,
    error_variants: Vec<Option<String>>,
    due_after_millis: Vec<Option<i64>>,
    refunded_attempts: Vec<i32>,
    source_statuses: Vec<Option<i32>>,
}

impl FinishMany {
    fn of(endings: &[Ending]) -> Self {
        let changes = || endings.iter().map(|ending| &ending.change);
        Self {
            ids: endings.iter().map(|ending| ending.id).collect(),
            fences: endings.iter().map(|ending| ending.fence).collect(),
            statuses: changes().map(|change| Status(change.event.to())).collect(),
            outcomes: changes().map(|change| change.event.word()).collect(),
            results: changes().map(|change| change.result.clone()).collect(),
            errors: changes().map(|change| change.error.clone()).collect(),
            error_codes: changes().map(|change| change.error_code).collect(),
            error_variants: changes()
                .map(|change| change.error_variant.clone())
                .collect(),
            due_after_millis: changes()
                .map(|change| change.due_after.map(super::clock::millis))
                .collect(),
            refunded_attempts: changes().map(|change| change.refunded_attempts).collect(),
            source_statuses: changes()
                .map(|change| change.source_status.map(i32::from))
                .collect(),
        }
    }
}

impl Query for FinishMany {
    type SqlType = (sql::Id, BigInt);
}

impl QueryFragment<Pg> for FinishMany {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql("WITH ending AS MATERIALIZED (SELECT * FROM unnest(");
        pass.push_bind_param::<Array<sql::Id>, _>(&self.ids)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Array<BigInt>, _>(&self.fences)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Array<Text>, _>(&self.statuses)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Array<Text>, _>(&self.outcomes)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Array<Nullable<sql::Document>>, _>(&self.results)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Array<Nullable<Text>>, _>(&self.errors)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Array<Nullable<Text>>, _>(&self.error_codes)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Array<Nullable<Text>>, _>(&self.error_variants)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Array<Nullable<BigInt>>, _>(&self.due_after_millis)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Array<Integer>, _>(&self.refunded_attempts)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Array<Nullable<Integer>>, _>(&self.source_statuses)?;
        // Every statement that locks several rows locks them in the order of their ids, or two
        // would wait for each other. The lock reads the newest version of a row: the claim held,
        // and holds.
        pass.push_sql(
            ") AS e (id, fence, status, outcome, result, error, error_code, error_variant, due_after, \
             refunded, source_status)), \
             held AS MATERIALIZED (SELECT jobs.id FROM ending JOIN jobs ON jobs.id = ending.id \
             AND jobs.fence = ending.fence AND jobs.status = 'processing' \
             ORDER BY jobs.id FOR UPDATE OF jobs) \
             UPDATE jobs SET status = ending.status, attempts = attempts - ending.refunded, \
             worker_id = NULL, updated_at = now(), \
             due_at = now() + ending.due_after * interval '1 millisecond', \
             waiting = COALESCE(ending.due_after > 0, false), source_status = ending.source_status, \
             result = ending.result, error = ending.error, error_code = ending.error_code, \
             error_variant = ending.error_variant, attempts_log = ",
        );
        pass.push_sql(LOGGED.as_str());
        pass.push_sql(
            " FROM ending JOIN held ON held.id = ending.id \
             WHERE jobs.id = held.id AND jobs.fence = ending.fence \
             RETURNING jobs.id, jobs.fence",
        );
        Ok(())
    }
}

static LOGGED: LazyLock<String> =
    LazyLock::new(|| Dialect::POSTGRES.logged_attempt("ending.outcome", "ending.error_code"));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Event;

    #[test]
    fn attempts_end_in_the_state_that_the_table_says() {
        let text = diesel::debug_query::<Pg, _>(&FinishMany::of(&[])).to_string();
        for event in [
            Event::Completed,
            Event::Failed,
            Event::Retried,
            Event::Parked,
            Event::HandedBack,
        ] {
            let condition = format!("jobs.status = '{}' ", event.from().as_str());
            assert_eq!(text.matches(&condition).count(), 1, "{event:?}: {text}");
        }
    }
}
