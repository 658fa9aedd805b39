//! Through the operator's proxy, everything that can be judged is judged all the same.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use thumbforge::domain::FailureCode;
use thumbforge::fetch::FetchSettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Get, settings, url};
use crate::origin::{Origin, ok};
use crate::resolver::ScriptedResolver;

fn through(scheme: &str, proxy: &Origin) -> FetchSettings {
    let proxy = format!("{scheme}://user:hunter2@proxy.example:{}", proxy.port());
    FetchSettings {
        // The proxy's own address is not among them.
        allowed_networks: Vec::new(),
        egress_proxy: Some(proxy.parse().unwrap()),
        ..settings()
    }
}

fn resolver() -> ScriptedResolver {
    let loopback: IpAddr = [127, 0, 0, 1].into();
    ScriptedResolver::default()
        .with("proxy.example", &[&[loopback]])
        .with("public.example", &[&[[8, 8, 8, 8].into()]])
        .with("private.example", &[&[[10, 0, 0, 1].into()]])
}

#[tokio::test]
async fn an_http_proxy_is_told_names_and_no_literal_that_is_forbidden() {
    let notes = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&notes);
    let proxy = Origin::on([127, 0, 0, 1], move |mut visitor| {
        let notes = Arc::clone(&shared);
        async move {
            while let Some(request) = visitor.request().await {
                notes.lock().unwrap().push(request);
                visitor.send(ok("abc")).await;
            }
        }
    })
    .await;
    let (fetcher, resolver) = resolver().fetcher(through("http", &proxy));
    let download = fetcher.get(&url("http://public.example/a")).await.unwrap();
    assert_eq!(download.bytes, "abc");
    for target in [
        "http://10.0.0.1/",
        "http://127.0.0.1/",
        "http://proxy.example/",
    ] {
        let failure = fetcher.get(&url(target)).await.unwrap_err();
        assert_eq!(failure.code, FailureCode::ForbiddenSource, "{target}");
    }
    let notes = notes.lock().unwrap();
    assert_eq!(notes.len(), 1);
    assert!(
        notes[0].starts_with("GET http://public.example/a HTTP/1.1\r\n"),
        "{notes:?}"
    );
    // It resolves the names of sources itself.
    assert_eq!(resolver.asked(), ["proxy.example"]);
}

/// A SOCKS5 server that answers by itself, whatever the address; it notes the addresses.
async fn socks(notes: Arc<Mutex<Vec<Vec<u8>>>>) -> Origin {
    Origin::on([127, 0, 0, 1], move |mut visitor| {
        let notes = Arc::clone(&notes);
        async move {
            let stream = &mut visitor.stream;
            let mut head = [0; 2];
            stream.read_exact(&mut head).await.unwrap();
            let mut methods = vec![0; head[1].into()];
            stream.read_exact(&mut methods).await.unwrap();
            stream.write_all(&[5, 2]).await.unwrap();
            stream.read_exact(&mut head).await.unwrap();
            let mut user = vec![0; head[1].into()];
            stream.read_exact(&mut user).await.unwrap();
            let length = stream.read_u8().await.unwrap();
            let mut password = vec![0; length.into()];
            stream.read_exact(&mut password).await.unwrap();
            assert_eq!(password, b"hunter2");
            stream.write_all(&[1, 0]).await.unwrap();
            let mut request = vec![0; 10];
            stream.read_exact(&mut request).await.unwrap();
            notes.lock().unwrap().push(request);
            stream
                .write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
                .await
                .unwrap();
            while visitor.request().await.is_some() {
                visitor.send(ok("abc")).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn names_for_socks5_are_resolved_and_judged_here() {
    let notes = Arc::new(Mutex::new(Vec::new()));
    let proxy = socks(Arc::clone(&notes)).await;
    let (fetcher, _) = resolver().fetcher(through("socks5", &proxy));
    let download = fetcher.get(&url("http://public.example/")).await.unwrap();
    assert_eq!(download.bytes, "abc");
    let failure = fetcher
        .get(&url("http://private.example/"))
        .await
        .unwrap_err();
    assert_eq!(failure.code, FailureCode::ForbiddenSource, "{failure}");
    assert_eq!(*notes.lock().unwrap(), [[5, 1, 0, 1, 8, 8, 8, 8, 0, 80]]);
}
