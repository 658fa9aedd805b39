//! Counts of jobs that are kept, not counted. Triggers append to `job_count_deltas` what each
//! statement changes; [`Database::fold_counts`] adds that to `job_counts` and `batch_counts`. A count
//! is read as the sum of both, in one statement, and so is exact at every commit.
//!
//! `job_counts` has a row for each status and minute of creation, and for each 64, 64², … minutes, so
//! that any range of time is the sum of few rows.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::dialect::Dialect;
use super::pools::{Pools, on_pool, read_query};
use super::types::{Moment, Status, sql};
use super::{Database, DbError};
use crate::domain::{JobStatus, Timestamp};

/// Levels of buckets: 64^4 minutes are 32 years.
const LEVELS: u32 = 5;
const LEVEL_BITS: u32 = 6;
const MINUTE_MICROS: i64 = 60_000_000;
/// Most appended rows that are folded at once.
const LARGEST_FOLD: u32 = 20_000;
/// Key of the advisory lock of the process that folds: "thumbfld" in ASCII.
pub(super) const FOLD_KEY: i64 = 0x7468_756d_6266_6c64;

/// How many jobs are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StatusCounts([u64; JobStatus::ALL.len()]);

impl StatusCounts {
    pub const fn of(&self, status: JobStatus) -> u64 {
        self.0[status as usize]
    }

    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    fn from_rows(rows: Vec<CountRow>) -> Self {
        let mut counts = Self::default();
        for row in rows {
            let Status(status) = row.status;
            counts.0[status as usize] += u64::try_from(row.n).unwrap_or(0);
        }
        counts
    }
}

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = Text)]
    status: Status,
    #[diesel(sql_type = BigInt)]
    n: i64,
}

impl Database {
    /// How many jobs are in each state that were created from `after` to `before`, both included.
    pub async fn count_created(
        &self,
        after: Option<Timestamp>,
        before: Option<Timestamp>,
    ) -> Result<StatusCounts, DbError> {
        let range = Range::of(after, before);
        let Some(range) = range else {
            return Ok(StatusCounts::default());
        };
        let text = range.query(Dialect::of(&self.pools));
        let edges = range.edges;
        let rows: Vec<CountRow> = read_query!(self.pools, connection => {
            let query = diesel::sql_query(text);
            match edges[..] {
                [] => query.load(connection).await,
                [(a, b)] => query
                    .bind::<sql::Moment, _>(a)
                    .bind::<sql::Moment, _>(b)
                    .load(connection)
                    .await,
                [(a, b), (c, d), ..] => query
                    .bind::<sql::Moment, _>(a)
                    .bind::<sql::Moment, _>(b)
                    .bind::<sql::Moment, _>(c)
                    .bind::<sql::Moment, _>(d)
                    .load(connection)
                    .await,
            }
        })?;
        Ok(StatusCounts::from_rows(rows))
    }

    /// Adds what was appended to the kept counts. Returns how many rows were folded, or `None` if
    /// another process is folding.
    pub async fn fold_counts(&self) -> Result<Option<usize>, DbError> {
        match &self.pools {
            Pools::Postgres(pool) => on_pool!(pool, connection => {
                connection.transaction(async move |connection| {
                    let lock = format!(
                        "SELECT CASE WHEN pg_try_advisory_xact_lock({FOLD_KEY}) \
                         THEN 1 ELSE 0 END::bigint AS n"
                    );
                    let locked: Number = diesel::sql_query(lock).get_result(connection).await?;
                    if locked.n == 0 {
                        return Ok(None);
                    }
                    let folded: Number =
                        diesel::sql_query(fold_in_postgres()).get_result(connection).await?;
                    Ok::<_, diesel::result::Error>(usize::try_from(folded.n).ok())
                }).await
            }),
            Pools::Sqlite { writer, .. } => on_pool!(writer, connection => {
                connection.immediate_transaction(async move |connection| {
                    let of = format!(
                        "SELECT minute, status, batch_id, n FROM job_count_deltas \
                         WHERE rowid IN (SELECT rowid FROM job_count_deltas \
                         ORDER BY rowid LIMIT {LARGEST_FOLD})"
                    );
                    for statement in [add_to_job_counts(&of), add_to_batch_counts(&of)] {
                        diesel::sql_query(statement).execute(connection).await?;
                    }
                    let folded = diesel::sql_query(format!(
                        "DELETE FROM job_count_deltas WHERE rowid IN (SELECT rowid \
                         FROM job_count_deltas ORDER BY rowid LIMIT {LARGEST_FOLD})"
                    ))
                    .execute(connection)
                    .await?;
                    Ok::<_, diesel::result::Error>(Some(folded))
                }).await
            }),
        }
    }
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

fn fold_in_postgres() -> String {
    let gone = "SELECT minute, status, batch_id, n FROM gone";
    format!(
        "WITH gone AS (DELETE FROM job_count_deltas WHERE ctid = ANY (ARRAY(\
         SELECT ctid FROM job_count_deltas LIMIT {LARGEST_FOLD})) RETURNING *), \
         kept AS ({}), batched AS ({}) SELECT count(*) AS n FROM gone",
        add_to_job_counts(gone),
        add_to_batch_counts(gone)
    )
}

pub(super) fn levels_query() -> String {
    let rows: Vec<String> = (0..LEVELS)
        .map(|level| format!("SELECT {level} AS level, {} AS bits", level * LEVEL_BITS))
        .collect();
    format!("({}) AS levels", rows.join(" UNION ALL "))
}

fn add_to_job_counts(deltas: &str) -> String {
    let levels = levels_query();
    format!(
        "INSERT INTO job_counts (level, bucket, status, n) \
         SELECT level, minute >> bits, status, sum(n) FROM ({deltas}) AS deltas, {levels} \
         WHERE minute IS NOT NULL GROUP BY 1, 2, 3 HAVING sum(n) <> 0 \
         ON CONFLICT (level, bucket, status) DO UPDATE SET n = job_counts.n + excluded.n"
    )
}

fn add_to_batch_counts(deltas: &str) -> String {
    format!(
        "INSERT INTO batch_counts (batch_id, status, n) \
         SELECT batch_id, status, sum(n) FROM ({deltas}) AS deltas \
         WHERE batch_id IS NOT NULL GROUP BY 1, 2 HAVING sum(n) <> 0 \
         ON CONFLICT (batch_id, status) DO UPDATE SET n = batch_counts.n + excluded.n"
    )
}

/// A range of moments, as whole minutes and the parts of minutes at its edges.
struct Range {
    /// First and last.
    minutes: Option<(i64, i64)>,
    /// First and last moments; two at most.
    edges: Vec<(Moment, Moment)>,
}

impl Range {
    /// `None` if it is empty.
    fn of(after: Option<Timestamp>, before: Option<Timestamp>) -> Option<Self> {
        let first = after.map_or(i64::MIN, Timestamp::unix_micros);
        let last = before.map_or(i64::MAX, Timestamp::unix_micros);
        if first > last {
            return None;
        }
        let mut edges = Vec::new();
        let mut edge = |from: i64, to: i64| {
            let moment = |micros| Timestamp::from_unix_micros(micros).map(Moment);
            if let (Some(from), Some(to)) = (moment(from), moment(to)) {
                edges.push((from, to));
            }
        };
        let (mut from, mut to) = (i64::MIN, i64::MAX);
        if first != i64::MIN {
            let minute = first.div_euclid(MINUTE_MICROS);
            from = minute;
            if first.rem_euclid(MINUTE_MICROS) != 0 {
                from += 1;
                edge(first, last.min(from * MINUTE_MICROS - 1));
            }
        }
        if last != i64::MAX {
            let minute = last.div_euclid(MINUTE_MICROS);
            to = minute;
            if last.rem_euclid(MINUTE_MICROS) != MINUTE_MICROS - 1 {
                to -= 1;
                // Within one minute the first edge has counted it.
                if minute >= from {
                    edge(first.max(minute * MINUTE_MICROS), last);
                }
            }
        }
        Some(Self {
            minutes: (from <= to).then_some((from, to)),
            edges,
        })
    }

    fn query(&self, dialect: Dialect) -> String {
        let mut parts = Vec::new();
        if let Some((first, last)) = self.minutes {
            // Each a range of the index: as one query with ORs they may be looked for in all rows.
            parts.extend(
                buckets(first, last)
                    .into_iter()
                    .map(|(level, first, last)| {
                        format!(
                            "SELECT status, n FROM job_counts \
                     WHERE level = {level} AND bucket BETWEEN {first} AND {last}"
                        )
                    }),
            );
            parts.push(format!(
                "SELECT status, n FROM job_count_deltas WHERE minute BETWEEN {first} AND {last}"
            ));
        }
        let all = JobStatus::ALL.map(|status| format!("'{}'", status.as_str()));
        let all = all.join(", ");
        for index in 0..self.edges.len() {
            let (from, to) = (2 * index + 1, 2 * index + 2);
            let (from, to) = (dialect.parameter(from), dialect.parameter(to));
            parts.push(format!(
                "SELECT status, count(*) AS n FROM jobs WHERE status IN ({all}) \
                 AND created_at >= {from} AND created_at <= {to} GROUP BY status"
            ));
        }
        if parts.is_empty() {
            return "SELECT 'pending' AS status, CAST(0 AS bigint) AS n".to_owned();
        }
        format!(
            "SELECT status, CAST(sum(n) AS bigint) AS n FROM ({}) AS parts GROUP BY status",
            parts.join(" UNION ALL ")
        )
    }
}

/// Minutes that no job is created before or after: what all buckets hold.
const ALL_MINUTES: (i64, i64) = (-1 << 40, 1 << 40);

/// The fewest buckets that hold the minutes from `first` to `last`: levels with their first and last
/// bucket.
fn buckets(first: i64, last: i64) -> Vec<(u32, i64, i64)> {
    let (mut first, mut last) = (first.max(ALL_MINUTES.0), last.min(ALL_MINUTES.1));
    let width = 1 << LEVEL_BITS;
    let mut found = Vec::new();
    for level in 0..LEVELS {
        if first > last {
            break;
        }
        if level == LEVELS - 1 || last - first < width {
            found.push((level, first, last));
            break;
        }
        let (up, down) = (first.rem_euclid(width), (last + 1).rem_euclid(width));
        if up != 0 {
            found.push((level, first, first + width - up - 1));
            first += width - up;
        }
        if down != 0 && first <= last {
            found.push((level, (last + 1 - down).max(first), last));
            last -= down;
        }
        if first > last {
            break;
        }
        first = first.div_euclid(width);
        last = (last + 1).div_euclid(width) - 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_each_minute_once() {
        let mut chance = 12345_u64;
        let mut next = |bound: u64| {
            chance = chance
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (chance >> 33) % bound
        };
        for _ in 0..2000 {
            let first = i64::try_from(next(300_000)).unwrap() - 100_000;
            let span = [2, 70, 5000, 400_000][usize::try_from(next(4)).unwrap()];
            let last = first + i64::try_from(next(span)).unwrap();
            let mut minutes = Vec::new();
            for (level, from, to) in buckets(first, last) {
                assert!(from <= to, "{first} {last}");
                let bits = level * LEVEL_BITS;
                minutes.push((from << bits, ((to + 1) << bits) - 1));
            }
            minutes.sort_unstable();
            assert_eq!(minutes[0].0, first);
            assert_eq!(minutes[minutes.len() - 1].1, last);
            assert!(minutes.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0));
            assert!(minutes.len() <= 2 * LEVELS as usize);
        }
    }

    #[test]
    fn everything_is_in_the_largest_buckets() {
        let all = buckets(i64::MIN, i64::MAX);
        assert!(
            all.iter()
                .all(|(level, ..)| *level == LEVELS - 1 || *level < 4),
            "{all:?}"
        );
        assert!(
            all.iter()
                .any(|(level, from, to)| *level == 4 && *from < 0 && *to > 2)
        );
    }

    #[test]
    fn edges_are_parts_of_minutes() {
        let at = |micros| Timestamp::from_unix_micros(micros);
        let minute = MINUTE_MICROS;
        let range = |first, last| Range::of(at(first), at(last));
        let whole = range(0, 2 * minute - 1).unwrap();
        assert_eq!((whole.minutes, whole.edges.len()), (Some((0, 1)), 0));
        let inside = range(5, 9).unwrap();
        assert_eq!((inside.minutes, inside.edges.len()), (None, 1));
        let both = range(5, 3 * minute).unwrap();
        assert_eq!((both.minutes, both.edges.len()), (Some((1, 2)), 2));
        let touching = range(5, minute + 5).unwrap();
        assert_eq!((touching.minutes, touching.edges.len()), (None, 2));
        assert!(range(9, 5).is_none());
        let open = Range::of(None, None).unwrap();
        assert_eq!(
            (open.minutes, open.edges.len()),
            (Some((i64::MIN, i64::MAX)), 0)
        );
    }
}
