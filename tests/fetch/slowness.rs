//! Sources that take their time: each ends with a typed failure within its own limit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use thumbforge::domain::FailureCode;
use thumbforge::fetch::{FetchSettings, Fetcher};

use crate::client::{Get, fetch_with, settings, url};
use crate::origin::Origin;
use crate::resolver::SilentResolver;

const LIMIT: Duration = Duration::from_millis(300);
/// Far below the other limits, far above what a busy machine adds.
const LONGEST: Duration = Duration::from_secs(4);

/// Sends `beginning`, then `drip` every ten milliseconds for as long as the client listens.
async fn dripping(beginning: &'static str, drip: &'static str) -> Origin {
    Origin::on([127, 0, 0, 1], move |mut visitor| async move {
        visitor.request().await;
        visitor.send(beginning).await;
        let mut clock = tokio::time::interval(Duration::from_millis(10));
        while visitor.send(drip).await {
            clock.tick().await;
        }
    })
    .await
}

/// Sends `beginning`, and then nothing for as long as the client waits.
async fn stalling(beginning: &'static str) -> Origin {
    Origin::on([127, 0, 0, 1], move |mut visitor| async move {
        visitor.request().await;
        visitor.send(beginning).await;
        visitor.client_closes().await;
    })
    .await
}

async fn assert_ends(settings: FetchSettings, target: &str, code: FailureCode, why: &str) {
    let started = Instant::now();
    let failure = fetch_with(settings, target).await.unwrap_err();
    let elapsed = started.elapsed();
    assert_eq!(failure.code, code, "{failure}");
    assert!(failure.is_transient());
    assert!(failure.message.contains(why), "{failure}");
    assert!(elapsed < LONGEST, "took {elapsed:?}");
}

fn head_limit() -> FetchSettings {
    FetchSettings {
        head_timeout: LIMIT,
        ..settings()
    }
}

fn idle_limit() -> FetchSettings {
    FetchSettings {
        idle_timeout: LIMIT,
        ..settings()
    }
}

fn rate_limit() -> FetchSettings {
    FetchSettings {
        rate_window: LIMIT,
        min_bytes_per_second: 10_000,
        ..settings()
    }
}

#[tokio::test]
async fn a_silent_source_ends() {
    let origin = stalling("").await;
    assert_ends(
        head_limit(),
        &origin.url("/"),
        FailureCode::SourceTimeout,
        "did not answer",
    )
    .await;
}

#[tokio::test]
async fn a_head_that_stalls_or_drips_ends() {
    let origin = stalling("HTTP/1.1 200 OK\r\nA: ").await;
    assert_ends(
        head_limit(),
        &origin.url("/"),
        FailureCode::SourceTimeout,
        "did not answer",
    )
    .await;
    let origin = dripping("HTTP/1.1 200 OK\r\nA: ", "b").await;
    assert_ends(
        head_limit(),
        &origin.url("/"),
        FailureCode::SourceTimeout,
        "did not answer",
    )
    .await;
}

#[tokio::test]
async fn a_body_that_stalls_ends() {
    for beginning in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n",
        "HTTP/1.1 200 OK\r\n\r\nab",
    ] {
        let origin = stalling(beginning).await;
        let target = origin.url("/");
        assert_ends(
            idle_limit(),
            &target,
            FailureCode::SourceTimeout,
            "stopped sending",
        )
        .await;
    }
}

#[tokio::test]
async fn a_body_that_drips_ends() {
    for beginning in [
        "HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf423f\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nTrailer: ",
        "HTTP/1.1 200 OK\r\n\r\n",
    ] {
        let origin = dripping(beginning, "b").await;
        let target = origin.url("/");
        assert_ends(
            rate_limit(),
            &target,
            FailureCode::SourceTimeout,
            "too slowly",
        )
        .await;
    }
}

#[tokio::test]
async fn the_whole_download_has_a_deadline_over_all_its_redirects() {
    let origin = Origin::on([127, 0, 0, 1], |mut visitor| async move {
        let request = visitor.request().await.unwrap();
        let length = request.lines().next().unwrap().len();
        tokio::time::sleep(Duration::from_millis(20)).await;
        let path = "a".repeat(length % 1000);
        visitor
            .send(format!("HTTP/1.1 302 x\r\nLocation: /{path}\r\n\r\n"))
            .await;
    })
    .await;
    let settings = FetchSettings {
        total_timeout: LIMIT,
        max_redirects: 1_000_000,
        ..settings()
    };
    let target = origin.url("/");
    assert_ends(
        settings,
        &target,
        FailureCode::SourceTimeout,
        "download took longer",
    )
    .await;
}

#[tokio::test]
async fn a_resolver_that_never_answers_ends() {
    let settings = FetchSettings {
        connect_timeout: LIMIT,
        ..settings()
    };
    let fetcher = Fetcher::with_resolver(settings, Arc::new(SilentResolver)).unwrap();
    let started = Instant::now();
    let failure = fetcher
        .get(&url("http://source.example/"))
        .await
        .unwrap_err();
    assert_eq!(failure.code, FailureCode::DnsFailed);
    assert!(started.elapsed() < LONGEST);
}

/// A listener whose queue is full answers no further handshake (Linux drops its packets).
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_that_never_opens_ends() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(LIMIT, tokio::net::TcpStream::connect(address)).await
    {
        queued.push(stream);
    }
    let settings = FetchSettings {
        connect_timeout: LIMIT,
        ..settings()
    };
    let target = format!("http://{address}/");
    assert_ends(
        settings,
        &target,
        FailureCode::SourceTimeout,
        "could not be opened",
    )
    .await;
}

#[tokio::test]
async fn a_handshake_that_never_ends_ends() {
    let settings = FetchSettings {
        connect_timeout: LIMIT,
        ..settings()
    };
    let origin = Origin::on([127, 0, 0, 1], |mut visitor| async move {
        // A ClientHello has no empty line: this waits until the client closes.
        visitor.client_closes().await;
    })
    .await;
    let target = origin.url("/").replace("http:", "https:");
    assert_ends(
        settings,
        &target,
        FailureCode::SourceTimeout,
        "could not be opened",
    )
    .await;
}
