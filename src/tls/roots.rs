//! The authorities that may vouch for a server.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

/// Mozilla's list, and the system's store or what `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
pub fn public_roots() -> RootCertStore {
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    roots.add_parsable_certificates(of_system());
    roots
}

/// The system's store alone; empty if there is none.
pub fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(of_system());
    roots
}

/// These authorities alone.
///
/// # Errors
/// If one of them can't be an authority.
pub fn roots_of(
    certificates: Vec<CertificateDer<'static>>,
) -> Result<RootCertStore, rustls::Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate)?;
    }
    Ok(roots)
}

fn of_system() -> Vec<CertificateDer<'static>> {
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        // A slim container has no store; Mozilla's roots are enough.
        tracing::debug!(%error, "a system root certificate store can't be read");
    }
    native.certs
}
