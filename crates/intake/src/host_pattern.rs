//! The origins that an operator's rule is for, by host name and port.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use url::Host;

use crate::origin::Origin;

/// `example.org` is that host alone, `*.example.org` all names below it, and `:8080` after either
/// means that port alone. The scheme does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPattern {
    /// As in a URL; for a suffix the part after `*`, with its dot.
    host: String,
    is_suffix: bool,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a host name or address, or `*.` and the end of names, and maybe a port: example.org, *.example.org, example.org:8080"
)]
pub struct InvalidPattern;

impl HostPattern {
    pub fn matches(&self, origin: &Origin) -> bool {
        let host = origin.host().trim_end_matches('.');
        let is_meant = if self.is_suffix {
            host.len() > self.host.len() && host.ends_with(&self.host)
        } else {
            host == self.host
        };
        is_meant && self.port.is_none_or(|port| origin.port() == Some(port))
    }

    /// Sorts the most specific pattern first: a whole name before a suffix, a longer suffix before
    /// a shorter one, and one with a port before one without.
    pub fn rank(&self) -> impl Ord + use<> {
        (
            self.is_suffix,
            Reverse(self.host.len()),
            self.port.is_none(),
        )
    }
}

impl FromStr for HostPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let (host, port) = split_port(text)?;
        let (name, is_suffix) = match host.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (host, false),
        };
        let host = match Host::parse(name).map_err(|_| InvalidPattern)? {
            Host::Domain(name) => check_name(&name)?.to_owned(),
            _ if is_suffix => return Err(InvalidPattern),
            address => address.to_string(),
        };
        let host = if is_suffix { format!(".{host}") } else { host };
        Ok(Self {
            host,
            is_suffix,
            port,
        })
    }
}

/// The parser of URLs accepts texts that are no name in any network, `*` for one.
fn check_name(name: &str) -> Result<&str, InvalidPattern> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_whole = name.split('.').all(|label| !label.is_empty());
    if is_whole && name.bytes().all(is_name) {
        Ok(name)
    } else {
        Err(InvalidPattern)
    }
}

fn split_port(text: &str) -> Result<(&str, Option<u16>), InvalidPattern> {
    match text.rsplit_once(':') {
        // The colons of an IPv6 address stand in brackets.
        Some((host, port)) if !port.ends_with(']') => match port.parse() {
            Ok(0) | Err(_) => Err(InvalidPattern),
            Ok(port) => Ok((host, Some(port))),
        },
        _ => Ok((text, None)),
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.is_suffix { "*" } else { "" };
        write!(f, "{star}{}", self.host)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> HostPattern {
        text.parse().unwrap()
    }

    #[test]
    fn patterns_match_what_they_say() {
        for (text, origin, expected) in [
            ("example.org", "https://example.org", true),
            ("EXAMPLE.org", "http://example.org:8080", true),
            ("example.org", "https://www.example.org", false),
            ("example.org", "https://example.org.", true),
            ("*.example.org", "https://www.example.org", true),
            ("*.example.org", "https://a.b.example.org", true),
            ("*.example.org", "https://example.org", false),
            ("*.example.org", "https://badexample.org", false),
            ("*.example.org", "https://example.org.evil.example", false),
            ("example.org:8080", "http://example.org:8080", true),
            ("example.org:8080", "http://example.org", false),
            ("example.org:443", "https://example.org", true),
            ("*.example.org:80", "http://a.example.org", true),
            ("bücher.example", "https://xn--bcher-kva.example", true),
            ("127.0.0.1", "http://127.0.0.1", true),
            ("127.0.0.1:9000", "http://127.0.0.1:9000", true),
            ("[::1]", "http://[::1]:80", true),
            ("[::1]:8080", "http://[::1]:8080", true),
            ("[::1]:8080", "http://[::1]", false),
        ] {
            let origin: Origin = origin.parse().unwrap();
            assert_eq!(pattern(text).matches(&origin), expected, "{text} {origin}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in [
            "",
            "*",
            "*.",
            "**.example.org",
            "*example.org",
            "a.*.org",
            "https://example.org",
            "example.org/",
            "example.org:",
            "example.org:0",
            "example.org:65536",
            "example.org:*",
            "*.127.0.0.1",
            "*.[::1]",
            "::1",
            "a b",
            "user@example.org",
            ".example.org",
            "a..org",
        ] {
            assert_eq!(text.parse::<HostPattern>(), Err(InvalidPattern), "{text:?}");
        }
    }

    #[test]
    fn the_most_specific_pattern_comes_first() {
        let mut patterns = [
            "*.org",
            "*.example.org",
            "*.example.org:80",
            "example.org",
            "example.org:80",
        ]
        .map(pattern);
        patterns.sort_by_key(HostPattern::rank);
        assert_eq!(
            patterns.map(|pattern| pattern.to_string()),
            [
                "example.org:80",
                "example.org",
                "*.example.org:80",
                "*.example.org",
                "*.org"
            ]
        );
    }
}
