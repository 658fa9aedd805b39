//! What a page in somebody's browser may do.

use thumbforge::http::ApiSettings;

use super::access::keyed;
use super::harness::{Api, settings};
use crate::support::http_client::{Answer, raw};

const BODY: &str = "{\"url\": \"https://images.example.com/a.jpg\"}";

/// A submission as it comes from a browser, or a program, that asks for `host`.
async fn post(api: &Api, host: &str, headers: &[(&str, &str)]) -> Answer {
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let text = format!(
        "POST /v1/images HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    raw(api.address, text.as_bytes()).await
}

fn refused(answer: &Answer, setting: &str) {
    assert_eq!(answer.problem(), (403, "foreign_request".to_owned()));
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains(setting), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_pages_and_programs_are_let_in() {
    let api = Api::on_sqlite(settings()).await;
    for (host, headers) in [
        ("127.0.0.1:8000", &[][..]),
        ("api", &[]),
        ("localhost:8000", &[]),
        ("[::1]:8000", &[("Origin", "http://[::1]:8000")]),
        (
            "localhost:8000",
            &[
                ("Origin", "http://localhost:8000"),
                ("Sec-Fetch-Site", "same-origin"),
            ],
        ),
        ("localhost", &[("Sec-Fetch-Site", "none")]),
    ] {
        let answer = post(&api, host, headers).await;
        assert_eq!(answer.status, 202, "{host} {headers:?} {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_pages_change_nothing_but_may_be_linked_from() {
    for settings in [settings(), keyed()] {
        let api = Api::on_sqlite(settings).await;
        for headers in [
            &[("Origin", "https://evil.example")][..],
            &[("Origin", "null")],
            &[
                ("Origin", "http://localhost:8000"),
                ("Origin", "https://evil.example"),
            ],
            &[("Origin", "")],
            &[("Origin", "http://localhost:3000")],
            &[("Sec-Fetch-Site", "cross-site")],
            &[("Sec-Fetch-Site", "Cross-Site")],
            &[
                ("Origin", "http://localhost:8000"),
                ("Sec-Fetch-Site", "cross-site"),
            ],
        ] {
            let answer = post(&api, "localhost:8000", headers).await;
            refused(&answer, "THUMBFORGE_CORS_ALLOWED_ORIGINS");
        }
        let linked = [("Sec-Fetch-Site", "cross-site")];
        let answer = api.get_with("/v1/images", &linked).await;
        assert_ne!(answer.status, 403);
        assert_eq!(api.get_with("/docs/", &linked).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_changing_route_and_method_is_guarded() {
    let api = Api::on_sqlite(settings()).await;
    let origin = ("Origin", "https://evil.example");
    for path in [
        "/v1/images",
        "/v1/images/x",
        "/v1/origins/pause",
        "/v1/origins/resume",
        "/v1/origins/reset",
        "/v1/queue/pause",
        "/v1/queue/resume",
    ] {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let answer =
                crate::support::http_client::request(api.address, method, path, &[origin], b"")
                    .await;
            refused(&answer, "THUMBFORGE_PUBLIC_URL");
        }
    }
    assert!(!api.database.queue_is_paused().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_name_for_the_api_is_refused_where_no_key_is_asked_for() {
    let open = Api::on_sqlite(settings()).await;
    let rebound = [("Origin", "http://evil.example:8000")];
    for headers in [&rebound[..], &[]] {
        let answer = post(&open, "evil.example:8000", headers).await;
        refused(&answer, "THUMBFORGE_PUBLIC_URL");
    }
    let guarded = Api::on_sqlite(keyed()).await;
    let answer = post(&guarded, "evil.example:8000", &rebound).await;
    assert_eq!(answer.problem(), (401, "unauthorized".to_owned()));

    let public = ApiSettings {
        public_url: Some("https://thumbs.example/".parse().unwrap()),
        ..settings()
    };
    let public = Api::on_sqlite(public).await;
    let own = ("Origin", "https://thumbs.example");
    for (host, headers) in [
        ("thumbs.example", &[][..]),
        ("thumbs.example", &[own]),
        // As from a proxy that asks under a name of its own.
        ("api:8000", &[own]),
    ] {
        let answer = post(&public, host, headers).await;
        assert_eq!(answer.status, 202, "{host} {headers:?}");
    }
    let answer = post(&public, "evil.example", &[]).await;
    refused(&answer, "THUMBFORGE_PUBLIC_URL");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_the_cors_setting_names_may_submit() {
    let origin = ("Origin", "https://app.example");
    let site = ("Sec-Fetch-Site", "cross-site");
    for (allowed, others) in [("https://app.example", 403), ("*", 202)] {
        let open = ApiSettings {
            cors_origins: vec![allowed.to_owned()],
            ..settings()
        };
        let api = Api::on_sqlite(open).await;
        let answer = post(&api, "thumbs.example", &[origin, site]).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        assert!(answer.header("access-control-allow-origin").is_some());
        for stranger in ["https://evil.example", "null"] {
            let answer = post(&api, "localhost", &[("Origin", stranger), site]).await;
            assert_eq!(answer.status, others, "{allowed} {stranger}");
        }
    }
}
