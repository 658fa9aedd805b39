//! The Postgres servers that a URL names: asked in their order, each with and without TLS as
//! `sslmode` says.

use std::sync::Arc;
use std::time::Duration;

use diesel::{ConnectionError, ConnectionResult};
use rand::seq::SliceRandom;
use thumbforge_intake::settings::{PostgresHost, PostgresUrl, SslMode};
use tokio::time::timeout;
use tokio_postgres::config::{
    LoadBalanceHosts, SslMode as Tls, SslNegotiation, TargetSessionAttrs,
};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::DbError;
use super::pools::CONNECTION_TIMEOUT;
use super::tls;

/// A client, and the connection that somebody has to drive.
type Opened = (
    Client,
    Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>,
);

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Servers {
    each: Arc<Vec<Vec<Config>>>,
    connector: MakeRustlsConnect,
    /// Whether the order is of no meaning.
    is_shuffled: bool,
    /// How long one server may take, so that the next has its turn.
    patience: Duration,
}

impl Servers {
    /// # Errors
    /// [`DbError::Url`] if the URL, or a file that it names, can't be used.
    pub(super) fn new(url: &str) -> Result<Self, DbError> {
        let url: PostgresUrl = url.parse().map_err(DbError::Url)?;
        let base = base(&url)?;
        let each: Vec<_> = url
            .hosts
            .iter()
            .map(|host| tries(&base, &url, host))
            .collect();
        // A little less than the pool waits, so that the last server's answer is heard.
        let share = CONNECTION_TIMEOUT / u32::try_from(each.len().max(1)).unwrap_or(u32::MAX);
        Ok(Self {
            patience: match each.len() {
                1 => CONNECTION_TIMEOUT,
                _ => share.mul_f64(0.9),
            },
            each: Arc::new(each),
            is_shuffled: base.get_load_balance_hosts() == LoadBalanceHosts::Random,
            connector: tls::connector(&url.tls)?,
        })
    }

    /// Connects to the first server that will do.
    ///
    /// # Errors
    /// Why the last one would not; as [`failed`].
    pub(super) async fn connect(&self) -> ConnectionResult<Opened> {
        let mut order: Vec<&Vec<Config>> = self.each.iter().collect();
        if self.is_shuffled {
            order.shuffle(&mut rand::rng());
        }
        let mut met = Met::default();
        for tries in order {
            match timeout(self.patience, self.connect_to(tries)).await {
                Ok(Ok(opened)) => return Ok(opened),
                // As libpq: who is refused by one is not tried on the others.
                Ok(Err(of_server)) if of_server.is_refusal => return Err(of_server.into()),
                Ok(Err(of_server)) => {
                    met.say(&of_server.reason);
                    met.passes |= of_server.passes;
                }
                Err(_) => {
                    met.say("no answer in time");
                    met.passes = true;
                }
            }
        }
        Err(met.into())
    }

    async fn connect_to(&self, tries: &[Config]) -> Result<Opened, Met> {
        let mut met = Met::default();
        for config in tries {
            let error = match config.connect(self.connector.clone()).await {
                Ok(opened) => return Ok(opened),
                Err(error) => error,
            };
            met.add(&error);
            if !is_of_encryption(&error) {
                break;
            }
        }
        Err(met)
    }
}

/// Why a connection could not be made: [`ConnectionError::InvalidConnectionUrl`] if waiting does
/// not help.
pub(super) fn failed(error: &tokio_postgres::Error) -> ConnectionError {
    let mut met = Met::default();
    met.add(error);
    met.into()
}

/// What stood in the way.
#[derive(Default)]
struct Met {
    reason: String,
    /// True if the same attempt may succeed later.
    passes: bool,
    /// True if the server let nobody in with this login or for this database.
    is_refusal: bool,
}

impl Met {
    fn add(&mut self, error: &tokio_postgres::Error) {
        self.passes |= may_pass(error);
        self.is_refusal |= is_refusal(error);
        self.say(&with_cause(error));
    }

    fn say(&mut self, reason: &str) {
        if self.reason.is_empty() {
            reason.clone_into(&mut self.reason);
        } else if !self.reason.contains(reason) {
            self.reason = format!("{}; {reason}", self.reason);
        }
    }
}

impl From<Met> for ConnectionError {
    fn from(met: Met) -> Self {
        match met.passes {
            true => Self::BadConnection(met.reason),
            false => Self::InvalidConnectionUrl(met.reason),
        }
    }
}

/// What all servers have in common.
fn base(url: &PostgresUrl) -> Result<Config, DbError> {
    let mut config: Config = url.base.parse().map_err(|error| {
        // Its source names the option; neither contains the password.
        DbError::Url(match std::error::Error::source(&error) {
            Some(cause) => cause.to_string(),
            None => format!("{error}"),
        })
    })?;
    if config.get_application_name().is_none() {
        config.application_name("thumbforge");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECTION_TIMEOUT);
    }
    if let Some(timeout) = url.tcp_user_timeout.filter(|timeout| !timeout.is_zero()) {
        config.tcp_user_timeout(timeout);
    }
    if url.writes_wanted {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    if url.tls.is_direct {
        config.ssl_negotiation(SslNegotiation::Direct);
    }
    Ok(config)
}

/// The ways in which one server is asked, in their order.
fn tries(base: &Config, url: &PostgresUrl, host: &PostgresHost) -> Vec<Config> {
    let mut config = base.clone();
    config.host(&host.host).port(host.port);
    if let Some(address) = host.address {
        config.hostaddr(address);
    }
    let modes: &[Tls] = match url.tls.mode {
        // As libpq: a socket of this machine needs no TLS.
        _ if host.is_socket() => &[Tls::Disable],
        SslMode::Disable => &[Tls::Disable],
        SslMode::Allow => &[Tls::Disable, Tls::Require],
        SslMode::Prefer => &[Tls::Prefer, Tls::Disable],
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => &[Tls::Require],
    };
    let with = |mode: &Tls| {
        let mut config = config.clone();
        config.ssl_mode(*mode);
        if *mode == Tls::Disable {
            config.ssl_negotiation(SslNegotiation::Postgres);
        }
        config
    };
    modes.iter().map(with).collect()
}

/// True if the server may answer otherwise with TLS, or without.
fn is_of_encryption(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        // `pg_hba.conf` has no line for such a connection.
        Some(code) => *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        None => of_tls(error).is_some(),
    }
}

/// Whether a server that answers so may let us in later
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn may_pass(error: &tokio_postgres::Error) -> bool {
    // Broken connections and poolers' errors; no resources; stopped or starting; a server's fault.
    const CLASSES: [&str; 5] = ["08", "53", "57", "58", "XX"];
    match (error.code(), of_tls(error)) {
        _ if is_refusal(error) => false,
        (Some(code), _) => CLASSES.iter().any(|class| code.code().starts_with(class)),
        (None, Some(of_tls)) => !crate::tls::TlsFault::of(of_tls).is_permanent(),
        // The server knows no TLS, or the URL lacks something, such as the password.
        (None, None) => {
            let words = with_cause(error);
            words != NO_TLS && !words.starts_with("invalid configuration")
        }
    }
}

/// A login or a database that is wrong. PgBouncer has one code for all that it refuses, also for a
/// server that it can't reach.
fn is_refusal(error: &tokio_postgres::Error) -> bool {
    const WORDS: [&str; 5] = [
        "authentication failed",
        "no such database",
        "no such user",
        "unsupported startup parameter",
        "login rejected",
    ];
    let Some(told) = error.as_db_error() else {
        return false;
    };
    match told.code().code() {
        "28P01" | "3D000" => true,
        "08P01" => WORDS.iter().any(|words| told.message().contains(words)),
        _ => false,
    }
}

/// tokio-postgres' words.
const NO_TLS: &str = "error performing TLS handshake: server does not support TLS";

/// tokio-postgres keeps the telling part ("Connection refused") in the error's source, and rustls
/// the words about a certificate in its own.
fn with_cause(error: &tokio_postgres::Error) -> String {
    match (of_tls(error), std::error::Error::source(error)) {
        (Some(of_tls), _) => crate::tls::explain(of_tls),
        (None, Some(cause)) => format!("{error}: {cause}"),
        (None, None) => error.to_string(),
    }
}

/// A handshake that failed; refused connections and the like are no such thing.
fn of_tls(error: &tokio_postgres::Error) -> Option<&rustls::Error> {
    let cause = std::error::Error::source(error)?;
    let inner = cause.downcast_ref::<std::io::Error>()?.get_ref()?;
    inner.downcast_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modes(url: &str) -> Vec<Vec<Tls>> {
        let url: PostgresUrl = url.parse().unwrap();
        let base = base(&url).unwrap();
        let each = url.hosts.iter().map(|host| tries(&base, &url, host));
        each.map(|tries| tries.iter().map(Config::get_ssl_mode).collect())
            .collect()
    }

    #[test]
    fn each_sslmode_is_tried_as_libpq_does() {
        for (mode, expected) in [
            ("disable", vec![Tls::Disable]),
            ("allow", vec![Tls::Disable, Tls::Require]),
            ("prefer", vec![Tls::Prefer, Tls::Disable]),
            ("require", vec![Tls::Require]),
            ("verify-ca", vec![Tls::Require]),
            ("verify-full", vec![Tls::Require]),
        ] {
            let url = format!("postgres://u@h/n?sslmode={mode}");
            assert_eq!(modes(&url), [expected], "{mode}");
        }
        assert_eq!(
            modes("postgres://u@%2Frun%2Fpg/n?sslmode=require"),
            [[Tls::Disable]]
        );
        assert_eq!(modes("postgres://u@a:1,b:2/n?sslmode=require").len(), 2);
    }

    #[test]
    fn errors_do_not_repeat_the_password() {
        for url in [
            "postgres://u:secret@h/db?sslmode=maybe",
            "postgres://u:secret@h/db?connect_timeout=secret",
        ] {
            let Err(error) = Servers::new(url) else {
                panic!("{url} was accepted");
            };
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
