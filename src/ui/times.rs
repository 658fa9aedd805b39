//! Moments and lengths of time as people say them.

use std::time::Duration;

use crate::domain::Timestamp;

/// A moment for `<time>`: for programs, for people who want it exactly, and for a glance.
pub struct When {
    pub exact: String,
    pub ago: String,
}

impl From<Timestamp> for When {
    fn from(moment: Timestamp) -> Self {
        let exact = moment.to_string();
        // Microseconds help nobody here.
        let exact = exact
            .get(..19)
            .map_or_else(|| exact.clone(), |start| format!("{start}Z"));
        Self {
            exact,
            ago: ago(moment.elapsed()),
        }
    }
}

impl When {
    /// `2026-01-31 12:00:00 UTC`
    pub fn spelled(&self) -> String {
        self.exact.replace('T', " ").replace('Z', " UTC")
    }
}

fn ago(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        0..5 => "just now".to_owned(),
        seconds => format!("{} ago", rough(seconds)),
    }
}

/// The largest unit alone.
pub fn rough(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400 * 365, "y"), (86_400, "d"), (3600, "h"), (60, "min")];
    let unit = UNITS.into_iter().find(|(length, _)| seconds >= *length);
    let (length, unit) = unit.unwrap_or((1, "s"));
    format!("{} {unit}", seconds / length)
}

/// `84 ms`, `1.3 s`, `2 min`
pub fn length(duration: Duration) -> String {
    match duration.as_millis() {
        millis @ 0..1000 => format!("{millis} ms"),
        1000..60_000 => format!("{:.1} s", duration.as_secs_f64()),
        _ => rough(duration.as_secs()),
    }
}

/// `1,234,567`
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `9.4 kB`
pub fn bytes(number: u64) -> String {
    const UNITS: [(f64, &str); 3] = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let exact = number as f64;
    match UNITS.into_iter().find(|(size, _)| exact >= *size) {
        Some((size, unit)) => format!("{:.1} {unit}", exact / size),
        None => format!("{number} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ];
        for (number, expected) in cases {
            assert_eq!(grouped(number), expected);
        }
        for (number, expected) in [(999, "999 B"), (9411, "9.4 kB"), (2_049_113, "2.0 MB")] {
            assert_eq!(bytes(number), expected);
        }
    }

    #[test]
    fn lengths_have_one_unit() {
        for (millis, expected) in [
            (84, "84 ms"),
            (1340, "1.3 s"),
            (150_000, "2 min"),
            (7_300_000, "2 h"),
            (400_000_000, "4 d"),
        ] {
            assert_eq!(length(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn a_moment_is_said_thrice() {
        let when = When::from("2000-01-31T12:00:00.25Z".parse::<Timestamp>().unwrap());
        assert_eq!(when.exact, "2000-01-31T12:00:00Z");
        assert_eq!(when.spelled(), "2000-01-31 12:00:00 UTC");
        assert!(when.ago.ends_with(" y ago"), "{}", when.ago);
    }
}
