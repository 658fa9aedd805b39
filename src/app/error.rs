//! Why a process can't start.

use std::net::SocketAddr;

use crate::db::DbError;
use crate::fetch::FetchSetupError;
use crate::http::ApiKeysError;
use crate::queue::QueueError;
use crate::storage::StorageError;

/// Why a process can't start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error("can't listen on {address}: {cause}")]
    Listen {
        address: SocketAddr,
        cause: std::io::Error,
    },
    #[error("the folder of the database, {folder}, can't be made: {cause}")]
    DatabaseFolder {
        folder: String,
        cause: std::io::Error,
    },
    #[error("{database}: {cause}; is the schema there? `thumbforge init-db` makes it")]
    Schema { database: String, cause: DbError },
    /// `database` is its URL without the password.
    #[error("{database}: {cause}")]
    Database { database: String, cause: DbError },
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error("the storage {path} can't be used: {cause}")]
    Storage { path: String, cause: StorageError },
    #[error(transparent)]
    Fetch(#[from] FetchSetupError),
    #[error("the file {path} that THUMBFORGE_API_KEYS_FILE names: {cause}")]
    ApiKeys { path: String, cause: ApiKeysError },
    #[error("the HTTP server failed")]
    Http(#[source] std::io::Error),
}
