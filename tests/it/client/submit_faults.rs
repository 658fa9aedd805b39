//! `thumbforge submit` when something breaks off, and with more than fits into memory.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;

use super::{LIMIT, Stand, command, ended, signal};
use crate::support::deadline::eventually;
use crate::support::images;
use crate::support::origin::{Origin, Reply};
use crate::support::server_process::free_port;

const LINES: usize = 60;

/// A file of URLs whose pictures wait for permits.
fn gated(stand: &Stand) -> (String, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let mut text = String::new();
    for number in 0..LINES {
        let path = format!("/{number}.jpg");
        let picture = Reply::body("image/jpeg", images::jpeg(32, 32, 1));
        stand.origin.on(&path, [picture.behind(&gate)]);
        text.push_str(&format!("{}\n", stand.origin.url(&path)));
    }
    (stand.write("urls.txt", text), gate)
}

fn ids(printed: &str) -> HashSet<&str> {
    let lines = printed.lines();
    lines.filter_map(|line| line.split('\t').next()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_goes_away_in_the_middle_is_waited_for() {
    let mut stand = Stand::new(&[]).await;
    let (file, gate) = gated(&stand);
    let arguments = ["submit", "--wait", "--concurrency", "8", "--from", &file];
    let running = stand.command(&arguments).spawn().unwrap();
    gate.add_permits(20);
    eventually("some are through", LIMIT, async || {
        stand.count("completed") >= 15
    })
    .await;
    stand.service.kill();
    gate.add_permits(4 * LINES);
    tokio::task::block_in_place(|| stand.service.start());
    let said = ended(running).await;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert_eq!(ids(&said.stdout).len(), LINES);
    // Nothing was submitted twice.
    assert_eq!(stand.count("total"), LINES as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_goes_on_under_its_name_and_makes_no_job_twice() {
    let stand = Stand::new(&[]).await;
    let (file, gate) = gated(&stand);
    let arguments = [
        "submit",
        "--output",
        "out",
        "--concurrency",
        "8",
        "--from",
        &file,
    ];
    for name in ["INT", "TERM"] {
        gate.add_permits(10);
        let before = stand.count("completed");
        let resume = [&arguments[..], &["--resume", "monday"]].concat();
        let running = stand.command(&resume).spawn().unwrap();
        eventually("some are through", LIMIT, async || {
            stand.count("completed") >= before + 5
        })
        .await;
        signal(&running, name);
        let said = ended(running).await;
        assert_eq!(said.code, Some(130), "{name}: {}", said.stderr);
        assert!(said.stderr.contains("--resume monday"), "{}", said.stderr);
    }
    gate.add_permits(4 * LINES);
    // What moved in the file or was added to it does not matter.
    let text = std::fs::read_to_string(stand.path(&file)).unwrap();
    let more = stand.picture("/more.jpg");
    stand.write(&file, format!("{more}\n{text}"));
    let said = stand
        .run(&[&arguments[..], &["--resume", "monday"]].concat())
        .await;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert_eq!(ids(&said.stdout).len(), LINES + 1);
    assert_eq!(stand.count("total"), LINES as u64 + 1);
    let files = std::fs::read_dir(stand.path("out")).unwrap();
    assert_eq!(files.count(), LINES + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_jobs_that_are_retried_are_waited_for_when_the_run_is_resumed() {
    let stand = Stand::new(&[]).await;
    let url = stand.origin.url("/late.jpg");
    let arguments = ["submit", "--output", "out", "--resume", "r", &url];
    assert_eq!(stand.run(&arguments).await.code, Some(1));
    assert_eq!(stand.run(&arguments).await.code, Some(1));
    stand.picture("/late.jpg");
    stand
        .printed(&["jobs", "retry", "--status", "failed", "--yes"])
        .await;
    let printed = stand.printed(&arguments).await;
    assert!(printed.contains("\tcompleted\t"), "{printed}");
    assert_eq!(stand.count("total"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_a_name_tells_the_one_it_has() {
    let stand = Stand::new(&[]).await;
    let (file, _gate) = gated(&stand);
    let arguments = ["submit", "--from", &file];
    let said = stand.run(&arguments).await;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let (_, name) = said.stderr.split_once("--resume ").unwrap();
    let name = name.split_whitespace().next().unwrap();
    let again = stand
        .run(&[&arguments[..], &["--resume", name]].concat())
        .await;
    assert_eq!(ids(&again.stdout), ids(&said.stdout));
    assert_eq!(stand.count("total"), LINES as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_not_there_or_stays_away_is_given_up() {
    let mut stand = Stand::new(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let vacant = format!("http://127.0.0.1:{}", free_port());
    let nobody = command(folder.path(), &vacant, &["submit", "http://a/b.jpg"]).spawn();
    let said = ended(nobody.unwrap()).await;
    assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""));
    assert!(
        said.stderr.contains(&format!("{vacant} can't be reached")),
        "{}",
        said.stderr
    );

    let (file, _gate) = gated(&stand);
    let arguments = ["submit", "--wait", "--give-up-after", "1", "--from", &file];
    let running = stand.command(&arguments).spawn().unwrap();
    eventually("some are accepted", LIMIT, async || {
        stand.count("total") >= 10
    })
    .await;
    stand.service.kill();
    let said = ended(running).await;
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    assert!(said.stderr.contains("127.0.0.1"), "{}", said.stderr);
    assert!(said.stderr.contains("--resume "), "{}", said.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_one_url_that_gives_up_reports_its_name() {
    let origin = Origin::start().await;
    let job = r#"{"id": "1", "status": "pending", "url": "http://a/b.jpg"}"#;
    let accepted = Reply::body("application/json", job.into());
    origin.on("/v1/images", [accepted]);
    origin.on("/v1/images/1", [Reply::status(503)]);
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["submit", "--wait", "--give-up-after", "1", "http://a/b.jpg"];
    let child = command(folder.path(), &origin.url(""), &arguments).spawn();
    let said = ended(child.unwrap()).await;
    assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""));
    assert!(said.stderr.contains("--resume "), "{}", said.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_would_fail_for_every_line_ends_the_run() {
    let origin = Origin::start().await;
    let job = r#"{"id": "1", "status": "completed", "url": "http://a/b.jpg"}"#;
    for path in ["/v1/images", "/v1/images/1"] {
        origin.on(path, [Reply::body("application/json", job.into())]);
    }
    let folder = tempfile::tempdir().unwrap();
    let urls = ["http://a/b.jpg", "http://a/c.jpg"];
    let one_by_one = ["--concurrency", "1", "--give-up-after", "0"];
    let arguments = [&["submit", "--output", "out"][..], &one_by_one, &urls].concat();
    for (turn, status) in [401, 403, 429, 502, 503, 504].into_iter().enumerate() {
        origin.on("/v1/images/1/thumbnail", [Reply::status(status)]);
        let child = command(folder.path(), &origin.url(""), &arguments).spawn();
        let said = ended(child.unwrap()).await;
        assert_eq!(said.code, Some(1), "{status}: {}", said.stderr);
        let words = format!("answered {status}");
        assert!(said.stderr.contains(&words), "{}", said.stderr);
        assert_eq!(origin.hits("/v1/images"), turn + 1, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_busy_is_asked_again_when_it_says() {
    let origin = Origin::start().await;
    let job = r#"{"id": "1", "status": "pending", "url": "http://a/b.jpg"}"#;
    let accepted = Reply::body("application/json", job.into());
    let busy = |status| Reply::status(status).header("Retry-After", "1");
    origin.on("/v1/images", [busy(503), busy(429), accepted]);
    let folder = tempfile::tempdir().unwrap();
    let server = origin.url("");
    let began = std::time::Instant::now();
    let child = command(folder.path(), &server, &["submit", "http://a/b.jpg"]).spawn();
    let said = ended(child.unwrap()).await;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert_eq!(origin.hits("/v1/images"), 3);
    assert!(began.elapsed() >= Duration::from_secs(2));
}

/// A pipe of 300 MB, one line of which has 100 MB, in a process that may have 64 MB of data.
#[tokio::test(flavor = "multi_thread")]
async fn however_long_the_input_is_little_of_it_is_held() {
    let stand = Stand::new(&[]).await;
    let url = stand.picture("/a.jpg");
    let mut shell = tokio::process::Command::new("sh");
    shell
        .args(["-c", "ulimit -d 65536 && exec \"$0\" submit -"])
        .arg(env!("CARGO_BIN_EXE_thumbforge"))
        .env(
            "THUMBFORGE_SERVER",
            format!("http://{}", stand.service.address),
        )
        .current_dir(stand.folder.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = shell.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feed = tokio::spawn(async move {
        let block = vec![b'x'; 1_000_000];
        for _ in 0..100 {
            stdin.write_all(&block).await.unwrap();
        }
        let comment = format!("\n# {}\n", "x".repeat(998)).repeat(1000);
        for _ in 0..200 {
            stdin.write_all(comment.as_bytes()).await.unwrap();
        }
        stdin
            .write_all(format!("{url}\n").as_bytes())
            .await
            .unwrap();
    });
    let said = ended(child).await;
    feed.await.unwrap();
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    assert!(said.stderr.contains("line 1: "), "{}", said.stderr);
    assert!(
        said.stderr.contains("1 accepted, 1 failed"),
        "{}",
        said.stderr
    );
}
