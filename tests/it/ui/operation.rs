//! Failures, actions, origins, batches and webhooks.

use thumbforge::domain::JobId;

use super::job_pages::{fail, fail_as};
use super::{OPERATOR, READER, guarded, html, open, press, sign_in};
use crate::api::harness::{Api, JSON};
use crate::support::http_client::request;

/// The value of a hidden field, as a browser reads it.
fn field(page: &str, name: &str) -> String {
    let rest = page.split(&format!("name=\"{name}\" value=\"")).nth(1);
    let value = rest
        .unwrap_or_else(|| panic!("no {name}: {page}"))
        .split('"')
        .next()
        .unwrap();
    value.replace("&#38;", "&")
}

/// A form's body.
fn body(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

async fn three_failures(api: &Api) -> Vec<JobId> {
    let mut ids = Vec::new();
    for number in 0..2 {
        ids.push(fail(api, &format!("http://a.example/{number}.jpg"), "it is gone").await);
    }
    ids.push(fail(api, "http://b.example/2.jpg", "it is gone").await);
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_failures_is_retried_after_its_count_was_seen() {
    let api = open().await;
    let page = html(&api.get("/ui/failures").await, 200);
    assert!(page.contains("Nothing to do here"), "{page}");
    three_failures(&api).await;
    let page = html(&api.get("/ui/failures").await, 200);
    assert!(
        page.contains("a.example") && page.contains("b.example"),
        "{page}"
    );
    let group = page.split("Retry these 2").next().unwrap();
    let link = group
        .rsplit("href=\"")
        .next()
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let link = link.replace("&#38;", "&");
    assert!(link.contains("host=a.example"), "{link}");
    let page = html(&api.get(&link).await, 200);
    assert!(
        page.contains("Retry 2 jobs?") && !page.contains("b.example"),
        "{page}"
    );
    let (filter, count) = (field(&page, "filter"), field(&page, "expected_count"));
    assert_eq!(count, "2");

    let wrong = body(&[
        ("action", "retry"),
        ("filter", &filter),
        ("expected_count", "3"),
    ]);
    let refused = html(&press(&api, "/ui/actions", &[], &wrong).await, 409);
    assert!(refused.contains("2 jobs match, and not 3"), "{refused}");
    let right = body(&[
        ("action", "retry"),
        ("filter", &filter),
        ("expected_count", &count),
    ]);
    let answer = press(&api, "/ui/actions", &[], &right).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let page = html(&api.get(answer.header("location").unwrap()).await, 200);
    assert!(
        page.contains("Retry 2 jobs") && page.contains("running"),
        "{page}"
    );
    let page = html(&api.get("/ui/actions").await, 200);
    assert!(page.contains("from a.example"), "{page}");
    let place = answer.header("location").unwrap();
    assert_eq!(
        press(&api, &format!("{place}/abort"), &[], "").await.status,
        303
    );
    let page = html(&api.get(place).await, 200);
    assert!(
        page.contains("aborted") && !page.contains("data-refresh"),
        "{page}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_to_all_jobs_at_once() {
    let api = open().await;
    three_failures(&api).await;
    for query in [
        "action=delete",
        "action=burn&status=failed",
        "status=failed",
        "action=delete&state=x",
    ] {
        html(&api.get(&format!("/ui/actions/new?{query}")).await, 422);
    }
    let all = body(&[
        ("action", "delete"),
        ("filter", ""),
        ("expected_count", "3"),
    ]);
    html(&press(&api, "/ui/actions", &[], &all).await, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_and_everything_is_paused_and_resumed() {
    let api = open().await;
    api.accepted("http://a.example/a.jpg").await;
    let page = html(&api.get("/ui/origins").await, 200);
    assert!(page.contains("http://a.example:80"), "{page}");
    let origin = body(&[("origin", "http://a.example:80")]);
    for (brake, is_paused) in [("pause", true), ("resume", false), ("reset", false)] {
        let answer = press(&api, &format!("/ui/origins/{brake}"), &[], &origin).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        let page = html(&api.get(answer.header("location").unwrap()).await, 200);
        assert_eq!(page.contains(">paused</span>"), is_paused, "{page}");
        assert!(page.contains("class=\"notice\""), "{page}");
    }
    html(
        &press(
            &api,
            "/ui/origins/pause",
            &[],
            &body(&[("origin", "a.example")]),
        )
        .await,
        422,
    );
    html(&press(&api, "/ui/origins/burn", &[], &origin).await, 404);
    for (brake, is_paused) in [("pause", true), ("resume", false)] {
        assert_eq!(
            press(&api, &format!("/ui/queue/{brake}"), &[], "")
                .await
                .status,
            303
        );
        let page = html(&api.get("/ui").await, 200);
        assert_eq!(page.contains("Everything is paused"), is_paused, "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_shows_how_far_it_is() {
    let api = open().await;
    let page = html(&api.get("/ui/batches").await, 200);
    assert!(page.contains("No batch yet"), "{page}");
    let items = serde_json::json!({"items": [
        {"url": "http://a.example/a.jpg"}, {"url": "http://a.example/b.jpg"}, {"url": "ftp://x"},
    ]});
    let answer = request(
        api.address,
        "POST",
        "/v1/batches",
        &[JSON],
        items.to_string().as_bytes(),
    )
    .await;
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let page = html(&api.get("/ui/batches").await, 200);
    assert!(
        page.contains(&id) && page.contains("1 rejected, 2 pending"),
        "{page}"
    );
    let answer = press(&api, &format!("/ui/batches/{id}/cancel"), &[], "").await;
    let page = html(&api.get(answer.header("location").unwrap()).await, 200);
    assert!(page.contains("1 rejected, 2 cancelled"), "{page}");
    html(&api.get("/ui/batches?cursor=x").await, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_tested_and_disabled_and_its_log_is_shown() {
    let api = open().await;
    let made = serde_json::json!({"url": "https://hooks.example/x?secret=<b>"});
    let answer = request(
        api.address,
        "POST",
        "/v1/webhooks",
        &[JSON],
        made.to_string().as_bytes(),
    )
    .await;
    let made = answer.json();
    let (id, secret) = (
        made["id"].as_str().unwrap(),
        made["secret"].as_str().unwrap(),
    );
    let place = format!("/ui/webhooks/{id}");
    let page = html(&api.get("/ui/webhooks").await, 200);
    assert!(
        page.contains(&place) && page.contains("all events"),
        "{page}"
    );
    assert_eq!(
        press(&api, &format!("{place}/test"), &[], "").await.status,
        303
    );
    let page = html(&api.get(&place).await, 200);
    assert!(
        page.contains("webhook.test") && page.contains("not tried yet"),
        "{page}"
    );
    assert!(!page.contains(secret) && !page.contains("<b>"), "{page}");
    let resend = page
        .split("action=\"")
        .find(|part| part.contains("/resend"))
        .unwrap();
    let resend = resend.split('"').next().unwrap().to_owned();
    assert_eq!(press(&api, &resend, &[], "").await.status, 303);
    for (button, state) in [("disable", ">disabled<"), ("enable", ">active<")] {
        assert_eq!(
            press(&api, &format!("{place}/{button}"), &[], "")
                .await
                .status,
            303
        );
        let page = html(&api.get(&place).await, 200);
        assert!(page.contains(state), "{page}");
    }
    html(&api.get("/ui/webhooks/nonsense").await, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_but_has_no_buttons() {
    let api = guarded().await;
    let bearer = format!("Bearer {OPERATOR}");
    let fields = [JSON, ("Authorization", &*bearer)];
    fail_as(&api, &fields[1..], "http://a.example/1.jpg", "it is gone").await;
    let batch = br#"{"items": [{"url": "http://c.example/1.jpg"}]}"#;
    let made = request(api.address, "POST", "/v1/batches", &fields, batch).await;
    assert_eq!(made.status, 202, "{made:?}");
    let (reader, operator) = (sign_in(&api, READER).await, sign_in(&api, OPERATOR).await);
    let (cookie, operator) = ([("Cookie", &*reader)], [("Cookie", &*operator)]);
    for (path, button) in [
        ("/ui/jobs?status=failed", "/ui/actions/new"),
        ("/ui/failures", "/ui/actions/new"),
        ("/ui/origins", "/ui/queue/pause"),
        ("/ui/batches", "/cancel\""),
    ] {
        let page = html(&api.get_with(path, &cookie).await, 200);
        assert!(!page.contains(button), "{path}: {page}");
        let page = html(&api.get_with(path, &operator).await, 200);
        assert!(page.contains(button), "{path}: {page}");
    }
    for path in [
        "/ui",
        "/ui/jobs?status=failed",
        "/ui/failures",
        "/ui/origins",
        "/ui/batches",
        "/ui/actions",
    ] {
        let page = html(&api.get_with(path, &cookie).await, 200);
        assert!(
            !page.contains("/ui/webhooks") && !page.contains("Pause"),
            "{path}: {page}"
        );
    }
    // The router decodes what the scope must be judged by.
    for path in [
        "/ui/webhooks",
        "/ui/%77ebhooks",
        "/ui/actions/new?action=retry&host=a",
    ] {
        html(&api.get_with(path, &cookie).await, 403);
    }
    for target in ["/ui/queue/pause", "/ui/origins/pause", "/ui/actions"] {
        html(&press(&api, target, &cookie, "origin=x").await, 403);
    }
}
