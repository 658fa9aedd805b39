//! Many new jobs in one statement, for Postgres: a group of submissions costs one round trip
//! instead of one each. SQLite has neither arrays nor round trips.

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, SmallInt, Text};
use diesel_async::RunQueryDsl;

use super::DbError;
use super::pools::on_pool;
use super::postgres_pool::PostgresPool;
use super::submit::NewJob;
use super::types::{Id, Moment, sql};
use crate::domain::{Labels, Priority, Schedule};

const DEFAULT_MILLIS: i64 = Priority::DEFAULT.millis();

/// Inserts all of `new_jobs` under `allow-retry`, even if other jobs of their URLs exist. Returns
/// them, and the moment at which all of them were created.
pub(super) async fn insert_many(
    pool: &PostgresPool,
    new_jobs: Vec<NewJob>,
) -> Result<(Moment, Vec<NewJob>), DbError> {
    let (inserted, new_jobs): (Vec<(Moment, i64)>, _) = on_pool!(pool, connection => {
        let inserted = InsertMany::of(&new_jobs).load(connection).await;
        inserted.map(|rows| (rows, new_jobs))
    })?;
    match inserted[..] {
        [(moment, count)] if usize::try_from(count) == Ok(new_jobs.len()) => Ok((moment, new_jobs)),
        _ => Err(DbError::Refused("not all rows were inserted".to_owned())),
    }
}

/// Inserts `new_jobs` likewise, inside a transaction.
pub(super) async fn insert_group(
    connection: &mut diesel_async::AsyncPgConnection,
    new_jobs: &[NewJob],
) -> QueryResult<()> {
    let inserted: Vec<(Moment, i64)> = InsertMany::of(new_jobs).load(connection).await?;
    match inserted[..] {
        [(_, count)] if usize::try_from(count) == Ok(new_jobs.len()) => Ok(()),
        _ => Err(diesel::result::Error::NotFound),
    }
}

/// The batch that is inserted with its jobs.
#[derive(Debug, Clone)]
pub(super) struct BatchRow {
    pub id: Id,
    /// Items.
    pub total: i64,
    pub metadata: Option<String>,
    pub submitted_by: Option<String>,
}

/// Inserts a running batch and its jobs in one statement. Returns the moment of their creation.
pub(super) async fn insert_batch(
    pool: &PostgresPool,
    new_jobs: Vec<NewJob>,
    row: BatchRow,
    rejected: i64,
    errors: String,
) -> Result<(BatchRow, Moment), DbError> {
    let expected = new_jobs.len();
    let (inserted, row): (Vec<(Moment, i64)>, _) = on_pool!(pool, connection => {
        let inserted = InsertMany {
            opened: Some(Opened { row: &row, rejected, errors: &errors }),
            ..InsertMany::of(&new_jobs)
        }
        .load(connection)
        .await;
        inserted.map(|rows| (rows, row))
    })?;
    match inserted[..] {
        [(moment, count)] if usize::try_from(count) == Ok(expected) => Ok((row, moment)),
        _ => Err(DbError::Refused("not all rows were inserted".to_owned())),
    }
}

/// The text of Diesel's own batches differs with each length, so each is prepared anew; this is one
/// statement. Columns that no job of a group needs are not sent: they have their defaults, which
/// costs the database less.
struct InsertMany<'a> {
    ids: Vec<Id>,
    urls: Vec<&'a str>,
    hashes: Vec<&'a str>,
    origins: Vec<&'a str>,
    schedules: Option<Schedules>,
    specs: Option<Specs<'a>>,
    labels: Option<ManyLabels<'a>>,
    batch: Option<(Id, Vec<i32>)>,
    opened: Option<Opened<'a>>,
}

/// The row of the batch, if it is inserted too.
struct Opened<'a> {
    row: &'a BatchRow,
    rejected: i64,
    errors: &'a str,
}

/// When the jobs may begin.
struct Schedules {
    priorities: Vec<i16>,
    not_before: Vec<Option<Moment>>,
}

/// What the jobs make.
struct Specs<'a> {
    variants: Vec<Option<&'a str>>,
    hashes: Vec<&'a str>,
    versions: Vec<i16>,
}

/// What clients wrote on the jobs.
struct ManyLabels<'a> {
    tags: Vec<Option<String>>,
    metadata: Vec<Option<&'a str>>,
    submitted_by: Vec<Option<&'a str>>,
    expires_in: Vec<Option<i64>>,
    traceparents: Vec<Option<String>>,
}

impl<'a> InsertMany<'a> {
    fn of(new_jobs: &'a [NewJob]) -> Self {
        Self {
            ids: new_jobs.iter().map(|new| new.id).collect(),
            urls: new_jobs.iter().map(|new| &*new.url).collect(),
            hashes: new_jobs.iter().map(|new| &*new.url_hash).collect(),
            origins: new_jobs.iter().map(|new| &*new.origin).collect(),
            schedules: Schedules::of(new_jobs),
            specs: Specs::of(new_jobs),
            labels: ManyLabels::of(new_jobs),
            batch: batch_of(new_jobs),
            opened: None,
        }
    }
}

/// All jobs of a group are of the same batch, or of none.
fn batch_of(new_jobs: &[NewJob]) -> Option<(Id, Vec<i32>)> {
    let batch = new_jobs.first()?.batch?.batch;
    let places = new_jobs.iter().filter_map(|new| new.batch);
    Some((batch, places.map(|place| place.index).collect()))
}

impl<'a> ManyLabels<'a> {
    fn of(new_jobs: &'a [NewJob]) -> Option<Self> {
        let is_special = |new: &NewJob| new.labels != Labels::default();
        new_jobs.iter().any(is_special).then(|| Self {
            tags: new_jobs.iter().map(NewJob::tags).collect(),
            metadata: new_jobs
                .iter()
                .map(|new| new.labels.metadata.as_deref())
                .collect(),
            submitted_by: new_jobs
                .iter()
                .map(|new| new.labels.submitted_by.as_deref())
                .collect(),
            expires_in: new_jobs.iter().map(NewJob::expires_in).collect(),
            traceparents: new_jobs.iter().map(NewJob::traceparent).collect(),
        })
    }
}

impl Schedules {
    fn of(new_jobs: &[NewJob]) -> Option<Self> {
        let is_special = |new: &NewJob| new.schedule != Schedule::default();
        new_jobs.iter().any(is_special).then(|| Self {
            priorities: new_jobs
                .iter()
                .map(|new| i16::from(new.schedule.priority.get()))
                .collect(),
            not_before: new_jobs
                .iter()
                .map(|new| new.schedule.not_before.map(Moment))
                .collect(),
        })
    }
}

impl<'a> Specs<'a> {
    fn of(new_jobs: &'a [NewJob]) -> Option<Self> {
        let is_special = |new: &NewJob| new.variants.is_some();
        new_jobs.iter().any(is_special).then(|| Self {
            variants: new_jobs.iter().map(|new| new.variants.as_deref()).collect(),
            hashes: new_jobs.iter().map(|new| &*new.spec_hash).collect(),
            versions: new_jobs.iter().map(|new| new.spec_version).collect(),
        })
    }
}

impl Query for InsertMany<'_> {
    type SqlType = (sql::Moment, BigInt);
}

/// The text distinguishes the statements.
impl QueryId for InsertMany<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl QueryFragment<Pg> for InsertMany<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let schedules = self.schedules.as_ref();
        let schedule_columns = schedules.map_or("", |_| ", priority, not_before");
        let spec_columns = self
            .specs
            .as_ref()
            .map_or("", |_| ", variants, spec_hash, spec_version");
        let label_columns = self.labels.as_ref().map_or(
            "",
            |_| ", tags, metadata, submitted_by, expires_in, traceparent",
        );
        let index_column = self.batch.as_ref().map_or("", |_| ", batch_index");
        pass.push_sql("WITH ");
        if let Some(opened) = &self.opened {
            pass.push_sql(
                "batch AS (INSERT INTO batches (status, created_at, updated_at, id, total, \
                 rejected, errors, metadata, submitted_by) VALUES ('running', now(), now(), ",
            );
            pass.push_bind_param::<sql::Id, _>(&opened.row.id)?;
            for count in [&opened.row.total, &opened.rejected] {
                pass.push_sql(", ");
                pass.push_bind_param::<BigInt, _>(count)?;
            }
            pass.push_sql(", ");
            pass.push_bind_param::<Text, _>(opened.errors)?;
            for text in [&opened.row.metadata, &opened.row.submitted_by] {
                pass.push_sql(", ");
                pass.push_bind_param::<Nullable<Text>, _>(text)?;
            }
            pass.push_sql(")), ");
        }
        // All rows have the same time, so one row is returned instead of each.
        pass.push_sql(
            "made AS (INSERT INTO jobs \
             (id, url, url_hash, origin, exclusive, created_at, updated_at, due_at, waiting, rank",
        );
        let columns = [schedule_columns, spec_columns, label_columns, index_column].concat();
        pass.push_sql(&columns);
        if self.batch.is_some() {
            pass.push_sql(", batch_id");
        }
        pass.push_sql(") SELECT id, url, url_hash, origin, false, now(), now(), ");
        pass.push_sql(match schedules {
            None => "now(), false, (date_part('epoch', now()) * 1000)::bigint + ",
            Some(_) => {
                "GREATEST(now(), not_before), COALESCE(not_before > now(), false), \
                 (date_part('epoch', GREATEST(now(), not_before)) * 1000)::bigint + priority * "
            }
        });
        pass.push_bind_param::<BigInt, _>(match schedules {
            None => &DEFAULT_MILLIS,
            Some(_) => &Priority::STEP_MILLIS,
        })?;
        pass.push_sql(&columns);
        if let Some((batch, _)) = &self.batch {
            pass.push_sql(", ");
            pass.push_bind_param::<sql::Id, _>(batch)?;
        }
        pass.push_sql(" FROM unnest(");
        pass.push_bind_param::<Array<sql::Id>, _>(&self.ids)?;
        for texts in [&self.urls, &self.hashes, &self.origins] {
            pass.push_sql(", ");
            pass.push_bind_param::<Array<Text>, _>(texts)?;
        }
        if let Some(schedules) = schedules {
            pass.push_sql(", ");
            pass.push_bind_param::<Array<SmallInt>, _>(&schedules.priorities)?;
            pass.push_sql(", ");
            pass.push_bind_param::<Array<Nullable<sql::Moment>>, _>(&schedules.not_before)?;
        }
        if let Some(specs) = &self.specs {
            pass.push_sql(", ");
            pass.push_bind_param::<Array<Nullable<Text>>, _>(&specs.variants)?;
            pass.push_sql(", ");
            pass.push_bind_param::<Array<Text>, _>(&specs.hashes)?;
            pass.push_sql(", ");
            pass.push_bind_param::<Array<SmallInt>, _>(&specs.versions)?;
        }
        if let Some(labels) = &self.labels {
            pass.push_sql(", ");
            pass.push_bind_param::<Array<Nullable<Text>>, _>(&labels.tags)?;
            for texts in [&labels.metadata, &labels.submitted_by] {
                pass.push_sql(", ");
                pass.push_bind_param::<Array<Nullable<Text>>, _>(texts)?;
            }
            pass.push_sql(", ");
            pass.push_bind_param::<Array<Nullable<BigInt>>, _>(&labels.expires_in)?;
            pass.push_sql(", ");
            pass.push_bind_param::<Array<Nullable<Text>>, _>(&labels.traceparents)?;
        }
        if let Some((_, indexes)) = &self.batch {
            pass.push_sql(", ");
            pass.push_bind_param::<Array<Integer>, _>(indexes)?;
        }
        pass.push_sql(") AS new (id, url, url_hash, origin");
        pass.push_sql(&columns);
        pass.push_sql(") RETURNING 1) SELECT now(), count(*) FROM made");
        Ok(())
    }
}
