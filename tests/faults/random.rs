//! All faults at random, by a schedule that its seed repeats.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use crate::audit::{Terms, audit};
use crate::load::{self, Load};
use crate::report::{Figures, line, tell};
use crate::stage::{Stage, WRITES};
use crate::support::child_process::ChildProcess;
use crate::support::fault_proxy::{FaultProxy, Mode};
use crate::yardstick::conclusively;

const DEFAULT_SECONDS: u64 = 120;
const SERVES: usize = 2;
const WORKERS: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Fault {
    KillServe(usize),
    KillWorker(usize),
    FreezeWorker(usize),
    TerminateWorker(usize),
    KillRedis,
    FreezeRedis,
    FlushRedis,
    CrashPostgres,
    CutPostgres,
    BlackholePostgres,
    DelayPostgres,
    CutCommits,
    BlackholeRedis,
    RefuseRedis,
    LosePushReplies,
    CutRedisReplies,
}

#[derive(Clone, Copy, Debug)]
struct Event {
    pause: Duration,
    fault: Fault,
    lasts: Duration,
}

/// The events of so many seconds; the same for the same seed.
fn schedule(seed: u64, length: Duration) -> Vec<Event> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut events = Vec::new();
    let mut total = Duration::ZERO;
    while total < length {
        let event = Event {
            pause: Duration::from_millis(random.random_range(200..2500)),
            fault: any_fault(&mut random),
            lasts: Duration::from_millis(random.random_range(300..5000)),
        };
        total += event.pause + event.lasts;
        events.push(event);
    }
    events
}

fn any_fault(random: &mut impl Rng) -> Fault {
    let serve = random.random_range(0..SERVES);
    let worker = random.random_range(0..WORKERS);
    match random.random_range(0..16) {
        0 => Fault::KillServe(serve),
        1 => Fault::KillWorker(worker),
        2 => Fault::FreezeWorker(worker),
        3 => Fault::TerminateWorker(worker),
        4 => Fault::KillRedis,
        5 => Fault::FreezeRedis,
        6 => Fault::FlushRedis,
        7 => Fault::CrashPostgres,
        8 => Fault::CutPostgres,
        9 => Fault::BlackholePostgres,
        10 => Fault::DelayPostgres,
        11 => Fault::CutCommits,
        12 => Fault::BlackholeRedis,
        13 => Fault::RefuseRedis,
        14 => Fault::LosePushReplies,
        _ => Fault::CutRedisReplies,
    }
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text}: not a number")),
    )
}

struct Actors {
    stage: Stage,
    postgres: FaultProxy,
    redis: FaultProxy,
    serves: Vec<ChildProcess>,
    workers: Vec<ChildProcess>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_18_everything_at_random() {
    conclusively("fault 18", fault_18).await;
}

async fn fault_18() {
    let seed = setting("THUMBFORGE_FAULT_SEED").unwrap_or_else(rand::random);
    let seconds = setting("THUMBFORGE_FAULT_SECONDS").unwrap_or(DEFAULT_SECONDS);
    let events = schedule(seed, Duration::from_secs(seconds));
    line(&format!(
        "fault 18: {} events in {seconds} s; repeat with THUMBFORGE_FAULT_SEED={seed}",
        events.len()
    ));
    let mut actors = raise_the_curtain().await;
    let apis = actors.serves.iter().map(|serve| serve.address).collect();
    let load = Load::start(apis, 12, actors.stage.small_urls());
    for event in &events {
        actors.let_time_pass(event.pause).await;
        actors.strike(event).await;
    }
    actors.everybody_up();
    let lifted = load::now();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let record = load.stop().await;
    let terms = Terms {
        api_died: true,
        ..Terms::default()
    };
    record.check_bound();
    let findings = audit(&actors.stage, &record, lifted, &terms);
    tell(&Figures {
        fault: 18,
        name: "two `serve`, three `work`, all faults at random",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "{} events in {seconds} s (seed {seed}); {} jobs, {} accepted, {} answers 503, {} \
             connections broken, {} jobs failed",
            events.len(),
            findings.jobs,
            record.accepted.len(),
            record.unavailable,
            record.broken,
            findings.failed
        ),
    });
}

async fn raise_the_curtain() -> Actors {
    let mut stage = Stage::own_servers().await;
    let postgres = FaultProxy::start(stage.postgres().port).await;
    let redis = FaultProxy::start(stage.redis().port).await;
    let urls = (
        stage.postgres_url(postgres.port()),
        stage.redis().url_through(redis.port()),
    );
    stage.set("THUMBFORGE_DATABASE_URL", &urls.0);
    stage.set("THUMBFORGE_REDIS_URL", &urls.1);
    stage.set("THUMBFORGE_SHUTDOWN_GRACE_SECONDS", "4");
    let processes = |command, count| -> Vec<ChildProcess> {
        (0..count)
            .map(|n| {
                let mut process = stage.process(command, &format!("{command}-{n}"));
                process.start();
                process
            })
            .collect()
    };
    Actors {
        serves: processes("serve", SERVES),
        workers: processes("work", WORKERS),
        stage,
        postgres,
        redis,
    }
}

impl Actors {
    /// Waits, and starts again who has ended, as a supervisor does.
    async fn let_time_pass(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            self.restart_the_dead();
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(Duration::from_millis(200))).await;
        }
    }

    fn restart_the_dead(&mut self) {
        for process in self.serves.iter_mut().chain(&mut self.workers) {
            if !process.is_running() {
                process.kill();
                process.launch();
            }
        }
    }

    /// Whoever can't start while a server is away is started again.
    fn everybody_up(&mut self) {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            self.restart_the_dead();
            let mut all = self.serves.iter().chain(&self.workers);
            if all.all(ChildProcess::is_ready) {
                return;
            }
            assert!(Instant::now() < end, "not everybody is ready in time");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    async fn strike(&mut self, event: &Event) {
        let lasts = event.lasts;
        match event.fault {
            Fault::KillServe(n) => {
                self.serves[n].kill();
                tokio::time::sleep(lasts / 4).await;
            }
            Fault::KillWorker(n) => {
                self.workers[n].kill();
                tokio::time::sleep(lasts / 4).await;
            }
            Fault::TerminateWorker(n) => {
                if self.workers[n].is_running() {
                    self.workers[n].signal("TERM");
                }
            }
            Fault::FreezeWorker(n) => {
                if self.workers[n].is_running() {
                    self.workers[n].signal("STOP");
                    self.let_time_pass(lasts).await;
                    self.workers[n].signal("CONT");
                }
            }
            Fault::KillRedis => {
                self.stage.own_redis_server().kill();
                self.let_time_pass(lasts).await;
                self.stage.own_redis_server().restart();
            }
            Fault::FreezeRedis => {
                self.stage.redis().signal("STOP");
                self.let_time_pass(lasts).await;
                self.stage.redis().signal("CONT");
            }
            Fault::FlushRedis => {
                let mut connection = self.stage.redis().connection();
                redis::cmd("FLUSHALL")
                    .exec(&mut connection)
                    .expect("Redis answers");
            }
            Fault::CrashPostgres => {
                self.stage.own_postgres_server().stop_immediately();
                self.let_time_pass(lasts).await;
                self.stage.own_postgres_server().restart();
            }
            Fault::CutPostgres => self.through_postgres(Mode::Reset, lasts).await,
            Fault::BlackholePostgres => self.through_postgres(Mode::Blackhole, lasts).await,
            Fault::DelayPostgres => {
                let delay = Mode::Delay(Duration::from_millis(100));
                self.through_postgres(delay, lasts).await;
            }
            Fault::CutCommits => {
                self.through_postgres(Mode::LoseEveryThird(WRITES), lasts)
                    .await;
            }
            Fault::BlackholeRedis => self.through_redis(Mode::Blackhole, lasts).await,
            Fault::RefuseRedis => self.through_redis(Mode::Refuse, lasts).await,
            Fault::LosePushReplies => {
                self.through_redis(Mode::LoseReplyTo(b"LPUSH"), lasts).await;
            }
            Fault::CutRedisReplies => self.through_redis(Mode::CutAfter(40), lasts).await,
        }
    }

    async fn through_postgres(&mut self, mode: Mode, lasts: Duration) {
        self.postgres.set(mode);
        self.let_time_pass(lasts).await;
        self.postgres.set(Mode::Pass);
    }

    async fn through_redis(&mut self, mode: Mode, lasts: Duration) {
        self.redis.set(mode);
        self.let_time_pass(lasts).await;
        self.redis.set(Mode::Pass);
    }
}
