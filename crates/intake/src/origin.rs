//! The origin of a URL: scheme, host and port (RFC 6454 §4), the unit of politeness.

use std::fmt;
use std::sync::Arc;

use url::{Host, Url};

use crate::source_url::SourceUrl;

/// Always written with its port, e.g. `https://example.com:443`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin(Arc<str>);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an origin is scheme, host and port, e.g. https://example.com:443")]
pub struct NoOrigin;

impl Origin {
    /// The origin of an `http` or `https` URL; `None` for others.
    pub fn of(url: &Url) -> Option<Self> {
        let scheme = url.scheme();
        let host = url.host_str()?;
        let port = url.port_or_known_default()?;
        matches!(scheme, "http" | "https").then(|| Self(format!("{scheme}://{host}:{port}").into()))
    }

    /// As stored in the database, where only origins were written.
    pub fn stored(text: &str) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host as in a URL: a name in ASCII, an IPv4 address, or an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        let after_scheme = self.0.split_once("://").map_or("", |(_, rest)| rest);
        after_scheme.rsplit_once(':').map_or("", |(host, _)| host)
    }

    /// `None` only for a text that was not an origin when it was stored.
    pub fn port(&self) -> Option<u16> {
        self.0.rsplit_once(':')?.1.parse().ok()
    }
}

impl std::str::FromStr for Origin {
    type Err = NoOrigin;

    /// Reads the text that a person writes: the port may be left out, and only a slash may follow.
    fn from_str(text: &str) -> Result<Self, NoOrigin> {
        let url = Url::parse(text).map_err(|_| NoOrigin)?;
        if url
            .host_str()
            .is_none_or(|host| host.len() > SourceUrl::MAX_HOST_BYTES)
        {
            return Err(NoOrigin);
        }
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let has_no_user = url.username().is_empty() && url.password().is_none();
        if !is_bare || !has_no_user || matches!(url.host(), None | Some(Host::Domain(""))) {
            return Err(NoOrigin);
        }
        Self::of(&url).ok_or(NoOrigin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_its_port_and_nothing_else() {
        for (url, expected, host) in [
            (
                "https://example.com/a?b",
                "https://example.com:443",
                "example.com",
            ),
            ("http://example.com", "http://example.com:80", "example.com"),
            ("http://[::1]:8080/x", "http://[::1]:8080", "[::1]"),
            ("http://[::1]/x", "http://[::1]:80", "[::1]"),
            (
                "https://EXAMPLE.com:443/",
                "https://example.com:443",
                "example.com",
            ),
        ] {
            let origin = Origin::of(&Url::parse(url).unwrap()).unwrap();
            assert_eq!(origin.as_str(), expected);
            assert_eq!(origin.host(), host);
        }
        assert_eq!(Origin::of(&Url::parse("ftp://example.com/").unwrap()), None);
    }

    #[test]
    fn what_a_person_writes_is_an_origin_or_refused() {
        for text in [
            "https://example.com",
            "https://example.com/",
            "https://example.com:443",
        ] {
            let origin: Origin = text.parse().unwrap();
            assert_eq!(origin.as_str(), "https://example.com:443");
        }
        for text in [
            "",
            "example.com",
            "https://example.com/path",
            "https://example.com/?q",
            "https://example.com/#f",
            "https://user@example.com/",
            "ftp://example.com/",
        ] {
            assert_eq!(text.parse::<Origin>(), Err(NoOrigin), "{text}");
        }
    }
}
