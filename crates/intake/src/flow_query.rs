//! Reads the query of the curves of ends.

use crate::query::{InvalidQuery, moment, read_parameters};
use crate::{RequestFault, Timestamp};

/// How long a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FlowStep {
    #[default]
    Minute,
    Hour,
    Day,
}

impl FlowStep {
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// Minutes that a bucket holds.
    pub const fn minutes(self) -> i64 {
        match self {
            Self::Minute => 1,
            Self::Hour => 60,
            Self::Day => 1440,
        }
    }

    /// How many days buckets are kept; `None`: for ever.
    pub const fn kept_days(self) -> Option<i64> {
        match self {
            Self::Minute => Some(3),
            Self::Hour => Some(400),
            Self::Day => None,
        }
    }

    /// Buckets that are shown if the query does not say since when.
    const fn shown(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 24,
            Self::Day => 30,
        }
    }

    /// The bucket of a moment: since the Unix epoch.
    pub const fn bucket(self, moment: Timestamp) -> i64 {
        moment.unix_seconds().div_euclid(60 * self.minutes())
    }

    /// When a bucket begins.
    pub fn begin(self, bucket: i64) -> Option<Timestamp> {
        Timestamp::from_unix_micros(bucket.checked_mul(self.minutes() * 60_000_000)?)
    }
}

/// The parameters of `GET /v1/flow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlowQuery {
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub step: FlowStep,
}

/// Buckets in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowRange {
    pub step: FlowStep,
    pub first: i64,
    /// Included; not before the first.
    pub last: i64,
}

/// Most buckets in an answer: a day of minutes, two months of hours, four years of days.
const MOST_BUCKETS: i64 = 1500;

impl FlowQuery {
    /// # Errors
    /// Every fault, each with the name of its parameter.
    pub fn parse(query: &str) -> Result<Self, InvalidQuery> {
        let mut read = Self::default();
        read_parameters(query, |name, value| {
            match name {
                "from" => read.from = Some(moment(value)?),
                "to" => read.to = Some(moment(value)?),
                "step" => {
                    let step = FlowStep::ALL
                        .into_iter()
                        .find(|step| step.as_str() == value);
                    read.step = step.ok_or("must be minute, hour or day")?;
                }
                _ => return Err("is not known; expected from, to or step"),
            }
            Ok(())
        })?;
        Ok(read)
    }

    /// The buckets that are meant at the moment `now`. What lies after it is cut off.
    ///
    /// # Errors
    /// If there are none or too many, or they are not kept.
    pub fn range(self, now: Timestamp) -> Result<FlowRange, InvalidQuery> {
        let step = self.step;
        let to = self.to.map_or(now, |to| to.min(now));
        let last = step.bucket(to);
        let first = match self.from {
            Some(from) => step.bucket(from),
            None => last - step.shown() + 1,
        };
        let fault = |name: &'static str, detail: String| {
            let fault = RequestFault::in_parameter(name, detail);
            Err(InvalidQuery(vec![fault]))
        };
        if self.from.is_some_and(|from| from > to) {
            return fault("from", "must not be later than to, or than now".to_owned());
        }
        if last - first >= MOST_BUCKETS {
            let detail = format!("is too small: there would be more than {MOST_BUCKETS} buckets");
            return fault("step", detail);
        }
        if let Some(days) = step.kept_days()
            && first < step.bucket(now) - days * 1440 / step.minutes()
        {
            let name = if self.from.is_some() { "from" } else { "to" };
            let (step, detail) = (step.as_str(), "must lie within the days that are kept");
            return fault(name, format!("{detail}: {days} by {step}"));
        }
        Ok(FlowRange { step, first, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-06-15T12:34:56Z".parse().unwrap()
    }

    fn range(query: &str) -> Result<FlowRange, Vec<String>> {
        let asked = FlowQuery::parse(query).and_then(|query| query.range(now()));
        asked.map_err(|refused| {
            let names = refused.0.into_iter().map(|fault| fault.parameter);
            names.map(Option::unwrap).collect()
        })
    }

    #[test]
    fn nothing_asked_means_the_last_hour_by_minutes() {
        let range = range("").unwrap();
        assert_eq!(
            (range.step, range.last - range.first),
            (FlowStep::Minute, 59)
        );
        let begin = range.step.begin(range.last).unwrap();
        assert_eq!(begin.to_string(), "2026-06-15T12:34:00.000000Z");
    }

    #[test]
    fn buckets_hold_both_ends() {
        let asked = "step=hour&from=2026-06-14T10:59:59Z&to=2026-06-14T12:00:00Z";
        let range = range(asked).unwrap();
        assert_eq!(range.last - range.first, 2);
        assert_eq!(
            FlowStep::Hour.begin(range.first).unwrap().to_string(),
            "2026-06-14T10:00:00.000000Z"
        );
    }

    #[test]
    fn the_future_is_cut_off_and_the_past_ends() {
        let day = range("step=day&from=2026-06-01&to=2030-01-01").unwrap();
        assert_eq!(day.last - day.first, 14);
        assert!(range("step=hour&from=2025-06-15&to=2025-06-20").is_ok());
        for (query, name) in [
            ("from=2026-07-01", "from"),
            ("from=2026-06-15T12:00:00Z&to=2026-06-15T11:00:00Z", "from"),
            ("from=2026-06-01&to=2026-06-01T01:00:00Z", "from"),
            ("to=2026-06-01", "to"),
            ("step=hour&from=2024-01-01&to=2024-01-02", "from"),
            ("from=2026-06-13", "step"),
            ("step=day&from=0001-01-01", "step"),
            ("step=week", "step"),
            ("from=x", "from"),
            ("limit=1", "limit"),
        ] {
            assert_eq!(range(query).unwrap_err(), [name], "{query}");
        }
    }
}
