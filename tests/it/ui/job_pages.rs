//! The list of jobs and the page of one.

use thumbforge::domain::{FailureCode, Outcome};

use super::{html, open, press};
use crate::api::harness::{Api, JSON};
use crate::support::http_client::request;

/// Text that tries to leave whatever it is put into.
const HOSTILE: &str = "\"'><script>alert(1)</script>&amp;{{7*7}}";

pub async fn fail(api: &Api, url: &str, message: &str) -> thumbforge::domain::JobId {
    fail_as(api, &[], url, message).await
}

/// The same with these fields of the request.
pub async fn fail_as(
    api: &Api,
    fields: &[(&str, &str)],
    url: &str,
    message: &str,
) -> thumbforge::domain::JobId {
    let fields = [&[JSON], fields].concat();
    let body = serde_json::json!({ "url": url }).to_string();
    let answer = request(api.address, "POST", "/v1/images", &fields, body.as_bytes()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.json()["id"].as_str().unwrap().parse().unwrap();
    let claim = api.claimed(id).await;
    let outcome = Outcome::Failed {
        code: FailureCode::SourceClientError,
        message: message.to_owned(),
        source_status: Some(404),
        variant: None,
    };
    assert!(api.database.finish(&claim, &outcome).await.unwrap());
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_wrote_is_shown_as_text() {
    let api = open().await;
    let body = serde_json::json!({
        "url": format!("http://a.example/{HOSTILE}?q={HOSTILE}"),
        "tags": ["<b>tag</b>\"'"],
        "metadata": {"k\"<i>": HOSTILE},
    });
    let answer = request(
        api.address,
        "POST",
        "/v1/images",
        &[JSON],
        body.to_string().as_bytes(),
    )
    .await;
    let id: thumbforge::domain::JobId = answer.json()["id"].as_str().unwrap().parse().unwrap();
    let claim = api.claimed(id).await;
    let outcome = Outcome::Failed {
        code: FailureCode::CorruptImage,
        message: HOSTILE.to_owned(),
        source_status: None,
        variant: None,
    };
    assert!(api.database.finish(&claim, &outcome).await.unwrap());
    let query: String = url::form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
    for path in [
        "/ui/jobs".to_owned(),
        format!("/ui/jobs/{id}"),
        format!("/ui/jobs/{id}/delete"),
        format!("/ui/jobs?host={query}&tag={query}&submitted_by={query}"),
        format!("/ui/jobs?batch_id={query}&created_after={query}&{query}={query}"),
        format!("/ui/jobs?done={query}"),
        format!("/ui/{query}"),
    ] {
        let answer = api.get(&path).await;
        let page = html(&answer, answer.status);
        for raw in ["<script>alert", "<b>tag", "<i>", "\"'>"] {
            assert!(!page.contains(raw), "{path}: {raw}: {page}");
        }
    }
    let page = html(&api.get(&format!("/ui/jobs/{id}")).await, 200);
    assert!(page.contains("&#60;b&#62;tag&#60;/b&#62;"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_are_in_the_url() {
    let api = open().await;
    let failed = fail(&api, "http://a.example/failed.jpg", "it is gone").await;
    let done = api.accepted("http://b.example/done.jpg").await;
    api.complete(done, b"\xff\xd8").await;
    let (failed, done) = (format!("row-{failed}"), format!("row-{done}"));
    for (query, shown) in [
        ("", [true, true]),
        ("?status=failed", [true, false]),
        ("?status=&host=b.example&tag=", [false, true]),
        ("?error_code=source_client_error", [true, false]),
        ("?created_before=2020-01-01T00:00", [false, false]),
        ("?tag=none", [false, false]),
    ] {
        let page = html(&api.get(&format!("/ui/jobs{query}")).await, 200);
        assert_eq!(
            [page.contains(&failed), page.contains(&done)],
            shown,
            "{query}"
        );
    }
    let page = html(&api.get("/ui/jobs?batch_id=1&status=done").await, 422);
    assert!(page.contains("batch_id must be a UUID"), "{page}");
    assert!(page.contains("status must be"), "{page}");
    let part = api
        .get_with("/ui/jobs?status=failed&host=", &[("HX-Request", "true")])
        .await;
    assert_eq!(
        part.header("hx-replace-url"),
        Some("/ui/jobs?status=failed")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn older_jobs_are_a_page_away() {
    let api = open().await;
    let mut ids = Vec::new();
    for number in 0..60 {
        ids.push(
            api.accepted(&format!("http://a.example/{number}.jpg"))
                .await,
        );
    }
    let page = html(&api.get("/ui/jobs?host=a.example").await, 200);
    assert_eq!(page.matches("id=\"row-").count(), 50);
    assert!(page.contains("60 jobs"), "{page}");
    let older = page
        .split("rel=\"next\" href=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let older = older.replace("&#38;", "&");
    let page = html(&api.get(&older).await, 200);
    assert_eq!(page.matches("id=\"row-").count(), 10);
    assert!(
        page.contains(&format!("row-{}", ids[0])) && page.contains("Newest"),
        "{page}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_tells_what_happened_and_is_retried_cancelled_and_deleted() {
    let api = open().await;
    let id = fail(&api, "http://a.example/a.jpg", "the source answered 404").await;
    let place = format!("/ui/jobs/{id}");
    let page = html(&api.get(&place).await, 200);
    for text in [
        "the source answered 404",
        "Attempt 1 failed (source_client_error)",
        "HTTP 404",
        "waited ",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(!page.contains("data-refresh"), "it has ended: {page}");
    let answer = press(&api, &format!("{place}/retry"), &[], "").await;
    let retried = format!("{place}?done=retried");
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, Some(&*retried))
    );
    let page = html(&api.get(&retried).await, 200);
    assert!(
        page.contains("pending again") && page.contains("data-refresh"),
        "{page}"
    );
    assert_eq!(
        press(&api, &format!("{place}/cancel"), &[], "")
            .await
            .status,
        303
    );
    let answer = press(&api, "/ui/jobs/nonsense/cancel", &[], "").await;
    html(&answer, 422);
    let page = html(&api.get(&format!("{place}/delete")).await, 200);
    assert!(page.contains("Delete this job?"), "{page}");
    assert_eq!(
        press(&api, &format!("{place}/delete"), &[], "")
            .await
            .status,
        303
    );
    html(&api.get(&place).await, 404);
    html(&press(&api, &format!("{place}/delete"), &[], "").await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completed_job_is_not_retried() {
    let api = open().await;
    let id = api.accepted("http://a.example/a.jpg").await;
    api.complete(id, b"\xff\xd8").await;
    let page = html(&api.get(&format!("/ui/jobs/{id}")).await, 200);
    assert!(!page.contains("/retry\""), "{page}");
    assert!(
        page.contains("640 × 480 px JPEG") && page.contains("Display P3"),
        "{page}"
    );
    let page = html(
        &press(&api, &format!("/ui/jobs/{id}/retry"), &[], "").await,
        409,
    );
    assert!(page.contains("The job is completed."), "{page}");
}
