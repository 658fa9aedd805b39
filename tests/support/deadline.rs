//! Waiting for something to become true, with an end.

use std::time::{Duration, Instant};

const STEP: Duration = Duration::from_millis(20);

/// Polls until `condition` holds; panics with `what` if it does not within `limit`.
pub async fn eventually(what: &str, limit: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + limit;
    while !condition().await {
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        tokio::time::sleep(STEP).await;
    }
}

/// The same outside a runtime.
pub fn eventually_blocking(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        std::thread::sleep(STEP);
    }
}
