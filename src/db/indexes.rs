//! Indexes of large tables in Postgres. They are built one by one without a lock on the table, so
//! that the service goes on meanwhile, also that of an older version; migrations can't do that. In
//! SQLite, migrations build them.

use diesel::QueryResult;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use super::DbError;
use super::postgres_pool::PostgresPool;

/// Those of `jobs`: name and definition. Lists have the newest first, and read them backwards: so
/// what is written comes after what is there, and pages are full instead of half full.
const INDEXES: [(&str, &str); 9] = [
    // The list, whole and by status.
    ("jobs_by_status_idx", "(status, created_at, id)"),
    // Duplicates. In parts, so that the large one is written once a job, and week by week: what is
    // written lies together, however many jobs there are (`submit.rs` looks into each week).
    (
        "jobs_completed_week_idx",
        "((thumbforge_minute(created_at) / 10080), hashtextextended(url_hash, 0)) \
         WHERE status = 'completed'",
    ),
    (
        "jobs_active_hash_idx",
        "(hashtextextended(url_hash, 0)) WHERE status IN ('pending', 'processing')",
    ),
    // Lists by other facts than the status. Jobs that have not ended are few enough to be read.
    // What is counted and the status stand beside the keys, so that no row is read for a count.
    (
        "jobs_by_host_idx",
        "(thumbforge_host(origin), created_at, id) INCLUDE (origin, status) \
         WHERE status IN ('completed', 'failed', 'cancelled')",
    ),
    // Of jobs that ended before origins were kept: no new ones come.
    (
        "jobs_by_url_host_idx",
        "(thumbforge_host(url), created_at, id) \
         WHERE origin = '' AND status IN ('completed', 'failed', 'cancelled')",
    ),
    (
        "jobs_by_submitter_idx",
        "(submitted_by, created_at, id) INCLUDE (status) \
         WHERE submitted_by IS NOT NULL AND status IN ('completed', 'failed', 'cancelled')",
    ),
    (
        "jobs_by_error_code_idx",
        "(error_code, created_at, id) WHERE error_code IS NOT NULL",
    ),
    // Lists of batches, and whether a job of one is active.
    (
        "jobs_by_batch_idx",
        "(batch_id, status, created_at, id) WHERE batch_id IS NOT NULL",
    ),
    (
        "jobs_expires_at_idx",
        "(expires_at) WHERE expires_at IS NOT NULL",
    ),
];

/// Indexes of earlier versions that nothing uses any more.
const OBSOLETE: [&str; 10] = [
    "jobs_created_at_idx",
    "jobs_status_idx",
    "jobs_url_hash_idx",
    "jobs_active_url_idx",
    "jobs_host_idx",
    "jobs_url_host_idx",
    "jobs_submitted_by_idx",
    "jobs_error_code_idx",
    "jobs_batch_idx",
    "jobs_batch_active_idx",
];

#[derive(diesel::QueryableByName)]
struct Known {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Bool)]
    is_valid: bool,
}

#[derive(diesel::QueryableByName)]
struct Size {
    #[diesel(sql_type = Nullable<BigInt>)]
    bytes: Option<i64>,
}

#[derive(diesel::QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    yes: bool,
}

/// Builds what is missing and removes what is obsolete, unless another process is at it. An index
/// whose building broke off is built anew.
pub(super) async fn build(pool: &PostgresPool) -> Result<(), DbError> {
    let mut connection = pool.take().await?;
    let found = look(&mut connection).await?;
    if found.is_complete() {
        return Ok(());
    }
    if found.is_being_built {
        tracing::info!("another process is building indexes");
        return Ok(());
    }
    if pool.keeps_sessions() {
        let patience = "SET statement_timeout = 0; SET lock_timeout = 0";
        connection.batch_execute(patience).await?;
    }
    match build_missing(&mut connection, &found).await {
        // Another process began at the same moment, and goes on.
        Err(diesel::result::Error::DatabaseError(_, told)) if is_of_another(told.message()) => {
            tracing::info!("another process is building indexes");
            Ok(())
        }
        built => Ok(built?),
    }
}

/// True if another process makes or removes the same index: two that do so at the same moment meet in
/// the catalogue.
fn is_of_another(message: &str) -> bool {
    let signs = [
        "already exists",
        "pg_class_relname_nsp_index",
        "tuple concurrently",
    ];
    signs.into_iter().any(|sign| message.contains(sign))
}

/// What is there of what should be there.
struct Found {
    indexes: Vec<Known>,
    is_large: bool,
    is_checked: bool,
    /// Some process is at it. No lock says so: it would have to outlive transactions.
    is_being_built: bool,
}

impl Found {
    fn index(&self, name: &str) -> Option<&Known> {
        self.indexes.iter().find(|known| known.name == name)
    }

    fn is_complete(&self) -> bool {
        let is_valid = |name| self.index(name).is_some_and(|index| index.is_valid);
        self.is_checked
            && INDEXES.into_iter().all(|(name, _)| is_valid(name))
            && OBSOLETE.into_iter().all(|name| self.index(name).is_none())
    }
}

async fn look(connection: &mut AsyncPgConnection) -> QueryResult<Found> {
    connection
        .transaction(async move |connection| {
            let indexes = diesel::sql_query(
                "SELECT c.relname::text AS name, i.indisvalid AS is_valid FROM pg_index i \
                 JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = 'jobs'::regclass",
            )
            .load(connection)
            .await?;
            let size: Size = diesel::sql_query("SELECT pg_relation_size('jobs') AS bytes")
                .get_result(connection)
                .await?;
            let checked: Answer = diesel::sql_query(
                "SELECT bool_and(convalidated) AS yes FROM pg_constraint \
                 WHERE conrelid = 'jobs'::regclass AND conname = 'jobs_status_check'",
            )
            .get_result(connection)
            .await?;
            let building: Answer = diesel::sql_query(
                "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index \
                 WHERE relid = 'jobs'::regclass) AS yes",
            )
            .get_result(connection)
            .await?;
            Ok(Found {
                is_being_built: building.yes,
                indexes,
                is_large: size.bytes.is_some_and(|bytes| bytes > 0),
                is_checked: checked.yes,
            })
        })
        .await
}

async fn build_missing(connection: &mut AsyncPgConnection, found: &Found) -> QueryResult<()> {
    // Concurrent work on the table waits for nothing, but the statement takes longer.
    let concurrently = if found.is_large { "CONCURRENTLY " } else { "" };
    for (number, (name, definition)) in INDEXES.into_iter().enumerate() {
        match found.index(name) {
            Some(index) if index.is_valid => continue,
            Some(_) => drop_index(connection, concurrently, name).await?,
            None => {}
        }
        if found.is_large {
            tracing::info!(
                index = name,
                number = number + 1,
                of = INDEXES.len(),
                "building an index; the service may go on meanwhile"
            );
        }
        connection
            .batch_execute(&format!(
                "CREATE INDEX {concurrently}{name} ON jobs {definition}"
            ))
            .await?;
    }
    if !found.is_checked {
        // Checks the rows that were there before, without keeping others from writing.
        connection
            .batch_execute("ALTER TABLE jobs VALIDATE CONSTRAINT jobs_status_check")
            .await?;
    }
    for name in OBSOLETE {
        if found.index(name).is_some() {
            drop_index(connection, concurrently, name).await?;
        }
    }
    Ok(())
}

async fn drop_index(
    connection: &mut AsyncPgConnection,
    concurrently: &str,
    name: &str,
) -> QueryResult<()> {
    let text = format!("DROP INDEX {concurrently}IF EXISTS {name}");
    connection.batch_execute(&text).await
}
