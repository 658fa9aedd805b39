//! Compares the kept counts with the jobs, and repairs them.
//!
//! What is kept changes in the same transactions as the jobs do, so the difference between the two
//! is the same at every moment. It is found in one statement, and added to what is kept; others may
//! work meanwhile.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;

use super::connect::Target;
use super::counts::{FOLD_KEY, levels_query};
use super::dialect::Dialect;
use super::migrate::{LOCK_WAIT, blocking, establish_sqlite};
use super::pools::Pools;
use super::{Database, DbError};

/// A count that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct CountFault {
    /// Of what: jobs by minute, by batch, or a sum.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// The minute since the Unix epoch, or the batch.
    #[diesel(sql_type = Nullable<Text>)]
    pub place: Option<String>,
    #[diesel(sql_type = Text)]
    pub status: String,
    /// What must be added to what is kept.
    #[diesel(sql_type = BigInt)]
    pub missing: i64,
}

/// In a transaction of either database.
macro_rules! check {
    ($connection:ident, $dialect:expr, $repair:expr) => {{
        let faults: Vec<CountFault> = diesel::sql_query(faults($dialect)).load($connection)?;
        if $repair && !faults.is_empty() {
            for statement in mends($dialect) {
                diesel::sql_query(statement).execute($connection)?;
            }
        }
        Ok::<_, DbError>(faults)
    }};
}
impl Database {
    /// The kept counts that differ from the jobs; the first 1000. With `repair` they are mended.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] if the database can't be reached.
    pub async fn check_counts(
        &self,
        target: &Target,
        repair: bool,
    ) -> Result<Vec<CountFault>, DbError> {
        match (&self.pools, target) {
            (Pools::Postgres(pool), _) => {
                let connection = pool.take().await?;
                blocking(move || check_postgres(connection, repair)).await
            }
            (Pools::Sqlite { .. }, Target::Sqlite(path)) => {
                let path = path.clone();
                blocking(move || {
                    let mut connection = establish_sqlite(&path)?;
                    connection.immediate_transaction(|connection| {
                        check!(connection, Dialect::SQLITE, repair)
                    })
                })
                .await
            }
            (Pools::Sqlite { .. }, Target::Postgres(_)) => Err(DbError::Refused(
                "the pools and the target are of different databases".to_owned(),
            )),
        }
    }
}

fn check_postgres(connection: AsyncPgConnection, repair: bool) -> Result<Vec<CountFault>, DbError> {
    let mut connection: AsyncConnectionWrapper<AsyncPgConnection> = connection.into();
    connection.transaction(|connection| {
        begin_long(connection)?;
        check!(connection, Dialect::POSTGRES, repair)
    })
}

/// A look at all jobs takes as long as it takes. Nothing is folded meanwhile.
fn begin_long(connection: &mut impl SimpleConnection) -> QueryResult<()> {
    connection.batch_execute(&format!(
        "{UNBOUNDED}; SET LOCAL lock_timeout = '{}s'; SELECT pg_advisory_xact_lock({FOLD_KEY})",
        LOCK_WAIT.as_secs()
    ))
}

const UNBOUNDED: &str =
    "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

/// Counts the jobs that were there before their counts were kept, if nobody has done so. False if
/// another process is at it, or folds.
pub(super) fn begin(connection: AsyncPgConnection) -> Result<bool, DbError> {
    let mut connection: AsyncConnectionWrapper<AsyncPgConnection> = connection.into();
    if connection.transaction(are_kept)? {
        return Ok(true);
    }
    connection.transaction(|connection| {
        connection.batch_execute(UNBOUNDED)?;
        let lock = format!("SELECT pg_try_advisory_xact_lock({FOLD_KEY}) AS yes");
        let locked: Answer = diesel::sql_query(lock).get_result(connection)?;
        if !locked.yes {
            return Ok(false);
        }
        // Another process may have counted meanwhile.
        if are_kept(connection)? {
            return Ok(true);
        }
        tracing::info!("counting the jobs once; the service may go on meanwhile");
        for statement in mends(Dialect::POSTGRES) {
            diesel::sql_query(statement).execute(connection)?;
        }
        let noted = format!("INSERT INTO service_state VALUES ('counts', '{KEPT}')");
        diesel::sql_query(noted).execute(connection)?;
        Ok(true)
    })
}

fn are_kept(connection: &mut AsyncConnectionWrapper<AsyncPgConnection>) -> QueryResult<bool> {
    let kept: Vec<State> =
        diesel::sql_query("SELECT value FROM service_state WHERE name = 'counts'")
            .load(connection)?;
    Ok(kept.iter().any(|state| state.value == KEPT))
}

const KEPT: &str = "kept";

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = diesel::sql_types::Bool)]
    yes: bool,
}

#[derive(QueryableByName)]
struct State {
    #[diesel(sql_type = Text)]
    value: String,
}

/// What is missing by minute and status.
fn by_minute(dialect: Dialect) -> String {
    let minute = dialect.minute_of("created_at");
    format!(
        "SELECT minute, status, CAST(sum(n) AS bigint) AS n FROM (\
         SELECT {minute} AS minute, status, count(*) AS n FROM jobs GROUP BY 1, 2 UNION ALL \
         SELECT bucket, status, -n FROM job_counts WHERE level = 0 UNION ALL \
         SELECT minute, status, -n FROM job_count_deltas WHERE minute IS NOT NULL) AS compared \
         GROUP BY 1, 2 HAVING sum(n) <> 0"
    )
}

/// What is missing by batch and status.
fn by_batch() -> &'static str {
    "SELECT batch_id, status, CAST(sum(n) AS bigint) AS n FROM (\
     SELECT batch_id, status, count(*) AS n FROM jobs WHERE batch_id IS NOT NULL GROUP BY 1, 2 \
     UNION ALL SELECT batch_id, status, -n FROM batch_counts UNION ALL \
     SELECT batch_id, status, -n FROM job_count_deltas WHERE batch_id IS NOT NULL) AS compared \
     GROUP BY 1, 2 HAVING sum(n) <> 0"
}

/// What is missing in the larger buckets.
fn by_level() -> String {
    let levels = levels_query();
    format!(
        "SELECT level, bucket, status, CAST(sum(n) AS bigint) AS n FROM (\
         SELECT levels.level AS level, bucket >> bits AS bucket, status, n \
         FROM job_counts, {levels} WHERE job_counts.level = 0 AND levels.level > 0 UNION ALL \
         SELECT level, bucket, status, -n FROM job_counts WHERE level > 0) AS compared \
         GROUP BY 1, 2, 3 HAVING sum(n) <> 0"
    )
}

fn faults(dialect: Dialect) -> String {
    let (minutes, batches, levels) = (by_minute(dialect), by_batch(), by_level());
    format!(
        "SELECT 'minute' AS kind, CAST(minute AS text) AS place, status, n AS missing \
         FROM ({minutes}) AS minutes UNION ALL \
         SELECT 'batch', CAST(batch_id AS text), status, n FROM ({batches}) AS batches UNION ALL \
         SELECT 'sum', CAST(bucket AS text), status, n FROM ({levels}) AS sums LIMIT 1000"
    )
}

fn mends(dialect: Dialect) -> [String; 3] {
    let (minutes, batches, levels) = (by_minute(dialect), by_batch(), by_level());
    [
        format!(
            "INSERT INTO job_counts (level, bucket, status, n) \
             SELECT level, bucket, status, n FROM ({levels}) AS sums WHERE true \
             ON CONFLICT (level, bucket, status) DO UPDATE SET n = job_counts.n + excluded.n"
        ),
        format!(
            "INSERT INTO job_count_deltas (minute, status, n) \
             SELECT minute, status, n FROM ({minutes}) AS minutes"
        ),
        format!(
            "INSERT INTO job_count_deltas (batch_id, status, n) \
             SELECT batch_id, status, n FROM ({batches}) AS batches"
        ),
    ]
}
