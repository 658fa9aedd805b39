//! What the program writes, line by line.

use std::time::Duration;

use serde_json::Value;

use crate::support::child_process::ChildProcess;
use crate::support::deadline::{eventually, eventually_blocking};
use crate::support::http_client::try_post;
use crate::support::origin::{Origin, Reply};
use crate::support::server_process::free_port;

const SOON: Duration = Duration::from_secs(30);

fn environment(folder: &std::path::Path, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let database = format!("sqlite://{}", folder.join("jobs.db").display());
    let storage = folder.join("thumbnails").display().to_string();
    let own = [
        ("THUMBFORGE_DATABASE_URL", database.as_str()),
        ("THUMBFORGE_STORAGE_PATH", &storage),
        ("THUMBFORGE_LOG_FORMAT", "json"),
    ];
    let all = own.iter().chain(more);
    all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// Every line is an object with a level and a message.
fn events(output: &str) -> Vec<Value> {
    let lines = output.lines().map(|line| {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("text: {line}"));
        assert!(
            event["level"].is_string() && event["message"].is_string(),
            "{line}"
        );
        event
    });
    lines.collect()
}

#[test]
fn a_log_in_json_is_json_from_the_first_line_to_the_last() {
    let folder = tempfile::tempdir().unwrap();
    // An unknown variable is noted.
    let environment = environment(folder.path(), &[("THUMBFORGE_PORT", "1")]);
    let mut all = ChildProcess::new("all", "all", folder.path(), &environment);
    all.start();
    all.signal("TERM");
    assert_eq!(all.wait_for_end(SOON).code(), Some(0));
    let events = events(&all.log());
    let said = |words: &str| {
        let found = events.iter().find(|event| {
            let message = event["message"].as_str().unwrap();
            message.contains(words)
        });
        found.unwrap_or_else(|| panic!("{words}: {events:#?}"))
    };
    assert_eq!(
        said("ThumbForge listens")["address"],
        all.address.to_string()
    );
    said("THUMBFORGE_PORT is not a setting");
    said("stopping");
    for event in &events {
        let target = event["target"].as_str().unwrap();
        assert!(!target.starts_with("actix"), "{event}");
    }
}

#[test]
fn init_db_speaks_json_too() {
    let folder = tempfile::tempdir().unwrap();
    let (ended, output) =
        ChildProcess::run("init-db", folder.path(), &environment(folder.path(), &[]));
    assert_eq!(ended, Some(0), "{output}");
    let events = events(&output);
    let last = events.last().unwrap()["message"].as_str().unwrap();
    assert!(last.contains("is up to date"), "{output}");
}

#[test]
fn why_it_does_not_start_is_json_too() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = holder.local_addr().unwrap().to_string();
    for (command, more, code, words) in [
        (
            "all",
            ("THUMBFORGE_BIND", busy.as_str()),
            1,
            "the address is in use",
        ),
        ("all", ("THUMBFORGE_JPEG_QUALITY", "0"), 2, "JPEG_QUALITY"),
        (
            "serve",
            ("THUMBFORGE_CPU_THREADS", "1"),
            2,
            "thumbforge all",
        ),
        (
            "all",
            ("THUMBFORGE_STORAGE_PATH", "/dev/null/x"),
            1,
            "storage",
        ),
    ] {
        for level in ["info", "off"] {
            let folder = tempfile::tempdir().unwrap();
            let bind = format!("127.0.0.1:{}", free_port());
            let more = [
                ("THUMBFORGE_BIND", bind.as_str()),
                ("THUMBFORGE_LOG_LEVEL", level),
                more,
            ];
            let environment = environment(folder.path(), &more);
            let (ended, output) = ChildProcess::run(command, folder.path(), &environment);
            assert_eq!(ended, Some(code), "{output}");
            let events = events(&output);
            let errors: Vec<_> = events
                .iter()
                .filter(|event| event["level"] == "ERROR")
                .collect();
            assert_eq!(errors.len(), 1, "{output}");
            assert!(
                errors[0]["message"].as_str().unwrap().contains(words),
                "{output}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_job_is_a_warning_with_its_host_and_code_and_nothing_secret() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await;
    origin.on("/secret-path", [Reply::status(404)]);
    let more = [
        ("THUMBFORGE_ALLOWED_SOURCE_NETWORKS", "127.0.0.0/8"),
        ("THUMBFORGE_ALLOWED_SOURCE_PORTS", "*"),
    ];
    let environment = environment(folder.path(), &more);
    let mut all = ChildProcess::new("all", "all", folder.path(), &environment);
    tokio::task::block_in_place(|| all.start());
    let url = origin.url("/secret-path?token=secret-query");
    let body = serde_json::json!({ "url": url }).to_string();
    let answer = try_post(all.address, "/v1/images", &body, SOON)
        .await
        .unwrap();
    assert_eq!(answer.status, 202);
    let id = answer.json()["id"].clone();
    eventually("the failure is logged", SOON, async || {
        all.log().contains("\"failed\"")
    })
    .await;
    tokio::task::block_in_place(|| {
        eventually_blocking("whole lines", SOON, || all.log().ends_with('\n'));
    });
    let log = all.log();
    let events = events(&log);
    let failed = events
        .iter()
        .find(|event| event["message"] == "failed")
        .unwrap();
    assert_eq!(failed["level"], "WARN", "{failed}");
    assert_eq!(failed["source.host"], "127.0.0.1", "{failed}");
    assert_eq!(failed["error.code"], "source_client_error", "{failed}");
    assert_eq!(failed["span"]["job.id"], id, "{failed}");
    assert!(!log.contains("secret"), "{log}");
}
