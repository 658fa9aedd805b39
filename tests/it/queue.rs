//! The promises of the queue, held against Redis and memory alike.

use std::time::{Duration, Instant};

use redis::Commands;
use thumbforge::domain::JobId;
use thumbforge::queue::{MemoryQueue, Queue, QueueError, RedisQueue};

use crate::support::redis::Redis;

const NO_WAIT: Duration = Duration::from_millis(10);

fn redis_queue(key: &str) -> Queue {
    Queue::Redis(RedisQueue::open(&Redis::shared().url(), key).unwrap())
}

fn ids(count: usize) -> Vec<JobId> {
    (0..count).map(|_| JobId::generate()).collect()
}

macro_rules! on_both_queues {
    ($(async fn $name:ident($queue:ident: Queue) $body:block)*) => {
        $( async fn $name($queue: Queue) $body )*
        mod redis_list { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::redis_queue(&crate::support::redis::Redis::new_key())).await;
            }
        )* }
        mod memory { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::Queue::Memory(super::MemoryQueue::default())).await;
            }
        )* }
    };
}

on_both_queues! {
    async fn what_comes_first_goes_first(queue: Queue) {
        let ids = ids(5);
        for id in &ids {
            queue.push(*id).await;
        }
        assert_eq!(queue.backlog().await.unwrap(), 5);
        assert_eq!(queue.pop(2, NO_WAIT).await.unwrap(), ids[..2]);
        assert_eq!(queue.pop(10, NO_WAIT).await.unwrap(), ids[2..]);
        assert_eq!(queue.pop(10, NO_WAIT).await.unwrap(), []);
    }

    async fn a_waiting_pop_wakes_when_an_id_comes(queue: Queue) {
        let id = JobId::generate();
        let popper = tokio::spawn({
            let queue = queue.clone();
            async move { queue.pop(1, Duration::from_secs(30)).await.unwrap() }
        });
        queue.push(id).await;
        assert_eq!(popper.await.unwrap(), [id]);
    }

    async fn what_is_put_back_comes_next_in_its_old_order(queue: Queue) {
        let ids = ids(4);
        for id in &ids {
            queue.push(*id).await;
        }
        let taken = queue.pop(3, NO_WAIT).await.unwrap();
        queue.push_back(&taken).await;
        assert_eq!(queue.pop(10, NO_WAIT).await.unwrap(), ids);
    }

    async fn many_at_once_all_arrive_once(queue: Queue) {
        let ids = ids(500);
        let pushes: Vec<_> = ids.iter().map(|id| {
            let (queue, id) = (queue.clone(), *id);
            tokio::spawn(async move { queue.push(id).await })
        }).collect();
        for push in pushes {
            push.await.unwrap();
        }
        let mut popped = Vec::new();
        while popped.len() < ids.len() {
            let more = queue.pop(64, Duration::from_secs(5)).await.unwrap();
            assert!(!more.is_empty(), "{} of {} came", popped.len(), ids.len());
            popped.extend(more);
        }
        popped.sort();
        assert_eq!(popped, ids);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_may_push_and_junk_is_dropped() {
    let key = Redis::new_key();
    let queue = redis_queue(&key);
    let id = JobId::generate();
    let mut stranger = Redis::shared().connection();
    let _: usize = stranger.lpush(&key, "not an id").unwrap();
    let _: usize = stranger.lpush(&key, vec![0xff_u8, 0x00]).unwrap();
    let _: usize = stranger.lpush(&key, id.to_string().to_uppercase()).unwrap();
    assert_eq!(queue.pop(10, NO_WAIT).await.unwrap(), [id]);
    queue.push(id).await;
    let pushed: String = stranger.rpop(&key, None).unwrap();
    assert_eq!(pushed, id.to_string(), "the id is pushed as text");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_a_push_is_quick_and_a_pop_says_so() {
    let mut server = Redis::start();
    let queue = Queue::Redis(RedisQueue::open(&server.url(), "jobs").unwrap());
    server.kill();
    queue.push(JobId::generate()).await;
    let begun = Instant::now();
    for id in ids(100) {
        queue.push(id).await;
    }
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    queue.pop(1, NO_WAIT).await.unwrap_err();
    queue.ping().await.unwrap_err();
    server.restart();
    let popped = queue.pop(1, NO_WAIT).await.unwrap();
    assert_eq!(popped, [], "a restarted Redis is empty");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_redis_holds_nobody_for_long() {
    let server = Redis::start();
    let queue = Queue::Redis(RedisQueue::open(&server.url(), "jobs").unwrap());
    queue.push(JobId::generate()).await;
    server.signal("STOP");
    let begun = Instant::now();
    queue.push(JobId::generate()).await;
    queue.ping().await.unwrap_err();
    queue.pop(1, NO_WAIT).await.unwrap_err();
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    server.signal("CONT");
}

/// Sends a command, its words separated by spaces.
fn tell(server: &Redis, command: &str) {
    let words: Vec<&str> = command.split(' ').collect();
    redis::cmd(words[0])
        .arg(&words[1..])
        .exec(&mut server.connection())
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_takes_no_writes_does_not_work_and_a_ping_changes_nothing() {
    let server = Redis::start();
    let queue = Queue::Redis(RedisQueue::open(&server.url(), "jobs").unwrap());
    queue.ping().await.unwrap();
    assert_eq!(queue.backlog().await.unwrap(), 0);
    let id = JobId::generate();
    queue.push(id).await;
    queue.ping().await.unwrap();
    let nowhere = crate::support::server_process::free_port();
    for (fault, end, word) in [
        (
            "CONFIG SET maxmemory 1",
            "CONFIG SET maxmemory 0",
            "maxmemory",
        ),
        (
            &*format!("REPLICAOF 127.0.0.1 {nowhere}"),
            "REPLICAOF NO ONE",
            "read only replica",
        ),
    ] {
        tell(&server, fault);
        let error = queue.ping().await.unwrap_err();
        assert!(matches!(error, QueueError::Unavailable(_)), "{error}");
        assert!(error.to_string().contains(word), "{error}");
        tell(&server, end);
        queue.ping().await.unwrap();
    }
    assert_eq!(queue.pop(10, NO_WAIT).await.unwrap(), [id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_holds_no_list_is_refused_by_name() {
    let server = Redis::start();
    tell(&server, "SET jobs word");
    let queue = Queue::Redis(RedisQueue::open(&server.url(), "jobs").unwrap());
    let error = queue.ping().await.unwrap_err();
    assert!(matches!(error, QueueError::Refused(_)), "{error}");
    assert!(error.to_string().contains("QUEUE_NAME"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_the_right_to_the_trial_write_may_start_and_is_told() {
    let server = Redis::start();
    // The list in docs/OPERATING.md without its last word.
    let rights = "+llen +lpush +rpush +rpop +brpop";
    tell(
        &server,
        &format!("ACL SETUSER worker on >word ~jobs {rights}"),
    );
    let url = format!("redis://worker:word@127.0.0.1:{}/0", server.port);
    let queue = Queue::Redis(RedisQueue::open(&url, "jobs").unwrap());
    let error = queue.ping().await.unwrap_err();
    assert!(matches!(error, QueueError::Unavailable(_)), "{error}");
    assert!(error.to_string().contains("lset"), "{error}");
    let id = JobId::generate();
    queue.push(id).await;
    let taken = queue.pop(1, NO_WAIT).await.unwrap();
    assert_eq!(taken, [id]);
    queue.push_back(&taken).await;
    assert_eq!(queue.pop(1, NO_WAIT).await.unwrap(), [id]);
    tell(&server, "ACL SETUSER worker +lset");
    queue.ping().await.unwrap();
}
