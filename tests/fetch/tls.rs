//! HTTPS: only trusted certificates for the right name, and no fallback to HTTP.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thumbforge::domain::{Failure, FailureCode};
use thumbforge::fetch::{Download, FetchSettings, Fetcher};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::client::{Get, settings, url};
use crate::origin::{Origin, ok};
use crate::resolver::ScriptedResolver;

const NAME: &str = "source.example";

struct SecureOrigin {
    origin: Origin,
    certificate: CertificateDer<'static>,
}

/// Whether a server announces that it closes.
#[derive(Clone, Copy, PartialEq)]
enum Goodbye {
    CloseNotify,
    Nothing,
    KeepOpen,
}

async fn secure(answer: impl Into<Vec<u8>>, goodbye: Goodbye) -> SecureOrigin {
    let signed = rcgen::generate_simple_self_signed(vec![NAME.to_owned()]).unwrap();
    let certificate = signed.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(signed.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let answer: Vec<u8> = answer.into();
    let origin = Origin::on([127, 0, 0, 1], move |visitor| {
        let (acceptor, answer) = (acceptor.clone(), answer.clone());
        async move {
            let Ok(mut stream) = acceptor.accept(visitor.stream).await else {
                return;
            };
            let mut request = [0; 4096];
            while stream.read(&mut request).await.is_ok_and(|count| count > 0) {
                stream.write_all(&answer).await.unwrap();
                stream.flush().await.unwrap();
                match goodbye {
                    Goodbye::KeepOpen => {}
                    Goodbye::CloseNotify => return stream.shutdown().await.unwrap(),
                    Goodbye::Nothing => return,
                }
            }
        }
    })
    .await;
    SecureOrigin {
        origin,
        certificate,
    }
}

impl SecureOrigin {
    fn fetcher(&self, settings: FetchSettings) -> Fetcher {
        let loopback = [127, 0, 0, 1].into();
        let names = [NAME, "other.example"];
        let resolver = names
            .iter()
            .fold(ScriptedResolver::default(), |resolver, name| {
                resolver.with(name, &[&[loopback]])
            });
        resolver.fetcher(settings).0
    }

    fn trusting(&self) -> Fetcher {
        self.fetcher(FetchSettings {
            extra_roots: vec![self.certificate.to_vec()],
            ..settings()
        })
    }

    async fn fetch_from(&self, fetcher: &Fetcher, name: &str) -> Result<Download, Failure> {
        let target = format!("https://{name}:{}/", self.origin.port());
        fetcher.get(&url(&target)).await
    }
}

#[tokio::test]
async fn a_trusted_source_is_fetched_and_its_connection_kept() {
    let server = secure(ok("abc"), Goodbye::KeepOpen).await;
    let fetcher = server.trusting();
    for _ in 0..3 {
        assert_eq!(
            server.fetch_from(&fetcher, NAME).await.unwrap().bytes,
            "abc"
        );
    }
    assert_eq!(server.origin.connections(), 1);
}

#[tokio::test]
async fn an_unknown_certificate_or_another_name_is_refused() {
    let server = secure(ok("abc"), Goodbye::KeepOpen).await;
    let stranger = server.fetcher(settings());
    let trusting = server.trusting();
    for (fetcher, name) in [(&stranger, NAME), (&trusting, "other.example")] {
        let failure = server.fetch_from(fetcher, name).await.unwrap_err();
        assert_eq!(failure.code, FailureCode::ConnectionFailed);
        assert!(failure.message.contains("TLS"), "{failure}");
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_a_failed_connection() {
    let origin = Origin::on([127, 0, 0, 1], |mut visitor| async move {
        visitor.send(ok("abc")).await;
        visitor.client_closes().await;
    })
    .await;
    let target = origin.url("/").replace("http:", "https:");
    let failure = crate::client::fetch(&target).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::ConnectionFailed);
}

#[tokio::test]
async fn https_never_redirects_to_http() {
    let plain = Origin::answering(ok("abc")).await;
    let redirect = format!("HTTP/1.1 302 x\r\nLocation: {}\r\n\r\n", plain.url("/"));
    let server = secure(redirect, Goodbye::CloseNotify).await;
    let failure = server
        .fetch_from(&server.trusting(), NAME)
        .await
        .unwrap_err();
    assert_eq!(failure.code, FailureCode::ForbiddenSource);
    assert!(failure.message.contains("https to http"), "{failure}");
    assert_eq!(plain.connections(), 0);
}

/// A stranger in the middle can close a TCP connection, but not announce the end in TLS.
#[tokio::test]
async fn a_body_until_close_must_end_with_close_notify() {
    let answer = "HTTP/1.1 200 OK\r\n\r\nabc";
    let honest = secure(answer, Goodbye::CloseNotify).await;
    let download = honest.fetch_from(&honest.trusting(), NAME).await.unwrap();
    assert_eq!(download.bytes, "abc");
    let cut = secure(answer, Goodbye::Nothing).await;
    let failure = cut.fetch_from(&cut.trusting(), NAME).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::ConnectionFailed);
}
