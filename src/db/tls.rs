//! TLS to Postgres with the meaning that libpq gives to `sslmode`
//! (<https://www.postgresql.org/docs/current/libpq-ssl.html>).

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

use super::error::DbError;

/// Whether the server's certificate must be one that the public authorities vouch for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verification {
    /// `disable`, `prefer` (default), `require`: encrypted at most, the server is not checked.
    None,
    /// `verify-ca`, `verify-full`.
    Full,
}

/// Takes the modes that tokio-postgres does not know out of the URL.
pub(super) fn split_sslmode(url: &str) -> Result<(tokio_postgres::Config, Verification), DbError> {
    let unusable = |reason: String| DbError::Url(reason);
    let mut parsed = Url::parse(url).map_err(|error| unusable(error.to_string()))?;
    let mut verification = Verification::None;
    let pairs: Vec<(String, String)> = parsed
        .query_pairs()
        .map(|(key, value)| {
            if key == "sslmode" && matches!(&*value, "verify-ca" | "verify-full") {
                verification = Verification::Full;
                (key.into_owned(), "require".to_owned())
            } else {
                (key.into_owned(), value.into_owned())
            }
        })
        .collect();
    if verification == Verification::Full {
        parsed.query_pairs_mut().clear().extend_pairs(pairs);
    }
    let text = if verification == Verification::Full {
        parsed.as_str()
    } else {
        url
    };
    let mut config: tokio_postgres::Config = text.parse().map_err(|error| {
        // Its source names the wrong key; neither contains the password.
        unusable(match std::error::Error::source(&error) {
            Some(cause) => cause.to_string(),
            None => format!("{error}"),
        })
    })?;
    if config.get_application_name().is_none() {
        config.application_name("thumbforge");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(std::time::Duration::from_secs(3));
    }
    Ok((config, verification))
}

pub(super) fn connector(verification: Verification) -> Result<MakeRustlsConnect, DbError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| DbError::Url(error.to_string()))?;
    let config = match verification {
        Verification::Full => {
            let roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        Verification::None => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth(),
    };
    Ok(MakeRustlsConnect::new(config))
}

/// Accepts any certificate, as libpq does up to `sslmode=require`; signatures are still checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sslmode_decides_about_verification() {
        for (query, expected) in [
            ("", Verification::None),
            ("?sslmode=require", Verification::None),
            ("?sslmode=verify-ca", Verification::Full),
            (
                "?sslmode=verify-full&application_name=x",
                Verification::Full,
            ),
        ] {
            let url = format!("postgres://u:p@h/db{query}");
            assert_eq!(split_sslmode(&url).unwrap().1, expected, "{query}");
        }
    }

    #[test]
    fn errors_do_not_repeat_the_password() {
        let Err(error) = split_sslmode("postgres://u:secret@h/db?sslmode=maybe") else {
            panic!("an unknown sslmode was accepted");
        };
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
