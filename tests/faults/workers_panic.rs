//! A panic inside a job. No image is known that makes the decoder panic, and production code has no
//! hook for it. So, beside the built binary's processes, another worker runs in the test's own
//! process, on the same Postgres, Redis and storage, with a resolver that panics, i.e. with a part
//! of the attempt itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use thumbforge::db::{Database, Target};
use thumbforge::fetch::{FetchSettings, Fetcher, Resolve, Resolving};
use thumbforge::observe::WorkMeters;
use thumbforge::queue::{Queue, RedisQueue};
use thumbforge::storage::Storage;
use thumbforge::traces::Traces;
use thumbforge::worker::{DecodeLimits, Engine, Parts, WorkerSettings, Workers};
use thumbforge_imaging::Variant;
use tokio_util::sync::CancellationToken;

use crate::audit::{Terms, audit};
use crate::load::{self, Load, accept};
use crate::report::{Figures, tell};
use crate::stage::{LEASE, Stage};
use crate::support::deadline::eventually_blocking;
use crate::yardstick::conclusively;

const SOON: Duration = Duration::from_secs(20);
/// Jobs that meet only the panicking worker.
const ALONE: usize = 10;

struct PanickingResolver(Arc<AtomicUsize>);

impl Resolve for PanickingResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        self.0.fetch_add(1, Ordering::SeqCst);
        // Like `panic!`, but without the backtrace: where the environment asks for one, a hundred
        // of them take longer than all the jobs.
        std::panic::resume_unwind(Box::new(format!("told to panic at {name}")))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_03_a_panic_inside_a_job_leaves_the_worker_alive() {
    conclusively("fault 03", fault_03).await;
}

async fn fault_03() {
    let stage = Stage::shared().await;
    let mut serve = stage.process("serve", "serve");
    serve.start();
    let panics = Arc::<AtomicUsize>::default();
    let workers = panicking_workers(&stage, PanickingResolver(Arc::clone(&panics)));
    let pulse = workers.pulse();
    let stop = CancellationToken::new();
    let working = tokio::spawn(workers.run(stop.clone()));

    // A name is resolved, which panics; an address is not.
    let small = stage.origin.url("/small.jpg");
    let port = stage.origin.address.port();
    let named = format!("http://localhost:{port}/small.jpg");
    let mut alone = Vec::new();
    for n in 0..ALONE {
        alone.push(accept(serve.address, &format!("{named}?alone={n}")).await);
    }
    let urls = {
        let (named, small) = (named.clone(), small.clone());
        // Not every fourth: two workers that wait for the queue take turns, and the one that panics
        // would never meet a name, or always.
        move |n| match n % 5 {
            0 => format!("{named}?n={n}"),
            _ => format!("{small}?n={n}"),
        }
    };
    let load = Load::start(vec![serve.address], 12, Box::new(urls));
    let failed = format!(
        "SELECT count(*) FROM jobs WHERE status = 'failed' AND error_code = 'internal' \
         AND attempts = 3 AND id IN ('{}')",
        alone.join("','")
    );
    eventually_blocking("they fail, typed", SOON, || stage.count(&failed) == ALONE);
    // Now a worker joins in that resolves names, as in production: a retry may succeed.
    let mut sound = stage.process("work", "sound");
    sound.start();
    let (before, met) = (load.accepted(), panics.load(Ordering::SeqCst));
    eventually_blocking("more jobs panic, beside sound ones", SOON, || {
        load.accepted() >= before + 60 && panics.load(Ordering::SeqCst) >= met + 5
    });
    let lifted = load::now();
    let record = load.stop().await;
    let terms = Terms {
        all_complete: false,
        ..Terms::default()
    };
    let findings = audit(&stage, &record, lifted, &terms);
    assert!(pulse.is_consuming(), "the worker lives");
    let untyped = stage.lines(&format!(
        "SELECT id || ' ' || url || ' ' || error_code AS line FROM jobs WHERE status = 'failed' \
         AND (error_code <> 'internal' OR attempts <> 3 OR url NOT LIKE '{named}%')"
    ));
    assert!(untyped.is_empty(), "{untyped:?}");
    // It is asked to end only now, and does so without trouble.
    assert!(!working.is_finished(), "the worker has ended");
    stop.cancel();
    working.await.expect("the workers ended in peace");
    tell(&Figures {
        fault: 3,
        name: "a panic inside a job",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "{} panics; of {} jobs {} met three and failed as `internal`, all others completed; \
             the worker that panics lived (in the test's process, beside a `serve` and a `work`)",
            panics.load(Ordering::SeqCst),
            findings.jobs,
            findings.failed
        ),
    });
}

fn panicking_workers(stage: &Stage, resolver: PanickingResolver) -> Workers {
    let target = Target::Postgres(stage.postgres_url(stage.postgres().front_port()));
    let fetch = FetchSettings {
        allowed_networks: vec!["127.0.0.0/8".parse().expect("a network")],
        allowed_ports: "*".parse().expect("all ports"),
        ..FetchSettings::default()
    };
    let limits = DecodeLimits {
        max_pixels: 1_000_000,
        max_output_pixels: 50_000_000,
        memory_bytes: 64 << 20,
        timeout: Duration::from_secs(5),
    };
    let queue = RedisQueue::open(&stage.redis().url(), &stage.key).expect("a URL");
    let parts = Parts {
        database: Database::open(&target, 4).expect("a URL"),
        queue: Queue::Redis(queue),
        storage: Storage::open(&stage.storage).expect("a folder"),
        fetcher: Fetcher::with_resolver(fetch, Arc::new(resolver)).expect("a fetcher"),
        engine: Engine::new(1, limits, thumbforge::isolation::Decoders::default()),
        caps_of: Arc::new(|_| Default::default()),
        meters: WorkMeters::default(),
        traces: Traces::default(),
    };
    let settings = WorkerSettings {
        concurrency: Some(8),
        line: 8,
        downloads: 8,
        has_caps: false,
        origin_breaker: Duration::from_secs(30),
        origin_max_wait: Duration::from_secs(3600),
        poll_timeout: Duration::from_secs(1),
        max_attempts: 3,
        lease: LEASE,
        shutdown_grace: Duration::from_secs(5),
        thumbnail: Variant::thumbnail(64, 85),
    };
    Workers::new(parts, settings)
}
