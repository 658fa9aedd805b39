//! What real processes say at `/metrics` of the work that they did.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::support::child_process::ChildProcess;
use crate::support::deadline::eventually;
use crate::support::fault_proxy::{FaultProxy, Mode};
use crate::support::http_client::{request, try_get, try_get_with};
use crate::support::images;
use crate::support::origin::{Origin, Reply};
use crate::support::postgres::Postgres;
use crate::support::receiver::{Manner, Receiver};
use crate::support::redis::Redis;
use crate::support::samples::Samples;
use crate::support::server_process::free_port;

const SOON: Duration = Duration::from_secs(60);
/// By `printf %s secret-one | sha256sum`.
const KEYS: &str = "one:ea77193cc4e6f18656f3130e296203880c4b9b3772afc855211b82fdd46e9185\n";

fn variables(folder: &Path, more: &[(&str, String)]) -> Vec<(String, String)> {
    let storage = folder.join("thumbnails").display().to_string();
    let own = [
        ("THUMBFORGE_STORAGE_PATH", storage),
        (
            "THUMBFORGE_ALLOWED_SOURCE_NETWORKS",
            "127.0.0.0/8".to_owned(),
        ),
        ("THUMBFORGE_ALLOWED_SOURCE_PORTS", "*".to_owned()),
    ];
    let all = own.into_iter().chain(more.iter().cloned());
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}

async fn submit(api: SocketAddr, url: &str, headers: &[(&str, &str)]) {
    let body = json!({ "url": url }).to_string();
    let headers = [&[("Content-Type", "application/json")], headers].concat();
    let answer = request(api, "POST", "/v1/images", &headers, body.as_bytes()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
}

fn outcome(outcome: &str, code: &str) -> String {
    format!("thumbforge_job_outcomes_total{{outcome=\"{outcome}\",error_code=\"{code}\"}}")
}

fn count_of(stage: &str) -> String {
    format!("thumbforge_stage_duration_seconds_count{{stage=\"{stage}\"}}")
}

/// Of every source of these tests.
fn jpeg() -> Vec<u8> {
    images::jpeg(320, 240, 1)
}

async fn origin() -> Origin {
    let origin = Origin::start_everywhere().await;
    origin.on("/ok", [Reply::body("image/jpeg", jpeg())]);
    let mut refusal = Reply::status(429);
    refusal.headers.push(("Retry-After", "500".to_owned()));
    origin.on("/refused", [refusal]);
    origin
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completed_a_failed_and_a_parked_job_are_counted_each() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("jobs.db").display());
    let variables = variables(folder.path(), &[("THUMBFORGE_DATABASE_URL", database)]);
    let mut all = ChildProcess::new("all", "all", folder.path(), &variables);
    all.start();
    let first = Samples::of(all.address);
    for name in [outcome("completed", ""), outcome("failed", "dns_failed")] {
        assert!(first.has(&name), "there is no {name} before it is needed");
    }
    let origin = origin().await;
    submit(all.address, &origin.url("/ok"), &[]).await;
    submit(all.address, &origin.url("/missing"), &[]).await;
    submit(all.address, &origin.url_at("127.0.0.9", "/refused"), &[]).await;
    let mut samples = first.clone();
    eventually("all three are counted", SOON, async || {
        samples = Samples::of(all.address);
        samples.get("thumbforge_jobs{status=\"completed\"}") == 1.0
            && samples.get("thumbforge_jobs{status=\"failed\"}") == 1.0
            && samples.get("thumbforge_origins_parked{reason=\"retry_after\"}") == 1.0
            && samples.get(&count_of("commit")) >= 3.0
    })
    .await;
    samples.assert_grown_since(&first);
    assert_eq!(samples.get(&outcome("completed", "")), 1.0);
    assert_eq!(samples.get(&outcome("failed", "source_client_error")), 1.0);
    assert_eq!(samples.get(&outcome("parked", "rate_limited")), 1.0);
    for (stage, times) in [
        ("queue_wait", 3.0),
        ("fetch", 2.0),
        ("decode", 1.0),
        ("render", 1.0),
        ("store", 1.0),
        ("commit", 3.0),
    ] {
        assert_eq!(samples.get(&count_of(stage)), times, "{stage}");
    }
    // Without its last bucket a histogram gives monitors no quantile.
    let buckets = samples.names("thumbforge_stage_duration_seconds_bucket");
    let last_ones = buckets.filter(|name| name.contains("le=\"+Inf\""));
    assert_eq!(last_ones.count(), 6);
    let received = samples.get("thumbforge_source_received_bytes_total");
    assert_eq!(received, jpeg().len() as f64);
    let stored = samples.get("thumbforge_stored_bytes_total");
    assert!(stored > 100.0, "{stored}");
    for (name, value) in [
        ("thumbforge_database_up", 1.0),
        ("thumbforge_jobs{status=\"pending\"}", 1.0),
        ("thumbforge_oldest_wait_seconds{kind=\"runnable\"}", 0.0),
        ("thumbforge_leases_held", 0.0),
        ("thumbforge_storage_failing", 0.0),
        ("thumbforge_decode_memory_bytes", 0.0),
        ("thumbforge_decode_memory_limit_bytes", 536_870_912.0),
        ("thumbforge_download_memory_limit_bytes", 268_435_456.0),
        (
            "thumbforge_database_connections_limit{pool=\"writer\"}",
            1.0,
        ),
        (
            "thumbforge_database_connections_limit{pool=\"readers\"}",
            10.0,
        ),
        (
            "thumbforge_http_requests_total\
             {route=\"/v1/images\",method=\"POST\",status=\"202\"}",
            3.0,
        ),
    ] {
        assert!(samples.has(name), "{name}");
        assert_eq!(samples.get(name), value, "{name}");
    }
    for name in ["process_cpu_seconds_total", "process_start_time_seconds"] {
        assert!(samples.get(name) > 0.0, "{name}");
    }
    let held_up = "thumbforge_oldest_wait_seconds{kind=\"held_up\"}";
    assert!(samples.has(held_up));
    let strangers_word = |name: &&str| name.contains("127.0.0") || name.contains("refused");
    assert_eq!(samples.names("").find(strangers_word), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_to_webhooks_are_counted_by_what_came_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("jobs.db").display());
    let more = [
        ("THUMBFORGE_DATABASE_URL", database),
        (
            "THUMBFORGE_ALLOWED_WEBHOOK_NETWORKS",
            "127.0.0.0/8".to_owned(),
        ),
        ("THUMBFORGE_ALLOWED_WEBHOOK_PORTS", "*".to_owned()),
    ];
    let mut all = ChildProcess::new(
        "all",
        "all",
        folder.path(),
        &variables(folder.path(), &more),
    );
    all.start();
    let first = Samples::of(all.address);
    let of =
        |outcome: &str| format!("thumbforge_webhook_deliveries_total{{outcome=\"{outcome}\"}}");
    let waiting = "thumbforge_webhook_deliveries_waiting";
    for name in [
        of("delivered"),
        of("retried"),
        of("failed"),
        waiting.to_owned(),
    ] {
        assert!(first.has(&name), "there is no {name} before it is needed");
    }
    let well = Receiver::start(Manner::Answers(200, "")).await;
    let ill = Receiver::start(Manner::Answers(500, "")).await;
    let gone = Receiver::start(Manner::Answers(410, "")).await;
    for receiver in [&well, &ill, &gone] {
        let body = json!({ "url": receiver.url() }).to_string();
        let json = [("Content-Type", "application/json")];
        let made = request(all.address, "POST", "/v1/webhooks", &json, body.as_bytes()).await;
        assert_eq!(made.status, 201, "{made:?}");
    }
    let origin = origin().await;
    submit(all.address, &origin.url("/ok"), &[]).await;
    eventually("each end is counted", SOON, async || {
        let samples = Samples::of(all.address);
        samples.get(&of("delivered")) == 1.0
            && samples.get(&of("failed")) == 1.0
            && samples.get(&of("retried")) >= 1.0
            && samples.get(waiting) == 1.0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn separate_processes_show_their_own_work_where_they_are_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("keys"), KEYS).unwrap();
    let (of_api, of_worker) = (free_port(), free_port());
    let (database, queue) = (Postgres::shared().new_database(), Redis::new_key());
    let shared = |metrics: u16| {
        let more = [
            ("THUMBFORGE_DATABASE_URL", database.clone()),
            ("THUMBFORGE_REDIS_URL", Redis::shared().url()),
            ("THUMBFORGE_QUEUE_NAME", queue.clone()),
            ("THUMBFORGE_API_KEYS_FILE", "keys".to_owned()),
            ("THUMBFORGE_METRICS_BIND", format!("127.0.0.1:{metrics}")),
        ];
        variables(folder.path(), &more)
    };
    let mut serve = ChildProcess::new("serve", "serve", folder.path(), &shared(of_api));
    serve.start();
    let mut work = ChildProcess::new("work", "work", folder.path(), &shared(of_worker));
    work.start();
    let key = [("Authorization", "Bearer secret-one")];
    let origin = origin().await;
    submit(serve.address, &origin.url("/ok"), &key).await;

    let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    let mut worker = Samples::default();
    eventually("the worker has counted it", SOON, async || {
        worker = Samples::of(at(of_worker));
        worker.get(&outcome("completed", "")) == 1.0
    })
    .await;
    // Beside its health checks it says the same.
    let beside = Samples::of(work.address);
    beside.assert_grown_since(&worker);
    assert_eq!(beside.get(&outcome("completed", "")), 1.0);
    let pool = "thumbforge_database_connections_limit{pool=\"postgres\"}";
    assert_eq!(beside.get(pool), 10.0);

    // The API process counts requests and no work, but knows the whole.
    let api = Samples::of(at(of_api));
    assert!(!api.has(&outcome("completed", "")));
    assert_eq!(api.get("thumbforge_jobs{status=\"completed\"}"), 1.0);
    let submitted = "thumbforge_http_requests_total\
                     {route=\"/v1/images\",method=\"POST\",status=\"202\"}";
    assert_eq!(api.get(submitted), 1.0);
    // On its own port a key is needed; on the other nothing else is served.
    let without = try_get(serve.address, "/metrics", SOON).unwrap();
    assert_eq!(without.status, 401);
    let with = try_get_with(serve.address, "/metrics", &key, SOON).unwrap();
    Samples::of_answer(&with).assert_grown_since(&api);
    for path in ["/v1/metrics", "/livez", "/"] {
        assert_eq!(
            try_get(at(of_api), path, SOON).unwrap().status,
            404,
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_hides_no_process() {
    let server = Postgres::shared();
    let url = server.new_database();
    let (_, name) = url.rsplit_once('/').unwrap();
    let proxy = FaultProxy::start(server.port).await;
    let folder = tempfile::tempdir().unwrap();
    let more = [("THUMBFORGE_DATABASE_URL", server.url(name, proxy.port()))];
    let variables = variables(folder.path(), &more);
    let mut all = ChildProcess::new("all", "all", folder.path(), &variables);
    all.start();
    let (up, pending) = (
        "thumbforge_database_up",
        "thumbforge_jobs{status=\"pending\"}",
    );
    let before = Samples::of(all.address);
    assert_eq!((before.get(up), before.has(pending)), (1.0, true));
    proxy.set(Mode::Blackhole);
    let mut away = before.clone();
    eventually("its silence is seen", SOON, async || {
        away = Samples::of(all.address);
        away.has(up) && away.get(up) == 0.0
    })
    .await;
    for name in [pending, "thumbforge_workers_alive"] {
        assert!(!away.has(name), "{name} is an old number");
    }
    away.assert_grown_since(&before);
    proxy.set(Mode::Pass);
    eventually("its answer is seen", SOON, async || {
        let after = Samples::of(all.address);
        after.get(up) == 1.0 && after.has(pending)
    })
    .await;
}

#[test]
fn a_busy_address_of_metrics_ends_the_start() {
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = busy.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let more = [
        ("THUMBFORGE_METRICS_BIND", address),
        ("THUMBFORGE_BIND", format!("127.0.0.1:{}", free_port())),
    ];
    let (code, output) = ChildProcess::run("all", folder.path(), &variables(folder.path(), &more));
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("set THUMBFORGE_METRICS_BIND"), "{output}");
    assert!(!folder.path().join("storage").exists(), "{output}");
}
