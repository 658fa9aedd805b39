//! What can go wrong with the queue.

#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    #[error("the queue is not available: {0}")]
    Unavailable(String),
    /// The server answers, but refuses to serve us: a setting is wrong.
    #[error("Redis refuses: {0}")]
    Refused(String),
    #[error("the Redis URL can't be used: {0}")]
    Url(String),
    /// A certificate is not trusted, or a file of certificates can't be used.
    #[error("no TLS with Redis: {0}")]
    Tls(String),
}

/// First words of errors that waiting does not cure: no password, a wrong one, a user without the
/// right.
const REFUSALS: [&str; 3] = ["NOAUTH", "WRONGPASS", "NOPERM"];

impl QueueError {
    /// True if the same call may succeed later.
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// For a write that is only tried. A user who lacks the right for this one command may have all
    /// rights that jobs need: that is no reason not to start.
    pub(super) fn of_trial_write(error: redis::RedisError) -> Self {
        match error.code() {
            Some("NOPERM") => Self::Unavailable(error.to_string()),
            _ => error.into(),
        }
    }
}

impl From<redis::RedisError> for QueueError {
    fn from(error: redis::RedisError) -> Self {
        if error.code() == Some("WRONGTYPE") {
            return Self::Refused(format!(
                "the key named by QUEUE_NAME is not a list ({error})"
            ));
        }
        let refused = match error.kind() {
            redis::ErrorKind::AuthenticationFailed | redis::ErrorKind::InvalidClientConfig => true,
            // To the client, a database number that does not exist is a general error (`ERR`).
            _ if error.to_string().contains("refused to switch database") => true,
            _ => REFUSALS.iter().any(|code| error.code() == Some(code)),
        };
        if refused {
            Self::Refused(error.to_string())
        } else {
            Self::Unavailable(error.to_string())
        }
    }
}

impl From<deadpool_redis::PoolError> for QueueError {
    fn from(error: deadpool_redis::PoolError) -> Self {
        match error {
            deadpool_redis::PoolError::Timeout(_) => {
                Self::Unavailable("no connection in time".to_owned())
            }
            deadpool_redis::PoolError::Backend(error) => error.into(),
            other => Self::Unavailable(other.to_string()),
        }
    }
}
