//! What ended at each origin, minute by minute.

use std::time::Duration;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Text};
use diesel::upsert::excluded;
use diesel_async::RunQueryDsl;

use super::origin_row::millis;
use super::pools::{AsyncSqlite, Pools, on_pool, write_query};
use super::schema::origin_flow;
use super::types::Moment;
use super::{Database, DbError, clock};
use crate::domain::Origin;

/// How long the flow is kept.
const KEPT: Duration = Duration::from_secs(3600);
const MINUTE_MILLIS: i64 = 60_000;
/// Most rows in one transaction: others get their turn in between.
const LARGEST_GROUP: usize = 500;

/// What ended at an origin since the last report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flow {
    pub done: u32,
    pub failed: u32,
    pub downloads: u32,
    /// Of all downloads together.
    pub download_time: Duration,
}

impl Database {
    /// Adds to the flow of the current minute.
    pub async fn add_flow(&self, mut flow: Vec<(Origin, Flow)>) -> Result<(), DbError> {
        // Every writer of several rows writes them in the order of their names.
        flow.sort_by(|(a, _), (b, _)| a.cmp(b));
        for group in flow.chunks(LARGEST_GROUP) {
            match &self.pools {
                Pools::Postgres(pool) => {
                    let add = AddFlow::of(group);
                    on_pool!(pool, connection => add.execute(connection).await)?;
                }
                Pools::Sqlite { writer, .. } => {
                    let group = group.to_vec();
                    on_pool!(writer, writer => writer.immediate_transaction(
                        async move |connection| add_one_by_one(connection, group).await
                    ).await)?;
                }
            }
        }
        Ok(())
    }

    /// Forgets flow that is older than an hour.
    pub async fn forget_flow(&self) -> Result<usize, DbError> {
        let now = Moment(self.now().await?);
        let oldest = (millis(now) - clock::millis(KEPT)).div_euclid(MINUTE_MILLIS);
        write_query!(self.pools, connection => diesel::delete(
                origin_flow::table.filter(origin_flow::minute.lt(oldest)),
            )
            .execute(connection)
            .await)
    }
}

async fn add_one_by_one(
    connection: &mut AsyncSqlite,
    flow: Vec<(Origin, Flow)>,
) -> QueryResult<()> {
    let now: Moment = diesel::select(clock::now()).get_result(connection).await?;
    let minute = millis(now).div_euclid(MINUTE_MILLIS);
    for (origin, flow) in flow {
        diesel::insert_into(origin_flow::table)
            .values((
                origin_flow::origin.eq(origin.as_str()),
                origin_flow::minute.eq(minute),
                origin_flow::done.eq(i64::from(flow.done)),
                origin_flow::failed.eq(i64::from(flow.failed)),
                origin_flow::downloads.eq(i64::from(flow.downloads)),
                origin_flow::download_millis.eq(clock::millis(flow.download_time)),
            ))
            .on_conflict((origin_flow::origin, origin_flow::minute))
            .do_update()
            .set((
                origin_flow::done.eq(origin_flow::done + excluded(origin_flow::done)),
                origin_flow::failed.eq(origin_flow::failed + excluded(origin_flow::failed)),
                origin_flow::downloads
                    .eq(origin_flow::downloads + excluded(origin_flow::downloads)),
                origin_flow::download_millis
                    .eq(origin_flow::download_millis + excluded(origin_flow::download_millis)),
            ))
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// One array a column, so that the text of the statement does not depend on their number.
#[derive(QueryId)]
struct AddFlow {
    origins: Vec<String>,
    done: Vec<i64>,
    failed: Vec<i64>,
    downloads: Vec<i64>,
    download_millis: Vec<i64>,
}

impl AddFlow {
    fn of(flow: &[(Origin, Flow)]) -> Self {
        let flows = || flow.iter().map(|(_, flow)| flow);
        Self {
            origins: flow
                .iter()
                .map(|(origin, _)| origin.as_str().to_owned())
                .collect(),
            done: flows().map(|flow| i64::from(flow.done)).collect(),
            failed: flows().map(|flow| i64::from(flow.failed)).collect(),
            downloads: flows().map(|flow| i64::from(flow.downloads)).collect(),
            download_millis: flows()
                .map(|flow| clock::millis(flow.download_time))
                .collect(),
        }
    }
}

impl QueryFragment<Pg> for AddFlow {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql(
            "INSERT INTO origin_flow (origin, minute, done, failed, downloads, download_millis) \
             SELECT origin, floor(extract(epoch FROM now()) / 60)::bigint, done, failed, downloads, millis \
             FROM unnest(",
        );
        pass.push_bind_param::<Array<Text>, _>(&self.origins)?;
        for numbers in [
            &self.done,
            &self.failed,
            &self.downloads,
            &self.download_millis,
        ] {
            pass.push_sql(", ");
            pass.push_bind_param::<Array<BigInt>, _>(numbers)?;
        }
        pass.push_sql(
            ") AS f (origin, done, failed, downloads, millis) ON CONFLICT (origin, minute) \
             DO UPDATE SET done = origin_flow.done + excluded.done, \
             failed = origin_flow.failed + excluded.failed, \
             downloads = origin_flow.downloads + excluded.downloads, \
             download_millis = origin_flow.download_millis + excluded.download_millis",
        );
        Ok(())
    }
}
