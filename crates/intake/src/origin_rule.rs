//! What the operator sets for the origins that a pattern matches.

use std::fmt;

use crate::host_pattern::HostPattern;
use crate::origin::Origin;

/// One table `[origins."pattern"]` of the settings.
#[derive(Clone, PartialEq)]
pub struct OriginRule {
    pub pattern: HostPattern,
    /// Requests at once, across all processes.
    pub concurrency: Option<u32>,
    /// Requests a second, across all processes.
    pub per_second: Option<f64>,
    pub user_agent: Option<String>,
    /// The values may be secrets: `Debug` hides them.
    pub headers: Vec<(String, String)>,
}

impl OriginRule {
    /// The value in the most specific of the rules that match `origin`, if any of them has it. Each
    /// value is looked up by itself; `rules` are sorted, the most specific first.
    pub fn find<'a, T>(
        rules: &'a [Self],
        origin: &Origin,
        what: impl Fn(&'a Self) -> Option<T>,
    ) -> Option<T> {
        rules
            .iter()
            .filter(|rule| rule.pattern.matches(origin))
            .find_map(what)
    }
}

impl fmt::Debug for OriginRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("OriginRule")
            .field("pattern", &self.pattern.to_string())
            .field("concurrency", &self.concurrency)
            .field("per_second", &self.per_second)
            .field("user_agent", &self.user_agent)
            .field("headers", &names)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(pattern: &str) -> OriginRule {
        OriginRule {
            pattern: pattern.parse().unwrap(),
            concurrency: None,
            per_second: None,
            user_agent: None,
            headers: Vec::new(),
        }
    }

    #[test]
    fn each_thing_comes_from_the_most_specific_rule_that_says_it() {
        let rules = [
            OriginRule {
                concurrency: Some(1),
                ..rule("a.example.org")
            },
            OriginRule {
                concurrency: Some(2),
                user_agent: Some("x".to_owned()),
                ..rule("*.example.org")
            },
        ];
        let origin: Origin = "https://a.example.org".parse().unwrap();
        let concurrency = OriginRule::find(&rules, &origin, |rule| rule.concurrency);
        assert_eq!(concurrency, Some(1));
        let agent = OriginRule::find(&rules, &origin, |rule| rule.user_agent.as_deref());
        assert_eq!(agent, Some("x"));
        let elsewhere: Origin = "https://example.com".parse().unwrap();
        assert_eq!(
            OriginRule::find(&rules, &elsewhere, |rule| rule.concurrency),
            None
        );
    }

    #[test]
    fn values_of_headers_are_not_shown() {
        let rule = OriginRule {
            headers: vec![("Authorization".to_owned(), "hunter2".to_owned())],
            ..rule("example.org")
        };
        let shown = format!("{rule:?}");
        assert!(
            shown.contains("Authorization") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}
