//! `/v1/actions`

use serde_json::{Value, json};
use uuid::Uuid;

use super::harness::{Api, JSON, on_both_databases};
use crate::support::http_client::{Answer, request};

const URL: &str = "https://images.example.com/a.jpg";

async fn post(api: &Api, target: &str, body: &Value) -> Answer {
    request(
        api.address,
        "POST",
        target,
        &[JSON],
        body.to_string().as_bytes(),
    )
    .await
}

on_both_databases! {
    async fn an_action_is_counted_begun_shown_and_done(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        for _ in 0..3 {
            api.accepted(URL).await;
        }
        let filter = json!({"status": "pending", "host": "images.example.com"});
        let mut body = json!({"action": "cancel", "filter": filter, "dry_run": true});
        let dry = post(&api, "/v1/actions", &body).await;
        assert_eq!(dry.status, 200, "{dry:?}");
        let answer = dry.json();
        assert_eq!(answer["counts"], json!({"matched": 3, "done": 0, "skipped": 0, "failed": 0}));
        assert!(answer["filter"]["created_before"].is_string(), "frozen: {answer}");
        body["dry_run"] = Value::Null;
        body["expected_count"] = json!(2);
        let refused = post(&api, "/v1/actions", &body).await;
        assert_eq!(refused.json()["errors"][0]["pointer"], "#/expected_count");
        assert_eq!(refused.problem(), (409, "count_mismatch".to_owned()));
        assert_eq!(fixture.lines("SELECT count(*) || '' AS line FROM actions"), ["0"]);
        body["expected_count"] = json!(3);
        let begun = post(&api, "/v1/actions", &body).await;
        assert_eq!(begun.status, 202, "{begun:?}");
        let place = begun.header("location").unwrap().to_owned();
        let runner = Uuid::now_v7();
        for id in api.database.take_actions(runner).await.unwrap() {
            assert_eq!(place, format!("/v1/actions/{id}"));
            api.database.act_on_slice(id, runner).await.unwrap();
        }
        let done = api.get(&place).await.json();
        assert_eq!((&done["status"], &done["action"]), (&json!("done"), &json!("cancel")));
        assert_eq!(done["counts"], json!({"matched": 3, "done": 3, "skipped": 0, "failed": 0}));
        assert_eq!(api.get("/v1/metrics").await.json()["cancelled"], 3);
        let late = post(&api, &format!("{place}/abort"), &json!({})).await;
        assert_eq!(late.problem(), (409, "already_ended".to_owned()));
    }

    async fn an_action_is_aborted(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let id = api.accepted(URL).await;
        let body = json!({"action": "delete", "ids": [id.to_string()]});
        let place = post(&api, "/v1/actions", &body).await.header("location").unwrap().to_owned();
        for _ in 0..2 {
            let aborted = post(&api, &format!("{place}/abort"), &json!({})).await;
            assert_eq!((aborted.status, &aborted.json()["status"]), (200, &json!("aborted")));
        }
        assert!(api.database.take_actions(Uuid::now_v7()).await.unwrap().is_empty());
        assert!(api.database.find(id).await.unwrap().is_some());
    }

    async fn a_dangerous_or_wrong_action_is_refused(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        api.accepted(URL).await;
        for (body, pointer) in [
            (json!({"action": "delete", "filter": {}}), "#/filter"),
            (json!({"action": "delete"}), "#/ids"),
            (json!({"action": "delete", "filter": {"state": "failed"}}), "#/filter/state"),
            (json!({"action": "drop", "filter": {"tag": "x"}}), "#/action"),
            (json!({"action": "delete", "ids": []}), "#/ids"),
        ] {
            let refused = post(&api, "/v1/actions", &body).await;
            assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{body}");
            assert_eq!(refused.problem(), (422, "invalid_body".to_owned()));
        }
        assert_eq!(fixture.lines("SELECT count(*) || '' AS line FROM actions"), ["0"]);
        let unknown = Uuid::now_v7();
        let missing = api.get(&format!("/v1/actions/{unknown}")).await;
        assert_eq!(missing.problem(), (404, "action_not_found".to_owned()));
        assert_eq!(api.get("/v1/actions/1").await.problem(), (422, "invalid_action_id".to_owned()));
    }
}
