//! What `/metrics` says, read as a monitor reads it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::http_client::{self, Answer};

/// The samples by their names and labels, as they are written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    values: BTreeMap<String, f64>,
    /// The types by the names of families.
    types: BTreeMap<String, String>,
}

impl Samples {
    pub fn parse(text: &str) -> Self {
        let mut samples = Self::default();
        for line in text.lines() {
            match line.strip_prefix("# ") {
                Some(comment) => {
                    if let Some((name, kind)) = comment
                        .strip_prefix("TYPE ")
                        .and_then(|of| of.split_once(' '))
                    {
                        let twice = samples.types.insert(name.to_owned(), kind.to_owned());
                        assert_eq!(twice, None, "{name} is described twice");
                    }
                }
                None => {
                    let (name, value) = line.rsplit_once(' ').expect("a name and a value");
                    let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
                    let twice = samples.values.insert(name.to_owned(), value);
                    assert_eq!(twice, None, "{name} comes twice");
                }
            }
        }
        samples
    }

    /// Those of a process, without a key.
    pub fn of(address: SocketAddr) -> Self {
        let answer = http_client::try_get(address, "/metrics", Duration::from_secs(10));
        Self::of_answer(&answer.expect("the process answers"))
    }

    /// Those of an answer in the OpenMetrics format.
    pub fn of_answer(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{answer:?}");
        let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        assert_eq!(answer.header("content-type"), Some(form));
        let text = std::str::from_utf8(&answer.body).expect("text");
        assert!(text.ends_with("\n# EOF\n"), "{text}");
        Self::parse(text)
    }

    /// 0 where there is none: a counter that was never needed.
    pub fn get(&self, name: &str) -> f64 {
        self.values.get(name).copied().unwrap_or(0.0)
    }

    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The names and labels that begin so.
    pub fn names<'a>(&'a self, beginning: &'a str) -> impl Iterator<Item = &'a str> {
        let names = self.values.keys().map(String::as_str);
        names.filter(move |name| name.starts_with(beginning))
    }

    /// Fails if a counter is smaller than it was.
    pub fn assert_grown_since(&self, before: &Self) {
        let mut counters = 0;
        for (name, value) in &before.values {
            let family = name.split('{').next().unwrap_or(name);
            let counts = |suffix: &str, kind: &str| {
                let base = family.strip_suffix(suffix);
                base.and_then(|base| before.types.get(base))
                    .is_some_and(|found| found == kind)
            };
            let only_grows = counts("_total", "counter")
                || ["_count", "_sum", "_bucket"]
                    .iter()
                    .any(|suffix| counts(suffix, "histogram"));
            if only_grows {
                counters += 1;
                let now = self.values.get(name);
                assert!(now >= Some(value), "{name}: {value} before, {now:?} now");
            }
        }
        assert!(counters > 10, "only {counters} counters were found");
    }
}
