//! Workers are frozen, slower than their leases, and asked to end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::audit::{Terms, audit};
use crate::load::{self, Load, accept};
use crate::report::{Figures, tell};
use crate::stage::{COMPLETIONS, LEASE, Stage, image_reply};
use crate::support::child_process::ChildProcess;
use crate::support::deadline::eventually_blocking;
use crate::support::fault_proxy::{FaultProxy, Mode};
use crate::yardstick::conclusively;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_04_a_worker_that_was_frozen_publishes_nothing() {
    conclusively("fault 04", fault_04).await;
}

async fn fault_04() {
    let stage = Stage::shared().await;
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let proxy = FaultProxy::start(stage.postgres().front_port()).await;
    let mut stale = stage.process_through_postgres("work", "stale", proxy.port());
    stale.start();

    // One job that the stale worker has finished: only the database's answer is missing.
    proxy.set(Mode::Hold(COMPLETIONS));
    let late_gate = Arc::new(Semaphore::new(1));
    let reply = image_reply(120, 90).behind(&late_gate);
    stage.origin.on("/late.jpg", vec![reply]);
    let late = accept(serve.address, &stage.origin.url("/late.jpg")).await;
    eventually_blocking("the outcome is on its way", SOON, || proxy.seen() == 1);

    // And some that it is downloading.
    let mut held = Vec::new();
    for n in 0..5 {
        let path = format!("/held-{n}.jpg");
        let gate = Arc::new(Semaphore::new(0));
        stage
            .origin
            .on(&path, vec![image_reply(120, 90).behind(&gate)]);
        let id = accept(serve.address, &stage.origin.url(&path)).await;
        held.push((path, gate, id));
    }
    let all_asked = |times| {
        move |stage: &Stage, held: &[(String, Arc<Semaphore>, String)]| {
            held.iter()
                .all(|(path, ..)| stage.origin.hits(path) == times)
        }
    };
    eventually_blocking("the stale worker holds all", SOON, || {
        all_asked(1)(&stage, &held)
    });
    stale.signal("STOP");
    let frozen = Instant::now();
    let load = Load::start(vec![serve.address], 10, stage.small_urls());
    let mut fresh = stage.process("work", "fresh");
    fresh.start();
    eventually_blocking("another worker takes over", SOON, || {
        all_asked(2)(&stage, &held) && stage.origin.hits("/late.jpg") == 2
    });
    while frozen.elapsed() < 2 * LEASE {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // No message reaches the stale worker that it has lost the jobs: it must know by itself.
    proxy.set(Mode::Blackhole);
    stale.signal("CONT");
    for (_, gate, _) in &held {
        // The stale worker asked first, so it is served first.
        gate.add_permits(1);
    }
    let nothing_is_published = || {
        for (.., id) in &held {
            let file = stage.storage.join(format!("{id}.jpg"));
            assert!(!file.exists(), "published by who had lost it");
        }
    };
    let unanswered = || stale.log().matches("leases not renewed").count();
    let before = unanswered();
    eventually_blocking("the stale worker has all, and asks in vain", SOON, || {
        nothing_is_published();
        let has_all = held.iter().all(|(path, ..)| stage.origin.served(path) >= 1);
        has_all && unanswered() > before + 1
    });
    // The outcome of the stale attempt reaches the database while the fresh one works.
    proxy.set(Mode::Pass);
    let lifted = load::now();
    eventually_blocking("its late outcome is refused", SOON, || {
        stale.log().contains("was taken over")
    });
    eventually_blocking("the stale worker gives up", SOON, || {
        nothing_is_published();
        stale.log().matches("nothing is published").count() >= held.len()
    });
    let ids = held.iter().map(|(.., id)| id).chain([&late]);
    for id in ids {
        assert_eq!(stage.status(id), "processing", "written by who had lost it");
    }
    for (.., id) in &held {
        let file = stage.storage.join(format!("{id}.jpg"));
        assert!(!file.exists(), "published by who had lost it");
    }
    late_gate.add_permits(10);
    for (_, gate, _) in &held {
        gate.add_permits(10);
    }
    let record = load.stop().await;
    let findings = audit(&stage, &record, lifted, &Terms::default());
    let fences = stage.count(&format!(
        "SELECT count(*) FROM jobs WHERE fence = 2 AND id IN ({})",
        held.iter()
            .map(|(.., id)| id)
            .chain([&late])
            .map(|id| format!("'{id}'"))
            .collect::<Vec<_>>()
            .join(",")
    ));
    assert_eq!(fences, held.len() + 1, "each was taken over once");
    tell(&Figures {
        fault: 4,
        name: "SIGSTOP of a worker for 2 × lease, then SIGCONT",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "{} jobs taken over; the stale worker published none, its late write was refused",
            held.len() + 1
        ),
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_05_a_job_slower_than_its_lease_is_renewed_and_runs_once() {
    conclusively("fault 05", fault_05).await;
}

async fn fault_05() {
    let stage = Stage::shared().await;
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let mut workers = [
        stage.process("work", "first"),
        stage.process("work", "second"),
    ];
    for worker in &mut workers {
        worker.start();
    }
    let gate = Arc::new(Semaphore::new(0));
    let reply = image_reply(120, 90).behind(&gate);
    stage.origin.on("/slow.jpg", vec![reply]);
    let load = Load::start(vec![serve.address], 10, stage.small_urls());
    let slow = accept(serve.address, &stage.origin.url("/slow.jpg")).await;
    eventually_blocking("the slow job is begun", SOON, || {
        stage.origin.hits("/slow.jpg") == 1
    });
    tokio::time::sleep(LEASE * 7 / 2).await;
    gate.add_permits(10);
    let lifted = load::now();
    let record = load.stop().await;
    let findings = audit(&stage, &record, lifted, &Terms::default());
    assert_eq!(stage.origin.hits("/slow.jpg"), 1, "it ran once");
    let once = format!("SELECT count(*) FROM jobs WHERE id = '{slow}' AND fence = 1");
    assert_eq!(stage.count(&once), 1);
    tell(&Figures {
        fault: 5,
        name: "a job slower than the lease",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: "7 s under a lease of 2 s: renewed, ran once".to_owned(),
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_14_a_rolling_restart_wastes_no_attempt() {
    conclusively("fault 14", fault_14).await;
}

async fn fault_14() {
    let mut stage = Stage::shared().await;
    stage.set("THUMBFORGE_SHUTDOWN_GRACE_SECONDS", "5");
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let mut workers: Vec<_> = (0..3)
        .map(|n| stage.process("work", &format!("worker-{n}")))
        .collect();
    for worker in &mut workers {
        worker.start();
    }
    // Downloads that outlast any grace period, so that there is something to hand back.
    let gate = Arc::new(Semaphore::new(0));
    let reply = image_reply(120, 90).behind(&gate);
    stage.origin.on("/long.jpg", vec![reply]);
    let (small, long) = (
        stage.origin.url("/small.jpg"),
        stage.origin.url("/long.jpg"),
    );
    let urls = move |n| match n {
        5..14 => format!("{long}?n={n}"),
        _ => format!("{small}?n={n}"),
    };
    let load = Load::start(vec![serve.address], 15, Box::new(urls));
    eventually_blocking("the long jobs are begun", SOON, || {
        stage.origin.hits("/long.jpg") >= 9
    });
    for worker in &mut workers {
        worker.signal("TERM");
        // The grace period and a little.
        let status = worker.wait_for_end(Duration::from_secs(8));
        assert_eq!(status.code(), Some(0), "{}", worker.tail());
        worker.start();
    }
    gate.add_permits(10_000);
    let lifted = load::now();
    let record = load.stop().await;
    let findings = audit(&stage, &record, lifted, &Terms::default());
    let wasted = stage.lines("SELECT id || ' ' || attempts AS line FROM jobs WHERE attempts <> 1");
    assert!(wasted.is_empty(), "wasted attempts: {wasted:?}");
    let handed_back = stage.count("SELECT count(*) FROM jobs WHERE fence > 1");
    assert!(handed_back > 0, "nothing was handed back");
    second_signal(&stage, serve.address, &mut workers).await;
    tell(&Figures {
        fault: 14,
        name: "SIGTERM under load, rolling restart of all workers",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "{} jobs, {handed_back} handed back, each with one attempt; exit 0; second signal: exit 130",
            findings.jobs
        ),
    });
}

/// A second signal ends at once; the job is still recovered by others.
async fn second_signal(stage: &Stage, api: std::net::SocketAddr, workers: &mut [ChildProcess]) {
    let gate = Arc::new(Semaphore::new(0));
    let reply = image_reply(120, 90).behind(&gate);
    stage.origin.on("/second.jpg", vec![reply]);
    for worker in &mut workers[1..] {
        worker.signal("TERM");
        worker.wait_for_end(Duration::from_secs(12));
    }
    let id = accept(api, &stage.origin.url("/second.jpg")).await;
    eventually_blocking("the job is begun", SOON, || {
        stage.origin.hits("/second.jpg") == 1
    });
    let asked = Instant::now();
    // Its log goes back to before the rolling restart.
    let heard =
        |worker: &ChildProcess| worker.log().matches("a second signal ends at once").count();
    let before = heard(&workers[0]);
    workers[0].signal("TERM");
    eventually_blocking("it heard the first signal", SOON, || {
        heard(&workers[0]) > before
    });
    workers[0].signal("TERM");
    let status = workers[0].wait_for_end(Duration::from_secs(2));
    assert_eq!(status.code(), Some(130), "after {:?}", asked.elapsed());
    workers[1].start();
    gate.add_permits(10);
    eventually_blocking("the job is recovered", SOON, || {
        stage.status(&id) == "completed"
    });
}
