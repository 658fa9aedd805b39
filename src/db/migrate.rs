//! The schema, embedded in the binary.

use std::path::Path;
use std::time::{Duration, Instant};

use diesel::sqlite::SqliteConnection;
use diesel::{Connection, connection::SimpleConnection};
use diesel_async::AsyncPgConnection;
use diesel_async::SimpleAsyncConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connect::Target;
use super::error::DbError;
use super::pools::{Pool, Pools, checkout};
use super::{Database, counts_check, indexes};

const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// Key of the advisory lock under which migrations run: "thumbfrg" in ASCII.
const LOCK_KEY: i64 = 0x7468_756d_6266_7267;
/// How long a process waits for another one that migrates.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(60);
/// How long a migration waits for a table. Everything else that needs the table queues after it.
const TABLE_WAIT: Duration = Duration::from_secs(1);
/// The change to WAL needs the file for itself for a moment, and does not wait on its own.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

impl Database {
    /// Applies pending migrations and returns their names. Safe when many processes do so at
    /// once: they take turns.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] if the database can't be reached, [`DbError::Migration`] if a
    /// migration fails; a failed migration changes nothing.
    pub async fn migrate(&self, target: &Target) -> Result<Vec<String>, DbError> {
        match (&self.pools, target) {
            (Pools::Postgres(pool), _) => {
                let mut connection = deadpool::managed::Object::take(checkout(pool).await?);
                // The session's own limits are for work, not for waiting on a migration.
                connection
                    .batch_execute(&format!(
                        "SET statement_timeout = '{0}s'; SET lock_timeout = '{0}s'",
                        LOCK_WAIT.as_secs()
                    ))
                    .await?;
                let applied = blocking(move || migrate_postgres(connection)).await?;
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
async fn bring_up_to_date(pool: &Pool<AsyncPgConnection>) -> Result<(), DbError> {
    let connection = deadpool::managed::Object::take(checkout(pool).await?);
    blocking(move || counts_check::begin(connection)).await?;
    let mut connection = deadpool::managed::Object::take(checkout(pool).await?);
    connection
        .batch_execute("SET statement_timeout = 0; SET lock_timeout = 0")
        .await?;
    indexes::build(&mut connection).await
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DbError> + Send + 'static,
) -> Result<T, DbError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(DbError::Migration(error.to_string())))
}

/// The lock is the session's, and the connection ends with this function.
fn migrate_postgres(connection: AsyncPgConnection) -> Result<Vec<String>, DbError> {
    let mut connection: AsyncConnectionWrapper<AsyncPgConnection> = connection.into();
    SimpleConnection::batch_execute(
        &mut connection,
        &format!("SELECT pg_advisory_lock({LOCK_KEY})"),
    )?;
    let patience = format!("SET lock_timeout = '{}ms'", TABLE_WAIT.as_millis());
    SimpleConnection::batch_execute(&mut connection, &patience)?;
    let give_up = Instant::now() + LOCK_WAIT;
    loop {
        match apply(&mut connection, POSTGRES) {
            Err(DbError::Migration(reason))
                if reason.contains("lock timeout") && Instant::now() < give_up =>
            {
                tracing::info!("the tables are in use: the migration is tried again");
                #[expect(clippy::disallowed_methods, reason = "on a thread that may block")]
                std::thread::sleep(TABLE_WAIT);
            }
            applied => return applied,
        }
    }
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
