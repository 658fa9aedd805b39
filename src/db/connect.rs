//! How a connection is made.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, PoolableConnection, RecyclingMethod,
};
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use futures_util::FutureExt;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::DbError;
use super::pools::AsyncSqlite;
use super::tls;

/// Which database to use.
#[derive(Clone)]
pub enum Target {
    /// A file; it and its folder are made when missing.
    Sqlite(PathBuf),
    /// A `postgres://` URL.
    Postgres(String),
}

/// Settings of every Postgres session. The server gives up on statements that we have long given up
/// on, so that a stopped worker can't hold a row forever. Compiling a statement would take longer
/// than running it, as would starting processes that run it in parts.
const POSTGRES_SESSION: &str = "SET statement_timeout = '10s'; SET lock_timeout = '5s'; \
     SET idle_in_transaction_session_timeout = '10s'; SET TIME ZONE 'UTC'; SET jit = off; \
     SET max_parallel_workers_per_gather = 0";

/// Settings of every SQLite connection. `synchronous = FULL`: in WAL mode anything less may lose
/// the last commits when the power fails, and a `202` promises that they are kept.
const SQLITE_SESSION: &str = "PRAGMA busy_timeout = 4000; PRAGMA journal_mode = WAL; \
     PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 67108864";

pub(super) fn postgres_manager(
    url: &str,
) -> Result<AsyncDieselConnectionManager<AsyncPgConnection>, DbError> {
    let (config, verification) = tls::split_sslmode(url)?;
    let config = Arc::new(config);
    let connector = tls::connector(verification)?;
    Ok(manager(String::new(), move |_| {
        let (config, connector) = (Arc::clone(&config), connector.clone());
        async move { establish_postgres(&config, connector).await }.boxed()
    }))
}

pub(super) fn sqlite_manager(
    path: &Path,
) -> Result<AsyncDieselConnectionManager<AsyncSqlite>, DbError> {
    let path = path
        .to_str()
        .ok_or_else(|| DbError::Url("the path of the SQLite file is not UTF-8".to_owned()))?;
    Ok(manager(path.to_owned(), |path| {
        let path = path.to_owned();
        async move { establish_sqlite(&path).await }.boxed()
    }))
}

fn manager<C>(
    url: String,
    establish: impl Fn(&str) -> futures_util::future::BoxFuture<'static, ConnectionResult<C>>
    + Send
    + Sync
    + 'static,
) -> AsyncDieselConnectionManager<C>
where
    C: PoolableConnection + 'static,
{
    let mut config = ManagerConfig::default();
    // The close of a connection is noticed without a query; a test query would cost a round trip a
    // job.
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(move |url| establish(url));
    AsyncDieselConnectionManager::new_with_config(url, config)
}

async fn establish_postgres(
    config: &tokio_postgres::Config,
    connector: MakeRustlsConnect,
) -> ConnectionResult<AsyncPgConnection> {
    let (client, connection) = config
        .connect(connector)
        .await
        .map_err(|error| ConnectionError::BadConnection(with_cause(&error)))?;
    let mut connection =
        AsyncPgConnection::try_from_client_and_connection(client, connection).await?;
    connection
        .batch_execute(POSTGRES_SESSION)
        .await
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

async fn establish_sqlite(path: &str) -> ConnectionResult<AsyncSqlite> {
    let mut connection = AsyncSqlite::establish(path).await?;
    connection
        .batch_execute(SQLITE_SESSION)
        .await
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

/// tokio-postgres keeps the telling part ("Connection refused") in the error's source.
fn with_cause(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
