//! `/openapi.json` and `/docs`

use serde_json::Value;
use thumbforge::http::{ApiKeys, ApiSettings};

use super::harness::{Api, settings};

/// What pulling a brake may be answered with.
const BRAKE: &str = "200 400 403 408 413 414 415 422 431 500 503";

async fn description(settings: ApiSettings) -> Value {
    let api = Api::on_sqlite(settings).await;
    let answer = api.get("/openapi.json").await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.json()
}

fn operations(description: &Value) -> Vec<(String, &Value)> {
    let paths = description["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap();
            methods
                .iter()
                .map(move |(method, operation)| (format!("{method} {path}"), operation))
        })
        .collect()
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                found.push(reference.clone());
            }
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_names_every_operation_and_status() {
    let description = description(settings()).await;
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
    let statuses: Vec<_> = operations(&description)
        .into_iter()
        .map(|(name, operation)| {
            let statuses = operation["responses"].as_object().unwrap();
            let statuses: Vec<_> = statuses.keys().map(String::as_str).collect();
            (name, statuses.join(" "))
        })
        .collect();
    let statuses: Vec<_> = statuses
        .iter()
        .map(|(name, statuses)| (name.as_str(), statuses.as_str()))
        .collect();
    assert_eq!(
        statuses,
        [
            ("get /livez", "200 414 431 500"),
            ("get /metrics", "200 414 431 500"),
            ("get /readyz", "200 414 431 500 503"),
            (
                "post /v1/actions",
                "200 202 400 403 408 409 413 414 415 422 431 500 503"
            ),
            ("get /v1/actions/{action_id}", "200 404 414 422 431 500 503"),
            (
                "post /v1/actions/{action_id}/abort",
                "200 403 404 409 414 422 431 500 503"
            ),
            ("get /v1/batches", "200 414 422 431 500 503"),
            (
                "post /v1/batches",
                "202 400 403 408 409 413 414 415 422 429 431 500 503"
            ),
            ("get /v1/batches/{batch_id}", "200 404 414 422 431 500 503"),
            (
                "post /v1/batches/{batch_id}/cancel",
                "200 403 404 414 422 431 500 503"
            ),
            (
                "get /v1/batches/{batch_id}/events",
                "200 204 404 414 422 431 500 503"
            ),
            (
                "get /v1/batches/{batch_id}/images",
                "200 404 414 422 431 500 503"
            ),
            (
                "post /v1/batches/{batch_id}/retry",
                "200 403 404 414 422 431 500 503"
            ),
            ("get /v1/events", "200 414 422 431 500 503"),
            ("get /v1/failures", "200 414 422 431 500 503"),
            ("get /v1/flow", "200 414 422 431 500 503"),
            ("get /v1/healthz", "200 414 431 500 503"),
            ("get /v1/images", "200 414 422 431 500 503"),
            (
                "post /v1/images",
                "200 202 400 403 408 409 413 414 415 422 429 431 500 503"
            ),
            (
                "delete /v1/images/{job_id}",
                "204 403 404 414 422 431 500 503"
            ),
            ("get /v1/images/{job_id}", "200 404 414 422 431 500 503"),
            (
                "post /v1/images/{job_id}/cancel",
                "200 403 404 409 414 422 431 500 503"
            ),
            (
                "get /v1/images/{job_id}/events",
                "200 204 404 414 422 431 500 503"
            ),
            (
                "post /v1/images/{job_id}/retry",
                "200 403 404 409 414 422 431 500 503"
            ),
            (
                "get /v1/images/{job_id}/thumbnail",
                "200 206 304 404 412 414 416 422 431 500 503"
            ),
            (
                "get /v1/images/{job_id}/variants/{name}",
                "200 206 304 404 412 414 416 422 431 500 503"
            ),
            ("get /v1/metrics", "200 414 431 500 503"),
            ("get /v1/origins", "200 414 422 431 500 503"),
            ("post /v1/origins/pause", BRAKE),
            ("post /v1/origins/reset", BRAKE),
            ("post /v1/origins/resume", BRAKE),
            ("post /v1/queue/pause", BRAKE),
            ("post /v1/queue/resume", BRAKE),
            ("get /v1/webhooks", "200 414 431 500 503"),
            (
                "post /v1/webhooks",
                "201 400 403 408 409 413 414 415 422 431 500 503"
            ),
            (
                "delete /v1/webhooks/{webhook_id}",
                "204 403 404 414 422 431 500 503"
            ),
            (
                "get /v1/webhooks/{webhook_id}",
                "200 404 414 422 431 500 503"
            ),
            (
                "patch /v1/webhooks/{webhook_id}",
                "200 400 403 404 408 413 414 415 422 431 500 503"
            ),
            (
                "get /v1/webhooks/{webhook_id}/deliveries",
                "200 404 414 422 431 500 503"
            ),
            (
                "post /v1/webhooks/{webhook_id}/deliveries/{delivery_id}/resend",
                "202 403 404 414 422 431 500 503"
            ),
            (
                "post /v1/webhooks/{webhook_id}/recover",
                "202 400 403 404 408 413 414 415 422 431 500 503"
            ),
            (
                "post /v1/webhooks/{webhook_id}/secret/rotate",
                "200 400 403 404 408 413 414 415 422 431 500 503"
            ),
            (
                "post /v1/webhooks/{webhook_id}/test",
                "202 400 403 404 408 413 414 415 422 431 500 503"
            ),
            ("get /v1/workers", "200 414 422 431 500 503"),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_described_with_an_example_and_every_reference_resolves() {
    let description = description(settings()).await;
    for (name, operation) in operations(&description) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            if status.starts_with(['4', '5']) {
                let content = &response["content"]["application/problem+json"];
                let schema = &content["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem", "{name} {status}");
                let examples = content["examples"].as_object().unwrap();
                assert!(!examples.is_empty(), "{name} {status}");
                for (code, example) in examples {
                    assert_eq!(example["value"]["code"], *code, "{name} {status}");
                }
            }
        }
    }
    let mut found = Vec::new();
    references(&description, &mut found);
    assert!(found.len() > 10, "{found:?}");
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(description.pointer(pointer).is_some(), "{reference}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_described_where_they_are_asked_for() {
    let key = "one:ea77193cc4e6f18656f3130e296203880c4b9b3772afc855211b82fdd46e9185";
    let keyed = ApiSettings {
        api_keys: ApiKeys::parse(key).unwrap().into(),
        ..settings()
    };
    let description = description(keyed).await;
    for (name, operation) in operations(&description) {
        let is_of_the_api = name.contains("/v1/") && !name.contains("healthz");
        let guarded = is_of_the_api || name.ends_with(" /metrics");
        assert_eq!(operation.get("security").is_some(), guarded, "{name}");
        assert_eq!(
            operation["responses"].get("401").is_some(),
            guarded,
            "{name}"
        );
        let scope = match name.as_str() {
            _ if name.contains("/v1/webhooks") => "operate",
            _ if name.starts_with("get") => "read",
            _ if name.contains("/v1/images") || name.contains("/v1/batches") => "submit",
            _ if name.starts_with("post") => "operate",
            _ => "read",
        };
        if guarded {
            assert_eq!(operation["security"][0]["api_key"][0], scope, "{name}");
            let forbidden = &operation["responses"]["403"]["content"]["application/problem+json"];
            assert!(forbidden["examples"]["forbidden"].is_object(), "{name}");
        }
    }
    let scheme = &description["components"]["securitySchemes"]["api_key"];
    assert_eq!(scheme["scheme"], "bearer");
}

#[tokio::test(flavor = "multi_thread")]
async fn swagger_ui_is_served_whole_from_inside() {
    let api = Api::on_sqlite(settings()).await;
    for path in ["/", "/docs"] {
        let answer = api.get(path).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (307, Some("docs/")),
            "{path}"
        );
    }
    let page = api.get("/docs/").await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self';"), "{policy}");
    let html = String::from_utf8(page.body).unwrap();
    assert!(html.contains("<title>ThumbForge API</title>"), "{html}");
    assert!(!html.contains("https://"), "a foreign asset: {html}");
    let mut assets = 0;
    for attribute in ["src=\"", "href=\""] {
        for piece in html.split(attribute).skip(1) {
            let name = piece.split('"').next().unwrap();
            let answer = api
                .get(&format!("/docs/{}", name.trim_start_matches("./")))
                .await;
            assert_eq!(answer.status, 200, "{name}");
            assert!(!answer.body.is_empty(), "{name}");
            assets += 1;
        }
    }
    assert!(assets >= 5, "{html}");
    let start = api.get("/docs/swagger-initializer.js").await;
    assert!(
        String::from_utf8(start.body)
            .unwrap()
            .contains("/openapi.json")
    );
}
