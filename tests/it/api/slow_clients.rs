//! Clients that would hold a connection for ever with bytes that lead to no answer, and clients
//! that are as slow or eager as they may be.

use std::time::Duration;

use thumbforge::http::{ApiSettings, Pace};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::access::keyed;
use super::harness::{Api, settings};
use crate::support::http_client::read_answer;

const CHUNKED: &str = "Host: a\r\nTransfer-Encoding: chunked\r\n";
const SUBMIT: &str = "POST /v1/images HTTP/1.1\r\nContent-Type: application/json\r\n";

/// No connection is held for longer by the limits of these tests.
const HELD: Duration = Duration::from_secs(40);

fn hurried(seconds: u64) -> ApiSettings {
    let pace = Pace {
        answer_deadline: Duration::from_secs(seconds),
        ..Pace::default()
    };
    ApiSettings { pace, ..settings() }
}

/// Sends `begin`, then `more` again and again, until the server ends the connection. Returns the
/// answers.
async fn sent_until_closed(api: &Api, begin: &str, more: &[u8], pause: Duration) -> String {
    let stream = TcpStream::connect(api.address).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    writing.write_all(begin.as_bytes()).await.unwrap();
    let send = async {
        while writing.write_all(more).await.is_ok() {
            tokio::time::sleep(pause).await;
        }
        // What came before the end is read still.
        std::future::pending::<()>().await;
    };
    let mut received = Vec::new();
    let closed = async {
        tokio::select! {
            () = send => {}
            // The end may be a reset: the server has not read everything.
            _ = reading.read_to_end(&mut received) => {}
        }
    };
    let closed = tokio::time::timeout(HELD, closed).await;
    let received = String::from_utf8_lossy(&received).into_owned();
    assert!(closed.is_ok(), "held after {received}");
    received
}

async fn dripped(api: &Api, begin: &str, more: &[u8]) -> String {
    sent_until_closed(api, begin, more, Duration::from_millis(100)).await
}

/// The answers' status codes.
fn statuses(received: &str) -> Vec<&str> {
    let lines = received.split("HTTP/1.1 ").skip(1);
    lines.map(|answer| &answer[..3]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_head_that_drips_loses_its_connection() {
    let api = Api::on_sqlite(hurried(3)).await;
    let begin = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /livez HTTP/1.1\r\nX: ";
    assert_eq!(statuses(&dripped(&api, begin, b"a").await), ["200"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_nobody_reads_loses_its_connection() {
    let api = Api::on_sqlite(hurried(3)).await;
    let begin = format!("GET /livez HTTP/1.1\r\n{CHUNKED}\r\n");
    let nothing = "";
    let extension = format!("{begin}1;");
    for (begin, more) in [(&begin, "1\r\na\r\n"), (&extension, "a"), (&begin, nothing)] {
        let received = dripped(&api, begin, more.as_bytes()).await;
        assert_eq!(statuses(&received), ["200"], "{more}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_drips_after_its_refusal_or_its_deadline_loses_its_connection() {
    let refused = ApiSettings {
        pace: hurried(3).pace,
        ..keyed()
    };
    // The body's deadline is over before the pace is broken.
    for (settings, status) in [(refused, "401"), (hurried(14), "408")] {
        let api = Api::on_sqlite(settings).await;
        let begin = format!("{SUBMIT}{CHUNKED}\r\n");
        let received = dripped(&api, &begin, b"1\r\n \r\n").await;
        assert_eq!(statuses(&received), [status]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_after_an_answer_loses_its_connection() {
    let api = Api::on_sqlite(settings()).await;
    let begin = format!("GET /livez HTTP/1.1\r\n{CHUNKED}\r\n");
    let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x10000));
    let received = sent_until_closed(&api, &begin, chunk.as_bytes(), Duration::ZERO).await;
    assert_eq!(statuses(&received), ["200"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_on_one_connection_are_served() {
    let pace = Pace {
        max_unanswered_bytes: 100,
        ..Pace::default()
    };
    let api = Api::on_sqlite(ApiSettings { pace, ..settings() }).await;
    let mut stream = TcpStream::connect(api.address).await.unwrap();
    for _ in 0..200 {
        let request = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
        }
        assert_eq!(statuses(&String::from_utf8(answer).unwrap()), ["200"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_do_not_wait_for_answers_are_served() {
    let api = Api::on_sqlite(settings()).await;
    let request = "GET /v1/images HTTP/1.1\r\nHost: a\r\n";
    let requests = format!("{request}\r\n").repeat(2000) + request + "Connection: close\r\n\r\n";
    let stream = TcpStream::connect(api.address).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let mut received = String::new();
    let (sent, read) = tokio::join!(
        writing.write_all(requests.as_bytes()),
        reading.read_to_string(&mut received)
    );
    sent.unwrap();
    read.unwrap();
    assert_eq!(statuses(&received), ["200"; 2001]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_submission_is_taken() {
    let api = Api::on_sqlite(settings()).await;
    let body = r#"{"url": "https://images.example.com/a.jpg"}"#;
    let mut stream = TcpStream::connect(api.address).await.unwrap();
    let head = format!("{SUBMIT}{CHUNKED}Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    for byte in body.chars() {
        let chunk = format!("1\r\n{byte}\r\n");
        stream.write_all(chunk.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    assert_eq!(read_answer(&mut stream).await.status, 202);
}
