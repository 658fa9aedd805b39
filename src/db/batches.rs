//! Batches as they are read. Their counts are kept, so that a batch of a hundred thousand jobs is
//! read as quickly as one of ten.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::dialect::Dialect;
use super::pools::read_query;
use super::row::JobRow;
use super::schema::{batch_reused, jobs};
use super::types::{Id, Moment, sql};
use super::{Database, DbError};
use crate::domain::{
    Batch, BatchCounts, BatchItem, BatchStatus, Job, JobFilter, JobStatus, ListPlace, Timestamp,
};

/// Most batches that are looked at for a page of those in one state.
const EXAMINED: u32 = 10_000;

/// A page of batches, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchPage {
    pub batches: Vec<Batch>,
    /// Where the next page begins, if there may be one.
    pub next: Option<ListPlace>,
}

/// A page of the jobs of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchImages {
    pub items: Vec<BatchItem>,
    /// Where the next page begins, if there may be one.
    pub next: Option<ListPlace>,
}

#[derive(QueryableByName)]
struct BatchRow {
    #[diesel(sql_type = sql::Id)]
    id: Id,
    #[diesel(sql_type = Text)]
    status: String,
    #[diesel(sql_type = BigInt)]
    total: i64,
    #[diesel(sql_type = BigInt)]
    rejected: i64,
    #[diesel(sql_type = BigInt)]
    reused: i64,
    #[diesel(sql_type = Bool)]
    incomplete: bool,
    #[diesel(sql_type = Text)]
    errors: String,
    #[diesel(sql_type = Nullable<Text>)]
    metadata: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    submitted_by: Option<String>,
    #[diesel(sql_type = sql::Moment)]
    created_at: Moment,
    #[diesel(sql_type = sql::Moment)]
    updated_at: Moment,
    #[diesel(sql_type = Nullable<sql::Moment>)]
    finished_at: Option<Moment>,
    #[diesel(sql_type = BigInt)]
    pending: i64,
    #[diesel(sql_type = BigInt)]
    processing: i64,
    #[diesel(sql_type = BigInt)]
    completed: i64,
    #[diesel(sql_type = BigInt)]
    failed: i64,
    #[diesel(sql_type = BigInt)]
    cancelled: i64,
}

impl TryFrom<BatchRow> for Batch {
    type Error = DbError;

    fn try_from(row: BatchRow) -> Result<Self, DbError> {
        let unreadable = |what: &dyn std::fmt::Display| {
            DbError::Unreadable(format!("batch {}: {what}", row.id.0))
        };
        let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
        Ok(Self {
            id: row.id.0,
            status: row.status.parse().map_err(|error| unreadable(&error))?,
            counts: BatchCounts {
                total: unsigned(row.total),
                pending: unsigned(row.pending),
                processing: unsigned(row.processing),
                completed: unsigned(row.completed),
                failed: unsigned(row.failed),
                cancelled: unsigned(row.cancelled),
                rejected: unsigned(row.rejected),
                reused: unsigned(row.reused),
            },
            errors: serde_json::from_str(&row.errors).map_err(|error| unreadable(&error))?,
            incomplete: row.incomplete,
            metadata: row.metadata,
            submitted_by: row.submitted_by,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            finished_at: row.finished_at.map(|Moment(moment)| moment),
        })
    }
}

/// The batches of the query `page`, with their counts, in one statement.
fn with_counts(page: &str) -> String {
    let counts: Vec<String> = JobStatus::ALL
        .iter()
        .map(|status| {
            let word = status.as_str();
            format!(
                "COALESCE((SELECT n FROM kept WHERE kept.batch_id = page.id \
                 AND kept.status = '{word}'), 0) AS {word}"
            )
        })
        .collect();
    format!(
        "WITH page AS ({page}), kept AS (SELECT batch_id, status, CAST(sum(n) AS bigint) AS n \
         FROM (SELECT batch_id, status, n FROM batch_counts \
             WHERE batch_id IN (SELECT id FROM page) \
             UNION ALL SELECT batch_id, status, n FROM job_count_deltas \
             WHERE batch_id IN (SELECT id FROM page)) AS counts GROUP BY batch_id, status) \
         SELECT page.*, {} FROM page ORDER BY page.created_at DESC, page.id DESC",
        counts.join(", ")
    )
}

impl Database {
    pub async fn find_batch(&self, id: Uuid) -> Result<Option<Batch>, DbError> {
        let given = Dialect::of(&self.pools).parameter(1);
        let text = with_counts(&format!("SELECT * FROM batches WHERE id = {given}"));
        let rows: Vec<BatchRow> = read_query!(self.pools, connection => diesel::sql_query(text)
            .bind::<sql::Id, _>(Id(id))
            .load(connection)
            .await)?;
        rows.into_iter().next().map(Batch::try_from).transpose()
    }

    /// A page of batches, newest first, that begins after `after`.
    pub async fn list_batches(
        &self,
        status: Option<BatchStatus>,
        limit: u32,
        after: Option<ListPlace>,
    ) -> Result<BatchPage, DbError> {
        let dialect = Dialect::of(&self.pools);
        let [moment, id, word] = [1, 2, 3].map(|number| dialect.parameter(number));
        // Places that come before all others, and statuses that all have.
        let place = after.unwrap_or_else(before_all);
        let in_order = format!(
            "SELECT * FROM batches WHERE (created_at, id) < ({moment}, {id}) \
             ORDER BY created_at DESC, id DESC LIMIT {EXAMINED}"
        );
        let wanted = limit.saturating_add(1);
        let page = with_counts(&format!(
            "SELECT * FROM ({in_order}) AS examined WHERE {word} IN ('', status) \
             ORDER BY created_at DESC, id DESC LIMIT {wanted}"
        ));
        let word = status.map_or("", BatchStatus::as_str);
        let rows: Vec<BatchRow> = read_query!(self.pools, connection => diesel::sql_query(page)
            .bind::<sql::Moment, _>(Moment(place.created_at))
            .bind::<sql::Id, _>(Id(place.id))
            .bind::<Text, _>(word)
            .load(connection)
            .await)?;
        let batches: Result<Vec<Batch>, DbError> = rows.into_iter().map(Batch::try_from).collect();
        let mut batches = batches?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let next = match batches.len() > limit {
            true => {
                batches.truncate(limit);
                batches.last().map(|last| ListPlace {
                    created_at: last.created_at,
                    id: last.id,
                })
            }
            false if status.is_some() => self.examined_up_to(place).await?,
            false => None,
        };
        Ok(BatchPage { batches, next })
    }

    /// The last batch that is looked at for a page after `place`, if there may be others.
    async fn examined_up_to(&self, place: ListPlace) -> Result<Option<ListPlace>, DbError> {
        let dialect = Dialect::of(&self.pools);
        let [moment, id] = [1, 2].map(|number| dialect.parameter(number));
        let text = format!(
            "SELECT id, created_at FROM batches WHERE (created_at, id) < ({moment}, {id}) \
             ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET {}",
            EXAMINED - 1
        );
        let rows: Vec<PlaceRow> = read_query!(self.pools, connection => diesel::sql_query(text)
            .bind::<sql::Moment, _>(Moment(place.created_at))
            .bind::<sql::Id, _>(Id(place.id))
            .load(connection)
            .await)?;
        Ok(rows.into_iter().next().map(|row| ListPlace {
            created_at: row.created_at.0,
            id: row.id.0,
        }))
    }

    /// A page of the jobs of a batch: those that it made, newest first, then those that were there
    /// before, in the order of its items.
    pub async fn batch_images(
        &self,
        batch: Uuid,
        limit: u32,
        after: Option<ListPlace>,
    ) -> Result<BatchImages, DbError> {
        let mut items = Vec::new();
        let first_reused = match after.map(ReusedPlace::of) {
            Some(Some(ReusedPlace(index))) => index,
            _ => {
                let filter = JobFilter {
                    batch_id: Some(batch),
                    ..JobFilter::default()
                };
                let page = self.list(&filter, limit, 0, after).await?;
                items = self.with_indexes(page.jobs).await?;
                if page.next.is_some() {
                    return Ok(BatchImages {
                        items,
                        next: page.next,
                    });
                }
                0
            }
        };
        let room = limit.saturating_sub(u32::try_from(items.len()).unwrap_or(u32::MAX));
        let (reused, next) = self.reused_images(batch, room, first_reused).await?;
        items.extend(reused);
        let next = next.map(|index| ReusedPlace(index).place());
        Ok(BatchImages { items, next })
    }

    async fn with_indexes(&self, found: Vec<Job>) -> Result<Vec<BatchItem>, DbError> {
        let ids: Vec<Id> = found.iter().map(|job| job.id.into()).collect();
        let rows: Vec<(Id, Option<i32>)> = read_query!(self.pools, connection => jobs::table
            .filter(jobs::id.eq_any(ids))
            .select((jobs::id, jobs::batch_index))
            .load(connection)
            .await)?;
        let indexes: HashMap<Id, Option<i32>> = rows.into_iter().collect();
        let item = |job: Job| BatchItem {
            index: indexes
                .get(&job.id.into())
                .copied()
                .flatten()
                .map_or(0, unsigned),
            reused: false,
            job,
        };
        Ok(found.into_iter().map(item).collect())
    }

    /// Reused jobs from an item on, and the item at which the next page begins.
    async fn reused_images(
        &self,
        batch: Uuid,
        room: u32,
        from: i32,
    ) -> Result<(Vec<BatchItem>, Option<i32>), DbError> {
        let mut places: Vec<(i32, Id)> = read_query!(self.pools, connection => batch_reused::table
            .filter(batch_reused::batch_id.eq(Id(batch)))
            .filter(batch_reused::batch_index.ge(from))
            .order(batch_reused::batch_index.asc())
            .select((batch_reused::batch_index, batch_reused::job_id))
            .limit(i64::from(room) + 1)
            .load(connection)
            .await)?;
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let next = places.get(room).map(|(index, _)| *index);
        places.truncate(room);
        if places.is_empty() {
            return Ok((Vec::new(), next));
        }
        let ids: Vec<Id> = places.iter().map(|(_, id)| *id).collect();
        let rows: Vec<JobRow> = read_query!(self.pools, connection => jobs::table
            .filter(jobs::id.eq_any(ids))
            .select(JobRow::as_select())
            .load(connection)
            .await)?;
        let rows: HashMap<Id, JobRow> = rows.into_iter().map(|row| (row.id, row)).collect();
        let there = places.iter().filter_map(|(index, id)| {
            let job = Job::try_from(rows.get(id)?.clone());
            Some(job.map(|job| BatchItem {
                index: unsigned(*index),
                reused: true,
                job,
            }))
        });
        let items: Result<Vec<BatchItem>, DbError> = there.collect();
        Ok((items?, next))
    }
}

fn unsigned(index: i32) -> u32 {
    u32::try_from(index).unwrap_or(0)
}

#[derive(QueryableByName)]
struct PlaceRow {
    #[diesel(sql_type = sql::Id)]
    id: Id,
    #[diesel(sql_type = sql::Moment)]
    created_at: Moment,
}

/// In the year 9999, in microseconds since the Unix epoch.
const FAR_AWAY: i64 = 253_370_764_800_000_000;

/// The place before every batch.
fn before_all() -> ListPlace {
    ListPlace {
        created_at: Timestamp::from_unix_micros(FAR_AWAY).unwrap_or(Timestamp::EPOCH),
        id: Uuid::max(),
    }
}

/// A place among the reused jobs of a batch, as a place in the list after all jobs: at the Unix
/// epoch no job was made.
struct ReusedPlace(i32);

impl ReusedPlace {
    fn of(place: ListPlace) -> Option<Self> {
        let is_reused = place.created_at == Timestamp::EPOCH;
        let index = i32::try_from(place.id.as_u128()).ok();
        index.filter(|_| is_reused).map(Self)
    }

    fn place(&self) -> ListPlace {
        ListPlace {
            created_at: Timestamp::EPOCH,
            id: Uuid::from_u128(u128::from(unsigned(self.0))),
        }
    }
}
