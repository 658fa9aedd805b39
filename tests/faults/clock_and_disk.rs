//! Wrong clocks, and a disk that is full.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::audit::{Terms, audit};
use crate::load::{self, Load};
use crate::readiness::failing;
use crate::report::{Figures, skipped, tell};
use crate::stage::{LEASE, Stage, image_reply};
use crate::support::deadline::eventually_blocking;
use crate::yardstick::conclusively;

const SOON: Duration = Duration::from_secs(20);
const WRONG_CLOCK: &str = "clock of one worker ± 2 h";
const FULL_DISK: &str = "disk full in storage";
/// Upper bounds of the waits after the first and the second of three attempts.
const BACK_OFFS: Duration = Duration::from_secs(1 + 2);
/// `WORKER_CONCURRENCY` of the stage.
const IN_FLIGHT: usize = 8;

/// libfaketime of the package `faketime`.
pub fn faketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten();
    folders
        .map(|folder| folder.path().join("faketime/libfaketime.so.1"))
        .find(|library| library.is_file())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_15_wrong_clocks_do_not_touch_leases() {
    conclusively("fault 15", fault_15).await;
}

async fn fault_15() {
    let Some(library) = faketime() else {
        return skipped(
            15,
            WRONG_CLOCK,
            "libfaketime is not installed (package `faketime`)",
        );
    };
    let stage = Stage::shared().await;
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let mut workers = Vec::new();
    for (name, shift) in [("right", "+0"), ("fast", "+2h"), ("slow", "-2h")] {
        let mut worker = stage.process("work", name);
        worker.set_clock(&library, shift);
        worker.start();
        workers.push(worker);
    }
    let shifts: Vec<_> = workers
        .iter()
        .map(|worker| hour_of_first_line(&worker.log()))
        .collect();
    assert!(
        shifts[0] != shifts[1] && shifts[1] != shifts[2],
        "{shifts:?}"
    );
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let reply = image_reply(120, 90).behind(&gate);
    stage.origin.on("/slow.jpg", vec![reply]);
    let (small, slow) = (
        stage.origin.url("/small.jpg"),
        stage.origin.url("/slow.jpg"),
    );
    let urls = move |n| match n % 16 {
        3 => format!("{slow}?n={n}"),
        _ => format!("{small}?n={n}"),
    };
    // Jobs that are cancelled and retried are claimed more than once.
    let load = Load::start_alone(vec![serve.address], 20, Box::new(urls));
    tokio::time::sleep(LEASE * 3).await;
    gate.add_permits(10_000);
    let lifted = load::now();
    let record = load.stop().await;
    let findings = audit(&stage, &record, lifted, &Terms::default());
    let repeated = stage.lines("SELECT id || ' ' || fence AS line FROM jobs WHERE fence <> 1");
    assert!(repeated.is_empty(), "taken over without need: {repeated:?}");
    let claims = stage.lines(
        "SELECT worker_id || '' AS line FROM job_history WHERE status = 'processing' GROUP BY worker_id",
    );
    assert_eq!(claims.len(), workers.len(), "all three worked");
    tell(&Figures {
        fault: 15,
        name: WRONG_CLOCK,
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "three workers at 0, +2 h and −2 h; {} jobs, some slower than the lease, one execution each",
            findings.jobs
        ),
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_clock_that_was_set_back_strands_no_job() {
    conclusively("clock set back", clock_set_back).await;
}

async fn clock_set_back() {
    let stage = Stage::shared().await;
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let new = load::accept(serve.address, &stage.origin.url("/small.jpg")).await;
    let held = load::accept(serve.address, &stage.origin.url("/small.jpg?n=1")).await;
    // As if all had been written before the clock went back by two hours; a worker that has died
    // since holds the second.
    stage.lines(&format!(
        "UPDATE jobs SET status = 'processing', attempts = 1, fence = 1, \
         worker_id = gen_random_uuid() WHERE id = '{held}'"
    ));
    stage.lines("UPDATE jobs SET due_at = due_at + interval '2 hours'");
    let mut worker = stage.process("work", "worker");
    worker.start();
    for id in [new, held] {
        eventually_blocking("the job completes", SOON, || {
            stage.status(&id) == "completed"
        });
    }
}

fn hour_of_first_line(log: &str) -> String {
    let line = log.lines().find(|line| line.contains("workers start"));
    line.expect("the workers started")[..13].to_owned()
}

/// A small file system of its own; needs the right to mount.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Of `size` bytes, as `mount` writes it.
    pub fn mount(path: &Path, size: &str) -> Result<Self, String> {
        std::fs::create_dir_all(path).expect("a folder");
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o"])
            .arg(format!("size={size}"))
            .arg("tmpfs")
            .arg(path)
            .output();
        match output {
            Ok(output) if output.status.success() => Ok(Self(path.to_owned())),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_16_a_full_disk_is_survived() {
    conclusively("fault 16", fault_16).await;
}

async fn fault_16() {
    let stage = Stage::shared().await;
    let _disk = match SmallDisk::mount(&stage.storage, "1m") {
        Ok(disk) => disk,
        Err(reason) => {
            let reason = format!("a small file system can't be mounted: {reason}");
            return skipped(16, FULL_DISK, &reason);
        }
    };
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let mut worker = stage.process("work", "worker");
    worker.start();
    let load = Load::start(vec![serve.address], 8, stage.small_urls());
    let done = "SELECT count(*) FROM jobs WHERE status = 'completed'";
    eventually_blocking("some jobs", SOON, || stage.count(done) >= 5);
    let ballast = stage.storage.join("ballast");
    fill(&ballast);
    let full = Instant::now();
    let told = "SELECT count(*) FROM jobs WHERE status = 'pending' \
                AND error_code = 'storage_failed' AND error = 'the storage is full'";
    eventually_blocking("the reason is told", SOON, || stage.count(told) >= 1);
    eventually_blocking("the worker says that it takes no jobs", SOON, || {
        failing(&worker) == ["workers", "storage"]
    });
    // Longer than all back-offs of a job together: a job that was tried throughout would have
    // failed.
    let before = load.accepted();
    while full.elapsed() < BACK_OFFS * 3 || load.accepted() < before + 50 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let waiting = load.accepted() - before;
    let lasted = full.elapsed();
    std::fs::remove_file(&ballast).expect("our own file");
    let lifted = load::now();
    eventually_blocking("the worker is ready again", SOON, || worker.is_ready());
    let record = load.stop().await;
    let findings = audit(&stage, &record, lifted, &Terms::default());
    let retried = stage.count("SELECT count(*) FROM jobs WHERE attempts > 1");
    assert!(retried <= IN_FLIGHT * 2, "{retried} jobs were tried on");
    tell(&Figures {
        fault: 16,
        name: FULL_DISK,
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "full for {:.0} s with {} jobs waiting, three attempts each: {retried} met the full \
             disk (`storage_failed`: \"the storage is full\"), none failed",
            lasted.as_secs_f64(),
            waiting,
        ),
    });
}

/// Takes the remaining space.
pub fn fill(ballast: &Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(ballast).expect("a file");
    for size in [4096, 512] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}
