//! What a `postgres://` URL says, in the words of libpq
//! (<https://www.postgresql.org/docs/current/libpq-connect.html>).
//!
//! | file | thought |
//! | --- | --- |
//! | `split` | the parts of a URL |
//! | `hosts` | the servers that it names |
//! | `options` | each option: understood, ignored or refused |
//! | `tls_options` | what is said of TLS |

mod hosts;
mod options;
mod split;
mod tls_options;

use std::str::FromStr;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

pub use hosts::PostgresHost;
pub(super) use split::{ENCODE, decoded, redacted};
pub use tls_options::{Checked, PostgresTls, Roots, SslMode};

use options::Said;
use split::{Split, split};

/// A Postgres URL, read.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    /// A URL for the client library, with the password and without a host: only what it knows.
    pub base: String,
    /// Never empty, and asked in this order.
    pub hosts: Vec<PostgresHost>,
    pub tls: PostgresTls,
    /// True if a server that can't be written is passed over.
    pub writes_wanted: bool,
    /// How long sent data may stay unacknowledged.
    pub tcp_user_timeout: Option<Duration>,
    /// What is ignored, one sentence each.
    pub notices: Vec<String>,
}

impl FromStr for PostgresUrl {
    /// A sentence that names options and never quotes their values.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected postgres://USER:PASSWORD@HOST:PORT/NAME";
        let (_, rest) = text.split_once("://").ok_or(expected)?;
        let parts = split(rest)?;
        let mut said = Said::default();
        for (name, value) in &parts.options {
            said.take(&decoded(name)?, decoded(value)?)?;
        }
        let hosts = hosts::hosts(parts.hosts, &said.hosts)?;
        if hosts.is_empty() {
            return Err("the Postgres URL names no host".to_owned());
        }
        let tls = said.tls.finish()?;
        if tls.checked() == Checked::ChainAndName && said.hosts.addresses.is_some() {
            let is_named = said.hosts.hosts.is_some() || !parts.hosts.is_empty();
            if !is_named {
                return Err("sslmode=verify-full needs a host, not hostaddr alone".to_owned());
            }
        }
        Ok(Self {
            base: base(&parts, &said.passed),
            // Of several servers one is the primary, and the service has to write.
            writes_wanted: said.writes_wanted.unwrap_or(hosts.len() > 1),
            hosts,
            tls,
            tcp_user_timeout: said.tcp_user_timeout,
            notices: said.notices,
        })
    }
}

fn base(parts: &Split<'_>, passed: &[(String, String)]) -> String {
    let mut base = "postgres://".to_owned();
    if let Some(user) = parts.user {
        base += user;
        if let Some(password) = parts.password {
            base += ":";
            base += password;
        }
        base += "@";
    }
    base += "/";
    base += parts.database;
    for (number, (name, value)) in passed.iter().enumerate() {
        base += if number == 0 { "?" } else { "&" };
        base += name;
        base += "=";
        base.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
    }
    base
}

/// Hides the password.
impl std::fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresUrl")
            .field("hosts", &self.hosts)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// Adds options that the URL lacks, as `(name, value)`; an option that it has stays as it is.
pub fn with_defaults<'a>(
    url: &str,
    defaults: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let mut text = url.to_owned();
    for (name, value) in defaults {
        let query = text.split_once('?').map_or("", |(_, query)| query);
        let is_said = query.split('&').any(|option| {
            let said = option.split_once('=').map_or(option, |(said, _)| said);
            said == name || (name == "sslmode" && said == "ssl")
        });
        if !is_said {
            text += if text.contains('?') { "&" } else { "?" };
            text += name;
            text += "=";
            text.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn read(query: &str) -> Result<PostgresUrl, String> {
        format!("postgres://u:p@h/db{query}").parse()
    }

    fn tls(query: &str) -> PostgresTls {
        read(query).unwrap().tls
    }

    #[test]
    fn each_sslmode_checks_what_it_says() {
        for (query, mode, checked) in [
            ("", SslMode::Prefer, Checked::Nothing),
            ("?sslmode=disable", SslMode::Disable, Checked::Nothing),
            ("?sslmode=allow", SslMode::Allow, Checked::Nothing),
            ("?sslmode=prefer", SslMode::Prefer, Checked::Nothing),
            ("?sslmode=require", SslMode::Require, Checked::Nothing),
            ("?sslmode=verify-ca", SslMode::VerifyCa, Checked::Chain),
            (
                "?sslmode=verify-full",
                SslMode::VerifyFull,
                Checked::ChainAndName,
            ),
            ("?ssl=require", SslMode::Require, Checked::Nothing),
            ("?ssl=false", SslMode::Disable, Checked::Nothing),
        ] {
            let tls = tls(query);
            assert_eq!((tls.mode, tls.checked()), (mode, checked), "{query}");
        }
    }

    #[test]
    fn a_file_of_roots_makes_require_look_at_the_chain() {
        for (mode, checked) in [
            ("disable", Checked::Nothing),
            ("prefer", Checked::Chain),
            ("require", Checked::Chain),
            ("verify-full", Checked::ChainAndName),
        ] {
            let tls = tls(&format!("?sslmode={mode}&sslrootcert=/ca%20s.pem"));
            assert_eq!(tls.roots, Roots::File(PathBuf::from("/ca s.pem")));
            assert_eq!(tls.checked(), checked, "{mode}");
        }
    }

    #[test]
    fn the_systems_store_is_for_the_whole_check() {
        let tls = tls("?sslrootcert=system");
        assert_eq!((tls.mode, tls.roots), (SslMode::VerifyFull, Roots::System));
        assert!(read("?sslrootcert=system&sslmode=require").is_err());
    }

    #[test]
    fn a_certificate_comes_with_its_key() {
        let identity = Some((PathBuf::from("c.pem"), PathBuf::from("k.pem")));
        assert_eq!(tls("?sslcert=c.pem&sslkey=k.pem").identity, identity);
        assert_eq!(
            tls("?sslcert=c&sslkey=k&sslcertmode=disable").identity,
            None
        );
        assert!(read("?sslcert=c.pem").unwrap_err().contains("sslkey"));
        assert!(read("?sslkey=k.pem").unwrap_err().contains("sslcert"));
    }

    #[test]
    fn of_several_hosts_the_one_that_can_be_written_is_wanted() {
        let several: PostgresUrl = "postgres://u@a:5432,b:5433/db".parse().unwrap();
        assert_eq!(several.hosts.len(), 2);
        assert!(several.writes_wanted);
        let any: PostgresUrl = "postgres://u@a,b/db?target_session_attrs=any"
            .parse()
            .unwrap();
        assert!(!any.writes_wanted);
        assert!(!read("").unwrap().writes_wanted);
        for word in ["read-write", "primary"] {
            let query = format!("?target_session_attrs={word}");
            assert!(read(&query).unwrap().writes_wanted);
        }
        assert!(read("?target_session_attrs=standby").is_err());
    }

    #[test]
    fn what_the_client_reads_reaches_it_and_nothing_else() {
        let url = read("?options=-c%20a%3Db@&sslmode=require&application_name=x&host=g").unwrap();
        assert_eq!(
            url.base,
            "postgres://u:p@/db?options=%2Dc%20a%3Db%40&application_name=x"
        );
        assert_eq!(url.hosts[0].host, "g");
        let url = read("?keepalives_count=3&tcp_user_timeout=1500").unwrap();
        assert!(url.base.ends_with("?keepalives_retries=3"));
        assert_eq!(url.tcp_user_timeout, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn what_does_no_harm_is_ignored_and_told_where_somebody_may_rely_on_it() {
        for query in [
            "?sslcompression=0",
            "?gssencmode=disable",
            "?client_encoding=utf8",
            "?schema=public",
            "?krbsrvname=x",
            "?max_protocol_version=3.0",
        ] {
            assert!(read(query).unwrap().notices.is_empty(), "{query}");
        }
        for query in ["?connection_limit=5", "?pgbouncer=true", "?pool_timeout=3"] {
            assert_eq!(read(query).unwrap().notices.len(), 1, "{query}");
        }
    }

    #[test]
    fn what_can_not_be_honoured_is_refused_by_its_name_and_never_its_value() {
        for name in [
            "passfile",
            "sslcrl",
            "schema",
            "gssencmode",
            "client_encoding",
            "sslmode",
            "ssl",
            "sslaccept",
            "require_auth",
            "frobnicate",
            "target_session_attrs",
            "sslsni",
            "tcp_user_timeout",
        ] {
            let sentence = read(&format!("?{name}=hunter2")).unwrap_err();
            assert!(sentence.starts_with(name), "{sentence}");
            assert!(!sentence.contains("hunter2"), "{sentence}");
        }
        let sentence = read("?hunter2=1").unwrap_err();
        assert!(!sentence.contains("hunter2"), "{sentence}");
    }

    #[test]
    fn defaults_fill_what_the_url_leaves_open() {
        let defaults = [("sslmode", "verify-full"), ("sslrootcert", "/a b.pem")];
        for (url, filled) in [
            (
                "postgres://u@h/n",
                "postgres://u@h/n?sslmode=verify%2Dfull&sslrootcert=%2Fa%20b%2Epem",
            ),
            (
                "postgres://u@h/n?sslrootcert=c&sslmode=require",
                "postgres://u@h/n?sslrootcert=c&sslmode=require",
            ),
            (
                "postgres://u@h/n?ssl=allow",
                "postgres://u@h/n?ssl=allow&sslrootcert=%2Fa%20b%2Epem",
            ),
        ] {
            assert_eq!(with_defaults(url, defaults), filled);
        }
    }

    #[test]
    fn debug_output_hides_the_password() {
        let url: PostgresUrl = "postgres://u:hunter2@h/n".parse().unwrap();
        assert!(!format!("{url:?}").contains("hunter2"));
    }
}
