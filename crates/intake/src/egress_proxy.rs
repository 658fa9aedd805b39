//! The proxy through which sources are fetched.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// Its URL, checked. `Debug` and `Display` show neither user nor password.
#[derive(Clone, PartialEq, Eq)]
pub struct EgressProxy(Url);

impl EgressProxy {
    /// The whole URL, including the password: for the client only.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }
}

impl FromStr for EgressProxy {
    /// A sentence that never quotes the URL, because it may hold a password.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "expected http://HOST:PORT, https://, socks5:// or socks5h://, maybe with \
                        USER:PASSWORD@, special characters in them percent-encoded";
        let url = Url::parse(text).map_err(|_| expected)?;
        let is_proxy = matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h");
        let is_bare = matches!(url.path(), "" | "/") && url.query().is_none();
        let has_host = url.host_str().is_some_and(|host| !host.is_empty());
        if is_proxy && is_bare && has_host && url.fragment().is_none() {
            Ok(Self(url))
        } else {
            Err(expected.to_owned())
        }
    }
}

impl fmt::Display for EgressProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.host())?;
        match self.0.port() {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for EgressProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EgressProxy({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_read_and_shown_without_the_password() {
        for text in [
            "http://proxy:3128",
            "https://proxy.example",
            "socks5://127.0.0.1:1080/",
            "socks5h://user:hunter2@[::1]:1080",
        ] {
            let proxy: EgressProxy = text.parse().unwrap();
            assert!(proxy.as_str().starts_with(text));
            assert!(!format!("{proxy:?}").contains("hunter2"));
        }
    }

    #[test]
    fn other_urls_are_refused_without_quoting_them() {
        for text in [
            "",
            "proxy:3128",
            "socks4://:hunter2@proxy",
            "ftp://:hunter2@proxy",
            "http://:hunter2@",
            "http://:hunter2@proxy/path",
            "http://:hunter2@proxy:port",
        ] {
            let sentence = text.parse::<EgressProxy>().unwrap_err();
            assert!(!sentence.contains("hunter2"), "{text}: {sentence}");
        }
    }
}
