//! Certificates and keys from PEM files (RFC 7468).

use std::path::Path;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What is wrong with a file; the caller says which file it is.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    #[error("the file can't be read: {0}")]
    Read(#[from] std::io::Error),
    #[error("the file holds no {0} in PEM form (-----BEGIN …)")]
    Missing(&'static str),
    #[error("the key in the file is encrypted; decrypt it, e.g. by `openssl pkey`")]
    Encrypted,
    #[error("the file is not in PEM form")]
    Broken,
}

/// A certificate that a client shows, with those that make it trusted, and its key.
pub struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

impl Identity {
    /// The key, read from a file; PKCS #8, PKCS #1 or SEC 1.
    ///
    /// # Errors
    /// If the file can't be read or holds no key that can be used as it is.
    pub fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
        let text = std::fs::read(file)?;
        PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
            pem::Error::NoItemsFound if is_encrypted(&text) => PemError::Encrypted,
            pem::Error::NoItemsFound => PemError::Missing("key"),
            _ => PemError::Broken,
        })
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self {
            chain: self.chain.clone(),
            key: self.key.clone_key(),
        }
    }
}

/// All certificates of a file, at least one.
///
/// # Errors
/// If the file can't be read or holds none.
pub fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let text = std::fs::read(file)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|_| PemError::Broken)?;
    if certificates.is_empty() {
        return Err(PemError::Missing("certificate"));
    }
    Ok(certificates)
}

fn is_encrypted(text: &[u8]) -> bool {
    const MARK: &[u8] = b"ENCRYPTED PRIVATE KEY";
    text.windows(MARK.len()).any(|window| window == MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn files_without_what_is_sought_say_so() {
        let empty = file("no PEM at all");
        let missing = read_certificates(empty.path()).unwrap_err();
        assert!(
            matches!(missing, PemError::Missing("certificate")),
            "{missing}"
        );
        let missing = Identity::read_key(empty.path()).unwrap_err();
        assert!(matches!(missing, PemError::Missing("key")), "{missing}");
        let encrypted = file(
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        );
        let refused = Identity::read_key(encrypted.path()).unwrap_err();
        assert!(matches!(refused, PemError::Encrypted), "{refused}");
        let nowhere = read_certificates(Path::new("/nowhere/ca.pem")).unwrap_err();
        assert!(matches!(nowhere, PemError::Read(_)), "{nowhere}");
    }
}
