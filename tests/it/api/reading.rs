//! `GET /v1/images`, `/v1/images/{job_id}`, `/v1/metrics`

use thumbforge::domain::{FailureCode, JobId, Outcome, WorkerSign};
use uuid::Uuid;

use super::harness::{Api, on_both_databases};
use crate::support::http_client::request;

const URL: &str = "https://images.example.com/harbour.jpg";

fn ids(list: &serde_json::Value) -> Vec<JobId> {
    let items = list["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["id"].as_str().unwrap().parse().unwrap())
        .collect()
}

on_both_databases! {
    async fn the_list_is_paged_newest_first(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let empty = api.get("/v1/images").await.json();
        assert_eq!(empty, serde_json::json!({
            "items": [],
            "pagination": {
                "total": 0, "total_is_exact": true, "limit": 20, "offset": 0, "has_more": false,
                "next_cursor": null,
            },
        }));
        let mut submitted = Vec::new();
        for _ in 0..5 {
            submitted.push(api.accepted(URL).await);
        }
        submitted.reverse();
        let page = api.get("/v1/images?limit=2&offset=1").await.json();
        assert_eq!(ids(&page), submitted[1..3]);
        let cursor = page["pagination"]["next_cursor"].clone();
        assert_eq!(page["pagination"], serde_json::json!({
            "total": 5, "total_is_exact": true, "limit": 2, "offset": 1, "has_more": true,
            "next_cursor": cursor,
        }));
        let cursor = cursor.as_str().unwrap();
        let next = api.get(&format!("/v1/images?limit=9&cursor={cursor}")).await.json();
        assert_eq!(ids(&next), submitted[3..]);
        let last = api.get("/v1/images?limit=2&offset=3").await.json();
        assert_eq!(ids(&last), submitted[3..]);
        assert_eq!(last["pagination"]["has_more"], false);
        let beyond = api.get("/v1/images?limit=100000&offset=99999999999999999999").await.json();
        assert_eq!(ids(&beyond), []);
        assert_eq!(beyond["pagination"]["limit"], 100);
        assert_eq!(beyond["pagination"]["total"], 5);
    }

    async fn the_list_is_filtered(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let older = api.accepted(URL).await;
        let newer = api.accepted(URL).await;
        api.complete(older, b"jpeg").await;
        let list = async |query: &str| ids(&api.get(&format!("/v1/images?{query}")).await.json());
        assert_eq!(list("status=completed").await, [older]);
        assert_eq!(list("status=pending").await, [newer]);
        assert_eq!(list("status=failed").await, []);
        let job = api.get(&format!("/v1/images/{newer}")).await.json();
        let created = job["created_at"].as_str().unwrap();
        assert_eq!(list(&format!("created_after={created}")).await, [newer]);
        assert_eq!(list(&format!("created_before={created}")).await, [newer, older]);
        let zoned = created.replace('Z', "+00:00");
        assert_eq!(list(&format!("created_after={zoned}&status=pending")).await, [newer]);
        assert_eq!(list("created_before=2020-01-01").await, []);
    }

    async fn a_bad_query_names_its_parameters(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        for query in ["status=done", "limit=0", "offset=-1", "created_after=x", "state=failed"] {
            let answer = api.get(&format!("/v1/images?{query}")).await;
            assert_eq!(answer.problem(), (422, "invalid_query".to_owned()), "{query}");
            let name = query.split('=').next().unwrap();
            assert_eq!(answer.json()["errors"][0]["parameter"], name, "{query}");
        }
    }

    async fn a_job_shows_its_result_and_its_failure(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let id = api.accepted(URL).await;
        api.complete(id, b"jpeg").await;
        let job = api.get(&format!("/v1/images/{id}")).await.json();
        assert_eq!(job["status"], "completed");
        let result = &job["result"];
        assert_eq!(result["thumbnail"]["content_type"], "image/jpeg");
        assert_eq!((&result["width"], &result["orientation"]), (&640.into(), &6.into()));
        assert!(result["exif"].is_null() && result.get("exif").is_some());

        let id = api.accepted(URL).await;
        let claim = api.claimed(id).await;
        let failed = Outcome::Failed {
            code: FailureCode::SourceClientError,
            message: "the source answered 404".to_owned(),
            source_status: Some(404),
            variant: None,
        };
        assert!(api.database.finish(&claim, &failed).await.unwrap());
        let job = api.get(&format!("/v1/images/{id}")).await.json();
        assert_eq!(job["status"], "failed");
        assert_eq!(job["error_code"], "source_client_error");
        assert_eq!(job["error"], "the source answered 404");
    }

    async fn ids_that_are_none_or_unknown_are_told_apart(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let unknown = Uuid::now_v7();
        for suffix in ["", "/thumbnail"] {
            let answer = api.get(&format!("/v1/images/{unknown}{suffix}")).await;
            assert_eq!(answer.problem(), (404, "job_not_found".to_owned()));
            for bad in ["1", "x", "%00", "%ff%fe", "..%2f..%2fetc%2fpasswd", "%0d%0aSet-Cookie:a"] {
                let answer = api.get(&format!("/v1/images/{bad}{suffix}")).await;
                assert_eq!(answer.problem(), (422, "invalid_job_id".to_owned()), "{bad}");
            }
        }
    }

    async fn the_counts_add_up(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let counts = api.get("/v1/metrics").await.json();
        assert_eq!(counts, serde_json::json!({
            "total": 0, "pending": 0, "processing": 0, "completed": 0, "failed": 0,
            "cancelled": 0, "oldest_pending_seconds": null, "oldest_parked_seconds": null, "workers_alive": 0,
        }));
        let id = api.accepted(URL).await;
        api.complete(id, b"jpeg").await;
        api.accepted(URL).await;
        api.database.mark_worker_alive(&WorkerSign::ready(Uuid::now_v7())).await.unwrap();
        let counts = api.get("/v1/metrics").await.json();
        for (member, expected) in [("total", 2), ("pending", 1), ("completed", 1), ("workers_alive", 1)] {
            assert_eq!(counts[member], expected, "{member}");
        }
        assert!(counts["oldest_pending_seconds"].as_f64().unwrap() >= 0.0);
    }

    async fn head_answers_as_get_without_a_body(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let id = api.accepted(URL).await;
        api.complete(id, b"jpeg").await;
        for path in [
            "/v1/images",
            &format!("/v1/images/{id}"),
            &format!("/v1/images/{id}/thumbnail"),
            "/v1/metrics",
            "/v1/healthz",
            "/livez",
            "/readyz",
            "/openapi.json",
            "/docs/",
            "/v1/images/x",
            "/nothing",
        ] {
            let get = api.get(path).await;
            let head = request(api.address, "HEAD", path, &[], b"").await;
            assert_eq!(head.status, get.status, "{path}");
            assert!(head.body.is_empty(), "{path}");
            for name in ["content-type", "content-length", "etag", "cache-control"] {
                assert_eq!(head.header(name), get.header(name), "{path} {name}");
            }
        }
    }
}
