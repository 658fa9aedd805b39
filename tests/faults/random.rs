//! All faults at random, two at once, by a schedule that its seed repeats.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::audit::{Terms, audit};
use crate::clock_and_disk::{SmallDisk, faketime, fill};
use crate::load::{self, Load, Urls};
use crate::report::{Figures, line, tell};
use crate::schedule::{Change, Fault, SERVES, WORKERS, schedule, setting};
use crate::stage::{Stage, WRITES, image_reply};
use crate::support::child_process::ChildProcess;
use crate::support::fault_proxy::{FaultProxy, Mode};
use crate::yardstick::conclusively;

const DEFAULT_SECONDS: u64 = 120;
/// Longer than a lease.
const SLOW: Duration = Duration::from_secs(3);
/// Of each piece of data to and from Postgres.
const DELAY: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_18_everything_at_random() {
    let seed = setting("THUMBFORGE_FAULT_SEED").unwrap_or_else(rand::random);
    // A repetition keeps the seed: it tries the same again, not something else.
    let name = format!("fault 18, THUMBFORGE_FAULT_SEED={seed}");
    conclusively(&name, || fault_18(seed)).await;
}

async fn fault_18(seed: u64) {
    let seconds = setting("THUMBFORGE_FAULT_SECONDS").unwrap_or(DEFAULT_SECONDS);
    let length = Duration::from_secs(seconds);
    let schedule = schedule(seed, length);
    line(&format!(
        "fault 18: {} faults, {} while another lasts; repeat with THUMBFORGE_FAULT_SEED={seed}",
        schedule.faults, schedule.overlaps
    ));
    let mut actors = raise_the_curtain().await;
    let apis = actors.serves.iter().map(|serve| serve.address).collect();
    let load = Load::start(apis, 12, some_slow_urls(&actors.stage));
    let begun = Instant::now();
    for change in &schedule.changes {
        actors.let_time_pass_until(begun + change.at).await;
        match change.begins {
            true => actors.begin(change, &load),
            false => actors.end(change),
        }
    }
    actors.let_time_pass_until(begun + length).await;
    let lasted = begun.elapsed();
    let lifted = load::now();
    actors.everybody_up();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let record = load.stop().await;
    let terms = Terms {
        // A slow job may be in progress at three interruptions.
        all_complete: false,
        api_died: true,
        ..Terms::default()
    };
    record.check_bound();
    let findings = audit(&actors.stage, &record, lifted, &terms);
    let unexplained = actors.stage.lines(
        "SELECT id || ' ' || error_code || ' ' || attempts AS line FROM jobs WHERE status = 'failed' \
         AND NOT (attempts = 3 AND error_code IN ('poison', 'worker_lost', 'storage_failed'))",
    );
    assert!(unexplained.is_empty(), "{unexplained:?}");
    let reasons = actors.stage.lines(
        "SELECT ', `' || error_code || '` ' || count(*) AS line FROM jobs \
         WHERE status = 'failed' GROUP BY error_code ORDER BY error_code",
    );
    tell(&Figures {
        fault: 18,
        name: "two `serve`, three `work`, all faults at random",
        recovered: findings.recovered,
        slowest: findings.slowest,
        outage: record.longest_outage(),
        remark: format!(
            "{} faults in {:.1} s, {} of them while another lasted (seed {seed}); {}; {} jobs, of \
             {} accepted {} are there, {} answers 503, {} connections broken; failed after \
             three interruptions: {}{}",
            schedule.faults,
            lasted.as_secs_f64(),
            schedule.overlaps,
            actors.conditions(),
            findings.jobs,
            record.accepted.len(),
            actors.stage.known(&record.accepted),
            record.unavailable,
            record.broken,
            findings.failed,
            reasons.concat()
        ),
    });
}

/// Every 25th job is slower than its lease.
fn some_slow_urls(stage: &Stage) -> Urls {
    let slow = image_reply(120, 90).after(SLOW);
    stage.origin.on("/slow.jpg", vec![slow]);
    let (small, slow) = (
        stage.origin.url("/small.jpg"),
        stage.origin.url("/slow.jpg"),
    );
    Box::new(move |n| match n % 25 {
        24 => format!("{slow}?n={n}"),
        _ => format!("{small}?n={n}"),
    })
}

struct Actors {
    serves: Vec<ChildProcess>,
    workers: Vec<ChildProcess>,
    postgres: FaultProxy,
    redis: FaultProxy,
    /// Absent where it can't be mounted.
    disk: Option<SmallDisk>,
    wrong_clock: Option<PathBuf>,
    /// Addresses of processes that stay away for a while.
    absent: HashSet<std::net::SocketAddr>,
    stage: Stage,
}

async fn raise_the_curtain() -> Actors {
    let mut stage = Stage::own_servers().await;
    let postgres = FaultProxy::start(stage.postgres().front_port()).await;
    let redis = FaultProxy::start(stage.redis().port).await;
    let urls = (
        stage.postgres_url(postgres.port()),
        stage.redis().url_through(redis.port()),
    );
    stage.set("THUMBFORGE_DATABASE_URL", &urls.0);
    stage.set("THUMBFORGE_REDIS_URL", &urls.1);
    stage.set("THUMBFORGE_SHUTDOWN_GRACE_SECONDS", "4");
    let disk = SmallDisk::mount(&stage.storage, "16m").ok();
    let wrong_clock = faketime();
    let processes = |command, count| -> Vec<ChildProcess> {
        (0..count)
            .map(|n| stage.process(command, &format!("{command}-{n}")))
            .collect()
    };
    let (mut serves, mut workers) = (processes("serve", SERVES), processes("work", WORKERS));
    if let Some(library) = &wrong_clock {
        workers[WORKERS - 1].set_clock(library, "+2h");
    }
    for process in serves.iter_mut().chain(&mut workers) {
        process.start();
    }
    Actors {
        serves,
        workers,
        postgres,
        redis,
        disk,
        wrong_clock,
        absent: HashSet::new(),
        stage,
    }
}

impl Actors {
    fn conditions(&self) -> String {
        let clock = match self.wrong_clock {
            Some(_) => "one worker two hours fast",
            None => "all clocks right (no libfaketime)",
        };
        let disk = match self.disk {
            Some(_) => "the disk full at times",
            None => "no full disk (nothing can be mounted)",
        };
        format!("{clock}, {disk}")
    }

    /// Waits, and restarts processes that have ended, as a supervisor does.
    async fn let_time_pass_until(&mut self, end: Instant) {
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
            if !self.absent.contains(&process.address) && !process.is_running() {
                process.kill();
                process.launch();
            }
        }
    }

    /// A process that can't start while a server is away is started again.
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

    fn begin(&mut self, change: &Change, load: &Load) {
        match change.fault {
            Fault::KillServe(n) => {
                self.absent.insert(self.serves[n].address);
                self.serves[n].kill();
            }
            Fault::KillWorker(n) => {
                self.absent.insert(self.workers[n].address);
                self.workers[n].kill();
            }
            Fault::TerminateWorker(n) => self.signal_worker(n, "TERM"),
            Fault::FreezeWorker(n) => self.signal_worker(n, "STOP"),
            Fault::CrashPostgres => self.stage.own_postgres_server().stop_immediately(),
            Fault::CutPostgres => self.postgres.set(Mode::Reset),
            Fault::BlackholePostgres => self.postgres.set(Mode::Blackhole),
            Fault::DelayPostgres => self.postgres.set(Mode::Delay(DELAY)),
            Fault::CutCommits => self.postgres.set(Mode::LoseEveryThird(WRITES)),
            Fault::KillRedis => self.stage.own_redis_server().kill(),
            Fault::FreezeRedis => self.stage.redis().signal("STOP"),
            Fault::FlushRedis => redis::cmd("FLUSHALL")
                .exec(&mut self.stage.redis().connection())
                .expect("Redis answers"),
            Fault::BlackholeRedis => self.redis.set(Mode::Blackhole),
            Fault::RefuseRedis => self.redis.set(Mode::Refuse),
            Fault::LosePushReplies => self.redis.set(Mode::LoseReplyTo(b"LPUSH")),
            Fault::CutRedisReplies => self.redis.set(Mode::CutAfter(40)),
            Fault::FillDisk => {
                if self.disk.is_some() {
                    fill(&self.ballast());
                }
            }
            Fault::PushJunk => {
                let junk = [b"no-uuid".as_slice(), b"", b"\xff\xfe", &[b'x'; 5000]];
                self.push(junk.into_iter());
            }
            Fault::PushAgain => {
                let ids = load.accepted_since(load.accepted().saturating_sub(50));
                self.push(ids.iter().map(String::as_bytes));
            }
        }
    }

    fn end(&mut self, change: &Change) {
        match change.fault {
            Fault::KillServe(n) => {
                self.absent.remove(&self.serves[n].address);
            }
            Fault::KillWorker(n) => {
                self.absent.remove(&self.workers[n].address);
            }
            Fault::FreezeWorker(n) => self.signal_worker(n, "CONT"),
            Fault::CrashPostgres => self.stage.own_postgres_server().restart(),
            Fault::CutPostgres
            | Fault::BlackholePostgres
            | Fault::DelayPostgres
            | Fault::CutCommits => self.postgres.set(Mode::Pass),
            Fault::KillRedis => self.stage.own_redis_server().restart(),
            Fault::FreezeRedis => self.stage.redis().signal("CONT"),
            Fault::BlackholeRedis
            | Fault::RefuseRedis
            | Fault::LosePushReplies
            | Fault::CutRedisReplies => self.redis.set(Mode::Pass),
            Fault::FillDisk => {
                if self.disk.is_some() {
                    std::fs::remove_file(self.ballast()).expect("our own file");
                }
            }
            Fault::TerminateWorker(_) | Fault::FlushRedis | Fault::PushJunk | Fault::PushAgain => {}
        }
        self.restart_the_dead();
    }

    fn signal_worker(&mut self, n: usize, name: &str) {
        if self.workers[n].is_running() {
            self.workers[n].signal(name);
        }
    }

    fn ballast(&self) -> PathBuf {
        self.stage.storage.join("ballast")
    }

    fn push<'a>(&self, words: impl Iterator<Item = &'a [u8]>) {
        let mut connection = self.stage.redis().connection();
        for word in words {
            redis::cmd("LPUSH")
                .arg(&self.stage.key)
                .arg(word)
                .exec(&mut connection)
                .expect("Redis answers");
        }
    }
}
