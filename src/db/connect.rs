//! How a connection is made.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::Poll;

use diesel::connection::CacheSize;
use diesel::{ConnectionError, ConnectionResult};
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, PoolableConnection, RecyclingMethod,
};
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use futures_util::FutureExt;

use super::error::DbError;
use super::pools::AsyncSqlite;
use super::servers::{Servers, failed};
use super::session::{self, Finding, Sessions};

/// Which database to use.
#[derive(Clone)]
pub enum Target {
    /// A file; it and its folder are made when missing.
    Sqlite(PathBuf),
    /// A `postgres://` URL.
    Postgres(String),
}

/// Settings of every SQLite connection. `synchronous = FULL`: in WAL mode anything less may lose
/// the last commits when the power fails, and a `202` promises that they are kept.
const SQLITE_SESSION: &str = "PRAGMA busy_timeout = 4000; PRAGMA journal_mode = WAL; \
     PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 67108864";

pub(super) fn postgres_manager(
    servers: &Servers,
    finding: &Arc<Finding>,
) -> AsyncDieselConnectionManager<AsyncPgConnection> {
    let (servers, finding) = (servers.clone(), Arc::clone(finding));
    manager(String::new(), move |_| {
        let (servers, finding) = (servers.clone(), Arc::clone(&finding));
        async move { establish_postgres(&servers, &finding).await }.boxed()
    })
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
    servers: &Servers,
    finding: &Finding,
) -> ConnectionResult<AsyncPgConnection> {
    let sessions = finding.get().unwrap_or(Sessions::Kept);
    let (client, mut connection) = servers.connect().await?;
    if sessions == Sessions::PerTransaction {
        // Diesel prepares what it sets at first: one session must do both.
        drive(&mut connection, client.batch_execute("BEGIN"))
            .await
            .map_err(|error| failed(&error))?;
    }
    let mut connection =
        AsyncPgConnection::try_from_client_and_connection(client, connection).await?;
    let begin = match sessions {
        Sessions::Kept => session::for_session(),
        Sessions::PerTransaction => {
            connection.set_prepared_statement_cache_size(CacheSize::Disabled);
            "COMMIT".to_owned()
        }
    };
    connection
        .batch_execute(&begin)
        .await
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

/// Runs `work` on the client of a connection that nothing drives yet.
async fn drive<S: tokio_postgres::tls::TlsStream + Unpin>(
    connection: &mut tokio_postgres::Connection<tokio_postgres::Socket, S>,
    work: impl Future<Output = Result<(), tokio_postgres::Error>>,
) -> Result<(), tokio_postgres::Error> {
    let driven = std::future::poll_fn(|context| {
        loop {
            match std::task::ready!(connection.poll_message(context)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(error)),
                // The client sees that it is closed.
                None => return Poll::Pending,
            }
        }
    });
    tokio::select! {
        done = work => done,
        broken = driven => broken,
    }
}

async fn establish_sqlite(path: &str) -> ConnectionResult<AsyncSqlite> {
    let mut connection = AsyncSqlite::establish(path).await?;
    connection
        .batch_execute(SQLITE_SESSION)
        .await
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}
