//! Cancel, retry and delete; whose jobs a key may change; how often it may ask.

use thumbforge::domain::{FailureCode, JobId, JobStatus, Outcome};
use thumbforge::http::{ApiKeys, ApiSettings};

use super::harness::{Api, JSON, on_both_databases, settings};
use crate::support::http_client::{Answer, request};

const URL: &str = "https://images.example.com/a.jpg";

/// By `printf %s secret-one | sha256sum` and so on.
const KEYS: &str = "\
one:ea77193cc4e6f18656f3130e296203880c4b9b3772afc855211b82fdd46e9185
two:cebdf378f2d2bd60d3e3693349e8f20f329daf11a276f849996f0a6377e2155b:read,submit,operate";

async fn change(api: &Api, id: JobId, what: &str) -> Answer {
    let target = format!("/v1/images/{id}/{what}");
    request(api.address, "POST", &target, &[], b"").await
}

async fn delete(api: &Api, id: JobId) -> Answer {
    request(api.address, "DELETE", &format!("/v1/images/{id}"), &[], b"").await
}

async fn fail(api: &Api, id: JobId) {
    let claim = api.claimed(id).await;
    let failed = Outcome::Failed {
        code: FailureCode::CorruptImage,
        message: "broken".to_owned(),
        source_status: Some(200),
        variant: None,
    };
    assert!(api.database.finish(&claim, &failed).await.unwrap());
}

on_both_databases! {
    async fn jobs_are_cancelled_retried_and_deleted(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let id = api.accepted(URL).await;
        for _ in 0..2 {
            let answer = change(&api, id, "cancel").await;
            assert_eq!((answer.status, answer.json()["status"].as_str()), (200, Some("cancelled")));
            assert!(answer.json()["finished_at"].is_string());
        }
        let retried = change(&api, id, "retry").await;
        assert_eq!((retried.status, retried.json()["status"].as_str()), (200, Some("pending")));
        assert!(retried.json()["finished_at"].is_null());
        assert_eq!(change(&api, id, "retry").await.problem(), (409, "not_retryable".to_owned()));
        api.complete(id, b"jpeg").await;
        assert_eq!(change(&api, id, "retry").await.problem(), (409, "not_retryable".to_owned()));
        assert_eq!(change(&api, id, "cancel").await.problem(), (409, "already_ended".to_owned()));
        let job = api.get(&format!("/v1/images/{id}")).await.json();
        let log = job["attempts_log"].as_array().unwrap();
        assert_eq!(log.len(), 1);
        assert_eq!((log[0]["outcome"].as_str(), &log[0]["error_code"]), (Some("completed"), &serde_json::Value::Null));
        assert!(log[0]["began"].as_str().unwrap() <= log[0]["ended"].as_str().unwrap());
        let gone = delete(&api, id).await;
        assert_eq!((gone.status, gone.body.len()), (204, 0));
        assert_eq!(delete(&api, id).await.problem(), (404, "job_not_found".to_owned()));
        assert_eq!(api.get(&format!("/v1/images/{id}/thumbnail")).await.status, 404);
        for what in ["cancel", "retry"] {
            assert_eq!(change(&api, id, what).await.problem(), (404, "job_not_found".to_owned()));
        }
    }

    async fn a_failed_job_is_retried_unless_that_breaks_its_policy(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let body = format!(r#"{{"url": "{URL}", "duplicate": "reject-active"}}"#);
        let first: JobId = api.post(&body).await.json()["id"].as_str().unwrap().parse().unwrap();
        fail(&api, first).await;
        let second: JobId = api.post(&body).await.json()["id"].as_str().unwrap().parse().unwrap();
        let refused = change(&api, first, "retry").await;
        assert_eq!(refused.json()["job_id"], second.to_string());
        assert_eq!(refused.problem(), (409, "duplicate_active".to_owned()));
        fail(&api, second).await;
        assert_eq!(change(&api, first, "retry").await.status, 200);
        let job = api.database.find(first).await.unwrap().unwrap();
        assert_eq!((job.status, job.attempts, job.error), (JobStatus::Pending, 0, None));
    }

    async fn labels_come_back_and_are_looked_for(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let body = format!(
            r#"{{"url": "{URL}", "tags": ["x", "ü"], "metadata": {{"b": 1, "a": [null]}}, "expires_in": 90}}"#
        );
        let answer = api.post(&body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        api.accepted(URL).await;
        let job = answer.json();
        let listed = api.get("/v1/images?tag=%C3%BC").await.json();
        for job in [&job, &listed["items"][0]] {
            assert_eq!(job["tags"], serde_json::json!(["x", "ü"]));
            assert_eq!(job["metadata"], serde_json::json!({"a": [null], "b": 1}));
            assert_eq!((&job["expires_in"], &job["submitted_by"]), (&90.into(), &().into()));
        }
        let pagination = &listed["pagination"];
        assert_eq!((&pagination["total"], &pagination["total_is_exact"]), (&1.into(), &true.into()));
        let all = api.get("/v1/images?host=IMAGES.example.com&limit=1").await.json();
        assert_eq!(all["pagination"]["total"], 2);
        let cursor = all["pagination"]["next_cursor"].as_str().unwrap();
        let rest = api.get(&format!("/v1/images?host=images.example.com&cursor={cursor}")).await.json();
        assert_eq!(rest["items"][0]["id"], job["id"]);
        assert!(rest["pagination"]["next_cursor"].is_null());
        assert_eq!(rest["pagination"]["has_more"], false);
    }
}

fn keyed(rate: Option<f64>) -> ApiSettings {
    ApiSettings {
        api_keys: ApiKeys::parse(KEYS).unwrap().into(),
        rate_limit_per_key: rate,
        ..settings()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_changes_its_own_jobs_and_an_operator_all() {
    let api = Api::on_sqlite(keyed(None)).await;
    let one = ("Authorization", "Bearer secret-one");
    let two = ("Authorization", "Bearer secret-two");
    let body = format!(r#"{{"url": "{URL}"}}"#);
    let mut ids = Vec::new();
    for key in [one, two] {
        let answer = request(
            api.address,
            "POST",
            "/v1/images",
            &[JSON, key],
            body.as_bytes(),
        )
        .await;
        ids.push(answer.json()["id"].as_str().unwrap().to_owned());
    }
    for (what, own) in [("cancel", 200), ("retry", 200)] {
        for (key, expected) in [(one, [own, 403]), (two, [own, own])] {
            for (id, expected) in ids.iter().zip(expected) {
                let target = format!("/v1/images/{id}/{what}");
                let answer = request(api.address, "POST", &target, &[key], b"").await;
                // The second retry finds it pending.
                let again = what == "retry" && key == two && *id == ids[0];
                assert_eq!(
                    answer.status,
                    if again { 409 } else { expected },
                    "{what} {key:?}"
                );
            }
        }
    }
    let listed = api
        .get_with("/v1/images?submitted_by=one", &[two])
        .await
        .json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed["items"][0]["id"], ids[0].as_str());
    let target = |id: &String| format!("/v1/images/{id}");
    let refused = request(api.address, "DELETE", &target(&ids[1]), &[one], b"").await;
    assert_eq!(refused.problem(), (403, "forbidden".to_owned()));
    for id in &ids {
        let gone = request(api.address, "DELETE", &target(id), &[two], b"").await;
        assert_eq!(gone.status, 204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_asks_too_often_waits_and_others_do_not() {
    let api = Api::on_sqlite(keyed(Some(0.5))).await;
    let one = [("Authorization", "Bearer secret-one")];
    let two = [("Authorization", "Bearer secret-two")];
    assert_eq!(api.get_with("/v1/metrics", &one).await.status, 200);
    let refused = api.get_with("/v1/metrics", &one).await;
    let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=2).contains(&wait), "{wait}");
    assert_eq!(refused.problem(), (429, "rate_limited".to_owned()));
    assert_eq!(api.get_with("/v1/metrics", &two).await.status, 200);
    assert_eq!(api.get("/v1/healthz").await.status, 200);
}
