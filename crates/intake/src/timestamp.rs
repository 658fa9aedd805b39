//! A moment in UTC with microsecond precision: what both databases can store exactly.

use std::fmt;
use std::str::FromStr;

/// Microseconds since the Unix epoch.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(into = "String", try_from = "String")]
pub struct Timestamp(i64);

impl From<Timestamp> for String {
    fn from(moment: Timestamp) -> Self {
        moment.to_string()
    }
}

impl TryFrom<String> for Timestamp {
    type Error = InvalidTimestamp;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 date and time, e.g. 2026-01-31T12:00:00Z")]
pub struct InvalidTimestamp;

impl Timestamp {
    pub const EPOCH: Self = Self(0);

    /// Years −9999 to 9999: what RFC 3339 and both databases can express.
    pub fn from_unix_micros(micros: i64) -> Option<Self> {
        jiff::Timestamp::from_microsecond(micros)
            .ok()
            .map(|_| Self(micros))
    }

    /// How long ago this was by this machine's clock; zero for the future.
    pub fn elapsed(self) -> std::time::Duration {
        #[expect(
            clippy::disallowed_methods,
            reason = "measured against an hour of waiting, and shown; never against a lease"
        )]
        let now = jiff::Timestamp::now().as_microsecond();
        std::time::Duration::from_micros(u64::try_from(now - self.0).unwrap_or(0))
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
        if !has_shape(text) {
            return Err(InvalidTimestamp);
        }
        let parsed: jiff::Timestamp = text
            .parse()
            .or_else(|_| {
                text.parse::<jiff::civil::DateTime>()
                    .and_then(|civil| civil.to_zoned(jiff::tz::TimeZone::UTC))
                    .map(|zoned| zoned.timestamp())
            })
            .or_else(|_| at_the_end_of_time(text))?;
        Self::from_unix_micros(parsed.as_microsecond()).ok_or(InvalidTimestamp)
    }
}

/// jiff's moments end one day before the year 10000: later ones mean the last of them.
fn at_the_end_of_time(text: &str) -> Result<jiff::Timestamp, InvalidTimestamp> {
    let civil = text.trim_end_matches(['Z', 'z']);
    let valid = civil.parse::<jiff::civil::DateTime>().is_ok();
    if valid && civil.starts_with("9999-12-3") {
        let last_second = jiff::Timestamp::MAX.as_second();
        return jiff::Timestamp::from_second(last_second).map_err(|_| InvalidTimestamp);
    }
    Err(InvalidTimestamp)
}

/// jiff reads more than RFC 3339 (basic format, signed years, time zone names): four digits of
/// year, separators, and nothing after the offset are asked for here.
fn has_shape(text: &str) -> bool {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let matches = |text: &str, pattern: &str| {
        text.len() == pattern.len()
            && text
                .bytes()
                .zip(pattern.bytes())
                .all(|(byte, wanted)| match wanted {
                    b'0' => byte.is_ascii_digit(),
                    wanted => byte == wanted,
                })
    };
    let Some(time) = time else {
        return matches(date, "0000-00-00");
    };
    let (clock, offset) = match time.find(['Z', 'z', '+', '-']) {
        Some(start) => time.split_at(start),
        None => (time, ""),
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    matches(date, "0000-00-00")
        && matches(clock, "00:00:00")
        && (1..=9).contains(&fraction.len())
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
        && (matches!(offset, "" | "Z" | "z")
            || matches(offset, "+00:00")
            || matches(offset, "-00:00"))
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
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000000Z"),
            ("9999-12-31T23:59:59Z", "9999-12-30T22:00:00.000000Z"),
        ] {
            let read = text.parse::<Timestamp>().map(|moment| moment.to_string());
            assert_eq!(read.as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "yesterday",
            "2026-02-30",
            "2026-13-01T00:00:00Z",
            "20261123",
            "2026-11-23T16",
            "2026-11-23T16:00:00Z[Europe/Berlin]",
            "-004800-01-01T00:00:00Z",
            "2026-11-23T16:00:00+2",
            "2026-11-23T16:00:00.Z",
            "12345",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(InvalidTimestamp), "{text}");
        }
    }
}
