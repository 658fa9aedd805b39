//! The log of a job's attempts: a column to which the statement that ends an attempt appends, so
//! that it costs no write of its own.

use super::dialect::Dialect;
use super::pools::Pools;
use crate::domain::Event;

/// Characters beyond which the oldest entry gives way to a new one: some twenty entries.
const LONGEST: u32 = 3500;

impl Dialect {
    /// The value of `attempts_log` after an attempt at `jobs` ended, in an UPDATE of a job that is
    /// being worked on. `outcome` is an expression of a word without quotes; `error_code` too, or
    /// null. The claim set `updated_at`, and nothing has changed it since.
    pub(super) fn logged_attempt(self, outcome: &str, error_code: &str) -> String {
        let (began, ended) = (self.millis_of("jobs.updated_at"), self.millis);
        let place = self.place_of("'},{'", "jobs.attempts_log");
        format!(
            "COALESCE(CASE WHEN length(jobs.attempts_log) > {LONGEST} \
             THEN substr(jobs.attempts_log, {place} + 2) ELSE jobs.attempts_log END || ',', '') \
             || '{{\"began\":' || {began} || ',\"ended\":' || {ended} \
             || COALESCE(',\"worker\":\"' || jobs.worker_id || '\"', '') \
             || ',\"outcome\":\"' || {outcome} || '\"' \
             || COALESCE(',\"error_code\":\"' || {error_code} || '\"', '') || '}}'"
        )
    }
}

/// The same after `event`.
pub(super) fn logged(pools: &Pools, event: Event, error_code: Option<&str>) -> String {
    let code = error_code.map_or("NULL".to_owned(), |code| format!("'{code}'"));
    Dialect::of(pools).logged_attempt(&format!("'{}'", event.word()), &code)
}
