//! What a client of TLS is made of.

use std::sync::Arc;

use rustls::{ClientConfig, Error};

use super::pem::Identity;
use super::verifier::{Verification, Verifier};

/// Versions of the protocol that will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Versions {
    /// 1.2 and 1.3.
    #[default]
    Safe,
    /// 1.3 alone.
    Only13,
}

/// How to speak TLS to a server.
pub struct ClientTls {
    pub verification: Verification,
    pub identity: Option<Identity>,
    pub versions: Versions,
    /// Names of protocols to agree on (ALPN); the best first.
    pub protocols: Vec<Vec<u8>>,
    /// Whether the server is told the name under which it is reached.
    pub sends_name: bool,
}

impl ClientTls {
    pub const fn new(verification: Verification) -> Self {
        Self {
            verification,
            identity: None,
            versions: Versions::Safe,
            protocols: Vec::new(),
            sends_name: true,
        }
    }

    /// # Errors
    /// If the certificate of the client does not go with its key.
    pub fn config(self) -> Result<ClientConfig, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = match self.versions {
            Versions::Safe => rustls::DEFAULT_VERSIONS,
            Versions::Only13 => &[&rustls::version::TLS13],
        };
        let verifier = Verifier {
            verification: self.verification,
            provider: Arc::clone(&provider),
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match self.identity {
            Some(Identity { chain, key }) => builder.with_client_auth_cert(chain, key)?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.protocols;
        config.enable_sni = self.sends_name;
        Ok(config)
    }
}
