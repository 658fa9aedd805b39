//! Writes what processes saw of origins to their records. In the ordinary case there is nothing to
//! write: an origin without a record that answers stays without one.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::origin_row::{OriginRow, lock_origin, millis};
use super::pools::{read_query, write_query, write_transaction};
use super::schema::origins;
use super::types::Moment;
use super::{Database, DbError, clock};
use crate::domain::Origin;
use crate::domain::origin_record::Observed;

/// A record without news is forgotten after this time.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 3600);

/// What the record of an origin holds after a report.
#[derive(Debug, Clone, PartialEq)]
pub struct OriginState {
    pub origin: Origin,
    /// How long its jobs must not be claimed.
    pub parked_for: Option<Duration>,
    /// True if its jobs are claimed under its record.
    pub is_limited: bool,
    /// True if there is a record that answers should be reported to.
    pub is_remembered: bool,
    /// True if the jobs that have used an attempt are to end.
    pub gives_up: bool,
}

/// Why an origin is not to be visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Until an operator resumes it.
    Paused,
    Parked(Duration),
}

impl Database {
    /// Brings the records of origins up to date with what this process saw. `breaker` is how long a
    /// breaker's first opening lasts.
    pub async fn report_origins(
        &self,
        mut seen: Vec<(Origin, Observed)>,
        breaker: Duration,
    ) -> Result<Vec<OriginState>, DbError> {
        // Every writer of several records locks them in the order of their names.
        seen.sort_by(|(a, _), (b, _)| a.cmp(b));
        write_transaction!(self.pools, connection => {
            let mut states = Vec::with_capacity(seen.len());
            for (origin, observed) in seen {
                let (row, now) = lock_origin!(connection, origin.as_str());
                let now = millis(now);
                let mut record = row.record();
                record.observe(&observed, now, breaker);
                if record.is_blank() {
                    diesel::delete(origins::table.find(origin.as_str()))
                        .execute(connection)
                        .await?;
                } else {
                    diesel::update(origins::table.find(origin.as_str()))
                        .set(OriginRow::of(origin.as_str(), &record))
                        .execute(connection)
                        .await?;
                }
                states.push(OriginState {
                    parked_for: record.parked_until.and_then(|until| {
                        u64::try_from(until - now).ok().filter(|left| *left > 0)
                    }).map(Duration::from_millis),
                    is_limited: record.restricts(now),
                    is_remembered: record.awaits_answers(),
                    gives_up: record.gives_up(),
                    origin,
                });
            }
            Ok::<_, diesel::result::Error>(states)
        })
    }

    /// What holds back the requests of `origin`, if anything does.
    pub async fn why_held(&self, origin: &Origin) -> Result<Option<Held>, DbError> {
        let name = origin.as_str().to_owned();
        let found: Option<(OriginRow, Moment)> = read_query!(self.pools, connection => origins::table
            .find(name)
            .select((OriginRow::as_select(), clock::now()))
            .first(connection)
            .await
            .optional())?;
        Ok(found.and_then(|(row, now)| {
            let record = row.record();
            if record.paused {
                return Some(Held::Paused);
            }
            let left = record.parked_until.map(|until| until - millis(now))?;
            u64::try_from(left)
                .ok()
                .filter(|left| *left > 0)
                .map(|left| Held::Parked(Duration::from_millis(left)))
        }))
    }

    /// Forgets records without news, except pauses.
    pub async fn forget_origins(&self) -> Result<usize, DbError> {
        write_query!(self.pools, connection => diesel::delete(
                origins::table
                    .filter(origins::updated_at.le(clock::before(FORGOTTEN_AFTER)))
                    .filter(origins::paused.eq(false)),
            )
            .execute(connection)
            .await)
    }
}
