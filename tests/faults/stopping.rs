//! SIGTERM ends every process within its grace period, whatever hangs.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::load::{Load, accept};
use crate::report::line;
use crate::stage::{Stage, image_reply};
use crate::support::child_process::ChildProcess;
use crate::support::deadline::eventually_blocking;
use crate::support::origin::Reply;
use crate::yardstick::conclusively;

const SOON: Duration = Duration::from_secs(30);
const GRACE: Duration = Duration::from_secs(4);
/// In addition to the grace period: what the process needs to end, and the machine to notice.
const MARGIN: Duration = Duration::from_secs(2);

/// A download that ends when the gate is opened.
fn gated(stage: &Stage, path: &str) -> Arc<Semaphore> {
    let gate = Arc::new(Semaphore::new(0));
    stage
        .origin
        .on(path, vec![image_reply(120, 90).behind(&gate)]);
    gate
}

fn begun(stage: &Stage, path: &str, count: usize) {
    eventually_blocking("the jobs are begun", SOON, || {
        stage.origin.hits(path) >= count
    });
}

fn started(stage: &Stage, commands: &[&'static str]) -> Vec<ChildProcess> {
    commands
        .iter()
        .map(|command| {
            let mut process = stage.process(command, command);
            process.start();
            process
        })
        .collect()
}

/// Sends SIGTERM to all at once; each must end in time, with exit code 0.
fn all_end_in_time(what: &str, processes: &mut [ChildProcess]) {
    let asked = Instant::now();
    for process in processes.iter() {
        process.signal("TERM");
    }
    for process in processes {
        let left = (GRACE + MARGIN).saturating_sub(asked.elapsed());
        let status = process.wait_for_end(left);
        line(&format!(
            "stop: {what}: `{}` ended after {:.1} s of {} s",
            process.command,
            asked.elapsed().as_secs_f64(),
            GRACE.as_secs()
        ));
        assert_eq!(status.code(), Some(0), "{}", process.tail());
    }
}

async fn with_grace(stage: Stage) -> Stage {
    let mut stage = stage;
    stage.set(
        "THUMBFORGE_SHUTDOWN_GRACE_SECONDS",
        &GRACE.as_secs().to_string(),
    );
    stage
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_end_in_time_while_postgres_is_frozen() {
    conclusively("stop", all_end_in_time_while_postgres_is_frozen_once).await;
}

async fn all_end_in_time_while_postgres_is_frozen_once() {
    let stage = with_grace(Stage::own_postgres().await).await;
    let mut processes = started(&stage, &["serve", "work", "all"]);
    let gate = gated(&stage, "/held.jpg");
    let held = stage.origin.url("/held.jpg");
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(accept(processes[0].address, &format!("{held}?n={n}")).await);
    }
    begun(&stage, "/held.jpg", 6);
    // Submissions and claims are in progress when the server stands still.
    let apis = vec![processes[0].address, processes[2].address];
    let load = Load::start(apis, 20, stage.small_urls());
    eventually_blocking("jobs are accepted", SOON, || load.accepted() >= 20);
    let frozen = stage.postgres().freeze();
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Outcomes that can't be written.
    gate.add_permits(3);
    all_end_in_time("Postgres frozen", &mut processes);
    drop(frozen);
    load.stop().await;
    gate.add_permits(100);
    let mut worker = stage.process("work", "after");
    worker.start();
    for id in ids {
        eventually_blocking("another worker completes it", SOON, || {
            stage.status(&id) == "completed"
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_second_signal_ends_at_once_while_postgres_is_frozen() {
    conclusively(
        "stop",
        a_second_signal_ends_at_once_while_postgres_is_frozen_once,
    )
    .await;
}

async fn a_second_signal_ends_at_once_while_postgres_is_frozen_once() {
    let stage = with_grace(Stage::own_postgres().await).await;
    let mut processes = started(&stage, &["serve", "work", "all"]);
    let _frozen = stage.postgres().freeze();
    for process in &mut processes {
        process.signal("TERM");
        eventually_blocking("it heard the first signal", SOON, || {
            process.log().contains("a second signal ends at once")
        });
        let again = Instant::now();
        process.signal("INT");
        let status = process.wait_for_end(Duration::from_secs(2));
        assert_eq!(status.code(), Some(130), "after {:?}", again.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_end_in_time_while_redis_is_frozen() {
    conclusively("stop", all_end_in_time_while_redis_is_frozen_once).await;
}

async fn all_end_in_time_while_redis_is_frozen_once() {
    let stage = with_grace(Stage::own_redis().await).await;
    let mut processes = started(&stage, &["serve", "work", "all"]);
    let _gate = gated(&stage, "/held.jpg");
    let id = accept(processes[0].address, &stage.origin.url("/held.jpg")).await;
    begun(&stage, "/held.jpg", 1);
    let load = Load::start(vec![processes[0].address], 20, stage.small_urls());
    eventually_blocking("jobs are accepted", SOON, || load.accepted() >= 20);
    stage.redis().signal("STOP");
    tokio::time::sleep(Duration::from_secs(1)).await;
    all_end_in_time("Redis frozen", &mut processes);
    stage.redis().signal("CONT");
    load.stop().await;
    handed_back(&stage, &id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_end_in_time_while_a_download_never_ends() {
    conclusively("stop", all_end_in_time_while_a_download_never_ends_once).await;
}

async fn all_end_in_time_while_a_download_never_ends_once() {
    let stage = with_grace(Stage::shared().await).await;
    let mut processes = started(&stage, &["serve", "work", "all"]);
    let _gate = gated(&stage, "/held.jpg");
    let held = stage.origin.url("/held.jpg");
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(accept(processes[0].address, &format!("{held}?n={n}")).await);
    }
    begun(&stage, "/held.jpg", 6);
    all_end_in_time("a download hangs", &mut processes);
    for id in &ids {
        handed_back(&stage, id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_end_in_time_while_decodes_go_on() {
    conclusively("stop", all_end_in_time_while_decodes_go_on_once).await;
}

async fn all_end_in_time_while_decodes_go_on_once() {
    let mut stage = with_grace(Stage::shared().await).await;
    stage.set("THUMBFORGE_MAX_SOURCE_PIXELS", "1000000000");
    stage.set("THUMBFORGE_DECODE_TIMEOUT_SECONDS", "600");
    let mut processes = started(&stage, &["serve", "work"]);
    let body = tokio::task::spawn_blocking(|| endless_png(30_000)).await;
    let reply = Reply::body("image/png", body.expect("a picture"));
    stage.origin.on("/endless.png", vec![reply]);
    let url = stage.origin.url("/endless.png");
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(accept(processes[0].address, &format!("{url}?n={n}")).await);
    }
    eventually_blocking("the pictures are downloaded", SOON, || {
        stage.origin.served("/endless.png") >= 6
    });
    all_end_in_time("decodes hang", &mut processes);
    // Most wait for the one thread that decodes, and which of them comes first is open.
    let (done, waiting): (Vec<_>, Vec<_>) =
        ids.iter().partition(|id| stage.status(id) == "completed");
    assert!(waiting.len() >= 2, "decoded too quickly: {done:?}");
    for id in waiting {
        handed_back(&stage, id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_end_in_time_while_the_storage_hangs() {
    conclusively("stop", all_end_in_time_while_the_storage_hangs_once).await;
}

async fn all_end_in_time_while_the_storage_hangs_once() {
    let stage = with_grace(Stage::shared().await).await;
    let mut processes = started(&stage, &["serve", "work"]);
    let gate = gated(&stage, "/held.jpg");
    let id = accept(processes[0].address, &stage.origin.url("/held.jpg")).await;
    begun(&stage, "/held.jpg", 1);
    // A process that opens a pipe without a reader is held up for ever.
    let pipe = stage.storage.join(".tmp").join(format!("{id}.1"));
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo is there").success());
    gate.add_permits(1);
    eventually_blocking("the download is served", SOON, || {
        stage.origin.served("/held.jpg") == 1
    });
    all_end_in_time("the storage hangs", &mut processes);
    handed_back(&stage, &id);
}

/// A log that goes into a full pipe holds up every thread that logs.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_process_whose_log_nobody_reads_ends_in_time() {
    conclusively("stop", a_process_whose_log_nobody_reads_ends_in_time_once).await;
}

async fn a_process_whose_log_nobody_reads_ends_in_time_once() {
    let mut stage = with_grace(Stage::sqlite().await).await;
    stage.set("THUMBFORGE_LOG_LEVEL", "trace");
    let all = stage.process("all", "all");
    let mut child = all
        .command_line()
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary can be run");
    let kept = child.stderr.take();
    let silent = |address| {
        let limit = Duration::from_secs(1);
        let answer = crate::support::http_client::try_get(address, "/v1/metrics", limit);
        answer.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    };
    eventually_blocking("the pipe is full", SOON, || silent(all.address));
    let asked = Instant::now();
    let status = Command::new("kill").arg(child.id().to_string()).status();
    assert!(status.expect("kill is there").success());
    let mut ended = None;
    eventually_blocking("it ends", GRACE + MARGIN, || {
        ended = child.try_wait().expect("our own child");
        ended.is_some()
    });
    drop(kept);
    line(&format!(
        "stop: the log hangs: `all` ended after {:.1} s of {} s",
        asked.elapsed().as_secs_f64(),
        GRACE.as_secs()
    ));
    assert_eq!(ended.expect("it has ended").code(), Some(0));
}

/// Pending again, with no attempt lost.
fn handed_back(stage: &Stage, id: &str) {
    let sql = format!("SELECT status || ' ' || attempts AS line FROM jobs WHERE id = '{id}'");
    assert_eq!(stage.lines(&sql), ["pending 0"]);
}

/// A grey square whose rows take long to read and little to send.
fn endless_png(side: u32) -> Vec<u8> {
    use std::io::Write;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_compression(png::Compression::Fast);
    // The filter that is dearest to undo: each byte waits for the one before.
    encoder.set_filter(png::Filter::Paeth);
    let mut writer = encoder.write_header().expect("a header");
    let mut rows = writer.stream_writer().expect("rows");
    let row = vec![128; side as usize];
    for _ in 0..side {
        rows.write_all(&row).expect("a row");
    }
    rows.finish().expect("an end");
    drop(writer);
    bytes
}
