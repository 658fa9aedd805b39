//! Webhooks, from the API to a receiver.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;
use serde_json::{Value, json};
use thumbforge::db::Database;
use thumbforge::domain::{AllowedPorts, JobId};
use thumbforge::fetch::{FetchSettings, Poster};
use thumbforge::http::event_json;
use thumbforge::observe::DeliveryMeters;
use thumbforge::webhooks::{Deliverer, SecretBox};
use tokio_util::sync::CancellationToken;

use crate::api::harness::{Api, JSON, on_both_databases, settings};
use crate::support::http_client::{Answer, request};
use crate::support::receiver::{Manner, Posted, Receiver};
use crate::support::skipped::skipped;

const URL: &str = "https://images.example.com/a.jpg";
const OK: Manner = Manner::Answers(200, "");

/// Delivers until it is dropped.
struct Delivering(CancellationToken);

impl Drop for Delivering {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// As a worker process does. `timeout` is that of a try.
fn deliver(database: &Database, timeout: Duration) -> Delivering {
    let settings = FetchSettings {
        total_timeout: timeout,
        head_timeout: timeout,
        allowed_networks: vec!["127.0.0.0/8".parse().unwrap()],
        allowed_ports: AllowedPorts::Any,
        ..FetchSettings::default()
    };
    let deliverer = Deliverer {
        database: database.clone(),
        poster: Poster::new(settings).unwrap(),
        secrets: SecretBox::new(None),
        render: Arc::new(|event| event_json(event, None)),
        retain: None,
        meters: DeliveryMeters::default(),
    };
    let stop = CancellationToken::new();
    tokio::spawn(deliverer.run(stop.clone(), Duration::ZERO));
    Delivering(stop)
}

const PATIENT: Duration = Duration::from_secs(15);

async fn call(api: &Api, method: &str, path: &str, body: Value) -> Answer {
    let target = format!("/v1/webhooks{path}");
    request(
        api.address,
        method,
        &target,
        &[JSON],
        body.to_string().as_bytes(),
    )
    .await
}

/// A new webhook as it is first shown.
async fn created(api: &Api, body: Value) -> Value {
    let answer = call(api, "POST", "", body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

fn id_of(webhook: &Value) -> &str {
    webhook["id"].as_str().unwrap()
}

async fn completed(api: &Api) -> JobId {
    let id = api.accepted(URL).await;
    api.complete(id, b"jpeg").await;
    id
}

/// The deliveries once `is_so` holds of them.
async fn deliveries(api: &Api, webhook: &Value, is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let target = format!("/v1/webhooks/{}/deliveries", id_of(webhook));
        let list = api.get(&target).await.json();
        let items = list["items"].as_array().unwrap().clone();
        if is_so(&items) {
            return items;
        }
        assert!(Instant::now() < end, "{items:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn all_are(status: &'static str) -> impl Fn(&[Value]) -> bool {
    move |items| !items.is_empty() && items.iter().all(|item| item["status"] == status)
}

/// Whether one of the signatures is that of `secret`.
fn is_signed_by(posted: &Posted, secret: &str) -> bool {
    let key = BASE64
        .decode(secret.strip_prefix("whsec_").unwrap())
        .unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let signed = format!(
        "{}.{}.{}",
        posted.id(),
        posted.headers["webhook-timestamp"],
        posted.body
    );
    posted.headers["webhook-signature"]
        .split(' ')
        .any(|signature| {
            let tag = BASE64
                .decode(signature.strip_prefix("v1,").unwrap())
                .unwrap();
            hmac::verify(&key, signed.as_bytes(), &tag).is_ok()
        })
}

on_both_databases! {
    async fn what_happens_is_delivered_once_signed(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let receiver = Receiver::start(OK).await;
        let before = completed(&api).await;
        // It is not told what was before.
        while api.database.event_range().await.unwrap().newest == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let webhook = created(&api, json!({"url": receiver.url(), "description": "the shop"})).await;
        let secret = webhook["secret"].as_str().unwrap();
        let _delivering = [deliver(&api.database, PATIENT), deliver(&api.database, PATIENT)];
        let id = completed(&api).await;
        let posted = receiver.wait_for(1).await.remove(0);
        assert_eq!(posted.path, "/hook");
        assert_eq!(posted.headers["content-type"], "application/json");
        assert!(posted.headers["user-agent"].starts_with("ThumbForge/"));
        let told = posted.json();
        assert_eq!((&told["type"], &told["data"]["id"]), (&json!("image.completed"), &json!(id.to_string())));
        assert_eq!(told["id"], posted.id());
        assert_ne!(told["data"]["id"], before.to_string());
        assert!(is_signed_by(&posted, secret));
        let items = deliveries(&api, &webhook, all_are("delivered")).await;
        assert_eq!((&items[0]["attempts"], &items[0]["response_status"]), (&json!(1), &json!(200)));
        assert_eq!((&items[0]["response_body"], &items[0]["error"]), (&json!("body"), &Value::Null));
        assert_eq!(items[0]["event_id"], posted.id());
        let shown = api.get(&format!("/v1/webhooks/{}", id_of(&webhook))).await.json();
        assert!(shown["last_success_at"].is_string() && shown["secret"].is_null(), "{shown}");
        for _ in 0..20 {
            completed(&api).await;
        }
        let posted = receiver.wait_for(21).await;
        deliveries(&api, &webhook, all_are("delivered")).await;
        let ids: std::collections::HashSet<_> = posted.iter().map(Posted::id).collect();
        assert_eq!((posted.len(), ids.len()), (21, 21));
    }

    async fn only_what_is_asked_for_is_delivered(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let receiver = Receiver::start(OK).await;
        let wanted = json!({"url": receiver.url(), "events": ["image.cancelled"], "tags": ["a", "b"]});
        let webhook = created(&api, wanted).await;
        let _delivering = deliver(&api.database, PATIENT);
        completed(&api).await;
        let mut last = String::new();
        for tags in [json!([]), json!(["c"]), json!(["x", "b"])] {
            let submitted = api.post(&json!({"url": URL, "tags": tags}).to_string()).await.json();
            last = submitted["id"].as_str().unwrap().to_owned();
            let target = format!("/v1/images/{last}/cancel");
            assert_eq!(request(api.address, "POST", &target, &[], b"").await.status, 200);
        }
        let posted = receiver.wait_for(1).await;
        assert_eq!(posted[0].json()["data"]["id"], last);
        // What it did not want is not kept for it.
        assert_eq!(deliveries(&api, &webhook, all_are("delivered")).await.len(), 1);
        let change = json!({"events": null, "tags": null, "description": "all"});
        let path = format!("/{}", id_of(&webhook));
        let changed = call(&api, "PATCH", &path, change).await.json();
        assert_eq!((&changed["events"], &changed["description"]), (&Value::Null, &json!("all")));
        completed(&api).await;
        receiver.wait_for(2).await;
    }

    async fn what_fails_is_tried_again_with_the_same_id(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        for (manner, said) in [
            (Manner::Answers(500, ""), "the receiver answered 500"),
            (Manner::Answers(301, "Location: http://127.0.0.1:1/\r\n"), "the receiver redirects"),
            (Manner::Closes, ""),
            (Manner::Silent, ""),
            (Manner::Deaf, ""),
        ] {
            let receiver = Receiver::start(manner.clone()).await;
            let webhook = created(&api, json!({"url": receiver.url()})).await;
            let delivering = deliver(&api.database, Duration::from_secs(1));
            completed(&api).await;
            let items = deliveries(&api, &webhook, |items| {
                items.first().is_some_and(|item| !item["error"].is_null())
            }).await;
            let error = items[0]["error"].as_str().unwrap();
            assert!(error.starts_with(said) && !error.is_empty(), "{manner:?}: {error}");
            assert_eq!((&items[0]["status"], &items[0]["attempts"]), (&json!("pending"), &json!(1)));
            assert!(items[0]["next_attempt_at"].is_string());
            let shown = api.get(&format!("/v1/webhooks/{}", id_of(&webhook))).await.json();
            assert!(shown["failing_since"].is_string());
            let seen = receiver.posted();
            receiver.set(OK);
            let path = format!("/{}/deliveries/{}/resend", id_of(&webhook), items[0]["id"].as_str().unwrap());
            assert_eq!(call(&api, "POST", &path, json!({})).await.status, 202);
            let items = deliveries(&api, &webhook, all_are("delivered")).await;
            let posted = receiver.wait_for(1).await;
            assert!(posted.iter().all(|posted| posted.id() == items[0]["event_id"]));
            let first = &posted[0].body;
            assert!(posted.iter().chain(&seen).all(|posted| posted.body == *first));
            drop(delivering);
            assert_eq!(call(&api, "DELETE", &format!("/{}", id_of(&webhook)), json!({})).await.status, 204);
        }
    }

    async fn gone_disables_and_recovery_brings_what_was_missed(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let receiver = Receiver::start(Manner::Answers(410, "")).await;
        let webhook = created(&api, json!({"url": receiver.url()})).await;
        let _delivering = deliver(&api.database, PATIENT);
        completed(&api).await;
        deliveries(&api, &webhook, all_are("failed")).await;
        let path = format!("/{}", id_of(&webhook));
        let disabled = loop {
            let shown = call(&api, "GET", &path, json!({})).await.json();
            if shown["disabled"] == true {
                break shown;
            }
        };
        assert_eq!(disabled["disabled_reason"], "gone");
        let missed = completed(&api).await;
        receiver.set(OK);
        // Enabled, it gets what is new; recovered, what it missed.
        let enabled = call(&api, "PATCH", &path, json!({"disabled": false})).await.json();
        assert_eq!((&enabled["disabled"], &enabled["disabled_reason"]), (&json!(false), &Value::Null));
        let newer = completed(&api).await;
        receiver.wait_for(2).await;
        let since = json!({"since": webhook["created_at"]});
        assert_eq!(call(&api, "POST", &format!("{path}/recover"), since).await.status, 202);
        let posted = receiver.wait_for(4).await;
        let items = deliveries(&api, &webhook, |items| items.len() == 3 && all_are("delivered")(items)).await;
        assert_eq!(items.len(), 3, "each event has one delivery");
        let told: Vec<Value> = posted.iter().skip(1).map(|posted| posted.json()["data"]["id"].clone()).collect();
        for id in [missed, newer] {
            assert!(told.contains(&json!(id.to_string())), "{told:?}");
        }
    }

    async fn a_slow_receiver_delays_no_other(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let (slow, quick) = (Receiver::start(Manner::Silent).await, Receiver::start(OK).await);
        for receiver in [&slow, &quick] {
            created(&api, json!({"url": receiver.url()})).await;
        }
        let _delivering = deliver(&api.database, PATIENT);
        for _ in 0..80 {
            completed(&api).await;
        }
        let began = Instant::now();
        quick.wait_for(80).await;
        assert!(began.elapsed() < PATIENT, "{:?}", began.elapsed());
        // No more than its share is under way.
        assert!(slow.posted().len() <= 64, "{}", slow.posted().len());
    }

    async fn secrets_are_exchanged_with_an_overlap(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let receiver = Receiver::start(OK).await;
        let webhook = created(&api, json!({"url": receiver.url()})).await;
        let old = webhook["secret"].as_str().unwrap();
        let _delivering = deliver(&api.database, PATIENT);
        let path = format!("/{}", id_of(&webhook));
        let rotated = call(&api, "POST", &format!("{path}/secret/rotate"), json!({})).await.json();
        let new = rotated["secret"].as_str().unwrap();
        assert_ne!(old, new);
        assert_eq!(call(&api, "POST", &format!("{path}/test"), json!({})).await.status, 202);
        let posted = receiver.wait_for(1).await.remove(0);
        assert_eq!(posted.json()["type"], "webhook.test");
        assert!(is_signed_by(&posted, old) && is_signed_by(&posted, new));
        let at_once = json!({"overlap_seconds": 0});
        let last = call(&api, "POST", &format!("{path}/secret/rotate"), at_once).await.json();
        assert_eq!(call(&api, "POST", &format!("{path}/test"), json!({})).await.status, 202);
        let posted = receiver.wait_for(2).await.remove(1);
        assert!(is_signed_by(&posted, last["secret"].as_str().unwrap()) && !is_signed_by(&posted, new));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_that_may_not_be_told_are_refused() {
    let api = Api::on_sqlite(settings()).await;
    for (body, expected) in [
        (
            json!({"url": "http://forbidden.example/"}),
            (422, "forbidden_receiver"),
        ),
        (json!({"url": "ftp://a.example/"}), (422, "invalid_url")),
        (
            json!({"url": "https://a.example/", "events": []}),
            (422, "invalid_body"),
        ),
        (json!({}), (422, "invalid_body")),
    ] {
        let (status, code) = call(&api, "POST", "", body.clone()).await.problem();
        assert_eq!((status, code.as_str()), expected, "{body}");
    }
    let nobody = uuid::Uuid::now_v7();
    for (method, path, code) in [
        ("GET", format!("/{nobody}"), (404, "webhook_not_found")),
        ("DELETE", format!("/{nobody}"), (404, "webhook_not_found")),
        ("PATCH", format!("/{nobody}"), (404, "webhook_not_found")),
        (
            "POST",
            format!("/{nobody}/test"),
            (404, "webhook_not_found"),
        ),
        (
            "POST",
            format!("/{nobody}/secret/rotate"),
            (404, "webhook_not_found"),
        ),
        (
            "POST",
            format!("/{nobody}/deliveries/{nobody}/resend"),
            (404, "delivery_not_found"),
        ),
        ("GET", "/x".to_owned(), (422, "invalid_webhook_id")),
    ] {
        let answer = call(&api, method, &path, json!({})).await.problem();
        assert_eq!((answer.0, answer.1.as_str()), code, "{method} {path}");
    }
    // A name is judged by its addresses when it is told, whatever was said before.
    let receiver = Receiver::start(OK).await;
    let webhook = created(&api, json!({"url": receiver.url()})).await;
    let deliverer = Deliverer {
        database: api.database.clone(),
        poster: Poster::new(FetchSettings {
            allowed_ports: AllowedPorts::Any,
            ..FetchSettings::default()
        })
        .unwrap(),
        secrets: SecretBox::new(None),
        render: Arc::new(|event| event_json(event, None)),
        retain: None,
        meters: DeliveryMeters::default(),
    };
    let stop = CancellationToken::new();
    let _delivering = Delivering(stop.clone());
    tokio::spawn(deliverer.run(stop, Duration::ZERO));
    completed(&api).await;
    let is_tried = |items: &[Value]| items.first().is_some_and(|item| !item["error"].is_null());
    let items = deliveries(&api, &webhook, is_tried).await;
    assert!(
        items[0]["response_status"].is_null() && receiver.posted().is_empty(),
        "{items:?}"
    );
}

/// The libraries with which receivers verify what they get.
#[tokio::test(flavor = "multi_thread")]
async fn the_official_libraries_accept_what_is_delivered() {
    let api = Api::on_sqlite(settings()).await;
    let receiver = Receiver::start(OK).await;
    let webhook = created(&api, json!({"url": receiver.url()})).await;
    let _delivering = deliver(&api.database, PATIENT);
    completed(&api).await;
    let posted = receiver.wait_for(1).await.remove(0);
    let given = json!({
        "secret": webhook["secret"], "headers": posted.headers, "body": posted.body,
    });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/webhook-libraries");
    let output = tokio::process::Command::new(script)
        .arg(given.to_string())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    for library in ["Python", "JavaScript"] {
        let accepted = said.contains(&format!("{library}: accepted"));
        let skip = said
            .lines()
            .find(|line| line.starts_with(&format!("{library}: skipped")));
        match skip {
            Some(line) => skipped("webhook libraries", line),
            None => assert!(accepted, "{library}: {output:?}"),
        }
    }
}
