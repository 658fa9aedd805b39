//! Answers without end: each is cut off at its own limit, long before any timeout.

use std::time::{Duration, Instant};

use thumbforge::domain::{Failure, FailureCode};
use thumbforge::fetch::FetchSettings;

use crate::client::{fetch, fetch_with, settings};
use crate::origin::{Origin, Visitor, ok};

/// Sends `beginning` and then `repeated` for as long as the client listens.
async fn endless(beginning: &'static str, repeated: &'static str) -> Origin {
    Origin::on([127, 0, 0, 1], move |mut visitor| async move {
        visitor.request().await;
        visitor.send(beginning).await;
        while visitor.send(repeated).await {}
    })
    .await
}

async fn failure_of(beginning: &'static str, repeated: &'static str) -> Failure {
    let origin = endless(beginning, repeated).await;
    let started = Instant::now();
    let failure = fetch(&origin.url("/")).await.unwrap_err();
    // The deadline is ten seconds: a limit ended this.
    assert!(started.elapsed().as_secs() < 5, "{failure}");
    failure
}

async fn assert_invalid(beginning: &'static str, repeated: &'static str, why: &str) {
    let failure = failure_of(beginning, repeated).await;
    assert_eq!(failure.code, FailureCode::InvalidResponse, "{failure}");
    assert!(failure.message.contains(why), "{failure}");
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Only the limit of time counts them.
#[tokio::test]
async fn endless_interim_answers_are_cut_off() {
    let origin = endless("", "HTTP/1.1 100 Continue\r\n\r\n").await;
    let settings = FetchSettings {
        head_timeout: Duration::from_millis(300),
        ..settings()
    };
    let failure = fetch_with(settings, &origin.url("/")).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::SourceTimeout, "{failure}");
    assert!(failure.message.contains("did not answer"), "{failure}");
}

#[tokio::test]
async fn endless_fields_are_cut_off() {
    assert_invalid("HTTP/1.1 200 OK\r\n", "A: b\r\n", "head").await;
}

#[tokio::test]
async fn an_endless_field_is_cut_off() {
    assert_invalid(
        "HTTP/1.1 200 OK\r\nA: ",
        "bbbbbbbbbbbbbbbb",
        "head is too long",
    )
    .await;
}

#[tokio::test]
async fn an_endless_status_line_is_cut_off() {
    assert_invalid("HTTP/1.1 200 ", "OKOKOKOK", "head is too long").await;
}

#[tokio::test]
async fn too_many_fields_are_refused_though_they_are_short() {
    let fields = "A: b\r\n".repeat(201);
    let origin = Origin::answering(format!("HTTP/1.1 200 OK\r\n{fields}\r\n")).await;
    let failure = fetch(&origin.url("/")).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::InvalidResponse);
    assert!(failure.message.contains("too many fields"), "{failure}");
}

#[tokio::test]
async fn an_endless_chunk_extension_is_cut_off() {
    let beginning = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=";
    assert_invalid(beginning, "yyyyyyyyyyyyyyyy", "line of its chunked body").await;
}

#[tokio::test]
async fn an_endless_row_of_extensions_is_cut_off() {
    let chunk = "1;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\na\r\n";
    assert_invalid(CHUNKED, chunk, "line of its chunked body").await;
}

#[tokio::test]
async fn endless_tiny_chunks_are_cut_off() {
    assert_invalid(CHUNKED, "1\r\na\r\n", "mostly framing").await;
}

#[tokio::test]
async fn endless_trailers_are_cut_off() {
    let beginning = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n";
    assert_invalid(beginning, "A: b\r\n", "line of its chunked body").await;
}

#[tokio::test]
async fn an_endless_body_is_cut_off() {
    for (beginning, repeated) in [
        ("HTTP/1.1 200 OK\r\n\r\n", "abcdefghijklmnop"),
        (CHUNKED, "10\r\nabcdefghijklmnop\r\n"),
    ] {
        let failure = failure_of(beginning, repeated).await;
        assert_eq!(failure.code, FailureCode::SourceTooLarge, "{failure}");
    }
}

#[tokio::test]
async fn a_declared_length_above_the_limit_is_refused_unread() {
    for beginning in [
        "HTTP/1.1 200 OK\r\nContent-Length: 1000001\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n",
    ] {
        let origin = Origin::on([127, 0, 0, 1], move |mut visitor: Visitor| async move {
            visitor.request().await;
            visitor.send(beginning).await;
            visitor.client_closes().await;
        })
        .await;
        let failure = fetch(&origin.url("/")).await.unwrap_err();
        assert_eq!(failure.code, FailureCode::SourceTooLarge, "{beginning:?}");
    }
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_read_however_it_is_framed() {
    let body = "x".repeat(1000);
    let chunked = format!("{CHUNKED}3e8\r\n{body}\r\n0\r\n\r\n");
    let until_close = format!("HTTP/1.1 200 OK\r\n\r\n{body}");
    for answer in [ok(&body), chunked.into_bytes(), until_close.into_bytes()] {
        let origin = Origin::closing_after(answer).await;
        for (max_bytes, is_fetched) in [(1000, true), (999, false)] {
            let settings = FetchSettings {
                max_bytes,
                ..settings()
            };
            let result = fetch_with(settings, &origin.url("/")).await;
            assert_eq!(result.is_ok(), is_fetched, "{max_bytes}: {result:?}");
        }
    }
}
