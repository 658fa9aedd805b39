//! Spans of attempts, as a collector of OpenTelemetry receives them.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Attribute;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value, json};

use crate::support::child_process::ChildProcess;
use crate::support::deadline::eventually;
use crate::support::http_client::{request, try_get};
use crate::support::images::jpeg;
use crate::support::origin::{Origin, Reply};
use crate::support::receiver::{Manner, Receiver};

const SOON: Duration = Duration::from_secs(30);
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

fn service(folder: &std::path::Path, variables: &[(&str, &str)]) -> ChildProcess {
    let database = format!("sqlite://{}", folder.join("jobs.db").display());
    let storage = folder.join("thumbnails").display().to_string();
    let own = [
        ("THUMBFORGE_DATABASE_URL", database.as_str()),
        ("THUMBFORGE_STORAGE_PATH", &storage),
        ("THUMBFORGE_ALLOWED_SOURCE_NETWORKS", "127.0.0.0/8"),
        ("THUMBFORGE_ALLOWED_SOURCE_PORTS", "*"),
        ("THUMBFORGE_MAX_ATTEMPTS", "1"),
    ];
    let all = own.iter().chain(variables);
    let environment: Vec<_> = all
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    ChildProcess::new("all", "all", folder, &environment)
}

/// Everything that was exported until now.
fn spans(collector: &Receiver) -> Vec<Span> {
    let requests = collector.posted().into_iter().map(|posted| {
        assert_eq!(posted.path, "/v1/traces");
        assert_eq!(posted.headers["content-type"], "application/x-protobuf");
        ExportTraceServiceRequest::decode(&*posted.bytes).unwrap()
    });
    let resources = requests.flat_map(|request| request.resource_spans);
    let scopes = resources.flat_map(|resource| {
        let named = resource.resource.unwrap().attributes.into_iter();
        let name = named.filter(|attribute| attribute.key == "service.name");
        let name = name.filter_map(|attribute| attribute.value?.value).next();
        assert_eq!(name, Some(Attribute::StringValue("thumbforge".to_owned())));
        resource.scope_spans
    });
    let spans = scopes.flat_map(|scope| scope.spans);
    // What the collector refused comes again.
    let by_id: BTreeMap<Vec<u8>, Span> = spans.map(|span| (span.span_id.clone(), span)).collect();
    by_id.into_values().collect()
}

fn text(span: &Span, key: &str) -> Option<String> {
    let found = span
        .attributes
        .iter()
        .find(|attribute| attribute.key == key)?;
    match found.value.clone()?.value? {
        Attribute::StringValue(text) => Some(text),
        other => panic!("{key}: {other:?}"),
    }
}

/// The whole of a job's only attempt.
fn attempt_of<'a>(spans: &'a [Span], job: &str) -> Option<&'a Span> {
    let of_job = |span: &&Span| text(span, "job.id").as_deref() == Some(job);
    let mut found = spans.iter().filter(of_job);
    let first = found.next();
    assert!(found.next().is_none(), "one attempt");
    first
}

fn stages<'a>(spans: &'a [Span], attempt: &Span) -> Vec<&'a Span> {
    let mut stages: Vec<&Span> = spans
        .iter()
        .filter(|span| span.parent_span_id == attempt.span_id)
        .collect();
    stages.sort_by_key(|span| span.start_time_unix_nano);
    stages
}

fn hex(bytes: &[u8]) -> String {
    thumbforge::domain::hex(bytes)
}

async fn submit(service: &ChildProcess, target: &str, traceparent: &str, body: Value) -> Value {
    let fields = [
        ("Content-Type", "application/json"),
        ("traceparent", traceparent),
    ];
    let answer = request(
        service.address,
        "POST",
        target,
        &fields,
        body.to_string().as_bytes(),
    )
    .await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_is_a_trace_that_links_to_the_submission() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().await);
    origin.on("/small.png", [Reply::body("image/jpeg", jpeg(40, 30, 1))]);
    let collector = Receiver::start(Manner::Answers(200, "")).await;
    let endpoint = format!("http://{}", collector.address);
    let mut service = service(
        folder.path(),
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ],
    );
    service.start();
    let parent = format!("00-{TRACE}-{SPAN}-01");
    let good = json!({"url": origin.url("/small.png")});
    let job = submit(&service, "/v1/images", &parent, good.clone()).await;
    let broken = submit(
        &service,
        "/v1/images",
        "00-broken",
        json!({"url": origin.url("/away")}),
    );
    let broken = broken.await;
    let batch = json!({"items": [{"url": origin.url("/small.png?2")}]});
    let batch = submit(&service, "/v1/batches", &parent, batch).await;
    let images = format!("/v1/batches/{}/images", batch["id"].as_str().unwrap());
    let of_batch = try_get(service.address, &images, SOON).unwrap().json();
    let of_batch = &of_batch["items"][0]["job"];
    let ids = [&job, &broken, of_batch].map(|job| job["id"].as_str().unwrap().to_owned());
    eventually("three attempts are exported", SOON, async || {
        let spans = spans(&collector);
        ids.iter().all(|id| attempt_of(&spans, id).is_some())
    })
    .await;

    let spans = spans(&collector);
    for id in [&ids[0], &ids[2]] {
        let attempt = attempt_of(&spans, id).unwrap();
        assert_eq!(attempt.links.len(), 1, "{attempt:?}");
        let link = &attempt.links[0];
        assert_eq!(
            (hex(&link.trace_id), hex(&link.span_id)),
            (TRACE.to_owned(), SPAN.to_owned())
        );
        assert_ne!(hex(&attempt.trace_id), TRACE);
        assert!(attempt.parent_span_id.is_empty());
        assert_eq!(text(attempt, "job.outcome").as_deref(), Some("completed"));
        assert_eq!(text(attempt, "error.type"), None);
        let stages = stages(&spans, attempt);
        let names: Vec<_> = stages.iter().map(|span| span.name.as_str()).collect();
        assert_eq!(names, ["fetch", "decode", "render", "store", "commit"]);
        for stage in stages {
            assert_eq!(stage.trace_id, attempt.trace_id);
            assert!(stage.end_time_unix_nano >= stage.start_time_unix_nano);
            assert!(stage.end_time_unix_nano <= attempt.end_time_unix_nano);
        }
    }
    let failed = attempt_of(&spans, &ids[1]).unwrap();
    assert!(
        failed.links.is_empty(),
        "a field that can't be read is none"
    );
    assert_eq!(text(failed, "job.outcome").as_deref(), Some("failed"));
    assert_eq!(
        text(failed, "error.type").as_deref(),
        Some("source_client_error")
    );
    assert_eq!(failed.status.as_ref().unwrap().code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_spans_go_out_at_the_end_and_a_collector_that_is_away_harms_nothing() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().await);
    origin.on("/small.png", [Reply::body("image/jpeg", jpeg(40, 30, 1))]);
    let collector = Receiver::start(Manner::Answers(503, "")).await;
    let endpoint = format!("http://{}/v1/traces", collector.address);
    let mut service = service(
        folder.path(),
        &[
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &endpoint),
            ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
        ],
    );
    service.start();
    let url = json!({"url": origin.url("/small.png")});
    let job = submit(&service, "/v1/images", "", url).await;
    let path = format!("/v1/images/{}?wait=20", job["id"].as_str().unwrap());
    let ended = try_get(service.address, &path, SOON).unwrap().json();
    assert_eq!(ended["status"], "completed");
    assert!(collector.posted().is_empty(), "it is not time yet");
    service.signal("TERM");
    assert_eq!(service.wait_for_end(SOON).code(), Some(0));
    let said = service.log();
    assert!(said.contains("spans are not exported"), "{said}");
    assert!(attempt_of(&spans(&collector), job["id"].as_str().unwrap()).is_some());
}

#[test]
fn an_endpoint_that_can_not_be_one_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let environment = [(
        "OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(),
        "not a url".to_owned(),
    )];
    let (code, output) = ChildProcess::run("all", folder.path(), &environment);
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{output}");
}
