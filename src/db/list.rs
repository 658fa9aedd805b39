//! Pages of jobs, newest first. A page costs the same however many jobs there are, except with an
//! offset.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;

use super::dialect::Dialect;
use super::list_sql::{ListSql, Value};
use super::pools::{read_query, read_snapshot};
use super::prepared::Prepare;
use super::row::JobRow;
use super::schema::jobs;
use super::types::{Id, Moment, sql};
use super::{Database, DbError};
use crate::domain::{Job, JobFilter, ListPlace};

#[derive(Debug, Clone, PartialEq)]
pub struct JobPage {
    pub jobs: Vec<Job>,
    /// Where the next page begins, if there may be one. A page may be short, or empty, and yet not
    /// the last: so many jobs were looked at.
    pub next: Option<ListPlace>,
}

/// How many jobs a filter lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterTotal {
    pub total: u64,
    /// False if there are more.
    pub is_exact: bool,
}

#[derive(QueryableByName)]
struct PlaceRow {
    #[diesel(sql_type = sql::Id)]
    id: Id,
    #[diesel(sql_type = sql::Moment)]
    created_at: Moment,
}

impl PlaceRow {
    fn place(&self) -> ListPlace {
        ListPlace {
            created_at: self.created_at.0,
            id: self.id.0,
        }
    }
}

#[derive(QueryableByName)]
struct TotalRow {
    #[diesel(sql_type = BigInt)]
    is_cut: i64,
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// Binds values to a query of either database.
macro_rules! bound {
    ($text:expr, $values:expr) => {{
        let mut query = diesel::sql_query($text).into_boxed();
        for value in $values {
            query = match value {
                Value::Text(text) => query.bind::<Text, _>(text),
                Value::Moment(moment) => query.bind::<sql::Moment, _>(moment),
                Value::Id(id) => query.bind::<sql::Id, _>(id),
            };
        }
        query
    }};
}
pub(super) use bound;

/// Pages of how many rows are read: each number makes a text of its own.
const ROWS: [u32; 3] = [64, 256, 1024];

impl Database {
    /// A page of the jobs that `filter` lets through, which begins after `after`, or after `offset`
    /// jobs.
    pub async fn list(
        &self,
        filter: &JobFilter,
        limit: u32,
        offset: u64,
        after: Option<ListPlace>,
    ) -> Result<JobPage, DbError> {
        let (places, next) = self.places(filter, limit, offset, after).await?;
        Ok(JobPage {
            jobs: self.jobs_in_order(places).await?,
            next,
        })
    }

    /// The same without the jobs themselves.
    pub(super) async fn places(
        &self,
        filter: &JobFilter,
        limit: u32,
        offset: u64,
        after: Option<ListPlace>,
    ) -> Result<(Vec<ListPlace>, Option<ListPlace>), DbError> {
        let sql = ListSql::of(Dialect::of(&self.pools), filter, after);
        // One more shows whether there are others.
        let wanted = limit.saturating_add(1);
        let rows = ROWS.into_iter().find(|rows| *rows >= wanted);
        let rows = rows.unwrap_or(wanted);
        let (text, values) = (sql.page(rows, offset), sql.values.clone());
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let (mut found, frontier): (Vec<PlaceRow>, Option<ListPlace>) =
            match (offset, sql.is_bounded()) {
                // At one moment: what changes between the two would be passed over.
                (0, true) => read_snapshot!(self.pools, connection => {
                    let query = bound!(text, values).prepared();
                    let found: Vec<PlaceRow> = query.load(connection).await?;
                    let has_more = found.len() > limit;
                    let last = found.last().map(PlaceRow::place);
                    let (text, values) = sql.frontier(rows, last.filter(|_| has_more));
                    let query = bound!(text, values).prepared();
                    let places: Vec<PlaceRow> = query.load(connection).await?;
                    let frontier = places.into_iter().next().map(|row| row.place());
                    Ok::<_, diesel::result::Error>((found, frontier))
                })?,
                (0, false) => {
                    let found = read_query!(self.pools, connection =>
                        bound!(text, values).prepared().load(connection).await)?;
                    (found, None)
                }
                // Each offset is a text of its own.
                _ => {
                    let found = read_query!(self.pools, connection =>
                        bound!(text, values).load(connection).await)?;
                    (found, None)
                }
            };
        if let Some(frontier) = frontier {
            // Beyond it another branch may hold jobs that come before.
            found.retain(|row| row.place() >= frontier);
        }
        let has_more = found.len() > limit;
        found.truncate(limit);
        let next = match has_more {
            true => found.last().map(PlaceRow::place),
            false => frontier,
        };
        Ok((found.iter().map(PlaceRow::place).collect(), next))
    }

    /// Those of the jobs that are still there.
    async fn jobs_in_order(&self, places: Vec<ListPlace>) -> Result<Vec<Job>, DbError> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<Id> = places.iter().map(|place| Id(place.id)).collect();
        let rows: Vec<JobRow> = read_query!(self.pools, connection => jobs::table
            .filter(jobs::id.eq_any(ids))
            .select(JobRow::as_select())
            .load(connection)
            .await)?;
        let mut rows: HashMap<Id, JobRow> = rows.into_iter().map(|row| (row.id, row)).collect();
        let in_order = places.iter().filter_map(|place| rows.remove(&Id(place.id)));
        in_order.map(Job::try_from).collect()
    }

    /// How many jobs `filter` lets through: exact where it names only the status and times, else
    /// counted up to some thousands.
    pub async fn total_of(&self, filter: &JobFilter) -> Result<FilterTotal, DbError> {
        if is_by_status_and_time(filter) {
            return Ok(FilterTotal {
                total: self.count_by_status_and_time(filter).await?,
                is_exact: true,
            });
        }
        let sql = ListSql::of(Dialect::of(&self.pools), filter, None);
        let (text, values) = (sql.count(), sql.values);
        let row: TotalRow = read_query!(self.pools, connection =>
            bound!(text, values).prepared().get_result(connection).await)?;
        Ok(FilterTotal {
            total: u64::try_from(row.n).unwrap_or(0),
            is_exact: row.is_cut == 0,
        })
    }

    /// How many jobs `filter` lets through, all counted, however long that takes.
    pub async fn exact_total_of(&self, filter: &JobFilter) -> Result<u64, DbError> {
        if is_by_status_and_time(filter) {
            return self.count_by_status_and_time(filter).await;
        }
        let sql = ListSql::of(Dialect::of(&self.pools), filter, None);
        let (text, values) = (sql.count_all(), sql.values);
        let row: TotalRow = read_query!(self.pools, connection =>
            bound!(text, values).get_result(connection).await)?;
        Ok(u64::try_from(row.n).unwrap_or(0))
    }

    async fn count_by_status_and_time(&self, filter: &JobFilter) -> Result<u64, DbError> {
        let counts = self.count_created(filter.created_after, filter.created_before);
        let counts = counts.await?;
        Ok(filter
            .status
            .map_or(counts.total(), |status| counts.of(status)))
    }
}

/// True if the kept counts answer it.
fn is_by_status_and_time(filter: &JobFilter) -> bool {
    let JobFilter {
        status: _,
        created_after: _,
        created_before: _,
        error_code,
        host,
        tag,
        batch_id,
        submitted_by,
    } = filter;
    let is_given = [error_code, host, tag, submitted_by]
        .into_iter()
        .any(Option::is_some);
    !is_given && batch_id.is_none()
}
