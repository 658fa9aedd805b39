//! Many submissions in one request.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use thumbforge::domain::{DuplicateHandling, JobFilter};
use thumbforge::http::{ApiSettings, Pace};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::harness::{Api, JSON, on_both_databases, settings};
use crate::support::deadline::eventually;
use crate::support::http_client::{Answer, read_answer, request};

const NDJSON: (&str, &str) = ("Content-Type", "application/x-ndjson");
const SOON: Duration = Duration::from_secs(10);

fn item(n: usize) -> Value {
    json!({"url": format!("https://images{}.example.com/{n}.jpg", n % 7)})
}

async fn batch(api: &Api, body: &Value) -> Answer {
    let body = body.to_string();
    request(api.address, "POST", "/v1/batches", &[JSON], body.as_bytes()).await
}

async fn lines(api: &Api, body: &str) -> Answer {
    request(
        api.address,
        "POST",
        "/v1/batches",
        &[NDJSON],
        body.as_bytes(),
    )
    .await
}

async fn stored_jobs(api: &Api) -> u64 {
    api.database
        .total_of(&JobFilter::default())
        .await
        .unwrap()
        .total
}

/// A request whose body is sent bit by bit.
async fn begun(address: SocketAddr, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/batches HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn send(stream: &mut TcpStream, text: &str) {
    let chunk = format!("{:x}\r\n{text}\r\n", text.len());
    stream.write_all(chunk.as_bytes()).await.unwrap();
}

on_both_databases! {
    async fn a_batch_is_accepted_shown_and_announced(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let body = json!({
            "items": [item(0), {"url": "https://a.example/", "priority": 1}],
            "defaults": {"priority": 8, "tags": ["x"]},
            "metadata": {"album": 7},
        });
        let answer = batch(&api, &body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let shown = answer.json();
        let path = answer.header("location").unwrap();
        assert_eq!(path, format!("/v1/batches/{}", shown["id"].as_str().unwrap()));
        assert_eq!(shown["status"], "running");
        assert_eq!(shown["counts"], json!({
            "total": 2, "pending": 2, "processing": 0, "completed": 0, "failed": 0,
            "cancelled": 0, "deleted": 0, "rejected": 0, "reused": 0,
        }));
        assert_eq!(shown["metadata"], json!({"album": 7}));
        assert_eq!((&shown["errors"], &shown["incomplete"]), (&json!([]), &json!(false)));
        assert_eq!(api.get(path).await.json(), shown);
        assert_eq!(api.get("/v1/batches?limit=1").await.json()["items"], json!([shown]));
        let images = api.get(&format!("{path}/images")).await.json();
        let images = images["items"].as_array().unwrap();
        assert_eq!(images.len(), 2);
        for image in images {
            let expected = [8, 1][image["index"].as_u64().unwrap() as usize];
            assert_eq!(image["job"]["priority"], expected);
            assert_eq!(image["job"]["tags"], json!(["x"]));
            assert_eq!((&image["job"]["batch_id"], &image["reused"]), (&shown["id"], &json!(false)));
        }
        let mut announced = Vec::new();
        while announced.len() < 2 {
            announced.extend(api.queue.pop(10, SOON).await.unwrap());
        }
        assert_eq!(announced.len(), 2);
    }

    async fn bad_items_are_refused_by_their_places(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let long = format!("https://a.example/{}", "a".repeat(70_000));
        let items = json!([
            item(0), {"url": "ftp://a.example/"}, {}, 7, {"url": "https://forbidden.example/"},
            {"url": "https://a.example/", "priority": 10}, {"url": long}, item(1),
            {"url": "https://a.example/", "preset": "none"},
        ]);
        let shown = batch(&api, &json!({"items": items})).await.json();
        assert_eq!((&shown["counts"]["pending"], &shown["counts"]["rejected"]), (&json!(2), &json!(7)));
        let errors: Vec<_> = shown["errors"].as_array().unwrap().iter().map(|error| (
            error["index"].as_u64().unwrap(),
            error["code"].as_str().unwrap(),
            error["pointer"].as_str(),
        )).collect();
        assert_eq!(errors, [
            (1, "invalid_url", Some("#/url")),
            (2, "invalid_body", Some("#/url")),
            (3, "invalid_body", Some("#")),
            (4, "forbidden_source", Some("#/url")),
            (5, "invalid_body", Some("#/priority")),
            (6, "body_too_large", None),
            (8, "invalid_body", Some("#/preset")),
        ]);
        assert_eq!(shown["errors"][1]["detail"], "is required");
        let path = format!("/v1/batches/{}", shown["id"].as_str().unwrap());
        assert_eq!(api.get(&path).await.json(), shown);
        let all_bad: Vec<Value> = (0..150).map(|_| json!({"url": "no"})).collect();
        let answer = batch(&api, &json!({"items": all_bad})).await;
        assert_eq!(answer.status, 202);
        let shown = answer.json();
        assert_eq!((&shown["status"], &shown["counts"]["rejected"]), (&json!("failed"), &json!(150)));
        assert_eq!(shown["errors"].as_array().unwrap().len(), 100);
        assert!(shown["finished_at"].is_string());
    }

    async fn what_is_no_batch_is_refused_and_nothing_stored(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let many: Vec<Value> = (0..1001).map(item).collect();
        for (body, pointers) in [
            (json!([]), vec!["#"]),
            (json!({}), vec!["#/items"]),
            (json!({"items": []}), vec!["#/items"]),
            (json!({"items": many}), vec!["#/items"]),
            (json!({"items": [item(0)], "more": 1}), vec!["#/more"]),
            (json!({"items": [item(0)], "defaults": {"url": "https://a.example/"}}), vec!["#/defaults/url"]),
            (json!({"items": [item(0)], "defaults": {"priority": 10}, "metadata": 7}),
                vec!["#/defaults/priority", "#/metadata"]),
        ] {
            let answer = batch(&api, &body).await;
            assert_eq!(answer.problem(), (422, "invalid_body".to_owned()));
            let errors = answer.json()["errors"].as_array().unwrap().clone();
            let found: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
            assert_eq!(found, pointers);
        }
        for (body, expected) in [("", "malformed_json"), ("{\"items\": [", "malformed_json")] {
            let answer = request(api.address, "POST", "/v1/batches", &[JSON], body.as_bytes()).await;
            assert_eq!(answer.problem(), (400, expected.to_owned()));
        }
        assert_eq!(lines(&api, "").await.problem(), (422, "invalid_body".to_owned()));
        assert_eq!(lines(&api, "\n \r\n\n").await.problem(), (422, "invalid_body".to_owned()));
        let text = [("Content-Type", "text/plain")];
        let answer = request(api.address, "POST", "/v1/batches", &text, b"{}").await;
        assert_eq!(answer.problem(), (415, "unsupported_media_type".to_owned()));
        let head = format!(
            "POST /v1/batches HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: 8388609\r\n\r\n", api.address
        );
        let answer = crate::support::http_client::raw(api.address, head.as_bytes()).await;
        assert_eq!(answer.problem(), (413, "body_too_large".to_owned()));
        assert_eq!(api.get("/v1/batches").await.json()["items"], json!([]));
        assert_eq!(stored_jobs(&api).await, 0);
    }

    async fn unknown_batches_and_bad_ids_are_told_apart(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let unknown = uuid::Uuid::now_v7();
        for (method, rest) in [("GET", ""), ("GET", "/images"), ("POST", "/cancel"), ("POST", "/retry")] {
            for (id, expected) in [
                (unknown.to_string(), (404, "batch_not_found".to_owned())),
                ("7".to_owned(), (422, "invalid_batch_id".to_owned())),
            ] {
                let target = format!("/v1/batches/{id}{rest}");
                let answer = request(api.address, method, &target, &[], b"").await;
                assert_eq!(answer.problem(), expected, "{method} {target}");
            }
        }
        for query in ["status=pending", "offset=1", "limit=0", "cursor=x"] {
            let answer = api.get(&format!("/v1/batches?{query}")).await;
            assert_eq!(answer.problem(), (422, "invalid_query".to_owned()), "{query}");
        }
    }

    async fn lines_are_accepted_while_they_come(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let mut body = String::from("\n");
        for n in 0..1203 {
            body += &format!("{}\r\n", if n == 700 { json!({"url": 7}) } else { item(n) });
            body += if n % 100 == 0 { "  \n" } else { "" };
        }
        body += "{\"url\": \"https://a.example/";
        let answer = lines(&api, &body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let shown = answer.json();
        assert_eq!((&shown["status"], &shown["incomplete"]), (&json!("running"), &json!(false)));
        let counts = &shown["counts"];
        assert_eq!((&counts["total"], &counts["pending"], &counts["rejected"]), (&json!(1204), &json!(1202), &json!(2)));
        let places: Vec<_> = shown["errors"].as_array().unwrap().iter()
            .map(|error| (error["index"].as_u64().unwrap(), error["code"].as_str().unwrap()))
            .collect();
        assert_eq!(places, [(700, "invalid_body"), (1203, "malformed_json")]);
        assert_eq!(stored_jobs(&api).await, 1202);
        assert_eq!(api.queue.backlog().await.unwrap(), 1202);
    }

    async fn a_broken_stream_keeps_what_came(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let mut stream = begun(api.address, "").await;
        let text: String = (0..600).map(|n| format!("{}\n", item(n))).collect();
        send(&mut stream, &text).await;
        eventually("the first slice is stored", SOON, async || stored_jobs(&api).await >= 500).await;
        send(&mut stream, "{\"url\": \"https://half.example/\"}").await;
        drop(stream);
        let mut shown = Value::Null;
        eventually("the acceptance ends", SOON, async || {
            shown = api.get("/v1/batches").await.json()["items"][0].clone();
            shown["status"] != "accepting"
        }).await;
        assert_eq!((&shown["status"], &shown["incomplete"]), (&json!("running"), &json!(true)));
        let pending = shown["counts"]["pending"].as_u64().unwrap();
        assert!(pending == 500 || pending == 600, "{shown}");
        assert_eq!(stored_jobs(&api).await, pending);
    }

    async fn a_slow_stream_is_stored_as_it_comes_and_can_be_cancelled(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let mut stream = begun(api.address, "").await;
        send(&mut stream, &format!("{}\n", item(0))).await;
        let mut path = String::new();
        eventually("the line is stored", SOON, async || {
            let listed = api.get("/v1/batches").await.json();
            let Some(id) = listed["items"][0]["id"].as_str() else { return false };
            path = format!("/v1/batches/{id}");
            true
        }).await;
        assert_eq!(api.get(&path).await.json()["status"], "accepting");
        let cancelled = request(api.address, "POST", &format!("{path}/cancel"), &[], b"").await;
        assert_eq!(cancelled.status, 200);
        assert_eq!(cancelled.json()["status"], "cancelled");
        send(&mut stream, &format!("{}\n", item(1))).await;
        stream.write_all(b"0\r\n\r\n").await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let shown = answer.json();
        assert_eq!((&shown["status"], &shown["incomplete"]), (&json!("cancelled"), &json!(true)));
        assert_eq!(shown["counts"]["total"], 1);
        let retried = request(api.address, "POST", &format!("{path}/retry"), &[], b"").await;
        assert_eq!((retried.status, &retried.json()["status"]), (200, &json!("running")));
        assert_eq!(retried.json()["counts"]["pending"], 1);
    }

    async fn no_more_jobs_are_accepted_than_may_be_pending(fixture: &Fixture) {
        let api = Api::start_with(fixture, ApiSettings { max_pending: Some(5), ..settings() }).await;
        let items = |from: usize, count: usize| json!({"items": (from..from + count).map(item).collect::<Vec<_>>()});
        assert_eq!(batch(&api, &items(0, 6)).await.problem(), (429, "too_many_pending".to_owned()));
        assert_eq!(stored_jobs(&api).await, 0);
        assert_eq!(batch(&api, &items(0, 3)).await.status, 202);
        assert_eq!(batch(&api, &items(3, 3)).await.problem(), (429, "too_many_pending".to_owned()));
        let text: String = (3..7).map(|n| format!("{}\n", item(n))).collect();
        let shown = lines(&api, &text).await.json();
        assert_eq!((&shown["counts"]["pending"], &shown["counts"]["rejected"]), (&json!(2), &json!(2)));
        let codes: Vec<_> = shown["errors"].as_array().unwrap().iter()
            .map(|error| (error["index"].as_u64().unwrap(), error["code"].as_str().unwrap()))
            .collect();
        assert_eq!(codes, [(2, "too_many_pending"), (3, "too_many_pending")]);
        assert_eq!(stored_jobs(&api).await, 5);
        assert_eq!(api.submit("https://a.example/").await.problem().0, 429);
    }

    async fn policies_hold_in_batches(fixture: &Fixture) {
        let handling = DuplicateHandling::RejectActive;
        let api = Api::start_with(fixture, ApiSettings { duplicate_handling: handling, ..settings() }).await;
        let busy = api.accepted("https://busy.example/").await;
        let body = json!({"items": [
            {"url": "https://busy.example/"},
            {"url": "https://busy.example/", "duplicate": "allow-retry"},
            {"url": "https://free.example/"},
        ]});
        let shown = batch(&api, &body).await.json();
        assert_eq!((&shown["counts"]["pending"], &shown["counts"]["rejected"]), (&json!(2), &json!(1)));
        let error = &shown["errors"][0];
        assert_eq!((&error["index"], &error["code"]), (&json!(0), &json!("duplicate_active")));
        assert_eq!(error["job_id"], busy.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_belongs_to_the_key_that_submitted_it() {
    let hashes = [
        "one:ea77193cc4e6f18656f3130e296203880c4b9b3772afc855211b82fdd46e9185",
        "two:cebdf378f2d2bd60d3e3693349e8f20f329daf11a276f849996f0a6377e2155b",
    ];
    let keys = thumbforge::http::ApiKeys::parse(&hashes.join("\n")).unwrap();
    let api = Api::on_sqlite(ApiSettings {
        api_keys: keys.into(),
        ..settings()
    })
    .await;
    let as_key = async |key: &str, method: &str, target: &str, body: &str| {
        let bearer = format!("Bearer {key}");
        let headers = [("Authorization", bearer.as_str()), JSON];
        request(api.address, method, target, &headers, body.as_bytes()).await
    };
    let body = json!({"items": [item(0)]}).to_string();
    let made = as_key("secret-one", "POST", "/v1/batches", &body).await;
    assert_eq!(
        (made.status, &made.json()["submitted_by"]),
        (202, &json!("one"))
    );
    let path = made.header("location").unwrap();
    let images = as_key("secret-two", "GET", &format!("{path}/images"), "").await;
    assert_eq!(images.json()["items"][0]["job"]["submitted_by"], "one");
    for change in ["cancel", "retry"] {
        let target = format!("{path}/{change}");
        let foreign = as_key("secret-two", "POST", &target, "").await;
        assert_eq!(foreign.problem(), (403, "forbidden".to_owned()));
        assert_eq!(as_key("secret-one", "POST", &target, "").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_makes_progress_may_be_longer_than_other_requests() {
    let pace = Pace {
        max_unanswered_bytes: 3 << 20,
        ..Pace::default()
    };
    let api = Api::on_sqlite(ApiSettings { pace, ..settings() }).await;
    let line = format!("{{\"url\": \"https://a.example/{}\"}}\n", "a".repeat(1000));
    let answer = lines(&api, &line.repeat(8000)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.json()["counts"]["pending"], 8000);
    let mut stream = begun(api.address, "").await;
    let rubbish = format!("{}\n", "a".repeat(1000)).repeat(1000);
    while stream
        .write_all(format!("{:x}\r\n{rubbish}\r\n", rubbish.len()).as_bytes())
        .await
        .is_ok()
    {}
    eventually("the acceptance ends", SOON, async || {
        let batch = api.get("/v1/batches").await.json()["items"][0].clone();
        batch["status"] == "failed" && batch["incomplete"] == true
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_lines_are_accepted_in_bounded_memory() {
    let api = Api::on_sqlite(settings()).await;
    let mut stream = begun(api.address, "").await;
    let (before, lines) = (resident_bytes(), 100_000);
    let mut peak = 0;
    for from in (0..lines).step_by(1000) {
        let text: String = (from..from + 1000)
            .map(|n| format!("{}\n", item(n)))
            .collect();
        send(&mut stream, &text).await;
        peak = peak.max(resident_bytes());
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let answer = read_answer(&mut stream).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let shown = answer.json();
    assert_eq!(shown["counts"]["pending"], lines);
    let grown = peak.saturating_sub(before);
    // The queue of this process holds the ids: 16 bytes each. Other tests run beside this one.
    assert!(grown < 400 << 20, "{grown} bytes");
    let path = format!("/v1/batches/{}", shown["id"].as_str().unwrap());
    assert_eq!(api.get(&path).await.json(), shown);
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}
