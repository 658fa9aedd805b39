//! `Idempotency-Key`: requests that are sent again.

use std::collections::HashSet;

use futures_util::future::join_all;
use serde_json::json;
use thumbforge::domain::JobFilter;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::harness::{Api, JSON, on_both_databases, settings};
use crate::support::http_client::{Answer, read_answer, request};

const NDJSON: (&str, &str) = ("Content-Type", "application/x-ndjson");

async fn keyed(api: &Api, target: &str, kind: (&str, &str), key: &str, body: &str) -> Answer {
    let headers = [kind, ("Idempotency-Key", key)];
    request(api.address, "POST", target, &headers, body.as_bytes()).await
}

fn assert_replays(first: &Answer, again: &Answer) {
    assert_eq!(
        (first.status, first.header("idempotent-replayed")),
        (202, None),
        "{first:?}"
    );
    assert_eq!(
        (again.status, again.header("idempotent-replayed")),
        (202, Some("true")),
        "{again:?}"
    );
    assert_eq!(first.body, again.body);
    for name in ["location", "content-type", "thumbforge-duplicate"] {
        assert_eq!(first.header(name), again.header(name), "{name}");
    }
}

async fn stored_jobs(api: &Api) -> u64 {
    api.database
        .total_of(&JobFilter::default())
        .await
        .unwrap()
        .total
}

on_both_databases! {
    async fn the_same_request_gets_the_first_answer_again(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let image = "{\"url\": \"https://a.example/\"}";
        let batch = "{\"items\": [{\"url\": \"https://a.example/\"}, {}]}";
        let lines = "{\"url\": \"https://a.example/\"}\n{}\n";
        for (target, kind, body) in [
            ("/v1/images", JSON, image),
            ("/v1/batches", JSON, batch),
            ("/v1/batches", NDJSON, lines),
        ] {
            let key = format!("\"{}\"", body.len());
            let before = stored_jobs(&api).await;
            let first = keyed(&api, target, kind, &key, body).await;
            assert_replays(&first, &keyed(&api, target, kind, &key, body).await);
            let other = keyed(&api, target, kind, &key, &format!("{body} \n{body}")).await;
            assert_eq!(other.problem(), (422, "idempotency_key_reused".to_owned()), "{target}");
            assert_eq!(stored_jobs(&api).await, before + 1);
            // What is gone is answered as well.
            let filter = JobFilter::default();
            let jobs = api.database.list(&filter, 9, 0, None).await.unwrap().jobs;
            let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
            api.database.delete(&ids).await.unwrap();
            assert_replays(&first, &keyed(&api, target, kind, &key, body).await);
            assert_eq!(stored_jobs(&api).await, 0);
        }
        // A key belongs to its route.
        let first = keyed(&api, "/v1/images", JSON, "shared", image).await;
        let other = keyed(&api, "/v1/batches", JSON, "shared", batch).await;
        assert_eq!((first.status, other.status), (202, 202));
        assert_eq!(other.header("idempotent-replayed"), None);
    }

    async fn a_refused_request_leaves_its_key_free(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let refused = keyed(&api, "/v1/images", JSON, "k", "{\"url\": \"no\"}").await;
        assert_eq!(refused.status, 422);
        let active = "{\"url\": \"https://a.example/\", \"duplicate\": \"reject-active\"}";
        assert_eq!(keyed(&api, "/v1/images", JSON, "k", active).await.status, 202);
        for _ in 0..2 {
            let collided = keyed(&api, "/v1/images", JSON, "l", active).await;
            assert_eq!(collided.problem(), (409, "duplicate_active".to_owned()));
        }
        assert_eq!(keyed(&api, "/v1/batches", NDJSON, "m", "\n").await.status, 422);
        let lines = keyed(&api, "/v1/batches", NDJSON, "m", "{\"url\": \"https://b.example/\"}").await;
        assert_eq!((lines.status, lines.header("idempotent-replayed")), (202, None));
    }

    async fn a_stream_under_way_holds_its_key(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let line = "{\"url\": \"https://a.example/\"}\n";
        let mut stream = TcpStream::connect(api.address).await.unwrap();
        let head = format!(
            "POST /v1/batches HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nIdempotency-Key: k\r\n\
             Content-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n{line}",
            api.address, line.len() * 2
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        crate::support::deadline::eventually("a line is stored", std::time::Duration::from_secs(10),
            async || stored_jobs(&api).await == 1).await;
        let again = keyed(&api, "/v1/batches", NDJSON, "k", &line.repeat(2)).await;
        assert_eq!(again.problem(), (409, "idempotency_key_in_use".to_owned()));
        assert!(again.header("retry-after").is_some());
        stream.write_all(line.as_bytes()).await.unwrap();
        let first = read_answer(&mut stream).await;
        assert_replays(&first, &keyed(&api, "/v1/batches", NDJSON, "k", &line.repeat(2)).await);
        assert_eq!(stored_jobs(&api).await, 2);
    }

    async fn a_broken_stream_is_answered_with_its_batch(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let line = "{\"url\": \"https://a.example/\"}\n";
        let mut stream = TcpStream::connect(api.address).await.unwrap();
        let head = format!(
            "POST /v1/batches HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nIdempotency-Key: k\r\n\
             Content-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n{line}",
            api.address, line.len() * 2
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        crate::support::deadline::eventually("a line is stored", std::time::Duration::from_secs(10),
            async || stored_jobs(&api).await == 1).await;
        drop(stream);
        let mut again = keyed(&api, "/v1/batches", NDJSON, "k", &line.repeat(2)).await;
        crate::support::deadline::eventually("the stream ends", std::time::Duration::from_secs(10), async || {
            again = keyed(&api, "/v1/batches", NDJSON, "k", &line.repeat(2)).await;
            again.status == 202
        }).await;
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.json()["incomplete"], json!(true));
        assert_eq!(stored_jobs(&api).await, 1);
    }

    async fn of_many_requests_with_one_key_one_is_done(fixture: &Fixture) {
        let apis = [Api::start(fixture).await, Api::start(fixture).await];
        for (target, body) in [
            ("/v1/images", "{\"url\": \"https://a.example/\"}"),
            ("/v1/batches", "{\"items\": [{\"url\": \"https://a.example/\"}]}"),
        ] {
            let before = stored_jobs(&apis[0]).await;
            let requests = (0..64).map(|n| keyed(&apis[n % 2], target, JSON, "k", body));
            let answers = join_all(requests).await;
            let (mut plain, mut replayed) = (0, 0);
            let mut bodies = HashSet::new();
            for answer in answers {
                match (answer.status, answer.header("idempotent-replayed")) {
                    (202, None) => plain += 1,
                    (202, Some("true")) => replayed += 1,
                    (409, _) => {
                        assert_eq!(answer.problem().1, "idempotency_key_in_use");
                        continue;
                    }
                    _ => panic!("{answer:?}"),
                }
                bodies.insert(answer.body);
            }
            assert_eq!((plain, bodies.len()), (1, 1), "{replayed} replayed");
            assert!(replayed > 0);
            assert_eq!(stored_jobs(&apis[0]).await, before + 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_visible_ascii_and_given_once() {
    let api = Api::on_sqlite(settings()).await;
    let body = b"{\"url\": \"https://a.example/\"}";
    let long = "k".repeat(256);
    for headers in [
        vec![("Idempotency-Key", "")],
        vec![("Idempotency-Key", "a b")],
        vec![("Idempotency-Key", "\u{e4}")],
        vec![("Idempotency-Key", long.as_str())],
        vec![("Idempotency-Key", "a"), ("Idempotency-Key", "a")],
    ] {
        for target in ["/v1/images", "/v1/batches"] {
            let headers = [&[JSON], &headers[..]].concat();
            let answer = request(api.address, "POST", target, &headers, body).await;
            assert_eq!(
                answer.problem(),
                (400, "bad_request".to_owned()),
                "{headers:?}"
            );
        }
    }
    assert_eq!(stored_jobs(&api).await, 0);
    let longest = "k".repeat(255);
    assert_eq!(
        keyed(
            &api,
            "/v1/images",
            JSON,
            &longest,
            "{\"url\": \"https://a.example/\"}"
        )
        .await
        .status,
        202
    );
}
