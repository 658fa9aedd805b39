//! TLS as a client: which certificates are trusted, and how.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use super::settings::FetchSetupError;

/// Trusts Mozilla's roots, the system's (or `SSL_CERT_FILE`'s) and `extra_roots`. Offers HTTP/1.1.
pub(super) fn client_config(extra_roots: &[Vec<u8>]) -> Result<ClientConfig, FetchSetupError> {
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        // A slim container has no store; Mozilla's roots are enough.
        tracing::debug!(%error, "a system root certificate store can't be read");
    }
    roots.add_parsable_certificates(native.certs);
    for der in extra_roots {
        roots
            .add(CertificateDer::from(der.as_slice()))
            .map_err(FetchSetupError::ExtraRoot)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(FetchSetupError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
