//! Odd places of Postgres and Redis, as people have them: the one line that each gets at start, and
//! what the program itself reads from its surroundings.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::authority::Authority;
use crate::support::child_process::ChildProcess;
use crate::support::deadline::eventually;
use crate::support::http_client;
use crate::support::origin::Origin;
use crate::support::postgres::{Postgres, ServerTls};
use crate::support::redis::Redis;

type Variables<'a> = &'a [(&'a str, &'a str)];

fn run(command: &str, variables: Variables<'_>) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    ChildProcess::run(command, folder.path(), &owned(folder.path(), variables))
}

fn owned(folder: &Path, variables: Variables<'_>) -> Vec<(String, String)> {
    let storage = folder.join("thumbnails").display().to_string();
    let mut owned = vec![("THUMBFORGE_STORAGE_PATH".to_owned(), storage)];
    let more = variables.iter();
    owned.extend(more.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    owned
}

#[test]
fn a_place_that_can_not_be_read_gets_one_line_without_the_password() {
    let database = "THUMBFORGE_DATABASE_URL";
    let redis = "THUMBFORGE_REDIS_URL";
    for (variables, words) in [
        (&[(database, "postgres://u:hunter2@x@db/n")][..], "%40"),
        (&[(database, "postgres://u:hunter2/x@db/n")], "%2F"),
        (
            &[(database, "postgres://u:hunter2@db:port/n")],
            "a port must be a number",
        ),
        (
            &[(database, "postgres://u:hunter2@db/n?sslmode=verify")],
            "sslmode: expected",
        ),
        (
            &[(database, "postgres://u:hunter2@db/n?passfile=/x")],
            "passfile can't be honoured",
        ),
        (
            &[(database, "postgres://u:hunter2@db/n?sslcert=/x")],
            "sslcert needs sslkey",
        ),
        (
            &[(database, "postgres://u:hunter2@db/n?schema=thumbs")],
            "search_path",
        ),
        (
            &[(database, "postgres://u:hunter2@db/n?pool_mode=x")],
            "pool_mode is no option",
        ),
        (
            &[(database, "postgres://u:hunter2@db/n?sslnegotiation=direct")],
            "sslnegotiation=direct needs",
        ),
        (
            &[
                (database, "postgres://u:hunter2@db/n"),
                ("PGSSLMODE", "verify"),
            ],
            "PGSSLMODE counts, too",
        ),
        (
            &[(redis, "redis+sentinel://:hunter2@a:26379")],
            "names the service",
        ),
        (
            &[(redis, "redis+cluster://:hunter2@a:6379/3")],
            "no database but 0",
        ),
        (
            &[(redis, "rediss://:hunter2@a/0#insecure")],
            "THUMBFORGE_REDIS_CA_FILE",
        ),
        (&[("THUMBFORGE_REDIS_CERT_FILE", "/x")], "go together"),
    ] {
        let (code, output) = run("all", variables);
        assert_eq!(code, Some(2), "{variables:?}: {output}");
        let errors: Vec<_> = output
            .lines()
            .filter(|line| line.starts_with("error:"))
            .collect();
        assert_eq!(errors.len(), 1, "{variables:?}: {output}");
        assert!(errors[0].contains(words), "{variables:?}: {output}");
        assert!(!output.contains("hunter2"), "{output}");
    }
}

#[test]
fn a_file_of_certificates_that_is_not_there_gets_one_line_with_its_place() {
    let url = "postgres://u:hunter2@127.0.0.1:1/n?sslmode=verify-full&sslrootcert=/nowhere/ca.pem";
    let (code, output) = run("all", &[("THUMBFORGE_DATABASE_URL", url)]);
    assert_eq!(code, Some(1), "{output}");
    assert!(
        output.contains("sslrootcert (/nowhere/ca.pem): the file can't be read"),
        "{output}"
    );
    let redis = [
        ("THUMBFORGE_REDIS_URL", "rediss://:hunter2@127.0.0.1:1/0"),
        ("THUMBFORGE_REDIS_CA_FILE", "/nowhere/ca.pem"),
    ];
    let (code, output) = run("all", &redis);
    assert_eq!(code, Some(1), "{output}");
    assert!(
        output.contains("THUMBFORGE_REDIS_CA_FILE (/nowhere/ca.pem)"),
        "{output}"
    );
    assert!(!output.contains("hunter2"), "{output}");
}

#[test]
fn what_other_clients_leave_in_a_url_is_ignored_with_a_warning() {
    let url = Postgres::shared().new_database();
    let url = format!("{url}?connection_limit=5&pgbouncer=true&sslmode=disable");
    let folder = tempfile::tempdir().unwrap();
    let variables = owned(folder.path(), &[("THUMBFORGE_DATABASE_URL", &url)]);
    let mut all = ChildProcess::new("all", "all", folder.path(), &variables);
    all.start();
    for name in ["connection_limit", "pgbouncer"] {
        let line = format!("the option {name} of the Postgres URL is ignored");
        assert_eq!(all.log().matches(&line).count(), 1, "{}", all.log());
    }
}

#[test]
fn the_authority_of_postgres_comes_from_variables_and_from_the_systems_store() {
    let authority = Authority::new("right");
    let server = Postgres::with_tls(&ServerTls {
        own: &authority.certify(&["localhost"]),
        clients: &authority.file(),
        rules: "",
    });
    let url = server.new_database().replace("127.0.0.1", "localhost");
    let file = authority.file().display().to_string();
    let full = format!("{url}?sslmode=verify-full");
    let system = format!("{url}?sslrootcert=system");
    let database = "THUMBFORGE_DATABASE_URL";
    for (variables, code) in [
        (&[(database, full.as_str())][..], 1),
        (&[(database, &full), ("PGSSLROOTCERT", &file)], 0),
        (&[(database, &full), ("SSL_CERT_FILE", &file)], 0),
        (&[(database, &system), ("SSL_CERT_FILE", &file)], 0),
        (
            &[
                (database, &url),
                ("PGSSLROOTCERT", &file),
                ("PGSSLMODE", "verify-full"),
            ],
            0,
        ),
        (&[(database, &url), ("PGSSLMODE", "verify-full")], 1),
    ] {
        let (exit, output) = run("init-db", variables);
        assert_eq!(exit, Some(code), "{variables:?}: {output}");
        if code == 1 {
            assert!(output.contains("unknown authority"), "{output}");
        }
    }
}

#[test]
fn the_authority_of_redis_comes_from_its_setting_and_from_the_systems_store() {
    let authority = Authority::new("right");
    let own = authority.certify(&["localhost"]);
    let server = Redis::with_tls(&own, &authority.file(), false);
    let url = format!("rediss://localhost:{}/0", server.tls_port.unwrap());
    let file = authority.file().display().to_string();
    let redis = ("THUMBFORGE_REDIS_URL", url.as_str());
    for trust in [
        [redis, ("THUMBFORGE_REDIS_CA_FILE", file.as_str())],
        [redis, ("SSL_CERT_FILE", &file)],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut all = ChildProcess::new("all", "all", folder.path(), &owned(folder.path(), &trust));
        all.start();
        let health = http_client::try_get(all.address, "/v1/healthz", Duration::from_secs(5));
        assert_eq!(health.unwrap().status, 200, "{}", all.log());
    }
    let (code, output) = run("all", &[redis]);
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("no TLS with Redis"), "{output}");
    assert!(output.contains("unknown authority"), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_submission_after_a_restart_of_redis_takes_as_long_as_any() {
    let mut redis = Redis::start();
    let origin = Origin::start().await;
    let folder = tempfile::tempdir().unwrap();
    let database = Postgres::shared().new_database();
    let variables = [
        ("THUMBFORGE_DATABASE_URL", database.as_str()),
        ("THUMBFORGE_REDIS_URL", &redis.url()),
        ("THUMBFORGE_ALLOWED_SOURCE_NETWORKS", "127.0.0.0/8"),
        ("THUMBFORGE_ALLOWED_SOURCE_PORTS", "*"),
    ];
    let variables = owned(folder.path(), &variables);
    let process = |command| ChildProcess::new(command, command, folder.path(), &variables);
    let (mut serve, mut work) = (process("serve"), process("work"));
    serve.start();
    work.start();
    let mut took = Vec::new();
    for n in 0..3 {
        if n > 0 {
            redis.kill();
            redis.restart();
            // The worker has come back to block on the list.
            eventually("the worker waits", Duration::from_secs(10), async || {
                let list: String = redis::cmd("CLIENT")
                    .arg("LIST")
                    .query(&mut redis.connection())
                    .unwrap();
                list.contains("cmd=brpop")
            })
            .await;
        }
        let url = origin.url(&format!("/nothing.png?n={n}"));
        let body = serde_json::json!({ "url": url }).to_string();
        let patience = Duration::from_secs(5);
        let begun = Instant::now();
        let answer = http_client::try_post(serve.address, "/v1/images", &body, patience);
        assert_eq!(answer.await.unwrap().status, 202);
        eventually("it was fetched", Duration::from_secs(10), async || {
            origin.hits("/nothing.png") > n
        })
        .await;
        took.push(begun.elapsed());
    }
    // A job that nobody rings for is found after 0.7 s at best, now and then.
    let longest = took.iter().max().unwrap();
    assert!(*longest < Duration::from_millis(500), "{took:?}");
    assert!(
        !serve.log().contains("without the queue"),
        "{}",
        serve.log()
    );
}

/// Passes connections on to a server, except the `silent`-th, which gets no answer.
fn silent_once(port: u16, silent: usize) -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut kept_open = Vec::new();
        for (number, client) in (1..).zip(listener.incoming()) {
            let client = client.unwrap();
            if number == silent {
                kept_open.push(client);
                continue;
            }
            let server = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
            let pairs = [(&client, &server), (&server, &client)];
            for (from, to) in pairs {
                let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
    address
}

#[test]
fn a_server_that_goes_away_again_during_the_start_is_waited_for() {
    let server = Postgres::shared();
    let starts: Vec<_> = (1..=6)
        .map(|silent| {
            std::thread::spawn(move || {
                let url = server.new_database();
                let (_, name) = url.rsplit_once('/').unwrap();
                let proxy = silent_once(server.port, silent);
                let url = server.url(name, proxy.port());
                let (code, output) = run("init-db", &[("THUMBFORGE_DATABASE_URL", &url)]);
                assert_eq!(code, Some(0), "silent at {silent}: {output}");
            })
        })
        .collect();
    for start in starts {
        start.join().unwrap();
    }
}
