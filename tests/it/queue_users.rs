//! Processes that share a list and should not, and some that should and don't.

use std::time::{Duration, Instant};

use thumbforge::domain::JobId;
use thumbforge::queue::{Queue, RedisQueue};

use crate::support::child_process::ChildProcess;
use crate::support::deadline::{eventually, eventually_blocking};
use crate::support::http_client;
use crate::support::origin::Origin;
use crate::support::postgres::Postgres;
use crate::support::redis::Redis;

const SOON: Duration = Duration::from_secs(30);

fn queue(key: &str) -> Queue {
    Queue::Redis(RedisQueue::open(&Redis::shared().url(), key).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_a_list_see_those_that_came_after_them_and_not_themselves() {
    let key = Redis::new_key();
    let (first, second) = (queue(&key), queue(&key));
    assert_eq!(first.sign_in("1", "one").await.unwrap(), [""; 0]);
    assert_eq!(queue(&key).sign_in("1", "one").await.unwrap(), [""; 0]);
    assert!(!first.is_shared());
    // The database of the first may be gone by now.
    assert_eq!(second.sign_in("2", "two").await.unwrap(), [""; 0]);
    eventually("both see each other", SOON, async || {
        let of_first = first.sign_in("1", "one").await.unwrap();
        let of_second = second.sign_in("2", "two").await.unwrap();
        of_first == ["two"] && of_second == ["one"]
    })
    .await;
    assert!(first.is_shared() && second.is_shared());
    let elsewhere = queue(&Redis::new_key());
    assert_eq!(elsewhere.sign_in("3", "three").await.unwrap(), [""; 0]);
}

/// `serve` and `work` with a database of their own.
struct Deployment {
    serve: ChildProcess,
    work: ChildProcess,
    _folder: tempfile::TempDir,
}

impl Deployment {
    fn start(queues: [&str; 2]) -> Self {
        Self::start_with(queues, &[])
    }

    fn start_with(queues: [&str; 2], more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Postgres::shared().new_database();
        let storage = folder.path().join("thumbnails").display().to_string();
        let redis = Redis::shared().url();
        let process = |command: &'static str, queue: &str| {
            let settings = [
                ("DATABASE_URL", database.as_str()),
                ("STORAGE_PATH", &storage),
                ("REDIS_URL", &redis),
                ("QUEUE_NAME", queue),
                ("ALLOWED_SOURCE_NETWORKS", "127.0.0.0/8"),
                ("ALLOWED_SOURCE_PORTS", "*"),
            ];
            let settings: Vec<_> = settings
                .iter()
                .chain(more)
                .map(|(name, value)| (format!("THUMBFORGE_{name}"), (*value).to_owned()))
                .collect();
            ChildProcess::new(command, command, folder.path(), &settings)
        };
        let mut serve = process("serve", queues[0]);
        let mut work = process("work", queues[1]);
        serve.start();
        work.start();
        Self {
            serve,
            work,
            _folder: folder,
        }
    }

    /// How long a job takes from its submission to its end.
    async fn time_of_a_job(&self, url: &str) -> Duration {
        let begun = Instant::now();
        let body = serde_json::json!({ "url": url }).to_string();
        let patience = Duration::from_secs(15);
        let answer = http_client::try_post(self.serve.address, "/v1/images", &body, patience);
        let answer = answer.await.unwrap();
        assert_eq!(answer.status, 202, "{answer:?}");
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/images/{id}");
        eventually("the job ends", SOON, async || {
            let answer = http_client::try_get(self.serve.address, &path, patience).unwrap();
            matches!(
                answer.json()["status"].as_str(),
                Some("completed" | "failed")
            )
        })
        .await;
        begun.elapsed()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_deployments_on_one_list_are_told_of_each_other_and_no_job_waits_long() {
    let origin = Origin::start().await;
    let key = Redis::new_key();
    let one = Deployment::start([&key, &key]);
    let two = Deployment::start([&key, &key]);
    for process in [&one.serve, &one.work, &two.serve, &two.work] {
        eventually_blocking("it is told of the other", SOON, || {
            process.log().contains("another deployment")
        });
    }
    assert!(
        !one.serve.log().contains("thumbforge:thumbforge@"),
        "{}",
        one.serve.log()
    );
    let mut times = Vec::new();
    for n in 0..10 {
        for deployment in [&one, &two] {
            let url = origin.url(&format!("/small.png?n={n}"));
            times.push(deployment.time_of_a_job(&url).await);
        }
    }
    times.sort();
    // Half of the ids go to the wrong workers at first. Those that are lost take 0.5 s on average.
    assert!(times[14] < Duration::from_millis(300), "{times:?}");
    assert!(times[19] < Duration::from_secs(3), "{times:?}");
    assert_eq!(one.serve.log().matches("another deployment").count(), 1);
}

/// The worker waits for five minutes at a list to which nobody pushes, and has one slot.
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_for_the_queue_holds_no_slot() {
    let origin = Origin::start().await;
    let (pushed, read) = (Redis::new_key(), Redis::new_key());
    let patient = [("WORKER_CONCURRENCY", "1"), ("WORKER_POLL_TIMEOUT", "300")];
    let scene = Deployment::start_with([&pushed, &read], &patient);
    for n in 0..2 {
        let url = origin.url(&format!("/small.png?n={n}"));
        let time = scene.time_of_a_job(&url).await;
        assert!(time < Duration::from_secs(15), "{time:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_ids_that_nobody_signs_for_are_told_once() {
    let key = Redis::new_key();
    let scene = Deployment::start([&key, &key]);
    let list = queue(&key);
    let warned = || scene.work.log().matches("ids come from the queue").count();
    let strange: Vec<_> = (0..4).map(|_| JobId::generate()).collect();
    // Ids that led to nothing are looked up once a second.
    eventually("it is told of them", SOON, async || {
        list.push_many(&strange).await;
        warned() > 0
    })
    .await;
    list.push_many(&strange).await;
    eventually("they are taken, and not put back", SOON, async || {
        list.backlog().await.unwrap() == 0
    })
    .await;
    assert_eq!(warned(), 1);
}

/// Processor time that a process has used so far.
fn used_time(process: &ChildProcess) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.pid())).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = fields.split(' ').skip(11).take(2);
    // A hundred ticks a second, on every Linux.
    let ticks: u64 = ticks.map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_a_deployment_without_workers_stay_for_it_and_hold_up_nobody() {
    let origin = Origin::start().await;
    let key = Redis::new_key();
    let mut one = Deployment::start([&key, &key]);
    let two = Deployment::start([&key, &key]);
    eventually_blocking("the second is told of the first", SOON, || {
        two.work.log().contains("another deployment")
    });
    one.work.kill();
    let patience = Duration::from_secs(15);
    for n in 0..40 {
        let url = origin.url(&format!("/small.png?n={n}"));
        let body = serde_json::json!({ "url": url }).to_string();
        let answer = http_client::try_post(one.serve.address, "/v1/images", &body, patience);
        assert_eq!(answer.await.unwrap().status, 202);
    }
    let before = used_time(&two.work);
    let mut longest = Duration::ZERO;
    for n in 0..3 {
        let url = origin.url(&format!("/small.png?m={n}"));
        longest = longest.max(two.time_of_a_job(&url).await);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let used = used_time(&two.work) - before;
    assert!(longest < Duration::from_secs(3), "{longest:?}");
    assert!(
        used < Duration::from_millis(600),
        "{used:?} in some four seconds"
    );
    // Its worker comes back, and is rung for.
    let list = queue(&key);
    assert!(
        list.backlog().await.unwrap() > 0,
        "its ids are not swallowed"
    );
    one.work.start();
    eventually("the list is empty", SOON, async || {
        list.backlog().await.unwrap() == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_was_renamed_on_one_side_is_told_and_no_job_waits_long() {
    let origin = Origin::start().await;
    let (old, new) = (Redis::new_key(), Redis::new_key());
    let scene = Deployment::start([&old, &new]);
    for process in [&scene.serve, &scene.work] {
        eventually_blocking("it is told of both names", SOON, || {
            let log = process.log();
            let line = log.lines().find(|line| line.contains("another queue"));
            line.is_some_and(|line| line.contains(&*old) && line.contains(&*new))
        });
    }
    let mut longest = Duration::ZERO;
    for n in 0..5 {
        let url = origin.url(&format!("/small.png?n={n}"));
        longest = longest.max(scene.time_of_a_job(&url).await);
    }
    assert!(longest < Duration::from_secs(3), "{longest:?}");
}
