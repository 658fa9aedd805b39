//! The server behind the list changes: it is restarted, loses its office to a replica, or hands the
//! key to another node of its cluster.

use std::time::{Duration, Instant};

use thumbforge::domain::JobId;
use thumbforge::queue::{Queue, QueueError, RedisQueue, RedisSettings};

use crate::support::authority::Authority;
use crate::support::deadline::eventually;
use crate::support::redis::Redis;
use crate::support::redis_cluster::RedisCluster;
use crate::support::sentinels::{SERVICE, Sentinels};

const NO_WAIT: Duration = Duration::from_millis(10);
const SOON: Duration = Duration::from_secs(20);

fn queue(url: &str) -> Queue {
    Queue::Redis(RedisQueue::open(url, "jobs").unwrap())
}

/// Pushes one id in each way, and pops it.
async fn assert_carries(queue: &Queue) {
    let ids: Vec<_> = (0..3).map(|_| JobId::generate()).collect();
    queue.push(ids[0]).await;
    assert_eq!(queue.pop(5, NO_WAIT).await.unwrap(), ids[..1]);
    queue.push_many(&ids[1..]).await;
    let popped = queue.pop(5, NO_WAIT).await.unwrap();
    assert_eq!(popped, ids[1..]);
    queue.push_back(&popped).await;
    assert_eq!(queue.pop(5, NO_WAIT).await.unwrap(), ids[1..]);
    queue.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_of_redis_the_first_push_of_each_kind_arrives() {
    let mut server = Redis::start();
    let queue = queue(&server.url());
    assert_carries(&queue).await;
    let ids: Vec<_> = (0..3).map(|_| JobId::generate()).collect();
    for way in 0..3 {
        server.kill();
        server.restart();
        let begun = Instant::now();
        match way {
            0 => queue.push(ids[0]).await,
            1 => queue.push_many(&ids[..1]).await,
            _ => queue.push_back(&ids[..1]).await,
        }
        assert!(begun.elapsed() < Duration::from_millis(250));
        assert_eq!(queue.backlog().await.unwrap(), 1, "way {way}");
        // The connection of pops is of the time before the restart, too.
        assert_eq!(queue.pop(5, NO_WAIT).await.unwrap(), ids[..1]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_lead_to_the_master_and_to_the_next_one() {
    let mut scene = Sentinels::start();
    let queue = queue(&scene.url());
    assert_carries(&queue).await;
    let first = scene.master().unwrap();
    // Both live, and the old master answers READONLY.
    scene.exchange();
    eventually("the new master is found", SOON, async || {
        queue.ping().await.is_ok()
    })
    .await;
    assert_carries(&queue).await;
    // The master dies, and so does a sentinel, the one that is asked first.
    assert_ne!(scene.kill_master(), first);
    scene.end_sentinel(0);
    eventually("the master after that is found", SOON, async || {
        queue.ping().await.is_ok()
    })
    .await;
    assert_carries(&queue).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_have_the_password_of_their_servers_or_one_of_their_own() {
    let scene = Sentinels::with_password("sesame");
    let with = |login: &str| {
        scene
            .url()
            .replace("sentinel://", &format!("sentinel://{login}"))
    };
    assert_carries(&queue(&with(":sesame@"))).await;
    let own = format!("{}?sentinel_password=sesame", with(":sesame@"));
    assert_carries(&queue(&own)).await;
    for url in [
        scene.url(),
        with(":hunter2@"),
        format!("{}?sentinel_password=hunter2", with(":sesame@")),
    ] {
        let refused = queue(&url).ping().await.unwrap_err();
        assert!(matches!(refused, QueueError::Refused(_)), "{refused}");
        assert!(!refused.to_string().contains("hunter2"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_sentinels_can_not_tell_is_told() {
    let scene = Sentinels::start();
    let url = scene.url().replace(SERVICE, "nobody");
    let unknown = queue(&url).ping().await.unwrap_err();
    assert!(unknown.to_string().contains("nobody"), "{unknown}");
    let url = "redis+sentinel://127.0.0.1:1,127.0.0.1:2/themaster";
    let away = queue(url).ping().await.unwrap_err();
    assert!(matches!(away, QueueError::Unavailable(_)), "{away}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_asked_at_the_node_that_serves_the_list() {
    let cluster = RedisCluster::start();
    let queue = queue(&cluster.url());
    assert_carries(&queue).await;
    let before = cluster.node_of("jobs");
    cluster.move_away("jobs");
    assert_carries(&queue).await;
    // The old node would send each of them away.
    let id = JobId::generate();
    queue.push(id).await;
    let length: usize = redis::cmd("LLEN")
        .arg("jobs")
        .query(&mut cluster.nodes[1 - before].connection())
        .unwrap();
    assert_eq!(length, 1);
    // Another process that begins now, at either node.
    for node in &cluster.nodes {
        let url = format!("redis+cluster://127.0.0.1:{}", node.port);
        let other = Queue::Redis(RedisQueue::open(&url, "jobs").unwrap());
        assert_eq!(other.backlog().await.unwrap(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_may_speak_tls() {
    let authority = Authority::new("right");
    let own = authority.certify(&["127.0.0.1"]);
    let cluster = RedisCluster::with_tls(&own, &authority.file());
    let settings = RedisSettings {
        ca_file: Some(authority.file()),
        ..RedisSettings::new(cluster.tls_url().parse().unwrap(), "jobs".to_owned())
    };
    let queue = Queue::Redis(RedisQueue::open_with(&settings).unwrap());
    assert_carries(&queue).await;
    cluster.move_away("jobs");
    assert_carries(&queue).await;
}
