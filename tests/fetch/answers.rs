//! Honest answers, and the meaning of their statuses.

use std::time::Duration;

use thumbforge::domain::FailureCode;
use thumbforge::fetch::Fetcher;

use crate::client::{Get, fetch, settings, url};
use crate::origin::{Origin, ok};

#[tokio::test]
async fn a_source_is_fetched_whole() {
    let body: Vec<u8> = (0..700_000_u32).map(|i| (i % 251) as u8).collect();
    let origin = Origin::answering(ok(&body)).await;
    let download = fetch(&origin.url("/a%20b.png?c=d#e")).await.unwrap();
    assert_eq!(download.bytes, body);
    assert_eq!(download.content_type.as_deref(), Some("image/png"));
    assert_eq!(download.final_url, origin.url("/a%20b.png?c=d"));
}

#[tokio::test]
async fn chunks_and_bodies_that_end_with_the_connection_are_read() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n";
    let origin = Origin::answering(chunked).await;
    assert_eq!(fetch(&origin.url("/")).await.unwrap().bytes, "abcde");

    let origin = Origin::closing_after("HTTP/1.1 200 OK\r\n\r\nabcde").await;
    assert_eq!(fetch(&origin.url("/")).await.unwrap().bytes, "abcde");

    let origin = Origin::closing_after("HTTP/1.0 200 OK\nContent-Length: 5\n\nabcde").await;
    assert_eq!(fetch(&origin.url("/")).await.unwrap().bytes, "abcde");
}

#[tokio::test]
async fn interim_answers_are_passed_over() {
    let early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(3);
    let origin = Origin::answering([early, ok("abc")].concat()).await;
    assert_eq!(fetch(&origin.url("/")).await.unwrap().bytes, "abc");
}

#[tokio::test]
async fn statuses_become_typed_failures() {
    use FailureCode as C;
    for (status, code, is_transient) in [
        (204, C::SourceClientError, false),
        (205, C::SourceClientError, false),
        (304, C::SourceClientError, false),
        (400, C::SourceClientError, false),
        (403, C::SourceClientError, false),
        (404, C::SourceClientError, false),
        (410, C::SourceClientError, false),
        (408, C::SourceTimeout, true),
        (429, C::RateLimited, true),
        (500, C::SourceServerError, true),
        (503, C::SourceServerError, true),
        (599, C::SourceServerError, true),
        (600, C::InvalidResponse, false),
        (99, C::InvalidResponse, false),
        (999, C::InvalidResponse, false),
    ] {
        let origin = Origin::answering(format!("HTTP/1.1 {status:03} x\r\n\r\n")).await;
        let failure = fetch(&origin.url("/")).await.unwrap_err();
        assert_eq!(
            (failure.code, failure.is_transient()),
            (code, is_transient),
            "{status}"
        );
    }
}

#[tokio::test]
async fn retry_after_is_handed_on() {
    for (status, value, expected) in [
        (429, "7", Some(7)),
        (503, "0", Some(0)),
        (503, "Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
        (503, "later", None),
        (404, "7", None),
    ] {
        let answer = format!("HTTP/1.1 {status} x\r\nRetry-After: {value}\r\n\r\n");
        let origin = Origin::answering(answer).await;
        let failure = fetch(&origin.url("/")).await.unwrap_err();
        assert_eq!(
            failure.retry_after,
            expected.map(Duration::from_secs),
            "{status} {value}"
        );
    }
}

#[tokio::test]
async fn an_empty_source_is_named_as_such() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
    ] {
        let origin = Origin::closing_after(answer).await;
        let failure = fetch(&origin.url("/")).await.unwrap_err();
        assert_eq!(failure.code, FailureCode::EmptySource);
    }
}

#[tokio::test]
async fn a_refused_connection_may_be_tried_again() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let failure = fetch(&format!("http://{address}/")).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::ConnectionFailed);
    assert!(failure.is_transient());
    assert!(!failure.message.contains("127"), "{failure}");
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let origin = Origin::answering(ok("abc")).await;
    let fetcher = Fetcher::new(settings()).unwrap();
    for _ in 0..10 {
        fetcher.get(&url(&origin.url("/"))).await.unwrap();
    }
    assert_eq!(origin.connections(), 1);
}
