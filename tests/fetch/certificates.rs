//! HTTPS that fails: each reason has its sentence, and a permanent fault is not tried again.

use std::sync::Arc;

use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use thumbforge::domain::{Failure, FailureCode};
use thumbforge::fetch::FetchSettings;
use tokio_rustls::TlsAcceptor;

use crate::client::{Get, settings, url};
use crate::origin::Origin;
use crate::resolver::ScriptedResolver;

const NAME: &str = "source.example";

struct Authority {
    params: CertificateParams,
    key: KeyPair,
    certificate: Certificate,
}

fn authority(name: &str, signed_by: Option<&Authority>) -> Authority {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = match signed_by {
        Some(parent) => params.signed_by(&key, &parent.issuer()).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    Authority {
        params,
        key,
        certificate,
    }
}

impl Authority {
    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }
}

fn leaf_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    params
}

/// The failure that a server with `chain` gives a client that trusts `root`.
async fn failure_of(chain: &[&Certificate], key: &KeyPair, root: &Certificate) -> Failure {
    let chain = chain
        .iter()
        .map(|certificate| certificate.der().clone())
        .collect();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let origin = Origin::on([127, 0, 0, 1], move |visitor| {
        let acceptor = acceptor.clone();
        async move {
            let _ = acceptor.accept(visitor.stream).await;
        }
    })
    .await;
    fetch_trusting(root.der().to_vec(), &origin).await
}

async fn fetch_trusting(root: Vec<u8>, origin: &Origin) -> Failure {
    let (fetcher, _) = ScriptedResolver::default()
        .with(NAME, &[&[[127, 0, 0, 1].into()]])
        .fetcher(FetchSettings {
            extra_roots: vec![root],
            ..settings()
        });
    let target = url(&format!("https://{NAME}:{}/", origin.port()));
    fetcher.get(&target).await.unwrap_err()
}

fn assert_says(failure: &Failure, why: &str) {
    assert_eq!(failure.code, FailureCode::ConnectionFailed, "{failure}");
    assert!(failure.message.contains("TLS"), "{failure}");
    assert!(failure.message.contains(why), "{failure}");
    assert!(!failure.is_transient(), "{failure}");
}

#[tokio::test]
async fn each_fault_of_a_chain_has_its_sentence() {
    let root = authority("root", None);
    let middle = authority("middle", Some(&root));
    let stranger = authority("stranger", None);
    let key = KeyPair::generate().unwrap();

    let mut expired = leaf_params(NAME);
    expired.not_before = rcgen::date_time_ymd(2000, 1, 1);
    expired.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let expired = expired.signed_by(&key, &root.issuer()).unwrap();
    assert_says(
        &failure_of(&[&expired], &key, &root.certificate).await,
        "has expired",
    );

    let mut early = leaf_params(NAME);
    early.not_before = rcgen::date_time_ymd(3000, 1, 1);
    early.not_after = rcgen::date_time_ymd(3001, 1, 1);
    let early = early.signed_by(&key, &root.issuer()).unwrap();
    assert_says(
        &failure_of(&[&early], &key, &root.certificate).await,
        "not valid yet",
    );

    let other = leaf_params("other.example")
        .signed_by(&key, &root.issuer())
        .unwrap();
    assert_says(
        &failure_of(&[&other], &key, &root.certificate).await,
        "another name",
    );

    let own = leaf_params(NAME).self_signed(&key).unwrap();
    assert_says(
        &failure_of(&[&own], &key, &root.certificate).await,
        "self-signed",
    );
    let mut own = leaf_params(NAME);
    own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let own = own.self_signed(&key).unwrap();
    assert_says(
        &failure_of(&[&own], &key, &root.certificate).await,
        "self-signed",
    );

    let below = leaf_params(NAME).signed_by(&key, &middle.issuer()).unwrap();
    let alone = failure_of(&[&below], &key, &root.certificate).await;
    assert_says(&alone, "no intermediate certificate");

    let unknown = leaf_params(NAME)
        .signed_by(&key, &stranger.issuer())
        .unwrap();
    let chain = [&unknown, &stranger.certificate];
    assert_says(
        &failure_of(&chain, &key, &root.certificate).await,
        "unknown authority",
    );
}

#[tokio::test]
async fn a_server_that_is_too_old_says_so() {
    let root = authority("root", None);
    let origin = Origin::on([127, 0, 0, 1], |mut visitor| async move {
        // An alert: fatal, protocol_version.
        visitor.send(b"\x15\x03\x01\x00\x02\x02\x46").await;
        visitor.client_closes().await;
    })
    .await;
    let failure = fetch_trusting(root.certificate.der().to_vec(), &origin).await;
    assert_says(&failure, "too old");
}
