//! `GET /v1/origins`, `POST /v1/origins/…` and `POST /v1/queue/…`

use serde_json::{Value, json};

use super::harness::{Api, JSON, on_both_databases};
use crate::support::http_client::{Answer, request};

const BRAKES: [&str; 5] = [
    "/v1/origins/pause",
    "/v1/origins/resume",
    "/v1/origins/reset",
    "/v1/queue/pause",
    "/v1/queue/resume",
];

async fn pull(api: &Api, brake: &str, body: &str) -> Answer {
    request(api.address, "POST", brake, &[JSON], body.as_bytes()).await
}

async fn pull_of(api: &Api, what: &str, origin: &str) -> Answer {
    let body = json!({ "origin": origin }).to_string();
    pull(api, &format!("/v1/origins/{what}"), &body).await
}

async fn list(api: &Api, query: &str) -> Value {
    let answer = api.get(&format!("/v1/origins?{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn origins(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["origin"].as_str().unwrap())
        .collect()
}

on_both_databases! {
    async fn an_origin_is_shown_with_all_its_members(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        assert_eq!(list(&api, "").await, json!({
            "items": [], "paused": false, "pagination": { "limit": 20, "next_cursor": null },
        }));
        api.accepted("https://a.example/1.jpg").await;
        api.accepted("https://a.example/2.jpg").await;
        let expected = json!({
            "origin": "https://a.example:443", "in_flight": 0, "queued": 2, "waiting": 0,
            "done_last_hour": 0, "failed_last_hour": 0, "duration_seconds": null,
            "rate_per_second": null, "parked_until": null, "park_reason": null,
            "unavailable_since": null, "paused": false, "failures_in_a_row": 0,
        });
        assert_eq!(list(&api, "sort=queued").await["items"], json!([expected]));
        let paused = pull_of(&api, "pause", "https://A.example/").await;
        assert_eq!(paused.status, 200);
        let mut expected = expected;
        expected["paused"] = true.into();
        assert_eq!(paused.json(), expected);
    }

    async fn cursors_lead_through_all_pages(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        for host in ["c", "a", "b", "a", "d", "c", "a"] {
            api.accepted(&format!("https://{host}.example/")).await;
        }
        for (sort, expected) in [("origin", "abcd"), ("queued", "acbd"), ("failed", "abcd")] {
            let (mut seen, mut cursor) = (String::new(), String::new());
            loop {
                let page = list(&api, &format!("sort={sort}&limit=1{cursor}")).await;
                let found = origins(&page);
                assert!(found.len() <= 1);
                seen.extend(found.iter().map(|origin| &origin["https://".len()..][..1]));
                match page["pagination"]["next_cursor"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            assert_eq!(seen, expected, "{sort}");
        }
    }

    async fn a_bad_query_of_origins_names_its_parameters(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        for query in ["sort=name", "cursor=x", "limit=0", "offset=1", "sort=queued&sort=queued"] {
            let answer = api.get(&format!("/v1/origins?{query}")).await;
            assert_eq!(answer.problem(), (422, "invalid_query".to_owned()), "{query}");
            let name = query.split('=').next().unwrap();
            assert_eq!(answer.json()["errors"][0]["parameter"], name, "{query}");
        }
    }

    async fn brakes_are_pulled_and_let_go_any_number_of_times(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let unknown = "https://nobody.example";
        for (what, paused, listed) in [
            ("resume", false, 0), ("reset", false, 0), ("pause", true, 1), ("pause", true, 1),
            ("reset", true, 1), ("resume", false, 1), ("resume", false, 1),
        ] {
            let answer = pull_of(&api, what, unknown).await;
            assert_eq!((answer.status, &answer.json()["paused"]), (200, &json!(paused)), "{what}");
            assert_eq!(origins(&list(&api, "").await).len(), listed, "{what}");
        }
        for (what, paused) in [("resume", false), ("pause", true), ("pause", true), ("resume", false)] {
            for body in ["", "{}", " { } "] {
                let answer = pull(&api, &format!("/v1/queue/{what}"), body).await;
                assert_eq!((answer.status, answer.json()), (200, json!({ "paused": paused })));
                assert_eq!(list(&api, "").await["paused"], paused);
            }
        }
        let bare = request(api.address, "POST", "/v1/queue/pause", &[], b"").await;
        assert_eq!(bare.status, 200, "without a type of content");
        let ready = api.get("/readyz").await;
        assert_eq!(ready.status, 200, "a pause is no failure");
        api.accepted("https://a.example/").await;
    }

    async fn brakes_pulled_by_many_clients_at_once_answer_all(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let tries = (0..20).map(|number| {
            let what = ["pause", "reset"][number % 2];
            pull_of(&api, what, "https://a.example")
        });
        let answers = futures_util::future::join_all(tries).await;
        assert!(answers.iter().all(|answer| answer.status == 200));
        assert_eq!(list(&api, "").await["items"][0]["paused"], true);
    }

    async fn what_is_no_origin_is_refused_with_its_pointer(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let long = format!("{{\"origin\": \"https://{}\"}}", "a".repeat(9000));
        let huge = format!("{{\"origin\": \"https://{}\"}}", "a".repeat(66_000));
        for brake in &BRAKES[..3] {
            for (body, status, pointer) in [
                ("", 400, None),
                ("{", 400, None),
                ("null", 422, Some("#")),
                ("[\"https://a.example\"]", 422, Some("#")),
                ("{}", 422, Some("#/origin")),
                ("{\"origin\": null}", 422, Some("#/origin")),
                ("{\"origin\": 7}", 422, Some("#/origin")),
                ("{\"origin\": [\"https://a.example\"]}", 422, Some("#/origin")),
                ("{\"origin\": \"\"}", 422, Some("#/origin")),
                ("{\"origin\": \"*\"}", 422, Some("#/origin")),
                ("{\"origin\": \"a.example\"}", 422, Some("#/origin")),
                ("{\"origin\": \"ftp://a.example\"}", 422, Some("#/origin")),
                ("{\"origin\": \"https://a.example/path\"}", 422, Some("#/origin")),
                ("{\"origin\": \"https://u:p@a.example\"}", 422, Some("#/origin")),
                ("{\"origin\": \"https://a.example:99999\"}", 422, Some("#/origin")),
                ("{\"origin\": \"https://\\u0000\"}", 422, Some("#/origin")),
                ("{\"origin\": \"https://a.example\", \"host\": 1}", 422, Some("#/host")),
                ("{\"origin\": \"https://a.example\", \"origin\": \"https://b.example\"}", 422, Some("#")),
                (&long, 422, Some("#/origin")),
                (&huge, 413, None),
            ] {
                let answer = pull(&api, brake, body).await;
                assert_eq!(answer.problem().0, status, "{brake} {body}");
                let told = answer.json();
                assert_eq!(told["errors"][0]["pointer"].as_str(), pointer, "{brake} {body}");
            }
        }
        for (body, status) in [("[]", 422), ("null", 422), ("{\"all\": true}", 422), ("{", 400), (&huge, 413)] {
            for brake in &BRAKES[3..] {
                assert_eq!(pull(&api, brake, body).await.problem().0, status, "{brake} {body}");
            }
        }
        for brake in BRAKES {
            let text = [("Content-Type", "text/plain")];
            let answer = request(api.address, "POST", brake, &text, b"{}").await;
            assert_eq!(answer.problem().0, 415, "{brake}");
            let answer = request(api.address, "DELETE", brake, &[], b"").await;
            assert_eq!((answer.problem().0, answer.header("allow")), (405, Some("POST")), "{brake}");
        }
        assert_eq!(list(&api, "").await["items"], json!([]));
        assert_eq!(list(&api, "").await["paused"], false);
    }

    async fn jobs_that_are_held_up_are_counted_apart(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        api.accepted("https://a.example/").await;
        let ages = async || {
            let counts = api.get("/v1/metrics").await.json();
            (counts["oldest_pending_seconds"].is_f64(), counts["oldest_parked_seconds"].is_f64())
        };
        assert_eq!(ages().await, (true, false));
        pull_of(&api, "pause", "https://a.example").await;
        assert_eq!(ages().await, (false, true));
        pull_of(&api, "resume", "https://a.example").await;
        assert_eq!(ages().await, (true, false));
        pull(&api, "/v1/queue/pause", "").await;
        assert_eq!(ages().await, (false, true));
    }
}
