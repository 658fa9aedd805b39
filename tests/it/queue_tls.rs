//! TLS to a real Redis: own authorities, wrong ones, and certificates of clients.

use std::path::PathBuf;
use std::time::Duration;

use thumbforge::domain::JobId;
use thumbforge::queue::{Queue, QueueError, RedisQueue, RedisSettings};

use crate::support::authority::{Authority, CertifiedKey};
use crate::support::redis::Redis;

fn settings(server: &Redis, host: &str, ca_file: Option<PathBuf>) -> RedisSettings {
    let port = server.tls_port.unwrap();
    let url = format!("rediss://{host}:{port}/0").parse().unwrap();
    RedisSettings {
        ca_file,
        ..RedisSettings::new(url, Redis::new_key())
    }
}

fn with_identity(settings: RedisSettings, files: CertifiedKey) -> RedisSettings {
    RedisSettings {
        identity: Some((files.certificate, files.key)),
        ..settings
    }
}

async fn ping(settings: &RedisSettings) -> Result<(), QueueError> {
    Queue::Redis(RedisQueue::open_with(settings)?).ping().await
}

async fn assert_carries(settings: &RedisSettings) {
    let queue = Queue::Redis(RedisQueue::open_with(settings).unwrap());
    queue.ping().await.unwrap();
    let id = JobId::generate();
    queue.push(id).await;
    assert_eq!(queue.pop(5, Duration::from_secs(5)).await.unwrap(), [id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_trusted_by_its_authority_and_its_name() {
    let (right, wrong) = (Authority::new("right"), Authority::new("wrong"));
    let own = right.certify(&["localhost"]);
    let server = Redis::with_tls(&own, &right.file(), false);
    assert_carries(&settings(&server, "localhost", Some(right.file()))).await;
    for (host, ca_file, word) in [
        ("localhost", None, "unknown authority"),
        ("localhost", Some(wrong.file()), "unknown authority"),
        ("127.0.0.1", Some(right.file()), "another name"),
    ] {
        let refused = ping(&settings(&server, host, ca_file)).await.unwrap_err();
        // Waiting does not cure it.
        assert!(matches!(refused, QueueError::Tls(_)), "{refused}");
        assert!(refused.to_string().contains(word), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_asks_for_a_certificate_gets_it() {
    let (right, wrong) = (Authority::new("right"), Authority::new("wrong"));
    let own = right.certify(&["localhost"]);
    let server = Redis::with_tls(&own, &right.file(), true);
    let plain = settings(&server, "localhost", Some(right.file()));
    assert_carries(&with_identity(plain.clone(), right.certify(&["worker"]))).await;
    ping(&plain).await.unwrap_err();
    ping(&with_identity(plain, wrong.certify(&["worker"])))
        .await
        .unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_can_not_be_used_are_told_with_their_setting() {
    let authority = Authority::new("right");
    let files = authority.certify(&["localhost"]);
    let url = "rediss://localhost:1/0".parse().unwrap();
    let settings = RedisSettings::new(url, "jobs".to_owned());
    let no_file = PathBuf::from("/nowhere/ca.pem");
    for (settings, words) in [
        (
            RedisSettings {
                ca_file: Some(no_file.clone()),
                ..settings.clone()
            },
            ["THUMBFORGE_REDIS_CA_FILE", "/nowhere/ca.pem"],
        ),
        (
            RedisSettings {
                ca_file: Some(files.key.clone()),
                ..settings.clone()
            },
            ["THUMBFORGE_REDIS_CA_FILE", "no certificate"],
        ),
        (
            RedisSettings {
                identity: Some((files.certificate.clone(), no_file)),
                ..settings.clone()
            },
            ["THUMBFORGE_REDIS_KEY_FILE", "/nowhere/ca.pem"],
        ),
        (
            RedisSettings {
                identity: Some((files.certificate.clone(), files.certificate.clone())),
                ..settings.clone()
            },
            ["THUMBFORGE_REDIS_KEY_FILE", "no key"],
        ),
    ] {
        let Err(refused) = RedisQueue::open_with(&settings) else {
            panic!("{settings:?} was accepted");
        };
        for word in words {
            assert!(refused.to_string().contains(word), "{refused}");
        }
    }
}
