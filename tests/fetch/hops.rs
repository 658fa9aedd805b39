//! What a caller is asked, and what is reported to it, of each origin that a download visits.

use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::BoxFuture;
use thumbforge::domain::Origin as Place;
use thumbforge::fetch::{FetchSettings, Fetcher, HopReport, Hops, Stopped};

use crate::client::{settings, url};
use crate::origin::{Origin, ok};
use crate::resolver::ScriptedResolver;

/// Notes everything, and lets no hop be made to `parked`.
#[derive(Default)]
struct Notes {
    parked: Option<Place>,
    asked: Mutex<Vec<Place>>,
    told: Mutex<Vec<(Place, String)>>,
}

impl Hops for Notes {
    fn may_visit<'a>(&'a self, origin: &'a Place) -> BoxFuture<'a, bool> {
        self.asked.lock().unwrap().push(origin.clone());
        Box::pin(async move { self.parked.as_ref() != Some(origin) })
    }

    fn report(&self, origin: &Place, report: HopReport) {
        let text = match report {
            HopReport::Answered {
                status,
                retry_after,
                after,
            } => {
                assert!(after < Duration::from_secs(5));
                match retry_after {
                    Some(delay) => format!("{status} after {}", delay.as_secs()),
                    None => status.to_string(),
                }
            }
            HopReport::Failed => "failed".to_owned(),
        };
        self.told.lock().unwrap().push((origin.clone(), text));
    }
}

impl Notes {
    fn told(&self) -> Vec<String> {
        let told = self.told.lock().unwrap();
        told.iter().map(|(_, text)| text.clone()).collect()
    }
}

fn place(origin: &Origin) -> Place {
    origin.url("").parse().unwrap()
}

fn quick() -> FetchSettings {
    FetchSettings {
        head_timeout: Duration::from_millis(200),
        idle_timeout: Duration::from_millis(200),
        connect_timeout: Duration::from_millis(500),
        ..settings()
    }
}

async fn told_of(answer: &str) -> Vec<String> {
    let origin = Origin::closing_after(answer).await;
    let notes = Notes::default();
    let fetcher = Fetcher::new(quick()).unwrap();
    let _ = fetcher.fetch(&url(&origin.url("/")), &notes).await;
    assert_eq!(*notes.asked.lock().unwrap(), [place(&origin)]);
    notes.told()
}

#[tokio::test]
async fn every_hop_is_asked_for_and_told_of() {
    let target = Origin::answering(ok("abc")).await;
    let to = format!(
        "HTTP/1.1 302 x\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
        target.url("/")
    );
    let first = Origin::answering(to).await;
    let notes = Notes::default();
    let fetcher = Fetcher::new(settings()).unwrap();
    fetcher.fetch(&url(&first.url("/")), &notes).await.unwrap();
    let places = [place(&first), place(&target)];
    assert_eq!(*notes.asked.lock().unwrap(), places);
    let [first, target] = places;
    let told = [(first, "302".to_owned()), (target, "200".to_owned())];
    assert_eq!(*notes.told.lock().unwrap(), told);
}

#[tokio::test]
async fn a_hop_that_may_not_be_made_stops_the_download() {
    let target = Origin::answering(ok("abc")).await;
    let to = format!("HTTP/1.1 302 x\r\nLocation: {}\r\n\r\n", target.url("/"));
    let first = Origin::closing_after(to).await;
    let fetcher = Fetcher::new(settings()).unwrap();
    for parked in [&first, &target] {
        let notes = Notes {
            parked: Some(place(parked)),
            ..Notes::default()
        };
        let stopped = fetcher
            .fetch(&url(&first.url("/")), &notes)
            .await
            .unwrap_err();
        assert!(matches!(stopped, Stopped::Parked { origin, .. } if origin == place(parked)));
    }
    assert_eq!(first.connections(), 1);
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn answers_are_told_with_status_and_patience() {
    assert_eq!(told_of("HTTP/1.1 404 x\r\n\r\n").await, ["404"]);
    let patience = "HTTP/1.1 429 x\r\nRetry-After: 7\r\n\r\n";
    assert_eq!(told_of(patience).await, ["429 after 7"]);
    // Our own limits are not failures of the origin.
    let large = "HTTP/1.1 200 x\r\nContent-Length: 999999999\r\n\r\n";
    assert_eq!(told_of(large).await, ["200"]);
    let coded = "HTTP/1.1 200 x\r\nContent-Encoding: zstd\r\n\r\nabc";
    assert_eq!(told_of(coded).await, ["200"]);
}

#[tokio::test]
async fn no_answer_and_half_of_one_are_failures() {
    assert_eq!(told_of("").await, ["failed"]);
    assert_eq!(told_of("HTTP/1.1 200").await, ["failed"]);
    assert_eq!(told_of("SSH-2.0-OpenSSH_9.6\r\n").await, ["failed"]);
    let half = "HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\nabc";
    assert_eq!(told_of(half).await, ["200", "failed"]);

    let silent = Origin::on([127, 0, 0, 1], |mut visitor| async move {
        visitor.request().await;
        visitor.client_closes().await;
    });
    let stalling = Origin::on([127, 0, 0, 1], |mut visitor| async move {
        visitor.request().await;
        visitor
            .send("HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\nabc")
            .await;
        visitor.client_closes().await;
    });
    for (origin, expected) in [
        (silent.await, &["failed"][..]),
        (stalling.await, &["200", "failed"]),
    ] {
        let notes = Notes::default();
        let fetcher = Fetcher::new(quick()).unwrap();
        let _ = fetcher.fetch(&url(&origin.url("/")), &notes).await;
        assert_eq!(notes.told(), expected);
    }
}

#[tokio::test]
async fn names_and_addresses_are_no_failure_of_an_origin() {
    let (fetcher, _) = ScriptedResolver::default()
        .with("private.example", &[&[[10, 0, 0, 1].into()]])
        .fetcher(quick());
    let notes = Notes::default();
    for target in ["http://private.example/", "http://10.0.0.1/"] {
        let stopped = fetcher.fetch(&url(target), &notes).await.unwrap_err();
        assert!(matches!(stopped, Stopped::Failed(_)), "{stopped:?}");
    }
    assert_eq!(notes.told(), [""; 0]);
}

#[tokio::test]
async fn refused_connections_are_failures() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let notes = Notes::default();
    let fetcher = Fetcher::new(quick()).unwrap();
    let _ = fetcher
        .fetch(&url(&format!("http://{address}/")), &notes)
        .await;
    assert_eq!(notes.told(), ["failed"]);
}
