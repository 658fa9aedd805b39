//! A row of `origins`, and the record that it holds.

use diesel::prelude::*;

use super::schema::origins;
use super::types::Moment;
use crate::domain::Timestamp;
use crate::domain::origin_record::{OriginRecord, ParkReason};

#[derive(Debug, Clone, Queryable, Selectable, AsChangeset)]
#[diesel(table_name = origins, treat_none_as_null = true)]
pub(super) struct OriginRow {
    pub origin: String,
    pub paused: bool,
    pub parked_until: Option<Moment>,
    pub park_reason: Option<String>,
    pub rate: Option<f64>,
    pub tokens: f64,
    pub filled_at: Option<Moment>,
    pub settled_rate: Option<f64>,
    pub measured: bool,
    pub held_until: Option<Moment>,
    pub served: i64,
    pub served_since: Option<Moment>,
    pub refusals: i32,
    pub cut_at: Option<Moment>,
    pub failures: i32,
    pub openings: i32,
    pub opened_at: Option<Moment>,
    pub unavailable_since: Option<Moment>,
    pub updated_at: Moment,
}

pub(super) fn millis(moment: Moment) -> i64 {
    moment.0.unix_micros().div_euclid(1000)
}

pub(super) fn moment(millis: i64) -> Moment {
    let micros = millis.saturating_mul(1000);
    Moment(Timestamp::from_unix_micros(micros).unwrap_or(Timestamp::EPOCH))
}

fn count(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

fn stored(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

impl OriginRow {
    pub(super) fn record(&self) -> OriginRecord {
        OriginRecord {
            paused: self.paused,
            parked_until: self.parked_until.map(millis),
            park_reason: self.park_reason.as_deref().and_then(ParkReason::from_word),
            rate: self.rate,
            tokens: self.tokens,
            filled_at: self.filled_at.map(millis),
            settled_rate: self.settled_rate,
            is_measured: self.measured,
            held_until: self.held_until.map(millis),
            served: self.served,
            served_since: self.served_since.map(millis),
            refusals: count(self.refusals),
            cut_at: self.cut_at.map(millis),
            failures: count(self.failures),
            openings: count(self.openings),
            opened_at: self.opened_at.map(millis),
            unavailable_since: self.unavailable_since.map(millis),
            updated_at: millis(self.updated_at),
        }
    }

    pub(super) fn of(origin: &str, record: &OriginRecord) -> Self {
        Self {
            origin: origin.to_owned(),
            paused: record.paused,
            parked_until: record.parked_until.map(moment),
            park_reason: record.park_reason.map(|reason| reason.as_str().to_owned()),
            rate: record.rate,
            tokens: record.tokens,
            filled_at: record.filled_at.map(moment),
            settled_rate: record.settled_rate,
            measured: record.is_measured,
            held_until: record.held_until.map(moment),
            served: record.served,
            served_since: record.served_since.map(moment),
            refusals: stored(record.refusals),
            cut_at: record.cut_at.map(moment),
            failures: stored(record.failures),
            openings: stored(record.openings),
            opened_at: record.opened_at.map(moment),
            unavailable_since: record.unavailable_since.map(moment),
            updated_at: moment(record.updated_at),
        }
    }
}

/// The row of an origin, made when missing and locked until the transaction ends, with the
/// database's time; on a connection of either database.
macro_rules! lock_origin {
    ($connection:ident, $origin:expr) => {{
        let row: ($crate::db::origin_row::OriginRow, $crate::db::types::Moment) =
            diesel::insert_into(origins::table)
                .values((
                    origins::origin.eq($origin),
                    origins::updated_at.eq($crate::db::clock::now()),
                ))
                .on_conflict(origins::origin)
                .do_update()
                .set(origins::origin.eq($origin))
                .returning((
                    $crate::db::origin_row::OriginRow::as_returning(),
                    $crate::db::clock::now(),
                ))
                .get_result($connection)
                .await?;
        row
    }};
}
pub(super) use lock_origin;
