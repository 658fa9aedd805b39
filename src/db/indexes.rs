//! Indexes of large tables in Postgres. They are built one by one without a lock on the table, so
//! that the service goes on meanwhile, also that of an older version; migrations can't do that. In
//! SQLite, migrations build them.

use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use super::DbError;

/// Those of `jobs`: name and definition.
const INDEXES: [(&str, &str); 9] = [
    // Duplicates. In parts, so that the large one is written once a job, and week by week: what is
    // written lies together, however many jobs there are (`submit.rs` looks into each week).
    (
        "jobs_completed_week_idx",
        "((thumbforge_minute(created_at) / 10080), hashtextextended(url_hash, 0)) \
         WHERE status = 'completed'",
    ),
    (
        "jobs_active_url_idx",
        "(url_hash) WHERE status IN ('pending', 'processing')",
    ),
    // Lists by other facts than the status. Jobs that have not ended are few enough to be read.
    // What is counted and the status stand beside the keys, so that no row is read for a count.
    (
        "jobs_host_idx",
        "(thumbforge_host(origin), created_at DESC, id DESC) INCLUDE (origin, status) \
         WHERE status IN ('completed', 'failed', 'cancelled')",
    ),
    // Of jobs that ended before origins were kept: no new ones come.
    (
        "jobs_url_host_idx",
        "(thumbforge_host(url), created_at DESC, id DESC) \
         WHERE origin = '' AND status IN ('completed', 'failed', 'cancelled')",
    ),
    (
        "jobs_submitted_by_idx",
        "(submitted_by, created_at DESC, id DESC) INCLUDE (status) \
         WHERE submitted_by IS NOT NULL AND status IN ('completed', 'failed', 'cancelled')",
    ),
    (
        "jobs_error_code_idx",
        "(error_code, created_at DESC, id DESC) WHERE error_code IS NOT NULL",
    ),
    (
        "jobs_batch_idx",
        "(batch_id, created_at DESC, id DESC) INCLUDE (status) WHERE batch_id IS NOT NULL",
    ),
    (
        "jobs_batch_active_idx",
        "(batch_id) WHERE batch_id IS NOT NULL AND status IN ('pending', 'processing')",
    ),
    (
        "jobs_expires_at_idx",
        "(expires_at) WHERE expires_at IS NOT NULL",
    ),
];

/// Indexes of earlier versions that nothing uses any more.
const OBSOLETE: [&str; 2] = ["jobs_created_at_idx", "jobs_url_hash_idx"];

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

/// Key of the advisory lock of the process that builds: "thumbidx" in ASCII. Nobody waits for it: the
/// builder would wait for the waiter's statement.
const BUILD_KEY: i64 = 0x7468_756d_6269_6478;

#[derive(diesel::QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    yes: bool,
}

/// Builds what is missing and removes what is obsolete, unless another process is at it. An index
/// whose building broke off is built anew. The lock ends with the connection.
pub(super) async fn build(connection: &mut AsyncPgConnection) -> Result<(), DbError> {
    let lock = format!("SELECT pg_try_advisory_lock({BUILD_KEY}) AS yes");
    let locked: Answer = diesel::sql_query(lock).get_result(connection).await?;
    if !locked.yes {
        tracing::info!("another process is building indexes");
        return Ok(());
    }
    let known: Vec<Known> = diesel::sql_query(
        "SELECT c.relname::text AS name, i.indisvalid AS is_valid FROM pg_index i \
         JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = 'jobs'::regclass",
    )
    .load(connection)
    .await?;
    let size: Size = diesel::sql_query("SELECT pg_relation_size('jobs') AS bytes")
        .get_result(connection)
        .await?;
    let is_large = size.bytes.is_some_and(|bytes| bytes > 0);
    // Concurrent work on the table waits for nothing, but the statement takes longer.
    let concurrently = if is_large { "CONCURRENTLY " } else { "" };
    let is_there = |name: &str| known.iter().find(|known| known.name == name);
    for (number, (name, definition)) in INDEXES.into_iter().enumerate() {
        match is_there(name) {
            Some(index) if index.is_valid => continue,
            Some(_) => drop_index(connection, concurrently, name).await?,
            None => {}
        }
        if is_large {
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
    let checked: Answer = diesel::sql_query(
        "SELECT bool_and(convalidated) AS yes FROM pg_constraint \
         WHERE conrelid = 'jobs'::regclass AND conname = 'jobs_status_check'",
    )
    .get_result(connection)
    .await?;
    if !checked.yes {
        // Checks the rows that were there before, without keeping others from writing.
        connection
            .batch_execute("ALTER TABLE jobs VALIDATE CONSTRAINT jobs_status_check")
            .await?;
    }
    for name in OBSOLETE {
        if is_there(name).is_some() {
            drop_index(connection, concurrently, name).await?;
        }
    }
    Ok(())
}

async fn drop_index(
    connection: &mut AsyncPgConnection,
    concurrently: &str,
    name: &str,
) -> Result<(), DbError> {
    let text = format!("DROP INDEX {concurrently}IF EXISTS {name}");
    Ok(connection.batch_execute(&text).await?)
}
