//! The two kinds of pool, and the macros that run one query on either.

use std::any::Any;
use std::marker::PhantomData;
use std::time::Duration;

use deadpool::managed::{Manager, Object, PoolError as DeadpoolError, Timeouts};
use diesel::QueryResult;
use diesel::sqlite::SqliteConnection;
use diesel_async::AsyncConnection;
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

/// What work answers. Only its caller knows the type (see [`Kind`]): what surrounds the work is
/// compiled once, and not for each type of answer, where it was an eighth of the machine code.
pub(super) struct Answer(Box<dyn Any + Send>);

/// Work on a connection.
pub(super) type Work<C> =
    Box<dyn for<'c> FnOnce(&'c mut C) -> BoxFuture<'c, QueryResult<Answer>> + Send>;

/// The type of an [`Answer`].
pub(super) struct Kind<T>(PhantomData<fn() -> T>);

impl<T: 'static> Kind<T> {
    pub(super) fn of(self, answer: Result<Answer, DbError>) -> Result<T, DbError> {
        let known = answer?.0.downcast();
        known
            .map(|known| *known)
            .map_err(|_| DbError::Refused("an answer of another kind".to_owned()))
    }
}

/// What work is run on.
pub(super) trait RunsWork {
    type Connection;

    /// Runs work that is one statement, or a transaction by itself.
    fn run(&self, work: Work<Self::Connection>) -> BoxFuture<'_, Result<Answer, DbError>>;

    /// Runs several statements in one transaction. SQLite takes its write lock at the start: a
    /// transaction that reads first and then writes loses under load.
    fn run_transaction(
        &self,
        work: Work<Self::Connection>,
    ) -> BoxFuture<'_, Result<Answer, DbError>>;

    /// Runs statements that only read, and see the database at one moment.
    fn run_snapshot(&self, work: Work<Self::Connection>) -> BoxFuture<'_, Result<Answer, DbError>>;
}

impl RunsWork for Pool<AsyncSqlite> {
    type Connection = AsyncSqlite;

    fn run(&self, work: Work<AsyncSqlite>) -> BoxFuture<'_, Result<Answer, DbError>> {
        Box::pin(run_on(self.clone(), work))
    }

    fn run_transaction(&self, work: Work<AsyncSqlite>) -> BoxFuture<'_, Result<Answer, DbError>> {
        self.run(Box::new(move |connection| {
            Box::pin(
                connection.immediate_transaction(async move |connection| work(connection).await),
            )
        }))
    }

    fn run_snapshot(&self, work: Work<AsyncSqlite>) -> BoxFuture<'_, Result<Answer, DbError>> {
        self.run(Box::new(move |connection| {
            Box::pin(connection.transaction(async move |connection| work(connection).await))
        }))
    }
}

/// Lets the compiler infer from the pool what the connection of a closure is.
pub(super) fn work_on<P: RunsWork, T: Send + 'static>(
    _pool: &P,
    work: impl for<'c> FnOnce(&'c mut P::Connection) -> BoxFuture<'c, QueryResult<T>> + Send + 'static,
) -> (Work<P::Connection>, Kind<T>) {
    let erased: Work<P::Connection> = Box::new(move |connection| {
        let answer = work(connection);
        Box::pin(async move { answer.await.map(|known| Answer(Box::new(known))) })
    });
    (erased, Kind(PhantomData))
}

/// Runs work on a connection of `pool`, for at most [`OPERATION_TIMEOUT`], and to its end whatever
/// becomes of the caller. A connection that did not answer, or can only read, is thrown away.
///
/// A future that is dropped half-way (a client went away) would hand a connection with an open
/// transaction, or one that SQLite still works on, back to the pool.
pub(super) async fn run_on<C>(pool: Pool<C>, work: Work<C>) -> Result<Answer, DbError>
where
    AsyncDieselConnectionManager<C>: Manager<Type = C, Error = PoolError>,
    C: AsyncConnection + Send + 'static,
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
    C: AsyncConnection,
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

/// Runs `$work` (an expression of `QueryResult`) by a method of [`RunsWork`].
macro_rules! ask_pool {
    ($pool:expr, $method:ident, $connection:ident => $work:expr) => {{
        let (work, kind) =
            $crate::db::pools::work_on($pool, move |$connection| Box::pin(async move { $work }));
        kind.of($crate::db::pools::RunsWork::$method($pool, work).await)
    }};
}

/// Runs `$query` as [`run_on`] does.
macro_rules! on_pool {
    ($pool:expr, $connection:ident => $query:expr) => {
        $crate::db::pools::ask_pool!($pool, run, $connection => $query)
    };
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
                $crate::db::pools::ask_pool!(pool, run_snapshot, $connection => $work)
            }
            $crate::db::pools::Pools::Sqlite { readers, .. } => {
                $crate::db::pools::ask_pool!(readers, run_snapshot, $connection => $work)
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

/// Several writing statements in one transaction, written once for both databases.
macro_rules! write_transaction {
    ($pools:expr, $connection:ident => $work:expr) => {
        match &$pools {
            $crate::db::pools::Pools::Postgres(pool) => {
                $crate::db::pools::ask_pool!(pool, run_transaction, $connection => $work)
            }
            $crate::db::pools::Pools::Sqlite { writer, .. } => {
                $crate::db::pools::ask_pool!(writer, run_transaction, $connection => $work)
            }
        }
    };
}

pub(super) use {ask_pool, on_pool, read_query, read_snapshot, write_query, write_transaction};

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
