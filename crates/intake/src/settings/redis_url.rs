//! The place of Redis.

use std::fmt;
use std::str::FromStr;

use super::redacted::redacted;

/// A `REDIS_URL` of a known scheme; only the client knows whether it can read the rest. `Debug` and
/// `Display` hide the password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// The whole URL, including the password: for the client only.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RedisUrl {
    /// A sentence that never quotes the URL, because it may hold a password.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        if !matches!(
            scheme,
            Some("redis" | "rediss" | "unix" | "redis+unix" | "valkey" | "valkeys")
        ) {
            return Err("expected redis://HOST:PORT/DB, rediss:// for TLS, or unix://PATH".into());
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redacted(&self.0))
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
        assert_eq!(url.as_str(), "rediss://:hunter2@cache:6380/2");
        assert_eq!(url.to_string(), "rediss://:***@cache:6380/2");
        assert!(!format!("{url:?}").contains("hunter2"));
        assert!("unix:///run/redis.sock".parse::<RedisUrl>().is_ok());
    }

    #[test]
    fn other_urls_are_refused_without_quoting_them() {
        for text in ["", "localhost:6379", "http://:hunter2@cache"] {
            let sentence = text.parse::<RedisUrl>().unwrap_err();
            assert!(!sentence.contains("hunter2"), "{text}: {sentence}");
        }
    }
}
