//! `jobs`, `batches`, `actions`, `origins`, `queue`, `webhooks`, `top`, `completions`, `man`.

use std::time::Duration;

use serde_json::{Value, json};

use super::{LIMIT, Stand};
use crate::support::deadline::eventually;
use crate::support::http_client::try_post;
use crate::support::origin::{Origin, Reply};
use crate::support::receiver::{Manner, Receiver};

fn one(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A service with one completed job and two failed ones: their ids.
async fn with_jobs() -> (Stand, String, Vec<String>) {
    let stand = Stand::new(&[]).await;
    let good = stand.picture("/a.jpg");
    let printed = stand.printed(&["submit", "--wait", &good]).await;
    let completed = printed.split('\t').next().unwrap().to_owned();
    let (b, c) = (stand.origin.url("/b.jpg"), stand.origin.url("/c.jpg"));
    let said = stand
        .run(&["submit", "--wait", "--tag", "bad", &b, &c])
        .await;
    let failed = said.stdout.lines().map(|line| line[..36].to_owned());
    let failed = failed.collect();
    (stand, completed, failed)
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_listed_and_shown() {
    let (stand, completed, failed) = with_jobs().await;
    let listed = stand.printed(&["jobs", "list"]).await;
    let lines: Vec<_> = listed.lines().collect();
    assert_eq!(lines.len(), 4, "{listed}");
    assert!(
        lines[0].starts_with("ID ") && lines[0].ends_with(" URL"),
        "{listed}"
    );
    assert!(lines[3].starts_with(&completed), "{listed}");
    let filtered = [
        "jobs", "list", "--json", "--status", "failed", "--tag", "bad", "--limit", "1",
    ];
    let line = one(&stand.printed(&filtered).await);
    assert_eq!(line["error_code"], "source_client_error");
    assert!(failed.contains(&line["id"].as_str().unwrap().to_owned()));
    let shown = stand.printed(&["jobs", "show", &completed]).await;
    for part in ["status: completed", "  width: 64", "attempts_log 1:"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let shown = one(&stand.printed(&["jobs", "show", &completed, "--json"]).await);
    assert_eq!(shown["result"]["format"], "JPEG");
    for (wrong, code) in [
        ("no-id", "invalid_job_id"),
        ("../metrics", "invalid_job_id"),
    ] {
        let said = stand.run(&["jobs", "show", wrong]).await;
        assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""));
        assert!(said.stderr.contains(code), "{}", said.stderr);
        assert_eq!(said.stderr.lines().count(), 1, "{}", said.stderr);
    }
    let said = stand.run(&["jobs", "list", "--status", "lost"]).await;
    assert!(
        said.stderr.contains("(invalid_query): status "),
        "{}",
        said.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_on_over_pages() {
    let sizes = ["THUMBFORGE_MAX_PAGE_SIZE", "THUMBFORGE_DEFAULT_PAGE_SIZE"];
    let stand = Stand::new(&sizes.map(|name| (name, "2"))).await;
    let urls: Vec<_> = (0..5)
        .map(|n| format!("http://127.0.0.1:9/{n}.jpg"))
        .collect();
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    stand.printed(&[&["submit"], &urls[..]].concat()).await;
    for (limit, lines) in [
        (&["--limit", "3"][..], 4),
        (&["--all"], 6),
        (&["--limit", "0"], 1),
    ] {
        let listed = stand.printed(&[&["jobs", "list"], limit].concat()).await;
        assert_eq!(listed.lines().count(), lines, "{listed}");
        assert_eq!(listed.matches("STATUS").count(), 1, "{listed}");
        assert!(listed.lines().all(|line| !line.is_empty()), "{listed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_shown_and_not_followed() {
    let origin = Origin::start().await;
    let elsewhere = Reply::status(308).header("Location", "https://example.org/v1/metrics");
    origin.on("/v1/metrics", [elsewhere]);
    let folder = tempfile::tempdir().unwrap();
    let child = super::command(folder.path(), &origin.url(""), &["top", "--json"]).spawn();
    let said = super::ended(child.unwrap()).await;
    assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""));
    assert!(
        said.stderr.contains("leads to https://example.org/"),
        "{}",
        said.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_changed_by_their_ids() {
    let (stand, completed, failed) = with_jobs().await;
    let said = stand.run(&["jobs", "retry", &completed, &failed[0]]).await;
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("(not_retryable)"), "{}", said.stderr);
    assert_eq!(said.stdout, format!("{}\tpending\n", failed[0]));
    let said = stand.run(&["jobs", "cancel", &completed]).await;
    assert!(said.stderr.contains("(already_ended)"), "{}", said.stderr);
    let arguments = ["jobs", "delete", &completed, &failed[1]];
    assert_eq!(stand.run(&arguments).await.code, Some(2));
    let dry = [&arguments[..], &["--dry-run", "--json"]].concat();
    assert_eq!(
        one(&stand.printed(&dry).await),
        json!({"counts": {"matched": 2}})
    );
    stand.printed(&[&arguments[..], &["--yes"]].concat()).await;
    assert_eq!(stand.count("total"), 1);
    let last = ["jobs", "delete", &failed[0], "--json"];
    assert_eq!(
        one(&stand.printed(&last).await),
        json!({"id": failed[0], "deleted": true})
    );
    for wrong in [
        &["jobs", "retry"][..],
        &["jobs", "retry", "x", "--tag", "y"],
    ] {
        assert_eq!(stand.run(wrong).await.code, Some(2), "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_changed_by_filters_after_their_count_is_agreed_to() {
    let (stand, _, _) = with_jobs().await;
    let filter = ["--status", "failed", "--tag", "bad"];
    let with = |more: &[&'static str]| [&["jobs", "delete"], &filter[..], more].concat();
    assert_eq!(stand.printed(&with(&["--dry-run"])).await, "2 jobs\n");
    let said = stand.run(&with(&[])).await;
    assert_eq!(said.code, Some(2));
    assert!(
        said.stderr.contains("Delete 2 jobs?") && said.stderr.contains("--yes"),
        "{}",
        said.stderr
    );
    assert_eq!(stand.count("total"), 3);
    let done = one(&stand.printed(&with(&["--yes", "--json"])).await);
    assert_eq!(
        (&done["status"], &done["counts"]["done"]),
        (&json!("done"), &json!(2))
    );
    assert_eq!(stand.count("total"), 1);
    let shown = stand
        .printed(&["actions", "show", done["id"].as_str().unwrap()])
        .await;
    assert!(shown.contains("  matched: 2"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_is_left_at_once_also_while_the_service_is_away() {
    let origin = Origin::start().await;
    let begun = r#"{"id": "a\u009bb", "status": "running"}"#;
    origin.on(
        "/v1/actions",
        [Reply::body("application/json", begun.into())],
    );
    let action = "/v1/actions/a%C2%9Bb";
    origin.on(action, [Reply::status(503)]);
    let folder = tempfile::tempdir().unwrap();
    let cancel = ["jobs", "cancel", "--tag", "x", "--yes"];
    let running = super::command(folder.path(), &origin.url(""), &cancel).spawn();
    let running = running.unwrap();
    eventually("the action is followed", LIMIT, async || {
        origin.hits(action) > 0
    })
    .await;
    super::signal(&running, "INT");
    let said = super::ended(running).await;
    assert_eq!(said.code, Some(130), "{}", said.stderr);
    let words = "actions show a\u{fffd}b` shows how far";
    assert!(said.stderr.contains(words), "{}", said.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn origins_and_the_queue_are_paused_and_resumed() {
    let (stand, _, _) = with_jobs().await;
    let origin = stand.origin.url("");
    let origin = origin.trim_end_matches('/');
    let paused = one(&stand.printed(&["origins", "pause", origin, "--json"]).await);
    assert_eq!(paused["paused"], true);
    let listed = stand
        .printed(&["origins", "list", "--sort", "failed"])
        .await;
    assert!(
        listed.lines().nth(1).unwrap().ends_with(" true"),
        "{listed}"
    );
    stand.printed(&["origins", "resume", origin]).await;
    stand.printed(&["origins", "reset", origin]).await;
    let said = stand.run(&["origins", "pause", "nowhere"]).await;
    assert!(said.stderr.contains("#/origin"), "{}", said.stderr);
    assert_eq!(stand.printed(&["queue", "pause"]).await, "paused: true\n");
    let seen = stand.printed(&["top"]).await;
    assert!(seen.contains("PAUSED"), "{seen}");
    assert_eq!(stand.printed(&["queue", "resume"]).await, "paused: false\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_listed_shown_and_retried() {
    let stand = Stand::new(&[]).await;
    let url = stand.origin.url("/missing.jpg");
    let body = json!({"items": [{"url": url}, {"url": "ftp://x"}]}).to_string();
    let answer = try_post(stand.service.address, "/v1/batches", &body, LIMIT)
        .await
        .unwrap();
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let shows = async |words: &str| {
        eventually(words, LIMIT, async || {
            stand
                .printed(&["batches", "show", &id])
                .await
                .contains(words)
        })
        .await;
    };
    shows("status: failed").await;
    let shown = stand.printed(&["batches", "show", &id]).await;
    assert!(shown.contains("errors 1:\n  "), "{shown}");
    let listed = stand
        .printed(&["batches", "list", "--status", "failed"])
        .await;
    assert!(listed.lines().nth(1).unwrap().starts_with(&id), "{listed}");
    let images = stand.printed(&["batches", "images", &id]).await;
    assert!(images.lines().nth(1).unwrap().starts_with("0 "), "{images}");
    stand.picture("/missing.jpg");
    stand.printed(&["batches", "retry", &id]).await;
    shows("completed: 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_made_tested_rotated_and_deleted() {
    let stand = Stand::new(&[]).await;
    let receiver = Receiver::start(Manner::Answers(200, "")).await;
    let url = receiver.url();
    let create = [
        "webhooks",
        "create",
        &url,
        "--event",
        "image.failed",
        "--tag",
        "a",
        "--json",
    ];
    let said = stand.run(&create).await;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stderr.contains("not shown again"), "{}", said.stderr);
    let made = one(&said.stdout);
    let id = made["id"].as_str().unwrap();
    let secret = made["secret"].as_str().unwrap();
    assert_eq!(
        (&made["events"], &made["tags"]),
        (&json!(["image.failed"]), &json!(["a"]))
    );
    stand.printed(&["webhooks", "test", id]).await;
    let posted = receiver.wait_for(1).await.remove(0);
    assert_eq!(posted.json()["type"], "webhook.test");
    let deliveries = [
        "webhooks",
        "deliveries",
        id,
        "--json",
        "--status",
        "delivered",
    ];
    eventually("the delivery is noted", LIMIT, async || {
        !stand.printed(&deliveries).await.is_empty()
    })
    .await;
    let delivery = one(&stand.printed(&deliveries).await);
    stand
        .printed(&["webhooks", "resend", id, delivery["id"].as_str().unwrap()])
        .await;
    assert_eq!(receiver.wait_for(2).await[1].id(), posted.id());
    let rotated = one(&stand.printed(&["webhooks", "rotate", id, "--json"]).await);
    assert_ne!(rotated["secret"], secret);
    let changed = [
        "webhooks",
        "change",
        id,
        "--description",
        "the shop",
        "--json",
    ];
    let changed = one(&stand.printed(&changed).await);
    assert_eq!(changed["description"], "the shop");
    stand.printed(&["webhooks", "disable", id]).await;
    let listed = stand.printed(&["webhooks", "list"]).await;
    let row: Vec<_> = listed.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row, [id, "image.failed", "true", "operator", &url]);
    stand.printed(&["webhooks", "enable", id]).await;
    let since = ["webhooks", "recover", id, "--since", "2026-01-31T12:00:00Z"];
    stand.printed(&since).await;
    let deleted = one(&stand.printed(&["webhooks", "delete", id, "--json"]).await);
    assert_eq!(deleted, json!({"id": id, "deleted": true}));
    assert_eq!(stand.printed(&["webhooks", "list", "--json"]).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn top_prints_one_sight_where_there_is_no_terminal() {
    let (stand, completed, _) = with_jobs().await;
    let seen = stand.printed(&["top"]).await;
    assert!(seen.contains("completed 1   failed 2"), "{seen}");
    assert!(seen.contains(&completed), "{seen}");
    assert!(!seen.contains('\u{1b}'), "{seen:?}");
    let seen = one(&stand.printed(&["top", "--json"]).await);
    assert_eq!(seen["counts"]["failed"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn shells_and_man_are_told_of_every_command() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["completions", "bash"][..],
        &["completions", "zsh"],
        &["completions", "fish"],
        &["man"],
    ] {
        let child = super::command(folder.path(), "", arguments)
            .spawn()
            .unwrap();
        let said = tokio::time::timeout(Duration::from_secs(30), super::ended(child)).await;
        let said = said.unwrap();
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        for word in ["submit", "concurrency", "deliveries", "init", "thumbnail"] {
            assert!(said.stdout.contains(word), "{arguments:?}: {word}");
        }
    }
}
