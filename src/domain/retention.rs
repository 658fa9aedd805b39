//! How long ended jobs are kept, and when a change of that takes effect.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::JobStatus;

/// How long after a change of the rules nothing is deleted.
pub const NOTICE: Duration = Duration::from_secs(3600);

/// How long jobs are kept after their end; `None`: for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    pub completed: Option<Duration>,
    /// Of failed and cancelled jobs.
    pub failed: Option<Duration>,
}

impl Retention {
    /// True if no rule ends a job's time.
    pub const fn keeps_all(self) -> bool {
        self.completed.is_none() && self.failed.is_none()
    }

    /// The states whose jobs are deleted, and how long after their end.
    pub fn limits(self) -> impl Iterator<Item = (JobStatus, Duration)> {
        let all = [
            (JobStatus::Completed, self.completed),
            (JobStatus::Failed, self.failed),
            (JobStatus::Cancelled, self.failed),
        ];
        all.into_iter()
            .filter_map(|(status, keeping)| Some((status, keeping?)))
    }
}

impl std::fmt::Display for Retention {
    /// In the words of the settings: `completed 30d, failed 0`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (completed, failed) = (words(self.completed), words(self.failed));
        write!(f, "completed {completed}, failed {failed}")
    }
}

fn words(keeping: Option<Duration>) -> String {
    let seconds = keeping.map_or(0, |keeping| keeping.as_secs());
    let units = [(24 * 3600, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let unit = units
        .iter()
        .find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
    match unit {
        Some((unit, name)) => format!("{}{name}", seconds / unit),
        None => "0".to_owned(),
    }
}

/// What the database remembers: the rules, and since when they hold. Every process writes its own
/// rules over others, with the time of that. So after a change nothing is deleted for an hour, a
/// restart does not begin the hour anew, and processes whose rules differ never let it end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// Seconds; 0: for ever.
    completed: u64,
    failed: u64,
    /// Milliseconds since the Unix epoch, by the database's clock.
    since: i64,
}

/// What the rules of a process may do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They delete nothing, and nothing else is announced.
    Off,
    /// They are to be announced first. `differ`: others are.
    New {
        differ: bool,
    },
    /// They hold after this time.
    Waits(Duration),
    Holds,
}

impl Announced {
    pub fn new(rules: Retention, now: i64) -> Self {
        let seconds = |keeping: Option<Duration>| keeping.map_or(0, |keeping| keeping.as_secs());
        Self {
            completed: seconds(rules.completed),
            failed: seconds(rules.failed),
            since: now,
        }
    }

    /// What `rules` may do at `now` (milliseconds since the Unix epoch), if `announced` is what the
    /// database remembers.
    pub fn standing(announced: Option<Self>, rules: Retention, now: i64) -> Standing {
        let Some(announced) = announced else {
            return match rules.keeps_all() {
                true => Standing::Off,
                false => Standing::New { differ: false },
            };
        };
        // After the clock was set back, the hour would be longer.
        let own = Self::new(rules, announced.since);
        if announced != own || announced.since > now {
            return Standing::New {
                differ: announced != own,
            };
        }
        if rules.keeps_all() {
            return Standing::Off;
        }
        let passed = u64::try_from(now - announced.since).unwrap_or(0);
        match NOTICE.checked_sub(Duration::from_millis(passed)) {
            Some(left) if !left.is_zero() => Standing::Waits(left),
            _ => Standing::Holds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);
    const HOUR_MILLIS: i64 = 3_600_000;

    fn rules(completed_days: u32, failed_days: u32) -> Retention {
        let keeping = |days| (days > 0).then(|| DAY * days);
        Retention {
            completed: keeping(completed_days),
            failed: keeping(failed_days),
        }
    }

    #[test]
    fn rules_hold_an_hour_after_they_were_announced() {
        let own = rules(30, 90);
        assert_eq!(
            Announced::standing(None, own, 5),
            Standing::New { differ: false }
        );
        let announced = Some(Announced::new(own, 5));
        for (now, expected) in [
            (5, Standing::Waits(NOTICE)),
            (HOUR_MILLIS, Standing::Waits(Duration::from_millis(5))),
            (5 + HOUR_MILLIS, Standing::Holds),
            (i64::MAX, Standing::Holds),
            // The clock was set back.
            (4, Standing::New { differ: false }),
        ] {
            assert_eq!(Announced::standing(announced, own, now), expected, "{now}");
        }
    }

    #[test]
    fn any_other_rules_are_a_change() {
        let announced = Some(Announced::new(rules(30, 0), 0));
        for other in [rules(29, 0), rules(31, 0), rules(30, 90), rules(0, 0)] {
            let standing = Announced::standing(announced, other, i64::MAX);
            assert_eq!(standing, Standing::New { differ: true }, "{other}");
        }
    }

    #[test]
    fn who_never_deleted_anything_announces_nothing() {
        let off = rules(0, 0);
        assert_eq!(Announced::standing(None, off, 0), Standing::Off);
        let announced = Some(Announced::new(off, 0));
        assert_eq!(Announced::standing(announced, off, 9), Standing::Off);
    }

    #[test]
    fn rules_are_said_in_the_words_of_the_settings() {
        let odd = Retention {
            completed: Some(Duration::from_secs(5400)),
            failed: Some(Duration::from_secs(61)),
        };
        assert_eq!(odd.to_string(), "completed 90m, failed 61s");
        assert_eq!(rules(30, 0).to_string(), "completed 30d, failed 0");
    }
}
