//! How the list in Redis is reached.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thumbforge_intake::settings::RedisUrl;
use tokio_rustls::TlsConnector;

use super::QueueError;
use crate::tls::{ClientTls, Identity, PemError, Verification, public_roots, read_certificates};

/// How the list in Redis is reached.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    pub url: RedisUrl,
    /// Key of the list.
    pub key: String,
    /// PEM file of authorities that are trusted besides the public ones and the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM files of the client's certificate and of its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl RedisSettings {
    /// Without certificates of one's own.
    pub const fn new(url: RedisUrl, key: String) -> Self {
        Self {
            url,
            key,
            ca_file: None,
            identity: None,
        }
    }

    /// The files are read here and now.
    pub(super) fn connector(&self) -> Result<TlsConnector, QueueError> {
        let mut roots = public_roots();
        if let Some(file) = &self.ca_file {
            let setting = "THUMBFORGE_REDIS_CA_FILE";
            for certificate in read_certificates(file).map_err(of_file(setting, file))? {
                roots
                    .add(certificate)
                    .map_err(|error| QueueError::Tls(format!("{setting}: {error}")))?;
            }
        }
        let mut tls = ClientTls::new(Verification::ChainAndName(Arc::new(roots)));
        if let Some((chain, key)) = &self.identity {
            let of_chain = of_file("THUMBFORGE_REDIS_CERT_FILE", chain);
            tls.identity = Some(Identity {
                chain: read_certificates(chain).map_err(of_chain)?,
                key: Identity::read_key(key).map_err(of_file("THUMBFORGE_REDIS_KEY_FILE", key))?,
            });
        }
        let config = tls.config().map_err(|error| {
            QueueError::Tls(format!(
                "THUMBFORGE_REDIS_CERT_FILE and THUMBFORGE_REDIS_KEY_FILE: {error}"
            ))
        })?;
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

fn of_file(setting: &str, file: &Path) -> impl Fn(PemError) -> QueueError {
    move |error| QueueError::Tls(format!("{setting} ({}): {error}", file.display()))
}
