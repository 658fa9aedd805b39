//! Downloads when their memory runs out.

use std::time::{Duration, Instant};

use thumbforge::fetch::{AnyHop, FetchSettings, Fetcher, Stopped};

use crate::client::{settings, url};
use crate::origin::{Origin, ok};

fn fetcher(memory_bytes: u64) -> Fetcher {
    Fetcher::new(FetchSettings {
        memory_bytes,
        ..settings()
    })
    .unwrap()
}

/// Sends `count` bytes of a body of unknown length, and then, after `pause`, `more`, and closes.
async fn pausing(count: usize, pause: Duration, more: usize) -> Origin {
    Origin::on([127, 0, 0, 1], move |mut visitor| async move {
        visitor.request().await;
        visitor.send("HTTP/1.1 200 OK\r\n\r\n").await;
        visitor.send(vec![b'x'; count]).await;
        tokio::time::sleep(pause).await;
        visitor.send(vec![b'x'; more]).await;
    })
    .await
}

#[tokio::test]
async fn a_download_holds_its_bytes_until_it_is_dropped() {
    let origin = Origin::answering(ok(vec![b'x'; 900_000])).await;
    let fetcher = fetcher(1_000_000);
    let target = url(&origin.url("/"));
    let first = fetcher.fetch(&target, &AnyHop).await.unwrap();
    assert!(fetcher.memory().is_scarce());
    assert_eq!(first.reserved_bytes(), 900_000);
    assert_eq!(fetcher.memory().used(), 900_000);
    assert_eq!(fetcher.memory().limit(), 1_000_000);
    assert_eq!(fetcher.received_bytes(), 900_000);
    // The first one is whole: the second one waits for it.
    let second = fetcher.fetch(&target, &AnyHop);
    let later = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(first);
    };
    let (second, ()) = tokio::join!(second, later);
    drop(second.unwrap());
    fetcher.memory().plentiful().await;
    assert_eq!(fetcher.memory().used(), 0);
    assert_eq!(fetcher.received_bytes(), 1_800_000);
}

#[tokio::test]
async fn the_youngest_stops_when_there_is_no_room_for_it() {
    let slow = pausing(400_000, Duration::from_millis(400), 1).await;
    let quick = Origin::answering(ok(vec![b'x'; 900_000])).await;
    let fetcher = fetcher(1_000_000);
    let (old_target, young_target) = (url(&slow.url("/")), url(&quick.url("/")));
    let old = fetcher.fetch(&old_target, &AnyHop);
    let young = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        fetcher.fetch(&young_target, &AnyHop).await
    };
    let (old, young) = tokio::join!(old, young);
    assert_eq!(old.unwrap().bytes.len(), 400_001);
    assert!(matches!(young, Err(Stopped::OutOfMemory)), "{young:?}");
}

#[tokio::test]
async fn an_older_one_that_grows_takes_from_the_youngest_that_waits_for_bytes() {
    let old = pausing(300_000, Duration::from_millis(300), 500_000).await;
    let young = Origin::on([127, 0, 0, 1], |mut visitor| async move {
        visitor.request().await;
        visitor
            .send("HTTP/1.1 200 OK\r\nContent-Length: 450000\r\n\r\nabc")
            .await;
        visitor.client_closes().await;
    })
    .await;
    let fetcher = fetcher(1_000_000);
    let (old_target, young_target) = (url(&old.url("/")), url(&young.url("/")));
    let started = Instant::now();
    let old = fetcher.fetch(&old_target, &AnyHop);
    let young = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let stopped = fetcher.fetch(&young_target, &AnyHop).await;
        (stopped, started.elapsed())
    };
    let (old, (young, elapsed)) = tokio::join!(old, young);
    assert_eq!(old.unwrap().bytes.len(), 800_000);
    assert!(matches!(young, Err(Stopped::OutOfMemory)), "{young:?}");
    assert!(elapsed < Duration::from_secs(3), "{elapsed:?}");
}
