//! What strangers may try with paths, heads and time.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::harness::{Api, JSON, settings};
use crate::support::http_client::{raw, read_answer, request};

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_path_is_a_problem() {
    let api = Api::on_sqlite(settings()).await;
    for path in [
        "/v1",
        "/v1/",
        "/v1/images/",
        "/v2/images",
        "//",
        "/v1/images/1/2/3",
        "/docs/nothing.js",
        "/docs/../Cargo.toml",
        "/docs/..%2f..%2fetc/passwd",
        "/docs/%2e%2e/%2e%2e/etc/passwd",
        "/.env",
        "/%00",
        "/%ff",
        "/%",
        "/thumbnails/../../etc/passwd",
    ] {
        let answer = api.get(path).await;
        assert_eq!(answer.problem(), (404, "not_found".to_owned()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_method_is_told_which_there_are() {
    let api = Api::on_sqlite(settings()).await;
    for (path, allowed) in [
        ("/v1/images", vec!["GET", "HEAD", "POST"]),
        ("/v1/images/1", vec!["DELETE", "GET", "HEAD"]),
        ("/v1/images/1/cancel", vec!["POST"]),
        ("/v1/images/1/thumbnail", vec!["GET", "HEAD"]),
        ("/v1/batches", vec!["GET", "HEAD", "POST"]),
        ("/v1/batches/1", vec!["GET", "HEAD"]),
        ("/v1/batches/1/images", vec!["GET", "HEAD"]),
        ("/v1/batches/1/cancel", vec!["POST"]),
        ("/v1/metrics", vec!["GET", "HEAD"]),
        ("/v1/origins", vec!["GET", "HEAD"]),
        ("/v1/origins/pause", vec!["POST"]),
        ("/v1/queue/resume", vec!["POST"]),
        ("/v1/healthz", vec!["GET", "HEAD"]),
        ("/livez", vec!["GET", "HEAD"]),
        ("/openapi.json", vec!["GET", "HEAD"]),
        ("/docs/", vec!["GET", "HEAD"]),
    ] {
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
            if allowed.contains(&method) {
                continue;
            }
            let answer = request(api.address, method, path, &[], b"").await;
            let problem = answer.problem();
            assert_eq!(
                problem,
                (405, "method_not_allowed".to_owned()),
                "{method} {path}"
            );
            let mut methods: Vec<_> = answer.header("allow").unwrap().split(", ").collect();
            methods.sort_unstable();
            assert_eq!(methods, allowed, "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_head_is_refused() {
    let api = Api::on_sqlite(settings()).await;
    let long = "a".repeat(9000);
    let answer = api.get(&format!("/v1/images?x={long}")).await;
    assert_eq!(answer.problem(), (414, "uri_too_long".to_owned()));
    let headers = [("X-A", long.as_str()), ("X-B", long.as_str())];
    let answer = api.get_with("/v1/images", &headers).await;
    assert_eq!(answer.problem(), (431, "headers_too_large".to_owned()));
    let head = format!(
        "GET /livez HTTP/1.1\r\nHost: a\r\nX-A: {}\r\n\r\n",
        "a".repeat(200_000)
    );
    let mut stream = TcpStream::connect(api.address).await.unwrap();
    // The server may stop reading in the middle.
    let _ = stream.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(
        !answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    assert_eq!(api.get("/livez").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_request_becomes_a_header_or_a_file_name() {
    let api = Api::on_sqlite(settings()).await;
    for id in [
        "..%2f..%2f..%2fetc%2fpasswd",
        "..%5c..%5cwindows",
        "%2e%2e",
        "x%0d%0aX-Injected:%201",
        "%00",
        "%ff%fe",
    ] {
        for path in [
            format!("/v1/images/{id}"),
            format!("/v1/images/{id}/thumbnail"),
        ] {
            let answer = api.get(&path).await;
            assert!(
                matches!(answer.problem().0, 404 | 422),
                "{path}: {answer:?}"
            );
            assert_eq!(answer.header("x-injected"), None, "{path}");
        }
    }
    let urls = [
        "https://a.example/\r\nX-Injected: 1",
        "https://a.example\r\n\r\n/",
        "https://a.example/\u{0}",
        "https://a.example/\u{7f}",
    ];
    for url in urls {
        let answer = api.submit(url).await;
        assert_eq!(answer.problem(), (422, "invalid_url".to_owned()), "{url:?}");
        assert_eq!(answer.header("x-injected"), None);
    }
    let answer = api.submit("https://a.example/%0d%0aX-Injected:%201").await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.header("x-injected"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_utf_8_is_a_problem() {
    let api = Api::on_sqlite(settings()).await;
    for body in [
        &b"{\"url\": \"https://a.example/\xff\"}"[..],
        b"{\"url\": \"https://a.example/\xc3\"}",
        b"\xef\xbb\xbf{\"url\": \"https://a.example/\"}",
        b"\xff\xfe{\0\"\0u\0r\0l\0",
    ] {
        let answer = request(api.address, "POST", "/v1/images", &[JSON], body).await;
        assert_eq!(
            answer.problem(),
            (400, "malformed_json".to_owned()),
            "{body:?}"
        );
    }
    let lone_surrogate = br#"{"url": "https://a.example/\ud83d"}"#;
    let answer = request(api.address, "POST", "/v1/images", &[JSON], lone_surrogate).await;
    assert_eq!(answer.problem().0, 400);
    for query in [
        "status=%ff",
        "%ff=1",
        "created_after=%c3",
        "limit=%ef%bc%91",
    ] {
        let answer = api.get(&format!("/v1/images?{query}")).await;
        assert_eq!(
            answer.problem(),
            (422, "invalid_query".to_owned()),
            "{query}"
        );
    }
    let answer = raw(
        api.address,
        b"GET /livez HTTP/1.1\r\nHost: a\r\nX-A: \xff\xfe\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_full_of_faults_gets_a_short_answer() {
    let api = Api::on_sqlite(settings()).await;
    let query: String = (0..1500).map(|number| format!("{number}&")).collect();
    let answer = api.get(&format!("/v1/images?{query}")).await;
    assert_eq!(answer.problem(), (422, "invalid_query".to_owned()));
    assert!(
        answer.body.len() < query.len(),
        "{} bytes",
        answer.body.len()
    );
    let members: Vec<String> = (0..1500).map(|number| format!("\"{number}\":1")).collect();
    let body = format!("{{{}}}", members.join(","));
    let answer = api.post(&body).await;
    assert_eq!(answer.problem(), (422, "invalid_body".to_owned()));
    assert!(
        answer.body.len() < body.len(),
        "{} bytes",
        answer.body.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_is_answered_with_a_bare_400() {
    let api = Api::on_sqlite(settings()).await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n"[..],
        b"GET /livez\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\nX\x00: b\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /v1/images HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/images HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"POST /v1/images HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    ] {
        let answer = raw(api.address, bytes).await;
        assert_eq!(answer.status, 400, "{}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(api.get("/livez").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_security_headers() {
    let api = Api::on_sqlite(settings()).await;
    for path in [
        "/livez",
        "/v1/images",
        "/nothing",
        "/v1/images/x",
        "/openapi.json",
    ] {
        let answer = api.get(path).await;
        for (name, expected) in [
            ("x-content-type-options", "nosniff"),
            (
                "content-security-policy",
                "default-src 'none'; frame-ancestors 'none'",
            ),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), Some(expected), "{path}");
        }
        assert_eq!(answer.header("server"), None, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_head_loses_its_connection() {
    let api = Api::on_sqlite(settings()).await;
    let started = Instant::now();
    let mut stream = TcpStream::connect(api.address).await.unwrap();
    stream
        .write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\nX-")
        .await
        .unwrap();
    assert_eq!(read_answer(&mut stream).await.status, 408);
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_loses_its_connection() {
    let api = Api::on_sqlite(settings()).await;
    let started = Instant::now();
    let head = b"POST /v1/images HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
        Connection: close\r\nContent-Length: 100\r\n\r\n{";
    let mut stream = TcpStream::connect(api.address).await.unwrap();
    stream.write_all(head).await.unwrap();
    let answer = read_answer(&mut stream).await;
    assert_eq!(answer.problem(), (408, "request_timeout".to_owned()));
    assert!(started.elapsed() < Duration::from_secs(15));
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_keep_nobody_out() {
    let api = Api::on_sqlite(settings()).await;
    let mut idle = Vec::new();
    for _ in 0..400 {
        idle.push(TcpStream::connect(api.address).await.unwrap());
    }
    let started = Instant::now();
    assert_eq!(api.get("/livez").await.status, 200);
    assert!(started.elapsed() < Duration::from_secs(2));
}
