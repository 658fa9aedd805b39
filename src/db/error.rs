//! What can go wrong with the database.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use super::session::is_of_another_session;

#[derive(Debug, Clone, thiserror::Error)]
pub enum DbError {
    /// No connection, no answer in time, or the connection broke: try again later. It is unknown
    /// whether a write happened.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// The server lets nobody in, and will not until somebody changes something. It is
    /// [unavailable](Self::is_unavailable) as well: a password may be put right while we run.
    #[error("the database refuses the connection: {0}")]
    Denied(String),
    /// A pooler gave a statement another session than the one that prepared it.
    #[error("the database is not available: {0}")]
    OtherSession(String),
    /// The database refused the statement: a bug, or a schema that does not fit.
    #[error("the database refused a statement: {0}")]
    Refused(String),
    #[error("the database's schema could not be brought up to date: {0}")]
    Migration(String),
    #[error("the database URL can't be used: {0}")]
    Url(String),
    /// A row holds something that this version can't read.
    #[error("a stored job can't be read: {0}")]
    Unreadable(String),
}

impl DbError {
    /// Why no connection could be made.
    pub(super) fn of_connecting(error: diesel::ConnectionError) -> Self {
        match error {
            // So `servers` says that waiting does not help.
            diesel::ConnectionError::InvalidConnectionUrl(reason) => Self::Denied(reason),
            other => Self::Unavailable(other.to_string()),
        }
    }

    /// True if the same call may succeed later.
    pub const fn is_unavailable(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_) | Self::Denied(_) | Self::OtherSession(_)
        )
    }
}

impl From<DieselError> for DbError {
    fn from(error: DieselError) -> Self {
        match &error {
            DieselError::DatabaseError(
                DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::UnableToSendCommand
                | DatabaseErrorKind::SerializationFailure
                | DatabaseErrorKind::ReadOnlyTransaction,
                _,
            )
            | DieselError::BrokenTransactionManager
            | DieselError::RollbackErrorOnCommit { .. } => Self::Unavailable(error.to_string()),
            DieselError::DeserializationError(_) => Self::Unreadable(error.to_string()),
            _ if is_of_another_session(&error.to_string()) => Self::OtherSession(error.to_string()),
            _ if says_unavailable(&error.to_string()) => Self::Unavailable(error.to_string()),
            _ => Self::Refused(error.to_string()),
        }
    }
}

/// SQLite's words for a file or a connection that can only be read.
const SQLITE_READ_ONLY: &str = "attempt to write a readonly database";

/// True if the connection works but can't write: the server became a standby, or was set to read
/// only. It will not write later either; a new connection may find another server.
pub(super) fn is_read_only(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _) => true,
        DieselError::DatabaseError(_, told) => told.message().contains(SQLITE_READ_ONLY),
        _ => false,
    }
}

/// Diesel has no kinds for these: they arrive as `Unknown` with the server's or SQLite's words.
fn says_unavailable(message: &str) -> bool {
    const WORDS: [&str; 21] = [
        "database is locked",
        "database table is locked",
        "disk I/O error",
        "database or disk is full",
        "terminating connection",
        "the database system is",
        "connection closed",
        "error communicating with the server",
        "connection reset",
        "broken pipe",
        "unexpected EOF",
        "canceling statement due to",
        "deadlock detected",
        "too many clients",
        // A pooler's.
        "server conn crashed",
        "server_login_retry",
        "query_wait_timeout",
        "pooler is shut down",
        "remaining connection slots",
        "No space left on device",
        SQLITE_READ_ONLY,
    ];
    WORDS.iter().any(|words| message.contains(words))
}
