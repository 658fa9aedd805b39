//! A certificate authority of the tests' own, and its files.

use std::path::{Path, PathBuf};

use base64::Engine;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// An authority whose certificate lies in a file.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

/// A certificate and its key, each in a PEM file.
pub struct CertifiedKey {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let folder = tempfile::Builder::new()
            .prefix("thumbforge-authority-")
            .tempdir()
            .expect("a temporary folder");
        let authority = Self {
            issuer: Issuer::new(params, key),
            folder,
        };
        // The servers of the tests may run as another user.
        open_to_all(authority.folder.path(), 0o755);
        write(&authority.file(), &pem("CERTIFICATE", certificate.der()));
        authority
    }

    /// Its own certificate.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate for these names and addresses; the first is its common name.
    pub fn certify(&self, names: &[&str]) -> CertifiedKey {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names.clone()).expect("names");
        params
            .distinguished_name
            .push(DnType::CommonName, &names[0]);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let place = |ending: &str| self.folder.path().join(format!("{}.{ending}", names[0]));
        let files = CertifiedKey {
            certificate: place("pem"),
            key: place("key"),
        };
        write(&files.certificate, &pem("CERTIFICATE", certificate.der()));
        write(&files.key, &pem("PRIVATE KEY", &key.serialize_der()));
        files
    }
}

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut lines = vec![format!("-----BEGIN {label}-----")];
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        lines.push(line.to_owned());
        rest = after;
    }
    lines.push(format!("-----END {label}-----\n"));
    lines.join("\n")
}

fn write(file: &Path, text: &str) {
    std::fs::write(file, text).expect("our own folder");
}

fn open_to_all(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, mode).expect("our own folder");
}
