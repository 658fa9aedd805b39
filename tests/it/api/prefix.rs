//! The API behind a proxy, under a path of its own.

use serde_json::{Value, json};
use thumbforge::http::ApiSettings;

use super::harness::{Api, JSON, on_both_databases, settings};
use crate::support::http_client::{Answer, request};

const FORWARDED: &str = "X-Forwarded-Prefix";

/// Trusts proxies on loopback, where these tests are.
fn trusting() -> ApiSettings {
    ApiSettings {
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..settings()
    }
}

fn shown_at(url: &str) -> ApiSettings {
    ApiSettings {
        public_url: Some(url.parse().unwrap()),
        ..settings()
    }
}

async fn submit(api: &Api, headers: &[(&str, &str)]) -> Answer {
    let headers = [&[JSON], headers].concat();
    let body = json!({
        "url": "https://images.example.com/a.jpg",
        "variants": [{"name": "card", "width": 32, "format": ["webp", "jpeg"]}],
    });
    let body = body.to_string();
    request(api.address, "POST", "/v1/images", &headers, body.as_bytes()).await
}

/// The prefix that an API puts before the `Location` of a submission.
async fn prefix_of(api: &Api, headers: &[(&str, &str)]) -> String {
    let answer = submit(api, headers).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let location = answer.header("location").unwrap();
    let prefix = location.strip_suffix(&format!("/v1/images/{id}"));
    prefix.unwrap_or_else(|| panic!("{location}")).to_owned()
}

async fn servers(api: &Api, headers: &[(&str, &str)]) -> Value {
    let answer = api.get_with("/openapi.json", headers).await;
    assert_eq!(answer.status, 200);
    answer.json()["servers"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_path_of_the_public_url_leads_every_link() {
    for (url, prefix) in [
        ("https://example.org/thumbs", "/thumbs"),
        ("https://example.org/a/b/", "/a/b"),
        ("https://example.org", ""),
    ] {
        let api = Api::on_sqlite(shown_at(url)).await;
        assert_eq!(prefix_of(&api, &[]).await, prefix, "{url}");
        let expected = match prefix {
            "" => Value::Null,
            prefix => json!([{"url": prefix}]),
        };
        assert_eq!(servers(&api, &[]).await, expected, "{url}");
        // The header of somebody who is not trusted.
        assert_eq!(prefix_of(&api, &[(FORWARDED, "/evil")]).await, prefix);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_says_where_it_shows_the_api() {
    let settings = ApiSettings {
        public_url: shown_at("https://example.org/thumbs").public_url,
        ..trusting()
    };
    let api = Api::on_sqlite(settings).await;
    for (header, prefix) in [
        ("/other", "/other"),
        ("/other/deep/", "/other/deep"),
        ("/", ""),
        ("", ""),
        // What is no plain path is not believed.
        ("//evil.example", "/thumbs"),
        ("/a/../b", "/thumbs"),
        ("/a%2e%2e", "/thumbs"),
        ("other", "/thumbs"),
        ("https://evil.example/", "/thumbs"),
        ("/a, /b", "/thumbs"),
        ("/\\evil.example", "/thumbs"),
    ] {
        assert_eq!(
            prefix_of(&api, &[(FORWARDED, header)]).await,
            prefix,
            "{header}"
        );
    }
    let two = [(FORWARDED, "/a"), (FORWARDED, "/b")];
    assert_eq!(prefix_of(&api, &two).await, "/thumbs");
    let long = format!("/{}", "a".repeat(256));
    assert_eq!(prefix_of(&api, &[(FORWARDED, &long)]).await, "/thumbs");
    let described = servers(&api, &[(FORWARDED, "/other")]).await;
    assert_eq!(described, json!([{"url": "/other"}]));
    // Nothing else of the description changes.
    let whole = |answer: Answer| {
        let mut document = answer.json();
        document.as_object_mut().unwrap().remove("servers");
        document
    };
    let [one, other] = ["/", "/other"].map(|prefix| [(FORWARDED, prefix)]);
    let one = whole(api.get_with("/openapi.json", &one).await);
    let other = whole(api.get_with("/openapi.json", &other).await);
    assert_eq!(one, other);
}

on_both_databases! {
    async fn links_of_results_lead_through_the_proxy(fixture: &Fixture) {
        let api = Api::start_with(fixture, trusting()).await;
        let answer = submit(&api, &[]).await;
        let id: thumbforge::domain::JobId = answer.json()["id"].as_str().unwrap().parse().unwrap();
        super::variants::complete(&api, id).await;
        let forwarded = [(FORWARDED, "/thumbs")];
        let path = format!("/v1/images/{id}");
        for (headers, prefix) in [(&forwarded[..], "/thumbs"), (&[], "")] {
            let job = api.get_with(&path, headers).await.json();
            let list = api.get_with("/v1/images", headers).await.json();
            for job in [&job, &list["items"][0]] {
                let card = &job["result"]["variants"]["card"];
                let href = format!("{prefix}{path}/variants/card");
                assert_eq!(card["href"], href, "{job}");
                assert_eq!(card["formats"][0]["href"], format!("{href}?format=webp"));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_given_again_leads_where_it_is_given() {
    let api = Api::on_sqlite(trusting()).await;
    let key = ("Idempotency-Key", "one");
    let first = submit(&api, &[key]).await;
    let again = submit(&api, &[key, (FORWARDED, "/thumbs")]).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let location = first.header("location").unwrap();
    assert_eq!(
        again.header("location"),
        Some(format!("/thumbs{location}").as_str())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_and_actions_are_found_through_the_proxy_too() {
    let api = Api::on_sqlite(trusting()).await;
    let forwarded = [JSON, (FORWARDED, "/thumbs")];
    for (path, body) in [
        (
            "/v1/batches",
            json!({"items": [{"url": "https://images.example.com/a.jpg"}]}),
        ),
        (
            "/v1/actions",
            json!({"action": "retry", "filter": {"status": "failed"}}),
        ),
    ] {
        let body = body.to_string();
        let answer = request(api.address, "POST", path, &forwarded, body.as_bytes()).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let location = answer.header("location").unwrap();
        assert!(
            location.starts_with(&format!("/thumbs{path}/")),
            "{location}"
        );
    }
}
