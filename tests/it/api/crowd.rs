//! Crowds and loiterers: each costs itself a connection, and no other client an answer.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::harness::{Api, settings};
use crate::support::child_process::ChildProcess;
use crate::support::http_client::{read_answer, try_get};

/// Most connections that the service takes.
const CROWD: usize = 10_000;
/// Opened at a time, so that the queue of those not yet accepted never overflows.
const AT_ONCE: usize = 200;

/// As many connections as fit both here and in the service, whose limit is the same.
fn crowd_that_fits() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    let files = limit.maximum.map_or(usize::MAX, |files| files as usize);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    // Other tests run in this process too.
    let fits = CROWD.min(files - files / 4).min(files.saturating_sub(1000));
    fits / threads * threads
}

/// `GET /livez` on a connection that stays open; true if it was answered.
async fn ask(stream: &mut TcpStream) -> bool {
    let request = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut answer = [0; 2048];
    stream.write_all(request).await.is_ok()
        && stream
            .read(&mut answer)
            .await
            .is_ok_and(|length| length > 0)
        && answer.starts_with(b"HTTP/1.1 200")
}

async fn connected(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    assert!(ask(&mut stream).await, "the first request of a connection");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_connections_are_held_and_answered() {
    let fits = crowd_that_fits();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let settings = [
        (
            "THUMBFORGE_DATABASE_URL",
            format!("sqlite://{}", path("jobs.db")),
        ),
        ("THUMBFORGE_STORAGE_PATH", path("thumbnails")),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value));
    let mut service = ChildProcess::new("all", "all", folder.path(), &settings);
    service.start();
    let (address, second) = (service.address, Duration::from_secs(1));

    let begun = Instant::now();
    let mut crowd = Vec::with_capacity(fits);
    while crowd.len() < fits {
        let missing = (fits - crowd.len()).min(AT_ONCE);
        crowd.extend(join_all((0..missing).map(|_| connected(address))).await);
    }
    let opened = begun.elapsed();
    // All are open still: each is answered once more.
    for part in crowd.chunks_mut(AT_ONCE) {
        let answered = join_all(part.iter_mut().map(ask)).await;
        assert!(answered.iter().all(|answered| *answered));
    }
    println!(
        "{fits} connections: opened in {opened:?}, all answered twice in {:?}",
        begun.elapsed()
    );

    // Another waits at most until some of them have been idle for too long.
    let late = Instant::now();
    let answer = try_get(address, "/livez", 30 * second).unwrap();
    assert_eq!(answer.status, 200);
    println!("one more was answered after {:?}", late.elapsed());
    drop(crowd);
    assert_eq!(try_get(address, "/livez", 30 * second).unwrap().status, 200);
    drop(service);
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_trickle_hold_no_worker() {
    const CLIENTS: usize = 1000;
    let api = Api::on_sqlite(settings()).await;
    let address = api.address;
    let begun = Instant::now();
    let trickling = (0..CLIENTS).map(|_| async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n")
            .await
            .unwrap();
        let (mut reading, mut writing) = stream.into_split();
        let trickle = async {
            // Ends with an error once the server has closed.
            while writing.write_all(b"X: a\r\n").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        let mut answer = Vec::new();
        tokio::select! {
            () = trickle => {}
            _ = reading.read_to_end(&mut answer) => {}
        }
        begun.elapsed()
    });
    let trickling = tokio::spawn(join_all(trickling));
    let mut asked = 0;
    while !trickling.is_finished() {
        let started = Instant::now();
        assert_eq!(api.get("/livez").await.status, 200);
        assert_eq!(api.get("/v1/images").await.status, 200);
        assert!(
            started.elapsed() < Duration::from_secs(2),
            "{:?}",
            started.elapsed()
        );
        asked += 1;
    }
    let held = trickling.await.unwrap().into_iter().max().unwrap();
    assert!(asked > 10, "{asked} others asked meanwhile");
    assert!(
        held < Duration::from_secs(20),
        "a client was held for {held:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_read_nothing_hold_no_worker() {
    let api = Api::on_sqlite(settings()).await;
    let mut deaf = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(api.address).await.unwrap();
        let large = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n";
        stream.write_all(&large.repeat(20)).await.unwrap();
        deaf.push(stream);
    }
    // The first ones wait while the sockets' buffers are filled.
    for _ in 0..20 {
        let started = Instant::now();
        assert_eq!(api.get("/livez").await.status, 200);
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{:?}",
            started.elapsed()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_trickle_hold_no_worker() {
    let api = Api::on_sqlite(settings()).await;
    let head = b"POST /v1/images HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
        Connection: close\r\nContent-Length: 1000\r\n\r\n";
    let mut slow = Vec::new();
    for _ in 0..400 {
        let mut stream = TcpStream::connect(api.address).await.unwrap();
        stream.write_all(head).await.unwrap();
        slow.push(stream);
    }
    for _ in 0..20 {
        let started = Instant::now();
        assert_eq!(
            api.submit("https://images.example.com/a.jpg").await.status,
            202
        );
        assert!(
            started.elapsed() < Duration::from_secs(2),
            "{:?}",
            started.elapsed()
        );
    }
    let started = Instant::now();
    for mut stream in slow {
        assert_eq!(read_answer(&mut stream).await.problem().0, 408);
    }
    assert!(started.elapsed() < Duration::from_secs(15));
}
