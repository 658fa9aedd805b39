//! `GET /metrics` of the API: who may read it, in which form, and that strangers add no labels.

use thumbforge::http::{ApiKeys, ApiSettings};

use super::access::keyed;
use super::harness::{Api, settings};
use crate::support::http_client::request;
use crate::support::samples::Samples;

const KEY: (&str, &str) = ("Authorization", "Bearer secret-one");

#[tokio::test(flavor = "multi_thread")]
async fn a_key_needs_the_scope_read_to_see_metrics() {
    let api = Api::on_sqlite(keyed()).await;
    assert_eq!(api.get("/metrics").await.problem().1, "unauthorized");
    let answer = api.get_with("/metrics", &[KEY]).await;
    let samples = Samples::of_answer(&answer);
    // A refused request counts where it wanted to go.
    let refused = "thumbforge_http_requests_total\
                   {route=\"/metrics\",method=\"GET\",status=\"401\"}";
    assert_eq!(samples.get(refused), 1.0, "{samples:?}");

    let hash = "ea77193cc4e6f18656f3130e296203880c4b9b3772afc855211b82fdd46e9185";
    for (scope, status) in [("read", 200), ("submit", 403), ("operate", 403)] {
        let scoped = ApiSettings {
            api_keys: ApiKeys::parse(&format!("one:{hash}:{scope}"))
                .unwrap()
                .into(),
            ..settings()
        };
        let api = Api::on_sqlite(scoped).await;
        let answer = api.get_with("/metrics", &[KEY]).await;
        assert_eq!(answer.status, status, "{scope}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_format_is_there_for_those_who_ask_for_it() {
    let api = Api::on_sqlite(settings()).await;
    for (accept, is_plain) in [
        ("*/*", false),
        ("text/html,*/*;q=0.8", false),
        ("text/plain", true),
        // As Prometheus asks.
        (
            "application/openmetrics-text;version=1.0.0,\
             application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,\
             */*;q=0.1",
            false,
        ),
    ] {
        let answer = api.get_with("/metrics", &[("Accept", accept)]).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("vary"), Some("Accept"));
        let form = answer.header("content-type").unwrap();
        let expected = match is_plain {
            true => "text/plain; version=0.0.4; charset=utf-8",
            false => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        };
        assert_eq!(form, expected, "{accept}");
        let text = String::from_utf8(answer.body).unwrap();
        assert_eq!(text.ends_with("# EOF\n"), !is_plain, "{text}");
        assert!(text.contains("\nthumbforge_build_info{version="), "{text}");
    }
    let post = request(api.address, "POST", "/metrics", &[], b"").await;
    assert_eq!(post.problem().0, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_strangers_ask_for_adds_no_labels() {
    let api = Api::on_sqlite(settings()).await;
    let read = async || Samples::of_answer(&api.get("/metrics").await);
    let of_requests = "thumbforge_http_request";
    let ask = async |number: usize| {
        let id = uuid::Uuid::now_v7();
        let paths = [
            format!("/{number}"),
            format!("/v1/{number}"),
            format!("/v1/images/{id}/secret-{number}"),
        ];
        for path in &paths {
            assert_eq!(api.get(path).await.status, 404);
        }
        assert_eq!(api.get(&format!("/v1/images/{id}")).await.status, 404);
        let method = format!("M{number}");
        let strange = request(api.address, &method, "/livez", &[], b"").await;
        assert_eq!(strange.status, 405);
    };
    ask(0).await;
    read().await;
    let before = read().await;
    for number in 1..20 {
        ask(number).await;
    }
    let after = read().await;
    assert_eq!(
        before.names(of_requests).collect::<Vec<_>>(),
        after.names(of_requests).collect::<Vec<_>>()
    );
    let count = |route: &str, method: &str, status: u16| {
        let labels = format!("route=\"{route}\",method=\"{method}\",status=\"{status}\"");
        after.get(&format!("thumbforge_http_requests_total{{{labels}}}"))
    };
    assert_eq!(count("unmatched", "GET", 404), 60.0, "{after:?}");
    assert_eq!(count("/v1/images/{job_id}", "GET", 404), 20.0);
    assert_eq!(count("/livez", "other", 405), 20.0);
    after.assert_grown_since(&before);
}
