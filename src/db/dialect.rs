//! Where the databases differ in the text of a query.

use super::pools::Pools;

/// The expressions by which the databases give the time.
#[derive(Clone, Copy)]
pub(super) struct Dialect {
    pub now: &'static str,
    /// Milliseconds since the Unix epoch.
    pub millis: &'static str,
    /// Minutes since the Unix epoch.
    pub minute: &'static str,
    pub is_postgres: bool,
}

impl Dialect {
    pub(super) const POSTGRES: Self = Self {
        now: "now()",
        millis: "CAST(extract(epoch FROM now()) * 1000 AS bigint)",
        minute: "CAST(floor(extract(epoch FROM now()) / 60) AS bigint)",
        is_postgres: true,
    };
    pub(super) const SQLITE: Self = Self {
        now: "(CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000)",
        millis: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
        minute: "(unixepoch() / 60)",
        is_postgres: false,
    };

    pub(super) const fn of(pools: &Pools) -> Self {
        match pools {
            Pools::Postgres(_) => Self::POSTGRES,
            Pools::Sqlite { .. } => Self::SQLITE,
        }
    }

    /// Milliseconds since the Unix epoch of a moment.
    pub(super) fn millis_of(self, moment: &str) -> String {
        match self.is_postgres {
            true => format!("CAST(extract(epoch FROM {moment}) * 1000 AS bigint)"),
            false => format!("({moment} / 1000)"),
        }
    }

    /// Minutes since the Unix epoch of a moment.
    pub(super) fn minute_of(self, moment: &str) -> String {
        match self.is_postgres {
            true => format!("thumbforge_minute({moment})"),
            false => format!("({moment} / 60000000)"),
        }
    }

    /// A moment by its microseconds since the Unix epoch.
    pub(super) fn moment(self, micros: i64) -> String {
        match self.is_postgres {
            true => format!("(timestamptz 'epoch' + {micros} * interval '1 microsecond')"),
            false => micros.to_string(),
        }
    }

    /// The moment that was `delay` ago.
    pub(super) fn before(self, delay: std::time::Duration) -> String {
        let millis = super::clock::millis(delay);
        match self.is_postgres {
            true => format!("(now() - {millis} * interval '1 millisecond')"),
            false => format!("({} - {millis} * 1000)", self.now),
        }
    }

    /// The name of a bound value, counted from 1. (To SQLite `$1` is a name like any other.)
    pub(super) fn parameter(self, number: usize) -> String {
        match self.is_postgres {
            true => format!("${number}"),
            false => format!("?{number}"),
        }
    }

    /// Where a text begins within another, from 1; 0 if it does not.
    pub(super) fn place_of(self, part: &str, text: &str) -> String {
        match self.is_postgres {
            true => format!("strpos({text}, {part})"),
            false => format!("instr({text}, {part})"),
        }
    }

    /// The host of a job's URL.
    pub(super) const fn host_of_job(self) -> &'static str {
        match self.is_postgres {
            // Shorter than the URL, but jobs of an early version have none.
            true => {
                "COALESCE(thumbforge_host(CASE WHEN jobs.origin = '' THEN jobs.url \
                 ELSE jobs.origin END), '')"
            }
            false => "COALESCE(jobs.host, '')",
        }
    }

    pub(super) fn within_an_hour(self) -> String {
        format!("minute + 0 > {} - 60", self.minute)
    }
}
