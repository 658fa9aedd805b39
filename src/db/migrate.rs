//! The schema, embedded in the binary.

use std::path::Path;
use std::time::{Duration, Instant};

use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel::sql_types::{Bool, Text};
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, QueryableByName, RunQueryDsl, connection::SimpleConnection};
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connect::Target;
use super::error::DbError;
use super::pools::Pools;
use super::postgres_pool::PostgresPool;
use super::{Database, counts_check, indexes};

const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// Key of the advisory lock under which migrations run: "thumbfrg" in ASCII.
const LOCK_KEY: i64 = 0x7468_756d_6266_7267;
/// How long a process waits for another one that migrates.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(60);
/// How long a migration waits for a table. Everything else that needs the table queues after it.
const TABLE_WAIT: Duration = Duration::from_secs(1);
/// Time between two attempts to migrate.
const TRY_AGAIN: Duration = Duration::from_millis(250);
/// The change to WAL needs the file for itself for a moment, and does not wait on its own.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

impl Database {
    /// Applies pending migrations and returns their names. Safe when many processes do so at
    /// once: they take turns.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] if the database can't be reached, [`DbError::Migration`] if a
    /// migration fails, or others hold the lock for a minute; then nothing is changed.
    pub async fn migrate(&self, target: &Target) -> Result<Vec<String>, DbError> {
        match (&self.pools, target) {
            (Pools::Postgres(pool), _) => {
                let applied = migrate_postgres(pool).await?;
                bring_up_to_date(pool).await?;
                Ok(applied)
            }
            (Pools::Sqlite { .. }, Target::Sqlite(path)) => {
                let path = path.clone();
                blocking(move || migrate_sqlite(&path)).await
            }
            (Pools::Sqlite { .. }, Target::Postgres(_)) => Err(DbError::Migration(
                "the pools and the target are of different databases".to_owned(),
            )),
        }
    }
}

/// What migrations leave to be done while others work. It takes as long as it takes.
async fn bring_up_to_date(pool: &PostgresPool) -> Result<(), DbError> {
    let give_up = Instant::now() + LOCK_WAIT;
    let mut said = false;
    loop {
        let connection = pool.take().await?;
        if blocking(move || counts_check::begin(connection)).await? {
            break;
        }
        if Instant::now() >= give_up {
            tracing::warn!(
                "another process still counts the jobs, or checks their counts: until it has \
                 ended, numbers of jobs may be too small"
            );
            break;
        }
        if !said {
            tracing::info!("another process counts the jobs: waiting for up to a minute");
            said = true;
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
    indexes::build(pool).await
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DbError> + Send + 'static,
) -> Result<T, DbError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(DbError::Migration(error.to_string())))
}

/// Waits for other processes, which may hold the lock or the tables. Nothing waits in the database:
/// a pooler could not be told to stop it.
async fn migrate_postgres(pool: &PostgresPool) -> Result<Vec<String>, DbError> {
    let give_up = Instant::now() + LOCK_WAIT;
    let mut said = None;
    loop {
        let connection = pool.take().await?;
        let reason = match blocking(move || try_to_migrate(connection)).await {
            Ok(Some(applied)) => return Ok(applied),
            Ok(None) => "another process migrates, or has left its lock behind",
            Err(DbError::Migration(reason)) if reason.contains("lock timeout") => {
                "the tables are in use"
            }
            Err(error) => return Err(error),
        };
        if Instant::now() >= give_up {
            return Err(DbError::Migration(format!(
                "{reason}, for {} s; who holds the lock is in pg_locks (locktype advisory)",
                LOCK_WAIT.as_secs()
            )));
        }
        if said != Some(reason) {
            tracing::info!("{reason}: the migration is tried again for up to a minute");
            said = Some(reason);
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

/// All that is pending, in one transaction; `None` if another process holds the lock.
fn try_to_migrate(connection: AsyncPgConnection) -> Result<Option<Vec<String>>, DbError> {
    let mut connection: AsyncConnectionWrapper<AsyncPgConnection> = connection.into();
    connection.transaction(|connection| {
        // A role that may not change the schema need not, if nothing is to be changed.
        if is_current(connection)? {
            return Ok(Some(Vec::new()));
        }
        SimpleConnection::batch_execute(
            connection,
            &format!(
                "SET LOCAL statement_timeout = '{}s'; SET LOCAL lock_timeout = '{}ms'",
                LOCK_WAIT.as_secs(),
                TABLE_WAIT.as_millis()
            ),
        )?;
        let lock = format!("SELECT pg_try_advisory_xact_lock({LOCK_KEY}) AS yes");
        let locked: Answer = diesel::sql_query(lock).get_result(connection)?;
        match locked.yes {
            true => apply(connection, POSTGRES).map(Some),
            false => Ok(None),
        }
    })
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    yes: bool,
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    version: String,
}

/// Whether nothing is pending. It only reads.
fn is_current(connection: &mut AsyncConnectionWrapper<AsyncPgConnection>) -> Result<bool, DbError> {
    let there = "SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS yes";
    let there: Answer = diesel::sql_query(there).get_result(connection)?;
    if !there.yes {
        return Ok(false);
    }
    let applied: Vec<Version> =
        diesel::sql_query("SELECT version::text AS version FROM __diesel_schema_migrations")
            .load(connection)?;
    let known = MigrationSource::<Pg>::migrations(&POSTGRES)
        .map_err(|error| DbError::Migration(error.to_string()))?;
    Ok(known.iter().all(|migration| {
        let version = migration.name().version().to_string();
        applied.iter().any(|applied| applied.version == version)
    }))
}

fn migrate_sqlite(path: &Path) -> Result<Vec<String>, DbError> {
    let mut connection = establish_sqlite(path)?;
    set_wal(&mut connection)?;
    connection.exclusive_transaction(|connection| apply(connection, SQLITE))
}

/// A connection that waits for others.
pub(super) fn establish_sqlite(path: &Path) -> Result<SqliteConnection, DbError> {
    let mut connection = SqliteConnection::establish(&path.to_string_lossy())
        .map_err(|error| DbError::Unavailable(error.to_string()))?;
    connection.batch_execute(&format!("PRAGMA busy_timeout = {}", LOCK_WAIT.as_millis()))?;
    Ok(connection)
}

/// Makes write-ahead logging the file's mode, for good: if each connection changed it, they could
/// find the file locked.
fn set_wal(connection: &mut SqliteConnection) -> Result<(), DbError> {
    let give_up = Instant::now() + LOCK_WAIT;
    loop {
        match connection.batch_execute("PRAGMA journal_mode = WAL") {
            Ok(()) => return Ok(()),
            Err(error) => {
                let error = DbError::from(error);
                if !error.is_unavailable() || Instant::now() >= give_up {
                    return Err(error);
                }
                #[expect(clippy::disallowed_methods, reason = "on a thread that may block")]
                std::thread::sleep(LOCK_PAUSE);
            }
        }
    }
}

fn apply<DB: diesel::backend::Backend>(
    harness: &mut impl MigrationHarness<DB>,
    migrations: EmbeddedMigrations,
) -> Result<Vec<String>, DbError> {
    harness
        .run_pending_migrations(migrations)
        .map(|versions| versions.iter().map(ToString::to_string).collect())
        .map_err(|error| DbError::Migration(error.to_string()))
}
