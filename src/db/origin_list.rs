//! Which origins are fetched from, and how that goes: an origin's report, and pages of them.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Double, Integer, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::dialect::Dialect;
use super::origin_sql::{self, BEFORE_ALL};
use super::pools::read_query;
use super::types::{Moment, sql};
use super::{Database, DbError};
use crate::domain::{Origin, Timestamp};

/// The order of a page. Equals, and all by `Origin`, are in the order of their names. The other
/// orders begin with the largest, and read every origin of which anything is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OriginSort {
    #[default]
    Origin,
    Queued,
    InFlight,
    Failed,
}

/// The end of a page: the next one begins after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginPlace {
    /// The value that the page was sorted by, for the last origin; 0 in the order of names.
    pub measure: i64,
    pub origin: String,
}

/// How it goes with one origin.
#[derive(Debug, Clone, PartialEq)]
pub struct OriginReport {
    pub origin: Origin,
    pub in_flight: u64,
    /// Jobs that could run if the origin may be visited; counted to 100,000, like those that wait.
    pub queued: u64,
    /// Jobs that are due later.
    pub waiting: u64,
    pub done_last_hour: u64,
    pub failed_last_hour: u64,
    /// Of a download: a mean in which older ones count less.
    pub duration_seconds: Option<f64>,
    /// Learned from refusals.
    pub rate_per_second: Option<f64>,
    /// `None` unless it lies in the future.
    pub parked_until: Option<Timestamp>,
    pub park_reason: Option<String>,
    pub unavailable_since: Option<Timestamp>,
    pub paused: bool,
    pub failures_in_a_row: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct OriginPage {
    pub origins: Vec<OriginReport>,
    pub next: Option<OriginPlace>,
}

#[derive(QueryableByName)]
struct ReportRow {
    #[diesel(sql_type = Text)]
    origin: String,
    #[diesel(sql_type = BigInt)]
    measure: i64,
    #[diesel(sql_type = BigInt)]
    in_flight: i64,
    #[diesel(sql_type = BigInt)]
    queued: i64,
    #[diesel(sql_type = BigInt)]
    waiting: i64,
    #[diesel(sql_type = BigInt)]
    done: i64,
    #[diesel(sql_type = BigInt)]
    failed: i64,
    #[diesel(sql_type = Nullable<Double>)]
    duration: Option<f64>,
    #[diesel(sql_type = Nullable<Double>)]
    rate: Option<f64>,
    #[diesel(sql_type = Nullable<sql::Moment>)]
    parked_until: Option<Moment>,
    #[diesel(sql_type = Nullable<Text>)]
    park_reason: Option<String>,
    #[diesel(sql_type = Nullable<sql::Moment>)]
    unavailable_since: Option<Moment>,
    #[diesel(sql_type = Bool)]
    paused: bool,
    #[diesel(sql_type = Integer)]
    failures: i32,
}

impl Database {
    /// At most `limit` of the origins that have open jobs, a record, or ends of jobs in the last
    /// hour; beginning with the first after `after`.
    pub async fn list_origins(
        &self,
        sort: OriginSort,
        after: Option<OriginPlace>,
        limit: u32,
    ) -> Result<OriginPage, DbError> {
        let after = after.unwrap_or_else(|| OriginPlace {
            measure: i64::MAX,
            origin: BEFORE_ALL.to_owned(),
        });
        let dialect = Dialect::of(&self.pools);
        // An extra row shows whether there is another page.
        let enough = i64::from(limit) + 1;
        let query = match sort {
            OriginSort::Origin => origin_sql::by_origin(dialect, enough),
            sort => origin_sql::by_measure(dialect, sort, after.measure, enough),
        };
        let mut rows = self.reports(query, after.origin).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let is_last = rows.len() <= limit;
        rows.truncate(limit);
        let end = rows.last().map(|row| OriginPlace {
            measure: row.measure,
            origin: row.origin.clone(),
        });
        Ok(OriginPage {
            origins: rows.into_iter().map(OriginReport::from).collect(),
            next: end.filter(|_| !is_last),
        })
    }

    /// The report of one origin, even if nothing is known of it.
    pub async fn find_origin(&self, origin: &Origin) -> Result<OriginReport, DbError> {
        let query = origin_sql::of_one(Dialect::of(&self.pools));
        let rows = self.reports(query, origin.to_string()).await?;
        let first = rows.into_iter().next().map(OriginReport::from);
        first.ok_or_else(|| DbError::Refused("no report of an origin".to_owned()))
    }

    async fn reports(&self, query: String, bound: String) -> Result<Vec<ReportRow>, DbError> {
        read_query!(self.pools, connection => diesel::sql_query(query)
            .bind::<Text, _>(bound)
            .load(connection)
            .await)
    }
}

impl From<ReportRow> for OriginReport {
    fn from(row: ReportRow) -> Self {
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        Self {
            origin: Origin::stored(&row.origin),
            in_flight: count(row.in_flight),
            queued: count(row.queued),
            waiting: count(row.waiting),
            done_last_hour: count(row.done),
            failed_last_hour: count(row.failed),
            duration_seconds: row.duration,
            rate_per_second: row.rate,
            parked_until: row.parked_until.map(|moment| moment.0),
            park_reason: row.park_reason,
            unavailable_since: row.unavailable_since.map(|moment| moment.0),
            paused: row.paused,
            failures_in_a_row: u32::try_from(row.failures).unwrap_or(0),
        }
    }
}
