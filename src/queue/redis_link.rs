//! One connection to a Redis server: from a pool, or over a stream of our own, whose certificates
//! the pool could not judge.

use std::path::PathBuf;
use std::sync::Arc;

use deadpool_redis::{Connection, Pool};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, RedisConnectionInfo, RedisError};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use super::QueueError;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    Tcp(String, u16),
    Socket(PathBuf),
}

/// Cheap to clone. With the last clone the connection ends, at once: Redis stops serving a command
/// that waits on it.
#[derive(Clone)]
pub(super) struct Link {
    connection: MultiplexedConnection,
    keeper: Arc<Keeper>,
}

/// What the connection lives as long as.
enum Keeper {
    Driver { _task: AbortOnDropHandle<()> },
    Pooled(Option<Connection>),
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Self::Pooled(pooled) = self
            && let Some(connection) = pooled.take()
        {
            // A link is given up when it is of no use: it does not go back to the pool.
            drop(Connection::take(connection));
        }
    }
}

impl Link {
    pub(super) async fn from_pool(pool: &Pool) -> Result<Self, QueueError> {
        let pooled = pool.get().await?;
        Ok(Self {
            connection: MultiplexedConnection::clone(&pooled),
            keeper: Arc::new(Keeper::Pooled(Some(pooled))),
        })
    }

    /// Connects and logs in. It has no limit of its own, and neither have the commands.
    pub(super) async fn open(
        address: &Address,
        login: &RedisConnectionInfo,
        tls: Option<&TlsConnector>,
    ) -> Result<Self, QueueError> {
        match (address, tls) {
            (Address::Socket(path), _) => {
                let stream = UnixStream::connect(path).await.map_err(away)?;
                Self::over(stream, login).await
            }
            (Address::Tcp(host, port), None) => Self::over(reach(host, *port).await?, login).await,
            (Address::Tcp(host, port), Some(tls)) => {
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| QueueError::Url("its host is no name of a server".to_owned()))?;
                let stream = reach(host, *port).await?;
                let stream = tls
                    .connect(name, stream)
                    .await
                    .map_err(|error| of_tls(&error))?;
                Self::over(stream, login).await
            }
        }
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        login: &RedisConnectionInfo,
    ) -> Result<Self, QueueError> {
        // Blocking commands wait longer than any fixed limit: each call has its own.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let opened = MultiplexedConnection::new_with_config(login, stream, config).await;
        let (connection, driver) = opened?;
        Ok(Self {
            connection,
            keeper: Arc::new(Keeper::Driver {
                _task: AbortOnDropHandle::new(tokio::spawn(driver)),
            }),
        })
    }

    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        command.query_async(&mut self.connection.clone()).await
    }

    /// True if both are the same connection.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.keeper, &other.keeper)
    }
}

/// Answers of a server that is not, or no longer, the one to ask.
const ELSEWHERE: [&str; 5] = [
    "READONLY",
    "MOVED",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "UNBLOCKED",
];

/// True if the connection is of no more use: it broke, or its server has lost its office.
pub(super) fn is_useless(error: &RedisError) -> bool {
    let is_elsewhere = ELSEWHERE.iter().any(|code| error.code() == Some(code));
    is_elsewhere || error.is_io_error() || error.is_connection_dropped()
}

async fn reach(host: &str, port: u16) -> Result<TcpStream, QueueError> {
    let stream = TcpStream::connect((host, port)).await.map_err(away)?;
    stream.set_nodelay(true).map_err(away)?;
    Ok(stream)
}

fn away(error: std::io::Error) -> QueueError {
    QueueError::Unavailable(error.to_string())
}

/// A certificate that is not trusted now won't be trusted later.
fn of_tls(error: &std::io::Error) -> QueueError {
    let inner = error.get_ref();
    match inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(error) if crate::tls::TlsFault::of(error).is_permanent() => {
            QueueError::Tls(crate::tls::explain(error))
        }
        Some(error) => QueueError::Unavailable(crate::tls::explain(error)),
        None => QueueError::Unavailable(error.to_string()),
    }
}
