//! API keys and CORS.

use thumbforge::http::{ApiKeys, ApiSettings};

use super::harness::{Api, JSON, settings};
use crate::support::http_client::request;

/// By `printf %s secret-one | sha256sum`.
const KEYS: &str = "one:ea77193cc4e6f18656f3130e296203880c4b9b3772afc855211b82fdd46e9185";

pub fn keyed() -> ApiSettings {
    ApiSettings {
        api_keys: ApiKeys::parse(KEYS).unwrap().into(),
        ..settings()
    }
}

async fn guarded() -> Api {
    Api::on_sqlite(keyed()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_nothing_but_health_and_docs_is_open() {
    let api = guarded().await;
    let id = uuid::Uuid::now_v7();
    let paths = [
        "/v1/images".to_owned(),
        format!("/v1/images/{id}"),
        format!("/v1/images/{id}/thumbnail"),
        "/v1/metrics".to_owned(),
        "/metrics".to_owned(),
        "/v1/origins".to_owned(),
        "/v1/failures".to_owned(),
        "/v1/workers".to_owned(),
        "/v1/flow".to_owned(),
        "/v1/nothing".to_owned(),
    ];
    for path in &paths {
        for headers in [
            &[][..],
            &[("Authorization", "Bearer")],
            &[("Authorization", "Bearer ")],
            &[("Authorization", "Bearer secret-two")],
            &[("Authorization", "Basic secret-one")],
            &[("Authorization", "secret-one")],
            &[("Authorization", "Bearer secret-one\t,")],
        ] {
            let answer = api.get_with(path, headers).await;
            let problem = answer.problem();
            assert_eq!(
                problem,
                (401, "unauthorized".to_owned()),
                "{path} {headers:?}"
            );
            let challenge = answer.header("www-authenticate");
            assert_eq!(challenge, Some("Bearer realm=\"thumbforge\""));
        }
    }
    let post = request(api.address, "POST", "/v1/images", &[JSON], b"{}").await;
    assert_eq!(post.problem().0, 401);
    for path in [
        "/v1/healthz",
        "/livez",
        "/readyz",
        "/openapi.json",
        "/docs/",
    ] {
        assert_eq!(api.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_key_opens_the_api() {
    let api = guarded().await;
    for scheme in ["Bearer", "bearer"] {
        let key = format!("{scheme} secret-one");
        let answer = api.get_with("/v1/images", &[("Authorization", &key)]).await;
        assert_eq!(answer.status, 200);
    }
    let headers = [JSON, ("Authorization", "Bearer secret-one")];
    let body = b"{\"url\": \"https://images.example.com/a.jpg\"}";
    let answer = request(api.address, "POST", "/v1/images", &headers, body).await;
    assert_eq!(answer.status, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_may_do_what_its_scopes_say() {
    let id = uuid::Uuid::now_v7();
    for (scopes, granted) in [
        ("", &["read", "submit"][..]),
        (":read", &["read"]),
        (":submit", &["submit"]),
        (":operate", &["operate"]),
        (":read,submit,operate", &["read", "submit", "operate"]),
    ] {
        let scoped = ApiSettings {
            api_keys: ApiKeys::parse(&format!("{KEYS}{scopes}")).unwrap().into(),
            ..settings()
        };
        let api = Api::on_sqlite(scoped).await;
        for (method, path, needed) in [
            ("GET", "/v1/images".to_owned(), "read"),
            ("HEAD", "/v1/images".to_owned(), "read"),
            ("GET", format!("/v1/images/{id}"), "read"),
            ("GET", format!("/v1/images/{id}/thumbnail"), "read"),
            ("GET", "/v1/metrics".to_owned(), "read"),
            ("GET", "/metrics".to_owned(), "read"),
            ("GET", "/v1/origins".to_owned(), "read"),
            ("GET", "/v1/failures".to_owned(), "read"),
            ("GET", "/v1/workers".to_owned(), "read"),
            ("GET", "/v1/flow".to_owned(), "read"),
            ("POST", "/v1/images".to_owned(), "submit"),
            ("POST", "/v1/origins/pause".to_owned(), "operate"),
            ("POST", "/v1/origins/resume".to_owned(), "operate"),
            ("POST", "/v1/origins/reset".to_owned(), "operate"),
            ("POST", "/v1/queue/pause".to_owned(), "operate"),
            ("POST", "/v1/queue/resume".to_owned(), "operate"),
            ("GET", "/v1/webhooks".to_owned(), "operate"),
            // The router decodes letters.
            ("GET", "/v1/%77ebhooks".to_owned(), "operate"),
            ("GET", format!("/v1/w%65bhooks/{id}/deliveries"), "operate"),
            ("POST", "/v1/%69mages".to_owned(), "submit"),
        ] {
            let headers = [JSON, ("Authorization", "Bearer secret-one")];
            let answer = request(api.address, method, &path, &headers, b"").await;
            let is_let_in = granted.contains(&needed);
            assert_eq!(answer.status != 403, is_let_in, "{scopes} {method} {path}");
            assert_ne!(answer.status, 401);
            if !is_let_in && method != "HEAD" {
                assert_eq!(answer.problem().1, "forbidden");
                let detail = answer.json()["detail"].as_str().unwrap().to_owned();
                assert!(detail.contains(&format!("`{needed}`")), "{detail}");
            }
        }
        assert_eq!(api.get("/v1/healthz").await.status, 200, "{scopes}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_are_let_in_by_setting_only() {
    let origin = ("Origin", "https://app.example");
    let asked = ("Access-Control-Request-Method", "POST");
    let closed = Api::on_sqlite(settings()).await;
    let answer = closed.get_with("/v1/images", &[origin]).await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let preflight = request(
        closed.address,
        "OPTIONS",
        "/v1/images",
        &[origin, asked],
        b"",
    )
    .await;
    assert_eq!(preflight.problem().0, 405);

    let open = ApiSettings {
        cors_origins: vec!["https://app.example".to_owned()],
        api_keys: ApiKeys::parse(KEYS).unwrap().into(),
        ..settings()
    };
    let open = Api::on_sqlite(open).await;
    let headers = [
        origin,
        asked,
        (
            "Access-Control-Request-Headers",
            "content-type,authorization",
        ),
    ];
    let preflight = request(open.address, "OPTIONS", "/v1/images", &headers, b"").await;
    assert_eq!(preflight.status, 200, "{preflight:?}");
    assert_eq!(
        preflight.header("access-control-allow-origin"),
        Some(origin.1)
    );
    let refused = open.get_with("/v1/images", &[origin]).await;
    assert_eq!(refused.problem().0, 401);
    assert_eq!(
        refused.header("access-control-allow-origin"),
        Some(origin.1)
    );
    let stranger = [("Origin", "https://evil.example"), asked];
    let preflight = request(open.address, "OPTIONS", "/v1/images", &stranger, b"").await;
    assert_eq!(preflight.header("access-control-allow-origin"), None);
    assert_eq!(preflight.problem().0, 400);
}
