//! What a URL says of TLS, with the meaning that libpq gives it
//! (<https://www.postgresql.org/docs/current/libpq-ssl.html>).

use std::path::PathBuf;

/// libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SslMode {
    Disable,
    /// Without TLS, and with it where the server refuses that.
    Allow,
    /// With TLS, and without it where that fails.
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl SslMode {
    /// Reads a word; `None` if it is no mode.
    pub(super) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "disable" => Self::Disable,
            "allow" => Self::Allow,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => return None,
        })
    }
}

/// Which authorities may vouch for the server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Roots {
    /// Nothing was said: Mozilla's list and the system's store.
    #[default]
    Public,
    /// `sslrootcert=system`: the system's store alone.
    System,
    /// A PEM file.
    File(PathBuf),
}

/// How much of the server's certificate is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    Nothing,
    /// That an authority vouches for it.
    Chain,
    /// That it is for this server, too.
    ChainAndName,
}

/// The options that concern TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresTls {
    pub mode: SslMode,
    pub roots: Roots,
    /// PEM files of the client's certificate, with what it needs to be trusted, and of its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// False if the server is not told the name under which it is reached.
    pub sends_name: bool,
    /// True if no version before 1.3 will do.
    pub only_tls13: bool,
    /// True if TLS begins at once, without a question before.
    pub is_direct: bool,
}

impl PostgresTls {
    /// What is checked: a file of roots makes even `require` look at the chain.
    pub const fn checked(&self) -> Checked {
        match (self.mode, &self.roots) {
            (SslMode::VerifyFull, _) => Checked::ChainAndName,
            (SslMode::VerifyCa, _) => Checked::Chain,
            (SslMode::Disable, _) => Checked::Nothing,
            (_, Roots::File(_)) => Checked::Chain,
            _ => Checked::Nothing,
        }
    }
}

/// The options as they are met, before it is seen whether they go together.
#[derive(Debug, Default)]
pub(super) struct TlsOptions {
    pub mode: Option<SslMode>,
    pub roots: Roots,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub hides_name: bool,
    pub hides_certificate: bool,
    pub only_tls13: bool,
    pub is_direct: bool,
}

impl TlsOptions {
    /// # Errors
    /// A sentence that names the options that don't go together.
    pub(super) fn finish(self) -> Result<PostgresTls, String> {
        let default = match self.roots {
            Roots::System => SslMode::VerifyFull,
            _ => SslMode::Prefer,
        };
        let mode = self.mode.unwrap_or(default);
        if self.roots == Roots::System && mode != SslMode::VerifyFull {
            return Err("sslrootcert=system needs sslmode=verify-full".to_owned());
        }
        if self.is_direct && mode < SslMode::Require {
            return Err(
                "sslnegotiation=direct needs sslmode=require, verify-ca or verify-full".to_owned(),
            );
        }
        let identity = match (self.certificate, self.key) {
            _ if self.hides_certificate => None,
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (Some(_), None) => return Err("sslcert needs sslkey, the file of its key".to_owned()),
            (None, Some(_)) => return Err("sslkey needs sslcert, its certificate".to_owned()),
        };
        Ok(PostgresTls {
            mode,
            roots: self.roots,
            identity,
            sends_name: !self.hides_name,
            only_tls13: self.only_tls13,
            is_direct: self.is_direct,
        })
    }
}
