//! A panic inside a job. No image is known that makes the decoder panic, and production code has
//! no hook for it: here the workers run in the test's process with a resolver that panics, i.e. a
//! part of the attempt itself.

use std::sync::Arc;
use std::time::Duration;

use thumbforge::db::{Database, Submission, Target};
use thumbforge::domain::{DuplicateHandling, JobStatus, SourceUrl, ThumbnailSpec};
use thumbforge::fetch::{FetchSettings, Fetcher, Resolve, Resolving};
use thumbforge::queue::{MemoryQueue, Queue};
use thumbforge::storage::Storage;
use thumbforge::worker::{DecodeLimits, Engine, Parts, WorkerSettings, Workers};
use tokio_util::sync::CancellationToken;

use crate::report::{Figures, tell};
use crate::stage::image_reply;
use crate::support::deadline::eventually;
use crate::support::origin::Origin;
use crate::yardstick::conclusively;

struct PanickingResolver;

impl Resolve for PanickingResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        panic!("told to panic at {name}")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_03_a_panic_inside_a_job_leaves_the_worker_alive() {
    conclusively("fault 03", fault_03).await;
}

async fn fault_03() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let target = Target::Sqlite(folder.path().join("thumbforge.db"));
    let database = Database::open(&target, 4).expect("a file");
    database.migrate(&target).await.expect("a schema");
    let fetch = FetchSettings {
        allowed_networks: vec!["127.0.0.0/8".parse().expect("a network")],
        allowed_ports: "*".parse().expect("all ports"),
        ..FetchSettings::default()
    };
    let limits = DecodeLimits {
        max_pixels: 1_000_000,
        memory_bytes: 64 << 20,
        timeout: Duration::from_secs(5),
    };
    let parts = Parts {
        database: database.clone(),
        queue: Queue::Memory(MemoryQueue::default()),
        storage: Storage::open(&folder.path().join("thumbnails")).expect("a folder"),
        fetcher: Fetcher::with_resolver(fetch, Arc::new(PanickingResolver)).expect("a fetcher"),
        engine: Engine::new(1, limits),
    };
    let queue = parts.queue.clone();
    let settings = WorkerSettings {
        concurrency: 4,
        poll_timeout: Duration::from_secs(1),
        max_attempts: 2,
        lease: Duration::from_secs(2),
        shutdown_grace: Duration::from_secs(5),
        spec: ThumbnailSpec {
            max_side: 64,
            jpeg_quality: 85,
        },
    };
    let workers = Workers::new(parts, settings);
    let pulse = workers.pulse();
    let stop = CancellationToken::new();
    let working = tokio::spawn(workers.run(stop.clone()));

    let origin = Origin::start().await;
    origin.on("/small.jpg", vec![image_reply(120, 90)]);
    let mut ids = Vec::new();
    for n in 0..40 {
        // A name is resolved, which panics; an address is not.
        let url = match n % 4 {
            0 => format!("http://panic.example/{n}"),
            _ => origin.url(&format!("/small.jpg?n={n}")),
        };
        let url = SourceUrl::parse(&url).expect("a URL");
        let submitted = database.submit(&url, DuplicateHandling::AllowRetry).await;
        let Ok(Submission::Created(job)) = submitted else {
            panic!("{submitted:?}")
        };
        queue.push(job.id).await;
        ids.push((n % 4 == 0, job.id));
    }
    let begun = std::time::Instant::now();
    let all_ended = || async {
        let counts = database.counts().await.expect("counts");
        counts.pending + counts.processing == 0
    };
    eventually("all jobs end", Duration::from_secs(20), all_ended).await;
    for (panics, id) in ids {
        let job = database.find(id).await.expect("readable").expect("there");
        if panics {
            assert_eq!(job.status, JobStatus::Failed);
            assert_eq!(job.error_code.as_deref(), Some("internal"));
            assert_eq!(job.attempts, 2, "tried again, and given up");
        } else {
            assert_eq!(job.status, JobStatus::Completed, "{:?}", job.error);
        }
    }
    assert!(pulse.is_consuming(), "the worker lives");
    let took = begun.elapsed();
    stop.cancel();
    working.await.expect("the workers ended in peace");
    tell(&Figures {
        fault: 3,
        name: "a panic inside a job",
        recovered: took,
        outage: Duration::ZERO,
        remark: "10 of 40 jobs panicked: failed as `internal` after 2 attempts; the worker lived \
                 (in the test's process, without an API)"
            .to_owned(),
    });
}
