//! A moment in UTC with microsecond precision: what both databases can store exactly.

use std::fmt;
use std::str::FromStr;

/// Microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 date and time, e.g. 2026-01-31T12:00:00Z")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// Years −9999 to 9999: what RFC 3339 and both databases can express.
    pub fn from_unix_micros(micros: i64) -> Option<Self> {
        jiff::Timestamp::from_microsecond(micros)
            .ok()
            .map(|_| Self(micros))
    }

    pub const fn unix_micros(self) -> i64 {
        self.0
    }

    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with six decimals, so that texts sort as the moments do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = jiff::Timestamp::from_microsecond(self.0).map_err(|_| fmt::Error)?;
        write!(f, "{moment:.6}")
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    /// RFC 3339. As the predecessor did, a missing offset means UTC and a bare date means midnight.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed: jiff::Timestamp = text
            .parse()
            .or_else(|_| {
                text.parse::<jiff::civil::DateTime>()
                    .and_then(|civil| civil.to_zoned(jiff::tz::TimeZone::UTC))
                    .map(|zoned| zoned.timestamp())
            })
            .map_err(|_| InvalidTimestamp)?;
        Self::from_unix_micros(parsed.as_microsecond()).ok_or(InvalidTimestamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_dates_and_naive_times_are_read() {
        for (text, expected) in [
            ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000000Z"),
            (
                "2026-01-31T12:00:00.25+02:00",
                "2026-01-31T10:00:00.250000Z",
            ),
            ("2026-01-31T12:00:00", "2026-01-31T12:00:00.000000Z"),
            ("2026-01-31", "2026-01-31T00:00:00.000000Z"),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "yesterday",
            "2026-02-30",
            "2026-13-01T00:00:00Z",
            "12345",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(InvalidTimestamp), "{text}");
        }
    }
}
