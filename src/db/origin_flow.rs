//! What ended at each origin, minute by minute.

use std::time::Duration;

use diesel::prelude::*;
use diesel::upsert::excluded;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::origin_row::millis;
use super::pools::{write_query, write_transaction};
use super::schema::origin_flow;
use super::types::Moment;
use super::{Database, DbError, clock};
use crate::domain::Origin;

/// For how long the flow is kept.
const KEPT: Duration = Duration::from_secs(3600);
const MINUTE_MILLIS: i64 = 60_000;

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
        // All who write several rows write them in the order of their names.
        flow.sort_by(|(a, _), (b, _)| a.cmp(b));
        write_transaction!(self.pools, connection => {
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
                        origin_flow::failed
                            .eq(origin_flow::failed + excluded(origin_flow::failed)),
                        origin_flow::downloads
                            .eq(origin_flow::downloads + excluded(origin_flow::downloads)),
                        origin_flow::download_millis.eq(
                            origin_flow::download_millis + excluded(origin_flow::download_millis),
                        ),
                    ))
                    .execute(connection)
                    .await?;
            }
            Ok::<_, diesel::result::Error>(())
        })
    }

    /// Forgets flow of longer ago than an hour.
    pub async fn forget_flow(&self) -> Result<usize, DbError> {
        let now: Moment = super::pools::read_query!(self.pools, connection =>
            diesel::select(clock::now()).get_result(connection).await)?;
        let oldest = (millis(now) - clock::millis(KEPT)).div_euclid(MINUTE_MILLIS);
        write_query!(self.pools, connection => diesel::delete(
                origin_flow::table.filter(origin_flow::minute.lt(oldest)),
            )
            .execute(connection)
            .await)
    }
}
