//! `/v1/healthz`, `/livez`, `/readyz`, and the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use thumbforge::domain::JobStatus;
use thumbforge::http::{HealthCheck, probe, run_probes};
use thumbforge::observe::Exposition;
use thumbforge::queue::{MemoryQueue, Queue, RedisQueue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::harness::{Api, JSON, on_both_databases, settings};
use crate::support::deadline::eventually;
use crate::support::http_client::{read_answer, request};

const HEALTHY: &[u8] = b"{\"status\":\"ok\"}";

on_both_databases! {
    async fn a_whole_service_is_healthy_and_ready(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        for path in ["/v1/healthz", "/readyz", "/livez"] {
            let answer = api.get(path).await;
            assert_eq!((answer.status, answer.body.as_slice()), (200, HEALTHY), "{path}");
        }
    }

    async fn a_lost_storage_is_named(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        std::fs::remove_dir_all(api.folder.path().join("thumbnails")).unwrap();
        for path in ["/v1/healthz", "/readyz"] {
            let answer = api.get(path).await;
            assert_eq!(answer.problem(), (503, "unavailable".to_owned()), "{path}");
            assert_eq!(answer.json()["failing"], serde_json::json!(["storage"]), "{path}");
        }
        assert_eq!(api.get("/livez").await.status, 200);
    }

    async fn a_storage_without_its_temporary_folder_mends_itself(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let temporary = api.folder.path().join("thumbnails/.tmp");
        std::fs::remove_dir_all(&temporary).unwrap();
        assert_eq!(api.get("/readyz").await.status, 200);
        assert!(temporary.is_dir());
    }

    async fn a_lost_queue_is_named_and_jobs_are_still_accepted(fixture: &Fixture) {
        let port = crate::support::server_process::free_port();
        let url = format!("redis://127.0.0.1:{port}/0");
        let queue = Queue::Redis(RedisQueue::open(&url, "test:lost").unwrap());
        let api = Api::serve(fixture.open().await, queue, settings(), None);
        let answer = api.get("/v1/healthz").await;
        assert_eq!(answer.problem(), (503, "unavailable".to_owned()));
        assert_eq!(answer.json()["failing"], serde_json::json!(["queue"]));
        assert_eq!(api.get("/readyz").await.status, 200);
        api.accepted("https://images.example.com/harbour.jpg").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_queue_holds_no_request_for_long() {
    // Accepts connections and never answers.
    let frozen = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}/0", frozen.local_addr().unwrap());
    let queue = Queue::Redis(RedisQueue::open(&url, "test:frozen").unwrap());
    let fixture = crate::database::Fixture::sqlite();
    let mut api = Api::serve(fixture.open().await, queue, settings(), None);
    let started = Instant::now();
    for number in 0..20 {
        let url = format!("https://images.example.com/{number}.jpg");
        api.accepted(&url).await;
    }
    let submitted_in = started.elapsed();
    assert!(submitted_in < Duration::from_secs(2), "{submitted_in:?}");
    let answer = api.get("/v1/healthz").await;
    assert_eq!(answer.json()["failing"], serde_json::json!(["queue"]));
    assert!(started.elapsed() < submitted_in + Duration::from_secs(3));
    api.begin_shutdown();
    api.ended().await;
    assert!(started.elapsed() < submitted_in + Duration::from_secs(8));
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_follows_the_workers_of_the_process() {
    let consuming = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&consuming);
    let workers = probe(move || {
        let consumes = seen.load(Ordering::Relaxed);
        async move {
            match consumes {
                true => Ok(()),
                false => Err("no loop has asked for work"),
            }
        }
    });
    let fixture = crate::database::Fixture::sqlite();
    let queue = Queue::Memory(MemoryQueue::default());
    let api = Api::serve(fixture.open().await, queue, settings(), Some(workers));
    let answer = api.get("/readyz").await;
    assert_eq!(answer.problem().0, 503);
    assert_eq!(answer.json()["failing"], serde_json::json!(["workers"]));
    assert_eq!(api.get("/v1/healthz").await.status, 200);
    consuming.store(true, Ordering::Relaxed);
    eventually("the workers are seen", Duration::from_secs(5), || async {
        api.get("/readyz").await.status == 200
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_without_the_api_serves_its_probes() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let failing = probe(|| async { Err("not yet") });
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async {
        let _ = stopped.await;
    };
    let exposition = Arc::new(Exposition::of_this_process());
    let parts = vec![("consumer", failing)];
    let server = tokio::spawn(run_probes(
        listener,
        HealthCheck::new(parts),
        exposition,
        shutdown,
    ));
    let get = async |path| request(address, "GET", path, &[], b"").await;
    assert_eq!(get("/livez").await.status, 200);
    let answer = get("/readyz").await;
    assert_eq!(answer.problem(), (503, "unavailable".to_owned()));
    assert_eq!(answer.json()["failing"], serde_json::json!(["consumer"]));
    assert_eq!(get("/v1/images").await.problem().0, 404);
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_finishes_what_is_in_flight_and_accepts_no_more() {
    let fixture = crate::database::Fixture::sqlite();
    let mut api = Api::start(&fixture).await;
    let mut idle = TcpStream::connect(api.address).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    let mut slow = TcpStream::connect(api.address).await.unwrap();
    let body = b"{\"url\": \"https://images.example.com/a.jpg\"}";
    let head = format!(
        "POST /v1/images HTTP/1.1\r\nHost: a\r\n{}: {}\r\nContent-Length: {}\r\n\r\n",
        JSON.0,
        JSON.1,
        body.len()
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    slow.write_all(&body[..10]).await.unwrap();
    // The request is in flight once the server has taken its head.
    api.get("/livez").await;
    api.begin_shutdown();
    let address = api.address;
    eventually(
        "no connection is accepted",
        Duration::from_secs(5),
        || async { TcpStream::connect(address).await.is_err() },
    )
    .await;
    slow.write_all(&body[10..]).await.unwrap();
    assert_eq!(read_answer(&mut slow).await.status, 202);
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    let counts = api.database.counts().await.unwrap();
    assert_eq!(counts.by_status.of(JobStatus::Pending), 1);
    api.ended().await;
}
