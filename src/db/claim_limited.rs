//! Taking jobs of an origin under its record: a learned rate, a breaker that is being probed, or
//! the operator's caps. The record's row is locked meanwhile, so that they hold over all processes.

use std::time::Duration;

use diesel::dsl::count_star;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::claim::{ClaimRow, claim_columns, claim_of, claiming};
use super::claim_ready::{ALL_ORIGINS, PAUSE_RECHECK, ready_of};
use super::origin_row::{OriginRow, lock_origin, millis};
use super::pools::write_transaction;
use super::read::{is_pending, is_processing};
use super::schema::{jobs, origins};
use super::types::{Id, Status};
use super::{Database, DbError, clock};
use crate::domain::origin_record::{Allowance, Caps};
use crate::domain::{Claim, Event, Origin};

/// The result of a claim under a record.
#[derive(Debug)]
pub struct LimitedClaim {
    pub claims: Vec<Claim>,
    /// Fewer were claimed than asked for because the record or a cap allows no more now; then
    /// this is when to ask again.
    pub ask_again: Option<Duration>,
    /// The end of one of its jobs allows the next, even before that moment.
    pub awaits_end: bool,
    /// There were fewer jobs than might have been claimed.
    pub is_drained: bool,
    /// True if the record restricts the origin at all; else its jobs need no lock.
    pub is_limited: bool,
}

impl Database {
    /// Claims up to `wanted` jobs of `origin`, as many as its record and `caps` allow now.
    pub async fn claim_limited(
        &self,
        origin: &Origin,
        wanted: u32,
        caps: Caps,
        worker: uuid::Uuid,
        lease: Duration,
    ) -> Result<LimitedClaim, DbError> {
        let origin = origin.as_str().to_owned();
        let (rows, allowance, is_limited): (Vec<ClaimRow>, Allowance, bool) = write_transaction!(self.pools, connection => {
            let (row, now) = lock_origin!(connection, &origin);
            let now = millis(now);
            let mut record = row.record();
            let paused: Option<bool> = origins::table
                .find(ALL_ORIGINS)
                .select(origins::paused)
                .first(connection)
                .await
                .optional()?;
            if paused == Some(true) {
                let allowance = Allowance { requests: 0, ask_again: PAUSE_RECHECK, awaits_end: false };
                return Ok::<_, diesel::result::Error>((Vec::new(), allowance, true));
            }
            let in_flight: i64 = if caps.concurrency.is_some() || record.openings > 0 {
                jobs::table
                    .filter(is_processing())
                    .filter(jobs::origin.eq(&origin))
                    .select(count_star())
                    .first(connection)
                    .await?
            } else {
                0
            };
            let in_flight = u32::try_from(in_flight).unwrap_or(u32::MAX);
            let allowance = record.take(wanted, in_flight, caps, now);
            let mut rows: Vec<ClaimRow> = Vec::new();
            if allowance.requests > 0 {
                let ids: Vec<Id> = if record.openings > 0 {
                        // One URL alone may be at fault: the next probe uses another.
                        ready_of!(&origin, allowance.requests)
                            .order((jobs::attempts.asc(), jobs::rank.asc(), jobs::id.asc()))
                            .load(connection)
                            .await?
                    } else {
                        ready_of!(&origin, allowance.requests)
                            .load(connection)
                            .await?
                    };
                if !ids.is_empty() {
                    rows = claiming!(
                        jobs::table.filter(jobs::id.eq_any(ids)), worker, lease
                    )
                    .load(connection)
                    .await?;
                }
                record.give_back(allowance.requests - rows.len() as u32);
            }
            diesel::update(origins::table.find(&origin))
                .set(OriginRow::of(&origin, &record))
                .execute(connection)
                .await?;
            Ok::<_, diesel::result::Error>((rows, allowance, record.restricts(now)))
        })?;
        Ok(LimitedClaim {
            is_drained: rows.len() < allowance.requests as usize,
            claims: rows.into_iter().map(claim_of).collect(),
            ask_again: (allowance.requests < wanted).then_some(allowance.ask_again),
            awaits_end: allowance.awaits_end,
            is_limited,
        })
    }
}
