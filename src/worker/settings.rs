//! The rules that the workers are given.

use std::time::Duration;

use thumbforge_imaging::Variant;

/// How the workers work.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// Jobs in flight at once in this process, where the operator bounds them.
    pub concurrency: Option<usize>,
    /// Jobs begun ahead of the engine: downloads that are not slow, and thumbnails being made.
    pub line: usize,
    /// Sockets: downloads under way at once in this process.
    pub downloads: usize,
    /// True if any origin has caps.
    pub has_caps: bool,
    /// How long an origin's breaker stays open at first.
    pub origin_breaker: Duration,
    /// How long a job waits for an origin that can't be asked.
    pub origin_max_wait: Duration,
    /// How long to block on an empty queue.
    pub poll_timeout: Duration,
    pub max_attempts: u32,
    pub lease: Duration,
    /// From the signal to the end of the process.
    pub shutdown_grace: Duration,
    /// What a job makes that asks for no variants.
    pub thumbnail: Variant,
}

impl WorkerSettings {
    /// Places in the line.
    pub(super) fn places(&self) -> usize {
        self.concurrency.unwrap_or(self.line)
    }

    /// Downloads that can be under way at once, as many jobs as may be in flight.
    pub(super) fn sockets(&self) -> usize {
        self.downloads.min(self.concurrency.unwrap_or(usize::MAX))
    }
}
