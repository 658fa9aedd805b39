//! Curves of ends of jobs, as they are read: what is counted, and the events that are not counted
//! yet, at one moment.

use std::collections::HashMap;

use diesel::QueryableByName;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;

use super::dialect::Dialect;
use super::job_flow::{Cell, CellRow, EndRow, end, ends_after, position};
use super::pools::read_snapshot;
use super::types::Status;
use super::{Database, DbError};
use crate::domain::{FlowCounts, FlowRange, JobStatus};

/// Most events that are added when somebody reads. A process that counts is never so far behind,
/// except for a while after a long absence.
const MOST_ADDED: u32 = 20_000;

/// Ends of jobs, bucket by bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFlow {
    /// All of the range, also those in which nothing ended.
    pub buckets: Vec<FlowBucket>,
    pub total: FlowCounts,
    /// False if more events are not counted yet than can be added.
    pub is_exact: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowBucket {
    /// Counted from the Unix epoch.
    pub number: i64,
    pub counts: FlowCounts,
}

#[derive(QueryableByName)]
struct Position {
    #[diesel(sql_type = BigInt)]
    counted: i64,
}

impl Database {
    /// How many jobs ended in each bucket of `range`, how long they waited and were worked on.
    pub async fn flow(&self, range: FlowRange) -> Result<JobFlow, DbError> {
        let dialect = Dialect::of(&self.pools);
        let kept = format!(
            "SELECT step, bucket, outcome, n, waits, works FROM job_flow \
             WHERE step = {} AND bucket BETWEEN {} AND {}",
            range.step.minutes(),
            range.first,
            range.last
        );
        let (kept, ends): (Vec<CellRow>, Vec<EndRow>) = read_snapshot!(self.pools, connection => {
            let counted: Position =
                diesel::sql_query(format!("SELECT {} AS counted", position()))
                    .get_result(connection)
                    .await?;
            let kept = diesel::sql_query(kept).load(connection).await?;
            let mut ends: Vec<EndRow> =
                diesel::sql_query(ends_after(dialect, counted.counted, MOST_ADDED))
                    .load(connection)
                    .await?;
            if dialect.is_postgres {
                // Events without a number yet.
                let outbox = format!(
                    "SELECT n AS sequence, {} FROM event_outbox LIMIT {MOST_ADDED}",
                    end(dialect)
                );
                let more: Vec<EndRow> = diesel::sql_query(outbox).load(connection).await?;
                ends.extend(more);
            }
            Ok::<_, diesel::result::Error>((kept, ends))
        })?;
        let is_exact = ends.len() < MOST_ADDED as usize;
        let mut cells: HashMap<(i64, JobStatus), Vec<Cell>> = HashMap::new();
        for row in kept {
            let key = (row.bucket, row.outcome.0);
            cells.entry(key).or_default().push(row.cell());
        }
        let minutes = range.step.minutes();
        let mut added: HashMap<(i64, JobStatus), Cell> = HashMap::new();
        for end in &ends {
            let bucket = end.minute.div_euclid(minutes);
            if let Some(Status(outcome)) = end.outcome
                && (range.first..=range.last).contains(&bucket)
            {
                added.entry((bucket, outcome)).or_default().note(end);
            }
        }
        for (key, cell) in added {
            cells.entry(key).or_default().push(cell);
        }
        Ok(JobFlow::of(range, &cells, is_exact))
    }
}

impl JobFlow {
    fn of(range: FlowRange, cells: &HashMap<(i64, JobStatus), Vec<Cell>>, is_exact: bool) -> Self {
        let mut total = FlowCounts::default();
        let buckets = (range.first..=range.last).map(|number| {
            let mut counts = FlowCounts::default();
            for outcome in JobStatus::ALL {
                for cell in cells.get(&(number, outcome)).into_iter().flatten() {
                    counts.add_outcome(outcome, cell.n, &cell.waits, &cell.works);
                }
            }
            total.add(&counts);
            FlowBucket { number, counts }
        });
        Self {
            buckets: buckets.collect(),
            total,
            is_exact,
        }
    }
}
