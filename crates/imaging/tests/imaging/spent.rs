//! Processor time of this thread: another process, or another test, must not make a file slow.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A moment on the clock of what this thread has spent on a processor.
pub struct Spent(Duration);

impl Spent {
    pub fn now() -> Self {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Self(Duration::try_from(time).expect("no time before it began"))
    }

    pub fn elapsed(&self) -> Duration {
        Self::now().0 - self.0
    }
}
