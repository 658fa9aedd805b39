//! `POST /v1/images`

use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use thumbforge::db::{Database, Target};
use thumbforge::domain::{DuplicateHandling, JobFilter, Timestamp};
use thumbforge::http::ApiSettings;
use thumbforge::queue::{MemoryQueue, Queue};

use super::harness::{Api, JSON, on_both_databases, settings};
use crate::support::http_client::{raw, request};

const URL: &str = "https://images.example.com/harbour.jpg";

fn with_policy(duplicate_handling: DuplicateHandling) -> ApiSettings {
    ApiSettings {
        duplicate_handling,
        ..settings()
    }
}

/// The job as it is shown alone, without the log of attempts, which only that has.
async fn shown(api: &Api, id: &str) -> serde_json::Value {
    let mut job = api.get(&format!("/v1/images/{id}")).await.json();
    let log = job.as_object_mut().unwrap().remove("attempts_log");
    assert_eq!(log, Some(serde_json::json!([])));
    job
}

on_both_databases! {
    async fn an_accepted_job_is_stored_announced_and_found(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let answer = api.submit(&format!("{URL}#fragment")).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let job = answer.json();
        assert_eq!(job["url"], URL);
        assert_eq!(job["status"], "pending");
        assert_eq!(job["attempts"], 0);
        assert_eq!(job["priority"], 5);
        for member in ["result", "error", "error_code", "not_before", "source_status", "error_variant"] {
            assert!(job[member].is_null() && job.get(member).is_some(), "{member}");
        }
        let id = job["id"].as_str().unwrap();
        assert_eq!(answer.header("location"), Some(format!("/v1/images/{id}").as_str()));
        assert_eq!(answer.header("thumbforge-duplicate"), None);
        assert_eq!(shown(&api, id).await, job);
        let announced = api.queue.pop(10, Duration::from_secs(5)).await.unwrap();
        assert_eq!(announced, [id.parse().unwrap()]);
    }

    async fn what_is_refused_leaves_no_job(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let long = format!("https://images.example.com/{}", "a".repeat(8192));
        let huge = format!("{{\"url\": \"{}\"}}", "a".repeat(66_000));
        for (body, expected) in [
            ("", (400, "malformed_json")),
            ("{", (400, "malformed_json")),
            ("url=https://a.example/", (400, "malformed_json")),
            ("[]", (422, "invalid_body")),
            ("[\"https://a.example/\"]", (422, "invalid_body")),
            ("{}", (422, "invalid_body")),
            ("{\"url\": 7}", (422, "invalid_body")),
            ("{\"url\": null}", (422, "invalid_body")),
            ("{\"url\": \"https://a.example/\", \"size\": 1}", (422, "invalid_body")),
            ("{\"url\": \"\"}", (422, "invalid_url")),
            ("{\"url\": \"harbour.jpg\"}", (422, "invalid_url")),
            ("{\"url\": \"ftp://a.example/\"}", (422, "invalid_url")),
            ("{\"url\": \"https://user:secret@a.example/\"}", (422, "invalid_url")),
            ("{\"url\": \"https://forbidden.example/\"}", (422, "forbidden_source")),
            (&format!("{{\"url\": \"{long}\"}}"), (422, "invalid_url")),
            (&huge, (413, "body_too_large")),
        ] {
            let (status, code) = api.post(body).await.problem();
            assert_eq!((status, code.as_str()), expected, "{body}");
        }
        let listed = api.database.list(&JobFilter::default(), 10, 0, None).await.unwrap();
        assert_eq!(listed.jobs.len(), 0);
    }

    async fn a_priority_and_a_moment_are_kept_and_shown(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let submit = async |members: &str| {
            let answer = api.post(&format!("{{\"url\": \"{URL}\", {members}}}")).await;
            assert_eq!(answer.status, 202, "{members} {answer:?}");
            let path = answer.header("location").unwrap().to_owned();
            let job = shown(&api, path.rsplit('/').next().unwrap()).await;
            assert_eq!(job, answer.json(), "{members}");
            (job["priority"].clone(), job["not_before"].clone())
        };
        let none = serde_json::Value::Null;
        assert_eq!(submit("\"priority\": 0").await, (0.into(), none.clone()));
        assert_eq!(submit("\"priority\": 9").await, (9.into(), none.clone()));
        assert_eq!(submit("\"priority\": null, \"not_before\": null").await, (5.into(), none));
        let past = submit("\"not_before\": \"2020-01-31T12:00:00+02:00\"").await;
        assert_eq!(past, (5.into(), "2020-01-31T10:00:00.000000Z".into()));
        let ancient = submit("\"not_before\": \"0000-01-01T00:00:00Z\"").await;
        assert_eq!(ancient.1, "0000-01-01T00:00:00.000000Z");
        let report = api.get("/v1/origins").await.json()["items"][0].clone();
        assert_eq!((&report["queued"], &report["waiting"]), (&5.into(), &0.into()));
        let hour = SystemTime::now() + Duration::from_secs(3600);
        let hour = hour.duration_since(UNIX_EPOCH).unwrap().as_micros();
        let then = Timestamp::from_unix_micros(i64::try_from(hour).unwrap()).unwrap();
        let later = submit(&format!("\"not_before\": \"{then}\"")).await;
        assert_eq!(later.1, then.to_string());
        let report = api.get("/v1/origins").await.json()["items"][0].clone();
        assert_eq!((&report["queued"], &report["waiting"]), (&5.into(), &1.into()));
    }

    async fn an_unusable_priority_or_moment_is_pointed_at(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        for (members, pointers) in [
            ("\"priority\": 10", &["#/priority"][..]),
            ("\"priority\": -1", &["#/priority"]),
            ("\"priority\": \"1\"", &["#/priority"]),
            ("\"priority\": 1.5", &["#/priority"]),
            ("\"priority\": true", &["#/priority"]),
            ("\"not_before\": 0", &["#/not_before"]),
            ("\"not_before\": \"soon\"", &["#/not_before"]),
            ("\"not_before\": \"2030-01-31\"", &["#/not_before"]),
            ("\"not_before\": \"2099-01-31T12:00:00Z\"", &["#/not_before"]),
            ("\"not_before\": {}, \"priority\": []", &["#/priority", "#/not_before"]),
            ("\"priority\": 1, \"priority\": 2", &["#"]),
        ] {
            let answer = api.post(&format!("{{\"url\": \"{URL}\", {members}}}")).await;
            assert_eq!(answer.problem(), (422, "invalid_body".to_owned()), "{members}");
            let problem = answer.json();
            let told: Vec<_> = problem["errors"].as_array().unwrap()
                .iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
            assert_eq!(told, pointers, "{members}");
        }
        let listed = api.database.list(&JobFilter::default(), 10, 0, None).await.unwrap();
        assert_eq!(listed.jobs.len(), 0);
    }

    async fn every_fault_is_pointed_at(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let problem = api.post("{\"url\": 7, \"size\": 1}").await.json();
        let pointers: Vec<_> = problem["errors"].as_array().unwrap()
            .iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
        assert_eq!(pointers, ["#/url", "#/size"]);
        let problem = api.submit("https://forbidden.example/").await.json();
        assert_eq!(problem["errors"][0]["pointer"], "#/url");
    }

    async fn only_plain_json_is_read(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let body = format!("{{\"url\": \"{URL}\"}}");
        let post = async |headers: &[(&str, &str)]| {
            request(api.address, "POST", "/v1/images", headers, body.as_bytes()).await
        };
        for headers in [
            &[][..],
            &[("Content-Type", "text/plain")],
            &[("Content-Type", "application/jsonp")],
            &[("Content-Type", "application/json; charset=latin1")],
            &[JSON, ("Content-Encoding", "gzip")],
        ] {
            let (status, code) = post(headers).await.problem();
            assert_eq!((status, code.as_str()), (415, "unsupported_media_type"), "{headers:?}");
        }
        for content_type in ["Application/JSON", "application/json; charset=\"UTF-8\""] {
            let answer = post(&[("Content-Type", content_type)]).await;
            assert_eq!(answer.status, 202, "{content_type}: {answer:?}");
        }
    }

    async fn a_chunked_body_is_bounded_too(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let head = "POST /v1/images HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
            Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunk = format!("3e8\r\n{}\r\n", " ".repeat(1000));
        let bytes = format!("{head}{}0\r\n\r\n", chunk.repeat(70));
        let answer = raw(api.address, bytes.as_bytes()).await;
        assert_eq!(answer.problem().0, 413);
    }

    async fn reuse_completed_answers_with_the_earlier_job(fixture: &Fixture) {
        let api = Api::start_with(fixture, with_policy(DuplicateHandling::ReuseCompleted)).await;
        let first = api.accepted(URL).await;
        let second = api.accepted(URL).await;
        assert_ne!(first, second, "a pending job is not reused");
        api.complete(first, b"jpeg").await;
        let answer = api.submit(URL).await;
        assert_eq!(answer.status, 202);
        assert_eq!(answer.header("thumbforge-duplicate"), Some("reused"));
        assert_eq!(answer.json()["id"], first.to_string());
        assert_eq!(answer.json()["status"], "completed");
    }

    async fn reject_active_accepts_one_of_64(fixture: &Fixture) {
        let policy = || with_policy(DuplicateHandling::RejectActive);
        // Two servers with their own pools stand for two processes.
        let apis = [
            Api::start_with(fixture, policy()).await,
            Api::start_with(fixture, policy()).await,
        ];
        let tries = (0..64).map(|number| apis[number % 2].submit(URL));
        let answers = futures_util::future::join_all(tries).await;
        let accepted: Vec<_> = answers.iter().filter(|answer| answer.status == 202).collect();
        assert_eq!(accepted.len(), 1);
        let id = accepted[0].json()["id"].clone();
        for answer in answers.iter().filter(|answer| answer.status != 202) {
            assert_eq!(answer.problem(), (409, "duplicate_active".to_owned()));
            assert_eq!(answer.json()["job_id"], id);
        }
    }

    async fn a_full_backlog_refuses_until_jobs_are_done(fixture: &Fixture) {
        let limited = ApiSettings { max_pending: Some(3), ..settings() };
        let api = Api::start_with(fixture, limited).await;
        let urls: Vec<_> = (0..10).map(|number| format!("{URL}?{number}")).collect();
        let tries = urls.iter().map(|url| api.submit(url));
        let answers = futures_util::future::join_all(tries).await;
        let accepted: Vec<_> = answers.iter().filter(|answer| answer.status == 202).collect();
        assert_eq!(accepted.len(), 3);
        for answer in answers.iter().filter(|answer| answer.status != 202) {
            assert_eq!(answer.problem(), (429, "too_many_pending".to_owned()));
            assert!(answer.header("retry-after").is_some());
        }
        let done = accepted[0].json()["id"].as_str().unwrap().parse().unwrap();
        api.complete(done, b"jpeg").await;
        crate::support::deadline::eventually("there is room again", Duration::from_secs(5), || async {
            api.submit(URL).await.status == 202
        }).await;
        assert_eq!(api.submit(URL).await.status, 429);
    }

    async fn ids_are_unique_and_ascend(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let mut ids = Vec::new();
        for _ in 0..20 {
            ids.push(api.accepted(URL).await);
        }
        assert!(ids.is_sorted());
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_nothing_is_accepted() {
    let refusing = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = refusing.local_addr().unwrap().port();
    drop(refusing);
    let target = Target::Postgres(format!("postgres://a:secret@127.0.0.1:{port}/a"));
    let database = Database::open(&target, 2).unwrap();
    let queue = Queue::Memory(MemoryQueue::default());
    let api = Api::serve(database, queue, settings(), None);
    let answer = api.submit(URL).await;
    assert_eq!(answer.problem(), (503, "unavailable".to_owned()));
    assert!(answer.header("retry-after").is_some());
    let text = String::from_utf8(answer.body).unwrap();
    for internal in ["127.0.0.1", "secret", "onnection", &port.to_string()] {
        assert!(!text.contains(internal), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_database_holds_no_request_for_long() {
    // Accepts connections and never answers.
    let frozen = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = frozen.local_addr().unwrap().port();
    let target = Target::Postgres(format!("postgres://a@127.0.0.1:{port}/a"));
    let database = Database::open(&target, 2).unwrap();
    let queue = Queue::Memory(MemoryQueue::default());
    let api = Api::serve(database, queue, settings(), None);
    let started = std::time::Instant::now();
    let id = "/v1/images/01980a5c-7f1e-7cc3-9d7a-6a0f5b1f8e21";
    let (submitted, listed, shown, counted, health) = tokio::join!(
        api.submit(URL),
        api.get("/v1/images"),
        api.get(id),
        api.get("/v1/metrics"),
        api.get("/v1/healthz"),
    );
    for answer in [submitted, listed, shown, counted, health] {
        assert_eq!(answer.problem(), (503, "unavailable".to_owned()));
        assert_eq!(answer.json()["failing"], serde_json::json!(["database"]));
        assert!(answer.header("retry-after").is_some());
    }
    assert!(
        started.elapsed() < Duration::from_secs(7),
        "{:?}",
        started.elapsed()
    );
}
