//! Moves times earlier. After the database's clock was set back, times that were written before lie
//! in the future, and no worker would look at their jobs until the clock reaches them again.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::literal::{Literal, literal};
use super::pools::{read_query, write_query, write_transaction};
use super::read::{is_pending, is_processing, is_still};
use super::ready_origins::is_waiting;
use super::schema::{jobs, origins};
use super::types::{Id, Moment};
use super::{Database, DbError, clock};
use crate::domain::{JobStatus, Origin, failure};

/// Most jobs that are made due in one statement, and in one call: others get their turn in between.
const LARGEST_GROUP: i64 = 500;
const MOST_GROUPS: usize = 20;
/// Most leases that are shortened in one transaction; each costs a round trip.
const MOST_LEASES: i64 = 100;

impl Database {
    /// Makes pending jobs due now that are due later than `longest` from now, 10,000 at most;
    /// returns how many. A client's `not_before` stays.
    pub async fn pull_in_delays(&self, longest: Duration) -> Result<usize, DbError> {
        let mut pulled = 0;
        for _ in 0..MOST_GROUPS {
            // Looked for first: there are rarely any, and a look takes no lock.
            let ids: Vec<Id> = read_query!(self.pools, connection => jobs::table
                .filter(is_pending())
                .filter(is_waiting())
                .filter(jobs::due_at.gt(clock::after(longest).nullable()))
                .filter(is_not_asked_for())
                .order((jobs::due_at.asc(), jobs::id.asc()))
                .select(jobs::id)
                .limit(LARGEST_GROUP)
                .load(connection)
                .await)?;
            if ids.is_empty() {
                break;
            }
            pulled += write_query!(self.pools, connection => diesel::update(
                    jobs::table
                        .filter(jobs::id.eq_any(ids))
                        .filter(is_still(JobStatus::Pending))
                        .filter(jobs::due_at.gt(clock::after(longest).nullable())),
                )
                .set(jobs::due_at.eq(clock::now().nullable()))
                .execute(connection)
                .await)?;
        }
        Ok(pulled)
    }

    /// Makes jobs due now that wait because a redirect leads to `origin`, which was paused.
    pub(super) async fn pull_in_redirected(&self, origin: &Origin) -> Result<(), DbError> {
        let sentence = failure::paused_on_the_way(origin);
        for _ in 0..MOST_GROUPS {
            let sentence = sentence.clone();
            let ids: Vec<Id> = read_query!(self.pools, connection => jobs::table
                .filter(is_pending())
                .filter(is_waiting())
                .filter(jobs::due_at.gt(clock::now().nullable()))
                .filter(jobs::due_at.le(clock::after(failure::LONGEST_PAUSED_STEP).nullable()))
                .filter(jobs::error.eq(sentence))
                .order((jobs::due_at.asc(), jobs::id.asc()))
                .select(jobs::id)
                .limit(LARGEST_GROUP)
                .load(connection)
                .await)?;
            if ids.is_empty() {
                break;
            }
            write_query!(self.pools, connection => diesel::update(
                    jobs::table
                        .filter(jobs::id.eq_any(ids))
                        .filter(is_still(JobStatus::Pending))
                        .filter(jobs::waiting.eq(true)),
                )
                .set(jobs::due_at.eq(clock::now().nullable()))
                .execute(connection)
                .await)?;
        }
        Ok(())
    }

    /// Lets origins be asked again whose records lie further in the future than any record may.
    pub async fn pull_in_origins(&self, longest: Duration) -> Result<usize, DbError> {
        let latest = move || clock::after(longest).nullable();
        write_query!(self.pools, connection => diesel::update(
                origins::table.filter(
                    origins::parked_until
                        .gt(latest())
                        .or(origins::cut_at.gt(latest()))
                        .or(origins::filled_at.gt(latest()))
                        .or(origins::opened_at.gt(latest())),
                ),
            )
            .set((
                origins::parked_until.eq(None::<Moment>),
                origins::park_reason.eq(None::<String>),
                origins::cut_at.eq(None::<Moment>),
                origins::filled_at.eq(None::<Moment>),
                origins::opened_at.eq(None::<Moment>),
                origins::held_until.eq(None::<Moment>),
                origins::served_since.eq(None::<Moment>),
                origins::unavailable_since.eq(None::<Moment>),
                origins::updated_at.eq(clock::now()),
            ))
            .execute(connection)
            .await)
    }

    /// Makes leases end after `lease` from now that would end later than `longest` from now, 100 at
    /// most; returns how many. A worker that still works renews them meanwhile.
    pub async fn pull_in_leases(
        &self,
        longest: Duration,
        lease: Duration,
    ) -> Result<usize, DbError> {
        let ids: Vec<Id> = read_query!(self.pools, connection => jobs::table
            .filter(is_processing())
            .filter(jobs::due_at.gt(clock::after(longest).nullable()))
            .order(jobs::id.asc())
            .select(jobs::id)
            .limit(MOST_LEASES)
            .load(connection)
            .await)?;
        if ids.is_empty() {
            return Ok(0);
        }
        // Locked in the order of their ids, as every statement does that locks several held jobs.
        write_transaction!(self.pools, connection => {
            let mut pulled = 0;
            for id in ids {
                let job = jobs::table
                    .find(id)
                    .filter(is_processing())
                    .filter(jobs::due_at.gt(clock::after(longest).nullable()));
                pulled += diesel::update(job)
                    .set(jobs::due_at.eq(clock::after(lease).nullable()))
                    .execute(connection)
                    .await?;
            }
            Ok::<_, diesel::result::Error>(pulled)
        })
    }
}

/// The time is not the one that the client set as the earliest.
fn is_not_asked_for() -> Literal<diesel::sql_types::Bool> {
    literal("(jobs.not_before IS NULL OR jobs.due_at > jobs.not_before)")
}
