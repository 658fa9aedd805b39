//! Workers are killed: by us at every step of a job, and by the job itself.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::audit::{Terms, audit};
use crate::load::{self, Load, accept};
use crate::report::{Figures, tell};
use crate::stage::{COMPLETIONS, Stage, image_reply};
use crate::support::child_process::ChildProcess;
use crate::support::deadline::eventually_blocking;
use crate::support::fault_proxy::{FaultProxy, Mode};
use crate::yardstick::conclusively;

const SOON: Duration = Duration::from_secs(20);

/// A worker with a path of its own to Postgres.
struct Worker {
    process: ChildProcess,
    proxy: FaultProxy,
}

/// What a worker was doing when it was killed.
#[derive(Clone, Copy, Debug)]
enum Step {
    Fetching,
    Decoding,
    Writing,
    BeforeCommit,
    AfterCommit,
}

const STEPS: [Step; 5] = [
    Step::Fetching,
    Step::Decoding,
    Step::Writing,
    Step::BeforeCommit,
    Step::AfterCommit,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_01_workers_killed_at_every_step_of_a_job() {
    conclusively("fault 01", fault_01).await;
}

async fn fault_01() {
    let mut stage = Stage::shared().await;
    stage.set("THUMBFORGE_THUMBNAIL_SIZE", "512");
    // Twenty kills in as many seconds: a job may be met by three of them.
    stage.set("THUMBFORGE_MAX_ATTEMPTS", "6");
    stage.origin.on("/big.jpg", vec![image_reply(800, 600)]);
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let mut workers = Vec::new();
    for n in 0..3 {
        let proxy = FaultProxy::start(stage.postgres().front_port()).await;
        let name = format!("worker-{n}");
        let mut process = stage.process_through_postgres("work", &name, proxy.port());
        process.start();
        workers.push(Worker { process, proxy });
    }
    let (small, big) = (stage.origin.url("/small.jpg"), stage.origin.url("/big.jpg"));
    let urls = move |n| format!("{}?n={n}", if n % 8 == 0 { &big } else { &small });
    let load = Load::start(vec![serve.address], 12, Box::new(urls));
    let mut kills = 0;
    for round in 0..4 {
        for (index, step) in STEPS.into_iter().enumerate() {
            let victim = kill_at(step, round, &stage, serve.address, &mut workers, index).await;
            workers[victim].process.start();
            kills += 1;
        }
    }
    let lifted = load::now();
    eventually_blocking("300 jobs are accepted", SOON * 3, || load.accepted() >= 300);
    let record = load.stop().await;
    let terms = Terms {
        max_attempts: 6,
        ..Terms::default()
    };
    let findings = audit(&stage, &record, lifted, &terms);
    let longest = longest_wait_for_a_retry(&stage);
    assert!(longest <= 60.0, "a retry came after {longest} s");
    tell(&Figures {
        fault: 1,
        name: "SIGKILL of a worker while fetching, decoding, writing, committing",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "{} jobs, {kills} kills, all completed; longest from an attempt to the next {longest:.1} s",
            findings.jobs
        ),
    });
}

/// Kills one worker within a step of some job; returns which.
async fn kill_at(
    step: Step,
    round: usize,
    stage: &Stage,
    api: std::net::SocketAddr,
    workers: &mut [Worker],
    turn: usize,
) -> usize {
    match step {
        Step::Fetching => {
            let path = format!("/fetching-{round}.jpg");
            let gate = Arc::new(Semaphore::new(0));
            stage
                .origin
                .on(&path, vec![image_reply(120, 90).behind(&gate)]);
            let id = accept(api, &stage.origin.url(&path)).await;
            eventually_blocking("the origin is asked", SOON, || stage.origin.hits(&path) > 0);
            let victim = holder(stage, &id, workers);
            workers[victim].process.kill();
            gate.add_permits(100);
            victim
        }
        Step::Decoding => {
            let path = format!("/decoding-{round}.jpg");
            let gate = Arc::new(Semaphore::new(0));
            let reply = image_reply(2000, 1500).behind(&gate);
            stage.origin.on(&path, vec![reply]);
            let id = accept(api, &stage.origin.url(&path)).await;
            eventually_blocking("the origin is asked", SOON, || stage.origin.hits(&path) > 0);
            let victim = holder(stage, &id, workers);
            gate.add_permits(100);
            let end = Instant::now() + SOON;
            while stage.origin.served(&path) == 0 {
                assert!(Instant::now() < end, "the origin served nothing");
                std::thread::yield_now();
            }
            workers[victim].process.kill();
            victim
        }
        Step::Writing => kill_while_writing(stage, workers),
        Step::BeforeCommit | Step::AfterCommit => {
            let victim = (round + turn) % workers.len();
            let Worker { process, proxy } = &mut workers[victim];
            let before = proxy.seen();
            let fault = match step {
                Step::BeforeCommit => Mode::Hold,
                _ => Mode::LoseReplyTo,
            };
            proxy.set(fault(COMPLETIONS));
            eventually_blocking("a commit is on its way", SOON, || proxy.seen() > before);
            process.kill();
            proxy.throw_away();
            victim
        }
    }
}

/// Stops all workers whenever a temporary file shows; kills the one whose file is still there.
fn kill_while_writing(stage: &Stage, workers: &mut [Worker]) -> usize {
    let folder = stage.storage.join(".tmp");
    let pids: Vec<String> = workers
        .iter()
        .map(|worker| worker.process.pid().to_string())
        .collect();
    let signal = |name: &str| {
        let status = Command::new("kill").arg(name).args(&pids).status();
        assert!(status.expect("kill is there").success());
    };
    let file = || {
        let mut files = std::fs::read_dir(&folder).expect("the storage is there");
        let file = files.next()?.ok()?.file_name();
        Some(file.to_string_lossy().into_owned())
    };
    let end = Instant::now() + SOON * 2;
    while Instant::now() < end {
        if file().is_none() {
            std::thread::sleep(Duration::from_micros(200));
            continue;
        }
        signal("-STOP");
        let held = file().and_then(|name| {
            let (id, _) = name.split_once('.')?;
            try_holder(stage, id, workers)
        });
        if let Some(victim) = held {
            workers[victim].process.kill();
        }
        let alive: Vec<_> = (0..workers.len())
            .filter(|index| Some(*index) != held)
            .collect();
        for index in alive {
            workers[index].process.signal("CONT");
        }
        if let Some(victim) = held {
            return victim;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("no worker was met while it wrote");
}

/// Which of the workers holds a job.
fn holder(stage: &Stage, id: &str, workers: &[Worker]) -> usize {
    let mut found = None;
    eventually_blocking("a worker holds the job", SOON, || {
        found = try_holder(stage, id, workers);
        found.is_some()
    });
    found.expect("just found")
}

fn try_holder(stage: &Stage, id: &str, workers: &[Worker]) -> Option<usize> {
    let sql =
        format!("SELECT worker_id AS line FROM jobs WHERE id = '{id}' AND status = 'processing'");
    let holder = stage.lines(&sql).pop()?;
    workers
        .iter()
        .position(|worker| worker.process.worker_id().as_ref() == Some(&holder))
}

fn longest_wait_for_a_retry(stage: &Stage) -> f64 {
    let sql = "SELECT CAST(coalesce(max(later - at), 0) AS text) AS line FROM ( \
               SELECT at, lead(at) OVER (PARTITION BY id ORDER BY seq) AS later \
               FROM job_history WHERE status = 'processing') AS attempts";
    stage.lines(sql)[0].parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_02_a_job_that_kills_its_process_ends_as_poison() {
    conclusively("fault 02", fault_02).await;
}

async fn fault_02() {
    let stage = Stage::shared().await;
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let mut workers = Vec::new();
    for n in 0..2 {
        let proxy = FaultProxy::start(stage.postgres().front_port()).await;
        let mut process = stage.process("work", &format!("worker-{n}"));
        process.start();
        workers.push(Worker { process, proxy });
    }
    // Neighbours that are downloading whenever the process dies.
    let slow = Arc::new(Semaphore::new(0));
    let slow_reply = image_reply(120, 90).behind(&slow);
    stage.origin.on("/slow.jpg", vec![slow_reply]);
    let (small, slowly) = (
        stage.origin.url("/small.jpg"),
        stage.origin.url("/slow.jpg"),
    );
    let urls = move |n| match n % 5 {
        0 => format!("{slowly}?n={n}"),
        _ => format!("{small}?n={n}"),
    };
    let dripping = tokio::spawn({
        let slow = Arc::clone(&slow);
        async move {
            loop {
                tokio::time::sleep(Duration::from_millis(300)).await;
                slow.add_permits(1);
            }
        }
    });
    let load = Load::start(vec![serve.address], 10, Box::new(urls));
    let never = Arc::new(Semaphore::new(0));
    let reply = image_reply(120, 90).behind(&never);
    stage.origin.on("/poison.jpg", vec![reply]);
    let poison = accept(serve.address, &stage.origin.url("/poison.jpg")).await;
    for death in 1..=3 {
        eventually_blocking("the poison job is begun", SOON, || {
            stage.origin.hits("/poison.jpg") == death
        });
        let victim = holder(&stage, &poison, &workers);
        workers[victim].process.kill();
        workers[victim].process.start();
    }
    let lifted = load::now();
    eventually_blocking("the poison job ends", SOON, || {
        stage.status(&poison) == "failed"
    });
    dripping.abort();
    slow.add_permits(10_000);
    let record = load.stop().await;
    let terms = Terms {
        all_complete: false,
        ..Terms::default()
    };
    let findings = audit(&stage, &record, lifted, &terms);
    let failed = stage.lines(
        "SELECT id || ' ' || error_code || ' ' || attempts AS line FROM jobs \
         WHERE status = 'failed'",
    );
    assert_eq!(failed, [format!("{poison} poison 3")], "others went on");
    tell(&Figures {
        fault: 2,
        name: "a job whose process always dies",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "failed as `poison` after 3 attempts; the other {} jobs completed",
            findings.jobs - 1
        ),
    });
}
