//! What can go wrong with the queue.

#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    #[error("the queue is not available: {0}")]
    Unavailable(String),
    /// The server answers, but will not serve us: a setting is wrong.
    #[error("Redis refuses: {0}")]
    Refused(String),
    #[error("the Redis URL can't be used: {0}")]
    Url(String),
}

impl From<redis::RedisError> for QueueError {
    fn from(error: redis::RedisError) -> Self {
        match error.kind() {
            redis::ErrorKind::AuthenticationFailed | redis::ErrorKind::InvalidClientConfig => {
                Self::Refused(error.to_string())
            }
            _ => Self::Unavailable(error.to_string()),
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
