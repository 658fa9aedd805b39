//! When a job may run, and before which others.

use crate::timestamp::Timestamp;

/// 0 runs first, 9 last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u8);

impl Priority {
    pub const LAST: u8 = 9;
    pub const DEFAULT: Self = Self(5);
    /// A job that waited a minute longer comes before one that is one step more urgent: nothing
    /// starves.
    pub const STEP_MILLIS: i64 = 60_000;

    pub fn new(value: u8) -> Option<Self> {
        (value <= Self::LAST).then_some(Self(value))
    }

    pub const fn get(self) -> u8 {
        self.0
    }

    /// How much later than its submission a job stands in the order of claims.
    pub const fn millis(self) -> i64 {
        self.0 as i64 * Self::STEP_MILLIS
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A client's wishes for the order of its jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Schedule {
    pub priority: Priority,
    /// No attempt before.
    pub not_before: Option<Timestamp>,
}
