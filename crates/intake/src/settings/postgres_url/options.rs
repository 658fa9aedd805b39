//! Options of libpq, and those that other clients leave in a URL: each is understood, ignored where
//! what it asks for holds anyway, or refused by its name. A value is never quoted.

use std::path::PathBuf;
use std::time::Duration;

use super::hosts::HostOptions;
use super::tls_options::{Roots, SslMode, TlsOptions};

/// What the client library reads itself.
const PASSED: [&str; 12] = [
    "user",
    "password",
    "dbname",
    "options",
    "application_name",
    "connect_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "channel_binding",
    "load_balance_hosts",
];

/// What holds whatever is said here.
const MET: [&str; 6] = [
    "sslcompression",
    "krbsrvname",
    "gsslib",
    "gssdelegation",
    "uselibpqcompat",
    "fallback_application_name",
];

/// What is ignored, and why that does no harm.
const IGNORED: [(&str, &str); 12] = [
    ("connection_limit", CONNECTIONS),
    ("pool_size", CONNECTIONS),
    ("max_overflow", CONNECTIONS),
    ("pool_max_conns", CONNECTIONS),
    (
        "pool_timeout",
        "waits for a connection have limits of their own",
    ),
    ("socket_timeout", "each statement has a limit of its own"),
    ("pgbouncer", POOLERS),
    ("statement_cache_size", POOLERS),
    ("prepared_statement_cache_size", POOLERS),
    ("prepareThreshold", POOLERS),
    ("prepare_threshold", POOLERS),
    ("max_idle_connection_lifetime", "idle connections are kept"),
];

const CONNECTIONS: &str = "THUMBFORGE_DATABASE_POOL_SIZE bounds the connections";
const POOLERS: &str = "a pooler in between is found out without it";

/// What can't be met, and what to do instead.
const REFUSED: [(&str, &str); 22] = [
    ("passfile", "put the password into the URL, percent-encoded"),
    ("service", NO_SERVICE),
    ("servicefile", NO_SERVICE),
    ("sslcrl", NO_REVOCATION),
    ("sslcrldir", NO_REVOCATION),
    ("sslpassword", "give sslkey a file that is not encrypted"),
    ("sslkeylogfile", "leave it out: keys are not written"),
    ("sslaccept", SAY_SSLMODE),
    ("sslidentity", "say sslcert=FILE and sslkey=FILE, both PEM"),
    ("sslfactory", SAY_SSLMODE),
    (
        "requirepeer",
        "leave it out: the owner of a socket is not checked",
    ),
    (
        "require_auth",
        "leave it out, or say channel_binding=require",
    ),
    (
        "scram_client_key",
        "put the password into the URL, percent-encoded",
    ),
    (
        "scram_server_key",
        "put the password into the URL, percent-encoded",
    ),
    (
        "replication",
        "leave it out: it is not for clients such as this",
    ),
    ("currentSchema", SAY_SEARCH_PATH),
    ("search_path", SAY_SEARCH_PATH),
    (
        "statement_timeout",
        "leave it out: each statement has a limit of its own",
    ),
    ("ApplicationName", "say application_name"),
    ("timezone", "leave it out: sessions use UTC"),
    ("TimeZone", "leave it out: sessions use UTC"),
    (
        "sslhostname",
        "say host for the name and hostaddr for the address",
    ),
];

const NO_SERVICE: &str = "write out what the service file says";
const NO_REVOCATION: &str = "leave it out: lists of revoked certificates are not read";
const SAY_SSLMODE: &str = "say sslmode=require, or verify-full with sslrootcert=FILE";
const SAY_SEARCH_PATH: &str = "say options=-c%20search_path%3DNAME";

/// What was said, sorted.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub tls: TlsOptions,
    pub hosts: HostOptions,
    /// For the client library.
    pub passed: Vec<(String, String)>,
    /// `tcp_user_timeout`, which libpq counts in milliseconds.
    pub tcp_user_timeout: Option<Duration>,
    pub writes_wanted: Option<bool>,
    /// One sentence for each option that is ignored.
    pub notices: Vec<String>,
}

impl Said {
    /// # Errors
    /// A sentence that begins with the option's name, or does not name what is none.
    pub(super) fn take(&mut self, name: &str, value: String) -> Result<(), String> {
        if PASSED.contains(&name) {
            self.passed.push((name.to_owned(), value));
            return Ok(());
        }
        if MET.contains(&name) {
            return Ok(());
        }
        if let Some((_, why)) = IGNORED.iter().find(|(ignored, _)| *ignored == name) {
            let notice = format!("the option {name} of the Postgres URL is ignored: {why}");
            self.notices.push(notice);
            return Ok(());
        }
        if let Some((_, instead)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
            return Err(format!("{name} can't be honoured: {instead}"));
        }
        match self.take_tls(name, &value) {
            None => self.take_other(name, value),
            Some(taken) => taken,
        }
    }

    /// `None` if the option does not concern TLS.
    fn take_tls(&mut self, name: &str, value: &str) -> Option<Result<(), String>> {
        let tls = &mut self.tls;
        let must = |holds: bool, sentence: &str| match holds {
            true => Ok(()),
            false => Err(format!("{name}: {sentence}")),
        };
        Some(match (name, value) {
            ("sslmode" | "ssl", word) => {
                let word = match (name, word) {
                    ("ssl", "false" | "0") => "disable",
                    _ => word,
                };
                tls.mode = SslMode::of(word);
                must(tls.mode.is_some(), EXPECTED_MODE)
            }
            ("sslrootcert", "") => Ok(()),
            ("sslrootcert", "system") => {
                tls.roots = Roots::System;
                Ok(())
            }
            ("sslrootcert", file) => {
                tls.roots = Roots::File(PathBuf::from(file));
                Ok(())
            }
            ("sslcert", file) => {
                tls.certificate = (!file.is_empty()).then(|| PathBuf::from(file));
                Ok(())
            }
            ("sslkey", file) => {
                tls.key = (!file.is_empty()).then(|| PathBuf::from(file));
                Ok(())
            }
            ("sslcertmode", word) => {
                tls.hides_certificate = word == "disable";
                must(
                    matches!(word, "disable" | "allow"),
                    "expected disable or allow",
                )
            }
            ("sslsni", word) => {
                tls.hides_name = word == "0";
                must(matches!(word, "0" | "1"), "expected 0 or 1")
            }
            ("sslnegotiation", word) => {
                tls.is_direct = word == "direct";
                must(
                    matches!(word, "postgres" | "direct"),
                    "expected postgres or direct",
                )
            }
            ("ssl_min_protocol_version", version) => {
                tls.only_tls13 = version == "TLSv1.3";
                let is_known = ["", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"].contains(&version);
                must(is_known, "expected TLSv1.2 or TLSv1.3")
            }
            ("ssl_max_protocol_version", version) => must(
                matches!(version, "" | "TLSv1.3"),
                "leave it out: the newest version that both sides know is used",
            ),
            ("gssencmode", word) => must(
                matches!(word, "disable" | "prefer"),
                "expected disable or prefer: connections are encrypted by TLS alone",
            ),
            _ => return None,
        })
    }

    fn take_other(&mut self, name: &str, value: String) -> Result<(), String> {
        match name {
            "host" => self.hosts.hosts = Some(value),
            "hostaddr" => self.hosts.addresses = Some(value),
            "port" => self.hosts.ports = Some(value),
            "keepalives_count" => self.passed.push(("keepalives_retries".to_owned(), value)),
            "tcp_user_timeout" => {
                let millis = value.parse().map_err(|_| {
                    "tcp_user_timeout: expected a whole number of milliseconds".to_owned()
                })?;
                self.tcp_user_timeout = Some(Duration::from_millis(millis));
            }
            "target_session_attrs" => {
                self.writes_wanted = Some(match value.as_str() {
                    "any" => false,
                    "read-write" | "primary" => true,
                    _ => return Err(format!("{name}: expected any, read-write or primary")),
                });
            }
            "client_encoding" if is_utf8(&value) => {}
            "client_encoding" => return Err(format!("{name}: expected UTF8 or auto")),
            // Prisma's.
            "schema" if value == "public" => {}
            "schema" => return Err(format!("{name} can't be honoured: {SAY_SEARCH_PATH}")),
            "min_protocol_version" | "max_protocol_version"
                if matches!(value.as_str(), "3.0" | "latest") => {}
            _ if is_plainly_a_name(name) => {
                return Err(format!(
                    "{name} is no option of a Postgres URL; a setting of the session is said as \
                     options=-c%20NAME%3DVALUE"
                ));
            }
            // It may be the rest of a password.
            _ => return Err("what follows ? is no option of a Postgres URL".to_owned()),
        }
        Ok(())
    }
}

const EXPECTED_MODE: &str = "expected disable, allow, prefer, require, verify-ca or verify-full";

fn is_utf8(encoding: &str) -> bool {
    let word = encoding.to_ascii_lowercase();
    matches!(word.as_str(), "utf8" | "utf-8" | "unicode" | "auto")
}

/// Words of letters, as options have; a secret hardly looks so.
fn is_plainly_a_name(text: &str) -> bool {
    let is_of_letters = text
        .bytes()
        .all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    (3..=32).contains(&text.len()) && is_of_letters
}
