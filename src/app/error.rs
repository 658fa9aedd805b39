//! Why a process can't start.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::path::Path;

use crate::db::DbError;
use crate::fetch::FetchSetupError;
use crate::http::ApiKeysError;
use crate::isolation::CannotIsolate;
use crate::queue::QueueError;
use crate::storage::StorageError;
use crate::traces::TracesError;

/// Why a process can't start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error("can't listen on {address}: {reason}")]
    Listen { address: SocketAddr, reason: String },
    #[error("the folder of the database, {folder}, can't be made: {cause}")]
    DatabaseFolder { folder: String, cause: Error },
    #[error("{database}: {cause}; is the schema there? `thumbforge init-db` makes it")]
    Schema { database: String, cause: DbError },
    #[error(
        "{database}: {cause}; let a role that may change the schema run `thumbforge init-db`, or set \
         THUMBFORGE_AUTO_MIGRATE=false if the schema is up to date"
    )]
    Rights { database: String, cause: DbError },
    /// `database` is its URL without the password.
    #[error("{database}: {cause}")]
    Database { database: String, cause: DbError },
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// `path` is absolute: a relative one counts from a folder that the reader may not know.
    #[error(
        "the storage {path} can't be used by this process (user {user}, group {group}): {cause}; \
         {advice}"
    )]
    Storage {
        path: String,
        user: u32,
        group: u32,
        cause: StorageError,
        advice: String,
    },
    #[error(transparent)]
    Traces(#[from] TracesError),
    #[error(transparent)]
    Fetch(#[from] FetchSetupError),
    #[error(
        "THUMBFORGE_DECODE_ISOLATION is all, but no decoder can be locked down here: {0}; `risky` \
         decodes what is safe in this process, and refuses the rest"
    )]
    Isolation(#[from] CannotIsolate),
    #[error("the file {path} that THUMBFORGE_API_KEYS_FILE names: {cause}")]
    ApiKeys { path: String, cause: ApiKeysError },
    #[error("the HTTP server failed")]
    Http(#[source] Error),
}

impl AppError {
    pub(super) fn storage(path: &Path, cause: StorageError) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let path = path.display().to_string();
        let user = rustix::process::geteuid().as_raw();
        let group = rustix::process::getegid().as_raw();
        let elsewhere = "name another folder in THUMBFORGE_STORAGE_PATH";
        let advice = match cause.kind() {
            ErrorKind::PermissionDenied => format!(
                "let this user write there, e.g. by `chown -R {user}:{group} {path}`, or {elsewhere}"
            ),
            _ => elsewhere.to_owned(),
        };
        Self::Storage {
            path,
            user,
            group,
            cause,
            advice,
        }
    }

    /// `setting` is the variable that names the address.
    pub(super) fn listen(address: SocketAddr, setting: &'static str, cause: Error) -> Self {
        let reason = match cause.kind() {
            ErrorKind::AddrInUse => format!(
                "the address is in use, probably by another ThumbForge; stop that, or set {setting}"
            ),
            ErrorKind::AddrNotAvailable => {
                format!("this machine does not have the address; set {setting}")
            }
            ErrorKind::PermissionDenied => {
                format!("{cause}; ports below 1024 need a right that this process lacks")
            }
            _ => cause.to_string(),
        };
        Self::Listen { address, reason }
    }
}
