//! Several hosts in one URL: the one that can be written is found, also after it changed.

use std::time::{Duration, Instant};

use thumbforge::db::{Database, Target};

use crate::support::postgres::Postgres;
use crate::support::server_process::free_port;

/// Two servers that know the same database; the first can only be read.
struct Scene {
    standby: Postgres,
    primary: Postgres,
    database: String,
}

const READ_ONLY: &str = "ALTER DATABASE thumbs SET default_transaction_read_only = on";

impl Scene {
    async fn set() -> Self {
        let (standby, primary) = (Postgres::start(), Postgres::start());
        for server in [&standby, &primary] {
            let made = server.psql("postgres", "CREATE DATABASE thumbs");
            assert!(made.status.success(), "{made:?}");
            let target = Target::Postgres(server.url("thumbs", server.port));
            let database = Database::open(&target, 1).unwrap();
            database.migrate(&target).await.unwrap();
        }
        standby.psql("postgres", READ_ONLY);
        Self {
            standby,
            primary,
            database: "thumbs".to_owned(),
        }
    }

    fn url(&self, ports: &[u16], options: &str) -> String {
        let hosts: Vec<_> = ports
            .iter()
            .map(|port| format!("127.0.0.1:{port}"))
            .collect();
        format!(
            "postgres://thumbforge@{}/{}{options}",
            hosts.join(","),
            self.database
        )
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_that_can_be_written_is_used() {
    let scene = Scene::set().await;
    let (standby, primary) = (scene.standby.port, scene.primary.port);
    for (ports, options) in [
        ([standby, primary], "?target_session_attrs=read-write"),
        ([standby, primary], "?target_session_attrs=primary"),
        // The service has to write: of several hosts it looks for one where it can.
        ([standby, primary], ""),
        ([primary, standby], "?target_session_attrs=any"),
        ([free_port(), primary], ""),
    ] {
        let url = scene.url(&ports, options);
        let database = Database::open(&Target::Postgres(url), 1).unwrap();
        let written = database.try_writing().await;
        assert!(written.is_ok(), "{options}: {written:?}");
    }
    let url = scene.url(&[standby, standby], "");
    let database = Database::open(&Target::Postgres(url), 1).unwrap();
    let refused = database.try_writing().await.unwrap_err().to_string();
    assert!(refused.contains("does not allow writes"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_silent_leaves_time_for_the_next() {
    let scene = Scene::set().await;
    // It accepts connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = scene.url(&[port, scene.primary.port], "");
    let database = Database::open(&Target::Postgres(url), 1).unwrap();
    let begun = Instant::now();
    database.try_writing().await.unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failover_the_new_primary_is_found() {
    let mut scene = Scene::set().await;
    let url = scene.url(&[scene.primary.port, scene.standby.port], "");
    let database = Database::open(&Target::Postgres(url), 2).unwrap();
    database.try_writing().await.unwrap();
    scene.primary.stop_immediately();
    scene.standby.psql(
        "postgres",
        "ALTER DATABASE thumbs RESET default_transaction_read_only",
    );
    // The first call may meet the broken connection.
    let _ = database.try_writing().await;
    database.try_writing().await.unwrap();
}
