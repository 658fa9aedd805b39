//! What can go wrong with the queue.

#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    #[error("the queue is not available: {0}")]
    Unavailable(String),
    #[error("the Redis URL can't be used: {0}")]
    Url(String),
}

impl From<redis::RedisError> for QueueError {
    fn from(error: redis::RedisError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<deadpool_redis::PoolError> for QueueError {
    fn from(error: deadpool_redis::PoolError) -> Self {
        Self::Unavailable(match error {
            deadpool_redis::PoolError::Timeout(_) => "no connection in time".to_owned(),
            deadpool_redis::PoolError::Backend(error) => error.to_string(),
            other => other.to_string(),
        })
    }
}
