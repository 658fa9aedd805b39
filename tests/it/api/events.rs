//! Streams of events, and waits for the end of a job.

use std::time::{Duration, Instant};

use thumbforge::domain::{FailureCode, JobId, Outcome};

use super::harness::{Api, JSON, on_both_databases, settings};
use crate::support::event_stream::{EventStream, ServerEvent};
use crate::support::http_client::request;

const URL: &str = "https://images.example.com/a.jpg";

async fn follow(api: &Api, path: &str) -> EventStream {
    follow_with(api, path, &[]).await
}

async fn follow_with(api: &Api, path: &str, headers: &[(&str, &str)]) -> EventStream {
    let stream = EventStream::open(&format!("http://{}/v1{path}", api.address), headers).await;
    assert_eq!(stream.response.status(), 200, "{path}");
    let header = |name: &str| stream.response.headers()[name].to_str().unwrap();
    assert_eq!(header("content-type"), "text/event-stream");
    assert_eq!(
        (header("cache-control"), header("x-accel-buffering")),
        ("no-store", "no")
    );
    stream
}

async fn fail(api: &Api, id: JobId) {
    let claim = api.claimed(id).await;
    let failed = Outcome::Failed {
        code: FailureCode::CorruptImage,
        message: "broken".to_owned(),
        source_status: Some(200),
        variant: None,
    };
    assert!(api.database.finish(&claim, &failed).await.unwrap());
}

fn word<'a>(event: &'a ServerEvent, pointer: &str) -> &'a str {
    event
        .data
        .pointer(pointer)
        .and_then(|value| value.as_str())
        .unwrap_or_default()
}

on_both_databases! {
    async fn all_events_are_followed_and_resumed(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let early = api.accepted(URL).await;
        api.complete(early, b"jpeg").await;
        let early = follow_until_known(&api, 1).await;
        assert_eq!(early.data["counts"]["completed"], 1);
        let mut stream = follow(&api, "/events").await;
        assert_eq!(stream.next().await.unwrap().name, "snapshot");
        let (one, two) = (api.accepted(URL).await, api.accepted(URL).await);
        api.complete(one, b"jpeg").await;
        let told = stream.next().await.unwrap();
        assert_eq!((told.name.as_str(), told.id.as_str()), ("image.completed", "2"));
        assert_eq!(word(&told, "/type"), "image.completed");
        assert_eq!(told.data["sequence"], 2);
        assert_eq!(word(&told, "/data/id"), one.to_string());
        assert_eq!(word(&told, "/data/result/thumbnail/content_type"), "image/jpeg");
        let mut shown = api.get(&format!("/v1/images/{one}")).await.json();
        shown.as_object_mut().unwrap().remove("attempts_log").unwrap();
        assert_eq!(told.data["data"], shown);
        drop(stream);
        fail(&api, two).await;
        let mut resumed = follow_with(&api, "/events", &[("Last-Event-ID", "2")]).await;
        let told = resumed.next().await.unwrap();
        assert_eq!((told.name.as_str(), word(&told, "/data/error_code")), ("image.failed", "corrupt_image"));
        let mut again = follow(&api, "/events?after=0").await;
        for expected in ["1", "2", "3"] {
            assert_eq!(again.next().await.unwrap().id, expected);
        }
        let mut filtered = follow(&api, "/events?after=0&type=image.failed").await;
        assert_eq!(filtered.next().await.unwrap().id, "3");
    }

    async fn a_job_is_followed_to_its_end(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let id = api.accepted(URL).await;
        let path = format!("/images/{id}/events");
        let mut stream = follow(&api, &path).await;
        let snapshot = stream.next().await.unwrap();
        assert_eq!((snapshot.name.as_str(), word(&snapshot, "/status")), ("snapshot", "pending"));
        fail(&api, api.accepted(URL).await).await;
        fail(&api, id).await;
        let told = stream.next().await.unwrap();
        assert_eq!((told.name.as_str(), word(&told, "/data/id")), ("image.failed", id.to_string().as_str()));
        assert_eq!(stream.next().await.unwrap().name, "end");
        assert_eq!(stream.next().await, None);
        assert!(stream.retry.is_some());
        // A browser comes back, and is told to stay away; unless the job runs again.
        let target = format!("/v1{path}");
        let last = [("Last-Event-ID", stream.last_id.as_str())];
        assert_eq!(api.get_with(&target, &last).await.status, 204);
        let mut ended = follow(&api, &path).await;
        assert_eq!(word(&ended.next().await.unwrap(), "/status"), "failed");
        assert_eq!(ended.next().await.unwrap().name, "end");
        let retry = request(api.address, "POST", &format!("/v1/images/{id}/retry"), &[], b"").await;
        assert_eq!(retry.status, 200);
        let mut again = follow_with(&api, &path, &last).await;
        api.complete(id, b"jpeg").await;
        assert_eq!(again.next().await.unwrap().name, "image.completed");
        assert_eq!(again.next().await.unwrap().name, "end");
    }

    async fn a_batch_is_followed_to_its_end(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let items = serde_json::json!({"items": [{"url": URL}, {"url": URL}]}).to_string();
        let answer = request(api.address, "POST", "/v1/batches", &[JSON], items.as_bytes()).await;
        let batch = answer.json()["id"].as_str().unwrap().to_owned();
        let mut stream = follow(&api, &format!("/batches/{batch}/events")).await;
        assert_eq!(word(&stream.next().await.unwrap(), "/status"), "running");
        let images = api.get(&format!("/v1/batches/{batch}/images")).await.json();
        for item in images["items"].as_array().unwrap() {
            fail(&api, item["job"]["id"].as_str().unwrap().parse().unwrap()).await;
            assert_eq!(stream.next().await.unwrap().name, "image.failed");
        }
        let told = stream.next().await.unwrap();
        assert_eq!((told.name.as_str(), word(&told, "/data/status")), ("batch.finished", "failed"));
        assert_eq!(stream.next().await.unwrap().name, "end");
        assert_eq!(stream.next().await, None);
    }

    async fn what_was_missed_for_good_is_said(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        for _ in 0..2 {
            fail(&api, api.accepted(URL).await).await;
        }
        follow_until_known(&api, 2).await;
        // It is not older than now at once.
        while api.database.fold_flow().await.unwrap() > 0 {}
        while api.database.delete_old_events(Duration::ZERO, 1).await.unwrap() == 0 {}
        for (after, is_missed) in [(0, true), (1, false), (7, true)] {
            let mut stream = follow(&api, &format!("/events?after={after}")).await;
            let first = stream.next().await.unwrap();
            if is_missed {
                assert_eq!((first.name.as_str(), first.id.as_str()), ("reset", "2"), "{after}");
                let snapshot = stream.next().await.unwrap();
                assert_eq!(snapshot.data["sequence"], 2);
            } else {
                assert_eq!((first.name.as_str(), first.id.as_str()), ("image.failed", "2"));
            }
        }
    }

    async fn a_client_waits_for_the_end_of_its_job(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let id = api.accepted(URL).await;
        let target = format!("/v1/images/{id}?wait=30");
        let waiting = api.get(&target);
        let ending = async {
            // Others' ends do not wake it.
            fail(&api, api.accepted(URL).await).await;
            api.complete(id, b"jpeg").await;
        };
        let (answer, ()) = tokio::join!(waiting, ending);
        assert_eq!((answer.status, answer.json()["status"].as_str()), (200, Some("completed")));
        let waits = api.accepted(URL).await;
        let began = Instant::now();
        let answer = api.get(&format!("/v1/images/{waits}?wait=1")).await;
        assert_eq!(answer.json()["status"], "pending");
        assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
        let refused = api.get(&format!("/v1/images/{waits}?wait=31")).await;
        assert_eq!(refused.problem(), (422, "invalid_query".to_owned()));
    }

    async fn a_submission_waits_if_it_is_preferred(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let body = serde_json::json!({ "url": URL }).to_string();
        let headers = [JSON, ("Prefer", "respond-async, wait=30")];
        let submitting = request(api.address, "POST", "/v1/images", &headers, body.as_bytes());
        let ending = async {
            loop {
                let list = api.get("/v1/images").await.json();
                if let Some(id) = list["items"][0]["id"].as_str() {
                    return api.complete(id.parse().unwrap(), b"jpeg").await;
                }
                tokio::task::yield_now().await;
            }
        };
        let (answer, ()) = tokio::join!(submitting, ending);
        assert_eq!((answer.status, answer.json()["status"].as_str()), (200, Some("completed")));
        assert_eq!(answer.header("preference-applied"), Some("wait=30"));
        assert!(answer.header("location").is_some());
        let headers = [JSON, ("Prefer", "wait=1")];
        let late = request(api.address, "POST", "/v1/images", &headers, body.as_bytes()).await;
        assert_eq!((late.status, late.header("preference-applied")), (202, None));
        let headers = [JSON, ("Prefer", "wait=30"), ("Idempotency-Key", "once")];
        let kept = request(api.address, "POST", "/v1/images", &headers, body.as_bytes()).await;
        assert_eq!(kept.status, 202, "an answer that is kept is not waited for");
    }
}

/// A snapshot in which so many events are known.
async fn follow_until_known(api: &Api, newest: u64) -> ServerEvent {
    loop {
        let snapshot = follow(api, "/events").await.next().await.unwrap();
        if snapshot.data["sequence"] == newest {
            return snapshot;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_ends_streams_and_waits_at_once() {
    let mut api = Api::on_sqlite(settings()).await;
    let id = api.accepted(URL).await;
    let mut stream = follow(&api, "/events").await;
    assert_eq!(stream.next().await.unwrap().name, "snapshot");
    let began = Instant::now();
    let target = format!("/v1/images/{id}?wait=30");
    let address = api.address;
    let waiting = tokio::spawn(async move { request(address, "GET", &target, &[], b"").await });
    let mut other = follow(&api, &format!("/images/{id}/events")).await;
    assert_eq!(other.next().await.unwrap().name, "snapshot");
    api.begin_shutdown();
    assert_eq!(stream.next().await, None);
    assert!(stream.retry.unwrap() >= 3000);
    assert_eq!(other.next().await, None);
    // It may have come too late.
    if let Ok(answer) = waiting.await {
        assert_eq!(answer.json()["status"], "pending");
    }
    api.ended().await;
    assert!(
        began.elapsed() < Duration::from_secs(9),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_what_is_not_there_are_refused() {
    let api = Api::on_sqlite(settings()).await;
    let nobody = uuid::Uuid::now_v7();
    for (target, expected) in [
        (
            format!("/v1/images/{nobody}/events"),
            (404, "job_not_found"),
        ),
        (
            format!("/v1/batches/{nobody}/events"),
            (404, "batch_not_found"),
        ),
        ("/v1/images/x/events".to_owned(), (422, "invalid_job_id")),
        ("/v1/events?after=-1".to_owned(), (422, "invalid_query")),
        (
            "/v1/events?type=image.deleted".to_owned(),
            (422, "invalid_query"),
        ),
        (
            format!("/v1/images/{nobody}/events?tag=a"),
            (422, "invalid_query"),
        ),
    ] {
        let (status, code) = api.get(&target).await.problem();
        assert_eq!((status, code.as_str()), expected, "{target}");
    }
    let head = request(api.address, "HEAD", "/v1/events", &[], b"").await;
    assert_eq!(
        (head.status, head.header("content-type")),
        (200, Some("text/event-stream"))
    );
}
