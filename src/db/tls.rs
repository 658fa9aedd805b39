//! TLS to Postgres with the meaning that libpq gives to the options
//! (<https://www.postgresql.org/docs/current/libpq-ssl.html>).

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use thumbforge_intake::settings::{Checked, PostgresTls, Roots};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::DbError;
use crate::tls::{
    ClientTls, Identity, PemError, Verification, Versions, public_roots, read_certificates,
    roots_of, system_roots,
};

/// The files are read here and now.
pub(super) fn connector(options: &PostgresTls) -> Result<MakeRustlsConnect, DbError> {
    let tls = ClientTls {
        identity: identity(options)?,
        versions: match options.only_tls13 {
            true => Versions::Only13,
            false => Versions::Safe,
        },
        // Without a question before, the server tells by this that Postgres is meant.
        protocols: match options.is_direct {
            true => vec![b"postgresql".to_vec()],
            false => Vec::new(),
        },
        sends_name: options.sends_name,
        ..ClientTls::new(verification(options)?)
    };
    let config = tls
        .config()
        .map_err(|error| DbError::Url(format!("sslcert and sslkey: {error}")))?;
    Ok(MakeRustlsConnect::new(config))
}

fn verification(options: &PostgresTls) -> Result<Verification, DbError> {
    Ok(match options.checked() {
        Checked::Nothing => Verification::Nothing,
        Checked::Chain => Verification::Chain(Arc::new(roots(&options.roots)?)),
        Checked::ChainAndName => Verification::ChainAndName(Arc::new(roots(&options.roots)?)),
    })
}

fn roots(of: &Roots) -> Result<RootCertStore, DbError> {
    match of {
        Roots::Public => Ok(public_roots()),
        Roots::System => {
            let roots = system_roots();
            if roots.is_empty() {
                return Err(DbError::Url(
                    "sslrootcert=system: this system has no store of certificates".to_owned(),
                ));
            }
            Ok(roots)
        }
        Roots::File(file) => {
            let certificates = read_certificates(file).map_err(of_file("sslrootcert", file))?;
            roots_of(certificates).map_err(|error| DbError::Url(format!("sslrootcert: {error}")))
        }
    }
}

fn identity(options: &PostgresTls) -> Result<Option<Identity>, DbError> {
    let Some((certificate, key)) = &options.identity else {
        return Ok(None);
    };
    Ok(Some(Identity {
        chain: read_certificates(certificate).map_err(of_file("sslcert", certificate))?,
        key: Identity::read_key(key).map_err(of_file("sslkey", key))?,
    }))
}

/// Names the option and its file, which is no secret.
fn of_file(option: &str, file: &Path) -> impl Fn(PemError) -> DbError {
    move |error| DbError::Url(format!("{option} ({}): {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use thumbforge_intake::settings::PostgresUrl;

    use super::*;

    fn refused(query: &str) -> String {
        let url: PostgresUrl = format!("postgres://u:hunter2@h/db?{query}")
            .parse()
            .unwrap();
        match connector(&url.tls) {
            Ok(_) => panic!("{query} was accepted"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn files_that_can_not_be_used_are_named_with_their_option() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "").unwrap();
        let empty = empty.display();
        for (query, option) in [
            (
                "sslmode=verify-full&sslrootcert=/nowhere/ca.pem".to_owned(),
                "sslrootcert",
            ),
            (format!("sslrootcert={empty}"), "sslrootcert"),
            (format!("sslcert={empty}&sslkey={empty}"), "sslcert"),
        ] {
            let sentence = refused(&query);
            assert!(sentence.contains(option), "{sentence}");
            assert!(!sentence.contains("hunter2"), "{sentence}");
        }
    }
}
