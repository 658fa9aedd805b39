//! Counts the ends of jobs in buckets of time, from the events: nothing is written for it when a job
//! ends. Which events are counted is a number that changes in the transaction that counts them, so
//! each is counted exactly once, whatever dies and however many processes count.

use std::collections::HashMap;

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::dialect::Dialect;
use super::events::newest;
use super::pools::{read_query, write_query, write_transaction};
use super::types::Status;
use super::{Database, DbError};
use crate::domain::{FlowStep, Histogram, JobStatus};

/// The text that remembers up to which number events are counted.
pub(super) const POSITION: &str = "job_flow_position";

/// Key of the advisory lock of the process that counts: "thumbflw" in ASCII.
const FLOW_KEY: i64 = 0x7468_756d_6266_6c77;
/// Most events that are counted in one transaction.
const LARGEST_GROUP: u32 = 2000;

/// The number up to which events are counted; an expression.
pub(super) fn position() -> String {
    format!(
        "COALESCE((SELECT CAST(value AS bigint) FROM service_state WHERE name = '{POSITION}'), 0)"
    )
}

#[derive(QueryableByName)]
struct Position {
    #[diesel(sql_type = BigInt)]
    counted: i64,
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Bool)]
    yes: bool,
}

/// The end of a job, or another event.
#[derive(QueryableByName)]
pub(super) struct EndRow {
    #[diesel(sql_type = BigInt)]
    pub sequence: i64,
    #[diesel(sql_type = BigInt)]
    pub minute: i64,
    /// Null if no job ended.
    #[diesel(sql_type = Nullable<Text>)]
    pub outcome: Option<Status>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub wait: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub work: Option<i64>,
}

/// A row of the table.
#[derive(QueryableByName)]
pub(super) struct CellRow {
    #[diesel(sql_type = Integer)]
    pub step: i32,
    #[diesel(sql_type = BigInt)]
    pub bucket: i64,
    #[diesel(sql_type = Text)]
    pub outcome: Status,
    #[diesel(sql_type = BigInt)]
    pub n: i64,
    #[diesel(sql_type = Text)]
    pub waits: String,
    #[diesel(sql_type = Text)]
    pub works: String,
}

/// Ends of jobs with one outcome.
#[derive(Default)]
pub(super) struct Cell {
    pub n: u64,
    pub waits: Histogram,
    pub works: Histogram,
}

/// A step in minutes, the number of a bucket, and an outcome.
type Key = (i64, i64, JobStatus);

impl Cell {
    pub(super) fn note(&mut self, end: &EndRow) {
        self.n += 1;
        for (histogram, millis) in [(&mut self.waits, end.wait), (&mut self.works, end.work)] {
            if let Some(millis) = millis {
                histogram.note(u64::try_from(millis).unwrap_or(0));
            }
        }
    }

    fn add(&mut self, kept: Self) {
        self.n += kept.n;
        self.waits.add(&kept.waits);
        self.works.add(&kept.works);
    }
}

impl CellRow {
    /// What can't be read is counted without durations: it must not keep others from being counted.
    pub(super) fn cell(&self) -> Cell {
        let read = |text: &str| {
            text.parse().unwrap_or_else(|error| {
                tracing::warn!(%error, bucket = self.bucket, "durations in job_flow are lost");
                Histogram::default()
            })
        };
        Cell {
            n: u64::try_from(self.n).unwrap_or(0),
            waits: read(&self.waits),
            works: read(&self.works),
        }
    }
}

impl Database {
    /// Counts events that are not counted yet; returns how many. None are left if that is fewer than
    /// [`Self::ENDS_AT_ONCE`] and no other process was counting.
    pub async fn fold_flow(&self) -> Result<u64, DbError> {
        let dialect = Dialect::of(&self.pools);
        let look = format!("SELECT {} > {} AS yes", newest(), position());
        let found: Found = read_query!(self.pools, connection =>
            diesel::sql_query(look).get_result(connection).await)?;
        if !found.yes {
            return Ok(0);
        }
        let counted: usize = write_transaction!(self.pools, connection => {
            if dialect.is_postgres {
                let lock = format!("SELECT pg_try_advisory_xact_lock({FLOW_KEY}) AS yes");
                let locked: Found = diesel::sql_query(lock).get_result(connection).await?;
                if !locked.yes {
                    return Ok(0);
                }
            }
            // A statement of its own: it sees what was committed before the lock was had.
            let position: Position =
                diesel::sql_query(format!("SELECT {} AS counted", position()))
                    .get_result(connection)
                    .await?;
            let ends: Vec<EndRow> =
                diesel::sql_query(ends_after(dialect, position.counted, LARGEST_GROUP))
                    .load(connection)
                    .await?;
            let Some(last) = ends.last().map(|end| end.sequence) else {
                return Ok(0);
            };
            let mut cells = by_bucket(&ends);
            if !cells.is_empty() {
                let kept: Vec<CellRow> =
                    diesel::sql_query(kept(cells.keys())).load(connection).await?;
                for row in kept {
                    let key = (i64::from(row.step), row.bucket, row.outcome.0);
                    cells.entry(key).or_default().add(row.cell());
                }
                diesel::sql_query(keep(&cells)).execute(connection).await?;
            }
            diesel::sql_query(format!(
                "INSERT INTO service_state (name, value) VALUES ('{POSITION}', '{last}') \
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value"
            ))
            .execute(connection)
            .await?;
            Ok::<_, diesel::result::Error>(ends.len())
        })?;
        Ok(counted as u64)
    }

    /// Most events that [`Self::fold_flow`] counts at once.
    pub const ENDS_AT_ONCE: u64 = LARGEST_GROUP as u64;

    /// Deletes buckets that are older than they are kept; returns how many rows.
    pub async fn forget_job_flow(&self) -> Result<usize, DbError> {
        let minute = Dialect::of(&self.pools).minute;
        let mut deleted = 0;
        for step in FlowStep::ALL {
            let Some(days) = step.kept_days() else {
                continue;
            };
            let (step, kept) = (step.minutes(), days * 1440);
            let text = format!(
                "DELETE FROM job_flow WHERE step = {step} AND bucket < ({minute} - {kept}) / {step}"
            );
            deleted += write_query!(self.pools, connection =>
                diesel::sql_query(text).execute(connection).await)?;
        }
        Ok(deleted)
    }
}

/// The first events after a number.
pub(super) fn ends_after(dialect: Dialect, after: i64, limit: u32) -> String {
    let end = end(dialect);
    format!(
        "SELECT sequence, {end} FROM events WHERE sequence > {after} ORDER BY sequence LIMIT {limit}"
    )
}

/// What is counted of an event.
pub(super) fn end(dialect: Dialect) -> String {
    let minute = dialect.minute_of("created_at");
    format!(
        "{minute} AS minute, CASE WHEN job_id IS NOT NULL THEN status END AS outcome, \
         wait_millis AS wait, work_millis AS work"
    )
}

fn by_bucket(ends: &[EndRow]) -> HashMap<Key, Cell> {
    let mut cells: HashMap<Key, Cell> = HashMap::new();
    for end in ends {
        let Some(Status(outcome)) = end.outcome else {
            continue;
        };
        for step in FlowStep::ALL {
            let bucket = end.minute.div_euclid(step.minutes());
            let key = (step.minutes(), bucket, outcome);
            cells.entry(key).or_default().note(end);
        }
    }
    cells
}

fn kept<'a>(keys: impl Iterator<Item = &'a Key>) -> String {
    let keys: Vec<String> = keys
        .map(|(step, bucket, outcome)| format!("({step}, {bucket}, '{}')", outcome.as_str()))
        .collect();
    format!(
        "SELECT step, bucket, outcome, n, waits, works FROM job_flow \
         WHERE (step, bucket, outcome) IN (VALUES {})",
        keys.join(", ")
    )
}

fn keep(cells: &HashMap<Key, Cell>) -> String {
    let rows: Vec<String> = cells
        .iter()
        .map(|((step, bucket, outcome), cell)| {
            let (outcome, Cell { n, waits, works }) = (outcome.as_str(), cell);
            format!("({step}, {bucket}, '{outcome}', {n}, '{waits}', '{works}')")
        })
        .collect();
    format!(
        "INSERT INTO job_flow (step, bucket, outcome, n, waits, works) VALUES {} \
         ON CONFLICT (step, bucket, outcome) DO UPDATE \
         SET n = excluded.n, waits = excluded.waits, works = excluded.works",
        rows.join(", ")
    )
}
