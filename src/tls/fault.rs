//! Why no TLS came about, in words for an operator.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, OtherError};

/// What is wrong with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    #[error("its certificate has expired")]
    Expired,
    #[error("its certificate is not valid yet")]
    NotYetValid,
    #[error("its certificate is for another name")]
    WrongName,
    #[error("its certificate is self-signed")]
    SelfSigned,
    #[error("it sends no intermediate certificate, or is signed by an unknown authority")]
    NoIntermediate,
    #[error("its certificate is signed by an unknown authority")]
    UnknownAuthority,
    #[error("its certificate is not valid")]
    Certificate,
    #[error("it speaks only versions or ciphers of TLS that are too old")]
    TooOld,
    #[error("it does not speak TLS")]
    NoTls,
    #[error("it broke off")]
    Broken,
}

impl TlsFault {
    /// The fault that `error` stands for.
    pub fn of(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(error) => Self::of_certificate(error),
            Error::PeerIncompatible(_)
            | Error::AlertReceived(
                AlertDescription::ProtocolVersion
                | AlertDescription::HandshakeFailure
                | AlertDescription::InsufficientSecurity,
            ) => Self::TooOld,
            Error::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            ) => Self::NoTls,
            _ => Self::Broken,
        }
    }

    fn of_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::WrongName
            }
            CertificateError::UnknownIssuer => Self::UnknownAuthority,
            CertificateError::Other(OtherError(told)) => {
                told.downcast_ref().copied().unwrap_or(Self::Certificate)
            }
            _ => Self::Certificate,
        }
    }

    /// True if it stays the same for the next minutes, for every client.
    pub fn is_permanent(self) -> bool {
        !matches!(self, Self::NoTls | Self::Broken)
    }
}

/// What is wrong with a server, in a sentence; the words of rustls where there are none of ours.
pub fn explain(error: &Error) -> String {
    match TlsFault::of(error) {
        TlsFault::Broken => error.to_string(),
        fault => format!("the TLS handshake with the server failed: {fault}"),
    }
}

/// `error` of verifying this chain, or more precise words once the chain is known.
pub(super) fn explained(
    error: Error,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> Error {
    let is_unknown = matches!(
        error,
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::Other(_))
    );
    let Ok(certificate) = webpki::EndEntityCert::try_from(end_entity) else {
        return error;
    };
    let fault = match is_unknown {
        true if certificate.issuer() == certificate.subject() => TlsFault::SelfSigned,
        true if intermediates.is_empty() => TlsFault::NoIntermediate,
        _ => return error,
    };
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(fault))))
}
