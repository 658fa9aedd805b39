//! Kept connections: reused where that is safe, and never otherwise.

use std::sync::Arc;
use std::time::Duration;

use thumbforge::fetch::{FetchSettings, Fetcher};
use tokio::sync::Notify;

use crate::canary::{ALLOWED, FORBIDDEN, Trap};
use crate::client::{Get, settings, url, wary_settings};
use crate::origin::{Origin, ok};
use crate::resolver::ScriptedResolver;

#[tokio::test]
async fn two_names_never_share_a_connection() {
    let trap = Trap::answering(ok("abc")).await;
    let (fetcher, _) = ScriptedResolver::default()
        .with("one.example", &[&[ALLOWED]])
        .with("two.example", &[&[ALLOWED]])
        .with("evil.example", &[&[FORBIDDEN[0]]])
        .fetcher(wary_settings());
    let port = trap.port();
    for name in ["one.example", "two.example", "one.example", "two.example"] {
        fetcher
            .get(&url(&format!("http://{name}:{port}/")))
            .await
            .unwrap();
    }
    assert_eq!(trap.origin.connections(), 2);
    assert!(
        fetcher
            .get(&url(&format!("http://evil.example:{port}/")))
            .await
            .is_err()
    );
    assert_eq!(trap.caught(), []);
}

/// Bytes that were sent unasked would be read as the answer to the next request.
#[tokio::test]
async fn a_connection_that_got_unasked_bytes_is_not_reused() {
    let go_on = Arc::new(Notify::new());
    let poisoned = Arc::new(Notify::new());
    let (wait, tell) = (Arc::clone(&go_on), Arc::clone(&poisoned));
    let origin = Origin::on([127, 0, 0, 1], move |mut visitor| {
        let (wait, tell) = (Arc::clone(&wait), Arc::clone(&tell));
        async move {
            while visitor.request().await.is_some() {
                visitor.send(ok("honest")).await;
                wait.notified().await;
                visitor.send(ok("poison")).await;
                tell.notify_one();
            }
        }
    })
    .await;
    let fetcher = Fetcher::new(settings()).unwrap();
    for _ in 0..5 {
        let download = fetcher.get(&url(&origin.url("/"))).await.unwrap();
        assert_eq!(download.bytes, "honest");
        go_on.notify_one();
        poisoned.notified().await;
    }
    assert_eq!(origin.connections(), 5);
}

#[tokio::test]
async fn a_connection_with_bytes_past_its_answer_is_not_reused() {
    let origin = Origin::answering([ok("honest"), ok("poison")].concat()).await;
    let fetcher = Fetcher::new(settings()).unwrap();
    for _ in 0..3 {
        let download = fetcher.get(&url(&origin.url("/"))).await.unwrap();
        assert_eq!(download.bytes, "honest");
    }
    assert_eq!(origin.connections(), 3);
}

#[tokio::test]
async fn a_connection_that_its_server_closed_meanwhile_costs_nothing() {
    let origin = Origin::closing_after(ok("abc")).await;
    let fetcher = Fetcher::new(settings()).unwrap();
    for _ in 0..20 {
        let download = fetcher.get(&url(&origin.url("/"))).await.unwrap();
        assert_eq!(download.bytes, "abc");
    }
}

/// The server takes a second request on the connection, and closes instead of answering it.
#[tokio::test]
async fn a_connection_that_closes_under_a_request_is_replaced_once() {
    let origin = Origin::on([127, 0, 0, 1], |mut visitor| async move {
        visitor.request().await;
        visitor.send(ok("abc")).await;
        visitor.request().await;
    })
    .await;
    let fetcher = Fetcher::new(settings()).unwrap();
    for _ in 0..3 {
        fetcher.get(&url(&origin.url("/"))).await.unwrap();
    }
    assert_eq!(origin.connections(), 3);
}

#[tokio::test]
async fn a_connection_is_not_kept_when_its_server_says_so_or_its_answer_was_not_read() {
    for answer in [
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 1000000\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\nabc",
    ] {
        let origin = Origin::answering(answer).await;
        let fetcher = Fetcher::new(settings()).unwrap();
        for _ in 0..3 {
            let _ = fetcher.get(&url(&origin.url("/"))).await;
        }
        assert_eq!(origin.connections(), 3, "{answer:?}");
    }
}

#[tokio::test]
async fn connections_are_kept_only_as_long_and_as_many_as_set() {
    for (max_idle_per_host, keep_alive) in [(0, Duration::from_secs(15)), (16, Duration::ZERO)] {
        let origin = Origin::answering(ok("abc")).await;
        let fetcher = Fetcher::new(FetchSettings {
            max_idle_per_host,
            keep_alive,
            ..settings()
        })
        .unwrap();
        for _ in 0..3 {
            fetcher.get(&url(&origin.url("/"))).await.unwrap();
        }
        assert_eq!(origin.connections(), 3);
    }
}
