//! TLS with sources.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use super::settings::FetchSetupError;
use crate::tls::{ClientTls, Verification, public_roots};

/// Trusts Mozilla's roots, the system's (or `SSL_CERT_FILE`'s) and `extra_roots`. Offers HTTP/2
/// and HTTP/1.1.
pub(super) fn client_config(extra_roots: &[Vec<u8>]) -> Result<ClientConfig, FetchSetupError> {
    let verification = Verification::ChainAndName(Arc::new(roots(extra_roots)?));
    let tls = ClientTls {
        protocols: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        ..ClientTls::new(verification)
    };
    tls.config().map_err(FetchSetupError::Tls)
}

fn roots(extra_roots: &[Vec<u8>]) -> Result<RootCertStore, FetchSetupError> {
    let mut roots = public_roots();
    for der in extra_roots {
        roots
            .add(CertificateDer::from(der.as_slice()))
            .map_err(FetchSetupError::ExtraRoot)?;
    }
    Ok(roots)
}
