//! HTTP/2, where the origin speaks nothing else.

use std::sync::Arc;

use bytes::Bytes;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use thumbforge::domain::FailureCode;
use thumbforge::fetch::FetchSettings;
use tokio_rustls::TlsAcceptor;

use crate::client::{Get, settings, url};
use crate::origin::Origin;
use crate::resolver::ScriptedResolver;

const NAME: &str = "source.example";

/// Answers every request with `body`, after its declared `length`; returns its certificate too.
async fn modern(body: &'static [u8], length: usize) -> (Origin, Vec<u8>) {
    let signed = rcgen::generate_simple_self_signed(vec![NAME.to_owned()]).unwrap();
    let certificate = signed.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(signed.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let origin = Origin::on([127, 0, 0, 1], move |visitor| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(visitor.stream).await else {
                return;
            };
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                assert_eq!(
                    request.headers()["user-agent"].to_str().unwrap(),
                    "tester/1"
                );
                let head = http::Response::builder()
                    .header("content-type", "image/png")
                    .header("content-length", length)
                    .body(())
                    .unwrap();
                let mut stream = respond.send_response(head, false).unwrap();
                stream
                    .send_data(Bytes::from_static(body), body.len() == length)
                    .unwrap();
                if body.len() < length {
                    stream.send_reset(h2::Reason::INTERNAL_ERROR);
                }
            }
        }
    })
    .await;
    (origin, certificate.to_vec())
}

fn trusting(root: Vec<u8>) -> FetchSettings {
    FetchSettings {
        extra_roots: vec![root],
        user_agent: "tester/1".to_owned(),
        ..settings()
    }
}

#[tokio::test]
async fn an_origin_that_speaks_only_http2_is_fetched_from() {
    let (origin, root) = modern(b"abc", 3).await;
    let (fetcher, _) = ScriptedResolver::default()
        .with(NAME, &[&[[127, 0, 0, 1].into()]])
        .fetcher(trusting(root));
    let target = url(&format!("https://{NAME}:{}/", origin.port()));
    for _ in 0..3 {
        let download = fetcher.get(&target).await.unwrap();
        assert_eq!(download.bytes, "abc");
        assert_eq!(download.content_type.as_deref(), Some("image/png"));
    }
    assert_eq!(origin.connections(), 1);
}

#[tokio::test]
async fn a_stream_that_is_reset_is_a_failed_connection() {
    let (origin, root) = modern(b"abc", 100).await;
    let (fetcher, _) = ScriptedResolver::default()
        .with(NAME, &[&[[127, 0, 0, 1].into()]])
        .fetcher(trusting(root));
    let target = url(&format!("https://{NAME}:{}/", origin.port()));
    let failure = fetcher.get(&target).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::ConnectionFailed, "{failure}");
    assert!(failure.is_transient());
}
