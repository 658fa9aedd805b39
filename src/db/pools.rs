//! The two kinds of pool, and the macros that run one query on either.

use std::time::Duration;

use deadpool::managed::{Manager, Object, PoolError as DeadpoolError, Timeouts};
use diesel::QueryResult;
use diesel::sqlite::SqliteConnection;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, PoolError};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use futures_util::future::BoxFuture;

use super::connect::{self, Target};
use super::error::{DbError, is_read_only};
use super::postgres_pool::PostgresPool;

pub(super) type AsyncSqlite = SyncConnectionWrapper<SqliteConnection>;
pub(super) type Pool<C> = deadpool::managed::Pool<AsyncDieselConnectionManager<C>>;

/// Longest wait for one statement or transaction. A frozen server must not freeze us.
pub(super) const OPERATION_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for a free connection, and for a new one to open.
pub(super) const CONNECTION_TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Clone)]
pub(super) enum Pools {
    Postgres(PostgresPool),
    Sqlite {
        /// WAL lets any number read …
        readers: Pool<AsyncSqlite>,
        /// … while one writes: within this process they queue here instead of in SQLite's
        /// busy handler, which sleeps and is unfair.
        writer: Pool<AsyncSqlite>,
    },
}

impl Pools {
    pub(super) fn open(target: &Target, pool_size: usize) -> Result<Self, DbError> {
        Ok(match target {
            Target::Postgres(url) => Self::Postgres(PostgresPool::open(url, pool_size)?),
            Target::Sqlite(path) => Self::Sqlite {
                readers: build(connect::sqlite_manager(path)?, pool_size)?,
                writer: build(connect::sqlite_manager(path)?, 1)?,
            },
        })
    }
}

pub(super) fn build<C>(
    manager: AsyncDieselConnectionManager<C>,
    size: usize,
) -> Result<Pool<C>, DbError>
where
    C: diesel_async::pooled_connection::PoolableConnection + Send + 'static,
    AsyncDieselConnectionManager<C>:
        deadpool::managed::Manager<Type = C, Error = PoolError> + Send + Sync,
{
    Pool::builder(manager)
        .max_size(size)
        .runtime(deadpool::Runtime::Tokio1)
        .timeouts(Timeouts {
            wait: Some(CONNECTION_TIMEOUT),
            create: Some(CONNECTION_TIMEOUT),
            recycle: Some(CONNECTION_TIMEOUT),
        })
        .build()
        .map_err(|error| DbError::Url(error.to_string()))
}

/// Work on a connection. Boxed, so that what surrounds it is compiled once for each kind of answer:
/// compiled for each query, it was a tenth of the service's machine code.
pub(super) type Work<C, T> =
    Box<dyn for<'c> FnOnce(&'c mut C) -> BoxFuture<'c, QueryResult<T>> + Send>;

/// What work is run on.
pub(super) trait RunsWork {
    type Connection;

    /// Runs work that is one statement, or a transaction by itself.
    fn run<T: Send + 'static>(
        &self,
        work: Work<Self::Connection, T>,
    ) -> impl Future<Output = Result<T, DbError>> + Send;
}

impl RunsWork for Pool<AsyncSqlite> {
    type Connection = AsyncSqlite;

    async fn run<T: Send + 'static>(&self, work: Work<AsyncSqlite, T>) -> Result<T, DbError> {
        run_on(self.clone(), work).await
    }
}

/// Lets the compiler infer from the pool what the connection of a closure is.
pub(super) fn work_on<P: RunsWork, T>(
    _pool: &P,
    work: impl for<'c> FnOnce(&'c mut P::Connection) -> BoxFuture<'c, QueryResult<T>> + Send + 'static,
) -> Work<P::Connection, T> {
    Box::new(work)
}

/// Runs work on a connection of `pool`, for at most [`OPERATION_TIMEOUT`], and to its end whatever
/// becomes of the caller. A connection that did not answer, or can only read, is thrown away.
///
/// A future that is dropped half-way (a client went away) would hand a connection with an open
/// transaction, or one that SQLite still works on, back to the pool.
pub(super) async fn run_on<C, T>(pool: Pool<C>, work: Work<C, T>) -> Result<T, DbError>
where
    AsyncDieselConnectionManager<C>: Manager<Type = C, Error = PoolError>,
    C: diesel_async::AsyncConnection + Send + 'static,
    T: Send + 'static,
{
    let detached = tokio::spawn(async move {
        let mut object = checkout(&pool).await?;
        let outcome = tokio::time::timeout(OPERATION_TIMEOUT, work(&mut object)).await;
        let useless = match &outcome {
            Ok(Ok(_)) => false,
            Ok(Err(error)) => is_read_only(error),
            Err(_) => true,
        };
        if useless {
            drop(Object::take(object));
            // The idle ones lead to the same server, which is silent or was made a standby, or
            // through the same dead path: otherwise each would fail once.
            pool.retain(|_, _| false);
        }
        match outcome {
            Ok(result) => result.map_err(DbError::from),
            Err(_) => Err(DbError::Unavailable("no answer in time".to_owned())),
        }
    });
    match detached.await {
        Ok(result) => result,
        Err(error) => Err(DbError::Refused(format!("database task: {error}"))),
    }
}

/// Takes a connection from the pool.
pub(super) async fn checkout<C>(
    pool: &Pool<C>,
) -> Result<Object<AsyncDieselConnectionManager<C>>, DbError>
where
    AsyncDieselConnectionManager<C>: Manager<Type = C, Error = PoolError>,
    C: diesel_async::AsyncConnection,
{
    pool.get().await.map_err(|error| {
        DbError::Unavailable(match error {
            DeadpoolError::Timeout(_) => "no connection in time".to_owned(),
            DeadpoolError::Backend(PoolError::ConnectionError(error)) => {
                return DbError::of_connecting(error);
            }
            DeadpoolError::Backend(error) => error.to_string(),
            other => other.to_string(),
        })
    })
}

/// Runs `$query` (an expression of `QueryResult`) as [`run_on`] does.
macro_rules! on_pool {
    ($pool:expr, $connection:ident => $query:expr) => {{
        let work =
            $crate::db::pools::work_on($pool, move |$connection| Box::pin(async move { $query }));
        $crate::db::pools::RunsWork::run($pool, work).await
    }};
}

/// A query that changes nothing, written once for both databases.
macro_rules! read_query {
    ($pools:expr, $connection:ident => $query:expr) => {
        match &$pools {
            $crate::db::pools::Pools::Postgres(pool) => {
                $crate::db::pools::on_pool!(pool, $connection => $query)
            }
            $crate::db::pools::Pools::Sqlite { readers, .. } => {
                $crate::db::pools::on_pool!(readers, $connection => $query)
            }
        }
    };
}

/// Several queries that see the database at the same moment, written once for both databases.
macro_rules! read_snapshot {
    ($pools:expr, $connection:ident => $work:expr) => {
        match &$pools {
            $crate::db::pools::Pools::Postgres(pool) => {
                let work = $crate::db::pools::work_on(pool, move |$connection| {
                    Box::pin(async move { $work })
                });
                pool.run_snapshot(work).await
            }
            $crate::db::pools::Pools::Sqlite { readers, .. } => {
                $crate::db::pools::on_pool!(readers, transaction => {
                    transaction.transaction(async move |$connection| $work).await
                })
            }
        }
    };
}

/// A single writing statement, written once for both databases.
macro_rules! write_query {
    ($pools:expr, $connection:ident => $query:expr) => {
        match &$pools {
            $crate::db::pools::Pools::Postgres(pool) => {
                $crate::db::pools::on_pool!(pool, $connection => $query)
            }
            $crate::db::pools::Pools::Sqlite { writer, .. } => {
                $crate::db::pools::on_pool!(writer, $connection => $query)
            }
        }
    };
}

/// Several writing statements in one transaction, written once for both databases. SQLite takes
/// its write lock at the start: a transaction that reads first and then writes loses under load.
macro_rules! write_transaction {
    ($pools:expr, $connection:ident => $work:expr) => {
        match &$pools {
            $crate::db::pools::Pools::Postgres(pool) => {
                let work = $crate::db::pools::work_on(pool, move |$connection| {
                    Box::pin(async move { $work })
                });
                pool.run_transaction(work).await
            }
            $crate::db::pools::Pools::Sqlite { writer, .. } => {
                $crate::db::pools::on_pool!(writer, transaction => {
                    transaction.immediate_transaction(async move |$connection| $work).await
                })
            }
        }
    };
}

pub(super) use {on_pool, read_query, read_snapshot, write_query, write_transaction};

#[cfg(test)]
mod tests {
    use diesel_async::SimpleAsyncConnection;

    use super::*;
    use crate::db::Database;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_sqlite_connection_that_can_only_read_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::Sqlite(folder.path().join("jobs.db"));
        let database = Database::open(&target, 2).unwrap();
        database.migrate(&target).await.unwrap();
        write_query!(database.pools, connection =>
            connection.batch_execute("PRAGMA query_only = ON").await)
        .unwrap();
        let worker = uuid::Uuid::now_v7();
        let worker = crate::domain::WorkerSign::ready(worker);
        let error = database.mark_worker_alive(&worker).await.unwrap_err();
        assert!(error.is_unavailable(), "{error}");
        database.mark_worker_alive(&worker).await.unwrap();
    }
}
