//! `GET /v1/failures`, `/v1/workers` and `/v1/flow`

use serde_json::json;
use thumbforge::domain::{FailureCode, Outcome, WorkerSign};
use uuid::Uuid;

use super::harness::{Api, JSON, on_both_databases};
use crate::support::http_client::request;

async fn failed(api: &Api, url: &str) -> Uuid {
    let id = api.accepted(url).await;
    let claim = api.claimed(id).await;
    let outcome = Outcome::Failed {
        code: FailureCode::SourceClientError,
        message: "the source answered 404".to_owned(),
        source_status: Some(404),
        variant: None,
    };
    assert!(api.database.finish(&claim, &outcome).await.unwrap());
    id.0
}

on_both_databases! {
    async fn a_group_of_failures_is_retried_by_its_filter(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let nothing = api.get("/v1/failures").await;
        assert_eq!(nothing.json(), json!({
            "items": [], "groups": 0, "jobs": 0, "is_exact": true, "limit": 20,
        }));
        let first = failed(&api, "https://a.example/1.jpg").await;
        let second = failed(&api, "https://a.example:8443/2.jpg").await;
        failed(&api, "https://b.example/").await;
        let answer = api.get("/v1/failures?limit=1&host=A.example").await.json();
        assert_eq!((&answer["groups"], &answer["jobs"]), (&json!(1), &json!(2)));
        let group = &answer["items"][0];
        assert_eq!((&group["error_code"], &group["host"]), (&json!("source_client_error"), &json!("a.example")));
        assert_eq!((&group["count"], &group["filter"]["status"]), (&json!(2), &json!("failed")));
        let examples = group["examples"].as_array().unwrap();
        assert_eq!((&examples[0]["id"], &examples[1]["id"]), (&json!(second), &json!(first)));
        assert_eq!(examples[1]["url"], "https://a.example/1.jpg");
        assert_eq!(examples[1]["error"], "the source answered 404");
        assert_eq!(group["last_failed_at"], examples[0]["failed_at"]);
        let action = json!({
            "action": "retry", "filter": group["filter"], "expected_count": group["count"],
        });
        let body = action.to_string();
        let begun = request(api.address, "POST", "/v1/actions", &[JSON], body.as_bytes()).await;
        assert_eq!((begun.status, &begun.json()["counts"]["matched"]), (202, &json!(2)));
    }

    async fn workers_and_their_jobs_are_shown(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        assert_eq!(api.get("/v1/workers").await.json(), json!({
            "items": [], "paused": false, "oldest_pending_seconds": null,
            "backlog_unattended": false, "jobs_without_worker": 0, "is_exact": true,
        }));
        let sign = WorkerSign { host: Some("one".to_owned()), ..WorkerSign::ready(Uuid::now_v7()) };
        api.database.mark_worker_alive(&sign).await.unwrap();
        let id = api.accepted("https://a.example/1.jpg").await;
        api.claimed(id).await;
        let answer = api.get("/v1/workers").await.json();
        let worker = &answer["items"][0];
        assert_eq!((&worker["id"], &worker["state"]), (&json!(sign.id), &json!("ready")));
        assert_eq!((&worker["host"], &worker["version"]), (&json!("one"), &json!(null)));
        assert_eq!((&worker["jobs"], &worker["in_work"]), (&json!(0), &json!([])));
        assert_eq!(answer["jobs_without_worker"], 1, "the harness claims for a worker of its own");
    }

    async fn the_curves_of_ends_have_every_bucket(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let id = api.accepted("https://a.example/1.jpg").await;
        api.complete(id, b"jpeg").await;
        failed(&api, "https://a.example/2.jpg").await;
        let flow = api.get("/v1/flow?step=day").await.json();
        let items = flow["items"].as_array().unwrap();
        assert_eq!((items.len(), &flow["step"], &flow["is_exact"]), (30, &json!("day"), &json!(true)));
        assert_eq!(flow["from"], items[0]["at"]);
        assert_eq!(items[0], json!({
            "at": items[0]["at"], "completed": 0, "failed": 0, "cancelled": 0, "wait": null,
            "work": null,
        }));
        let total = &flow["total"];
        assert_eq!((&total["completed"], &total["failed"], &total["cancelled"]), (&json!(1), &json!(1), &json!(0)));
        for measure in ["wait", "work"] {
            let (p50, p95) = (&total[measure]["p50_seconds"], &total[measure]["p95_seconds"]);
            assert!(p50.as_f64().unwrap() <= p95.as_f64().unwrap(), "{measure}");
        }
        let minutes = api.get("/v1/flow").await.json();
        assert_eq!(minutes["items"].as_array().unwrap().len(), 60);
        let job = api.get(&format!("/v1/images/{id}")).await.json();
        let (at, finished) = (job["created_at"].as_str().unwrap(), job["finished_at"].as_str().unwrap());
        let asked = format!("/v1/flow?step=hour&from={at}&to={finished}");
        assert_eq!(api.get(&asked).await.json()["total"]["completed"], 1);
    }

    async fn bad_queries_about_failures_and_workers_name_their_parameters(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        for query in [
            "failures?status=failed", "failures?limit=0", "failures?cursor=x", "failures?host=",
            "failures?created_after=x", "failures?limit=1&limit=1", "workers?limit=1",
            "flow?step=week", "flow?from=x", "flow?to=", "flow?from=2999-01-01", "flow?limit=1",
            "flow?from=2020-01-01&to=2020-01-01T00:01:00Z",
        ] {
            let answer = api.get(&format!("/v1/{query}")).await;
            assert_eq!(answer.problem(), (422, "invalid_query".to_owned()), "{query}");
            let name = query.split(['=', '?']).nth(1).unwrap();
            assert_eq!(answer.json()["errors"][0]["parameter"], name, "{query}");
        }
    }
}
