//! The place of Redis.

use std::fmt;
use std::str::FromStr;

use super::redacted::redacted;
use super::redis_nodes::{Nodes, with_nodes};

/// What stands at the addresses of the URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisKind {
    /// One server.
    Server,
    /// Sentinels, which name the server of a service that can be written at present.
    Sentinel { service: String },
    /// Some nodes of a cluster.
    Cluster,
}

/// A `REDIS_URL` of a known scheme; only the client knows whether it can read
/// [`server`](Self::server). `Debug` and `Display` hide the password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    shown: String,
    pub(super) kind: RedisKind,
    pub(super) server: String,
    pub(super) nodes: Vec<(String, u16)>,
    pub(super) sentinel_login: Option<(Option<String>, String)>,
}

impl RedisUrl {
    pub const fn kind(&self) -> &RedisKind {
        &self.kind
    }

    /// A URL of one server as the client reads it, with user, password and database: for the client
    /// only. Of sentinels and clusters, its address is that of the first node.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The number of the database at the end of its path; 0 where it says none, as for a socket.
    pub fn database(&self) -> u32 {
        let path = url::Url::parse(&self.server).ok();
        let path = path.filter(url::Url::has_host);
        path.and_then(|url| url.path().trim_matches('/').parse().ok())
            .unwrap_or(0)
    }

    /// True if it asks for TLS.
    pub fn is_encrypted(&self) -> bool {
        self.server.starts_with("rediss://") || self.server.starts_with("valkeys://")
    }

    /// Sentinels, or nodes of a cluster; none if the URL is of one server.
    pub fn nodes(&self) -> &[(String, u16)] {
        &self.nodes
    }

    /// User and password that the sentinels ask for, if the URL says so.
    pub fn sentinel_login(&self) -> Option<(Option<&str>, &str)> {
        let (user, password) = self.sentinel_login.as_ref()?;
        Some((user.as_deref(), password))
    }
}

const EXPECTED: &str = "expected redis://HOST:PORT/DB, rediss:// for TLS, unix://PATH, \
     redis+sentinel://HOST:PORT,…/SERVICE/DB or redis+cluster://HOST:PORT,…";

impl FromStr for RedisUrl {
    /// A sentence that never quotes the URL, because it may hold a password.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once("://").ok_or(EXPECTED)?;
        if text.ends_with("#insecure") {
            return Err(
                "a certificate that is not checked protects nothing: leave out #insecure, and set \
                 THUMBFORGE_REDIS_CA_FILE to the file of its authority"
                    .to_owned(),
            );
        }
        match scheme {
            "redis" | "rediss" | "unix" | "redis+unix" | "valkey" | "valkeys" => Ok(Self {
                shown: redacted(text),
                kind: RedisKind::Server,
                server: text.to_owned(),
                nodes: Vec::new(),
                sentinel_login: None,
            }),
            "redis+sentinel" | "valkey+sentinel" => with_nodes(Nodes::Sentinels, "redis", rest),
            "rediss+sentinel" | "valkeys+sentinel" => with_nodes(Nodes::Sentinels, "rediss", rest),
            "redis+cluster" | "valkey+cluster" => with_nodes(Nodes::OfCluster, "redis", rest),
            "rediss+cluster" | "valkeys+cluster" => with_nodes(Nodes::OfCluster, "rediss", rest),
            _ => Err(EXPECTED.to_owned()),
        }
    }
}

impl RedisUrl {
    pub(super) fn of_nodes(
        shown: String,
        kind: RedisKind,
        server: String,
        nodes: Vec<(String, u16)>,
        sentinel_login: Option<(Option<String>, String)>,
    ) -> Self {
        Self {
            shown,
            kind,
            server,
            nodes,
            sentinel_login,
        }
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_urls_are_read_and_printed_without_the_password() {
        let url: RedisUrl = "rediss://:hunter2@cache:6380/2".parse().unwrap();
        assert_eq!(url.server(), "rediss://:hunter2@cache:6380/2");
        assert_eq!(url.to_string(), "rediss://:***@cache:6380/2");
        assert_eq!(url.kind(), &RedisKind::Server);
        assert!(!format!("{url:?}").contains("hunter2"));
        assert!("unix:///run/redis.sock".parse::<RedisUrl>().is_ok());
    }

    #[test]
    fn other_urls_are_refused_without_quoting_them() {
        for text in [
            "",
            "localhost:6379",
            "http://:hunter2@cache",
            "rediss://:hunter2@cache/0#insecure",
        ] {
            let sentence = text.parse::<RedisUrl>().unwrap_err();
            assert!(!sentence.contains("hunter2"), "{text}: {sentence}");
        }
    }
}
