//! Postgres as people have it: behind a pooler, not started yet, with a role that may do little.

use std::time::Duration;

use thumbforge::db::{ClaimSource, Database, Submission, Target};
use thumbforge::domain::{DuplicateHandling, JobFilter, Request, Schedule, SourceUrl};
use uuid::Uuid;

use crate::support::child_process::ChildProcess;
use crate::support::deadline::eventually_blocking;
use crate::support::postgres::Postgres;
use crate::support::server_process::free_port;

/// How many advisory locks are held in a database.
const LOCKS: &str = "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database \
     WHERE locktype = 'advisory' AND datname = current_database()";
/// Takes the lock under which jobs are counted and counts are folded.
const COUNTING: &str = "SELECT pg_advisory_lock(8388083418640313444)";
const SOON: Duration = Duration::from_secs(30);

/// What a process is started with.
fn settings(folder: &std::path::Path, url: &str) -> Vec<(String, String)> {
    [
        ("THUMBFORGE_BIND", format!("127.0.0.1:{}", free_port())),
        ("THUMBFORGE_DATABASE_URL", url.to_owned()),
        (
            "THUMBFORGE_STORAGE_PATH",
            folder.join("thumbnails").display().to_string(),
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// Name of a new database, and its server.
fn new_database() -> (&'static Postgres, String) {
    let server = Postgres::shared();
    let url = server.new_database();
    let (_, name) = url.rsplit_once('/').unwrap();
    (server, name.to_owned())
}

fn answer(server: &Postgres, database: &str, sql: &str) -> String {
    let output = server.psql(database, sql);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn submit(database: &Database, number: usize) {
    let url = SourceUrl::parse(&format!("https://a.example/{number}.jpg")).unwrap();
    let policy = match number % 3 {
        0 => DuplicateHandling::AllowRetry,
        1 => DuplicateHandling::ReuseCompleted,
        _ => DuplicateHandling::RejectActive,
    };
    let request = Request::new(&url, policy, Schedule::default(), None);
    let submission = database.submit(request).await.unwrap();
    assert!(matches!(submission, Submission::Created(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_change_with_each_transaction_do_no_harm() {
    let (server, name) = new_database();
    let pooler = server.new_pooler("transaction");
    let target = Target::Postgres(server.url(&name, pooler.port));
    // As two processes that start at once.
    let one = Database::open(&target, 8).unwrap();
    let other = Database::open(&target, 8).unwrap();
    let (first, second) = tokio::join!(one.migrate(&target), other.migrate(&target));
    assert_ne!(first.unwrap().is_empty(), second.unwrap().is_empty());
    assert_eq!(answer(server, &name, LOCKS), "0", "a lock was left behind");
    let submissions: Vec<_> = (0..120)
        .map(|number| {
            let database = [&one, &other][number % 2].clone();
            tokio::spawn(async move { submit(&database, number).await })
        })
        .collect();
    for submission in submissions {
        submission.await.unwrap();
    }
    let filter = JobFilter {
        host: Some("a.example".to_owned()),
        ..JobFilter::default()
    };
    for database in [&one, &other] {
        assert_eq!(database.total_of(&filter).await.unwrap().total, 120);
        assert_eq!(
            database
                .list(&filter, 50, 0, None)
                .await
                .unwrap()
                .jobs
                .len(),
            50
        );
    }
    let source = || ClaimSource::Origins(vec![("https://a.example:443".parse().unwrap(), 100)]);
    let lease = Duration::from_secs(30);
    let (some, others) = tokio::join!(
        one.claim(source(), Uuid::now_v7(), lease),
        other.claim(source(), Uuid::now_v7(), lease)
    );
    assert_eq!(
        some.unwrap().claims.len() + others.unwrap().claims.len(),
        120
    );
    // What was set for our transactions stays in them: others use the same sessions.
    let through = std::process::Command::new("psql")
        .args([
            "-qAtX",
            "-c",
            "SHOW statement_timeout",
            "-c",
            "SHOW lock_timeout",
        ])
        .arg(server.url(&name, pooler.port))
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&through.stdout),
        "0\n0\n",
        "{through:?}"
    );
}

#[test]
fn a_pooler_that_forbids_transactions_is_one_line() {
    let (server, name) = new_database();
    let pooler = server.new_pooler("statement");
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), &server.url(&name, pooler.port));
    let (code, output) = ChildProcess::run("all", folder.path(), &settings);
    assert_eq!(code, Some(1), "{output}");
    let errors: Vec<&str> = output
        .lines()
        .filter(|line| line.starts_with("error:"))
        .collect();
    assert_eq!(errors.len(), 1, "{output}");
    assert!(errors[0].contains("pool_mode = statement"), "{output}");
    assert!(!output.contains("thumbforge:thumbforge"), "{output}");
}

#[test]
fn a_session_pooler_and_a_restart_of_it_are_nothing_special() {
    let (server, name) = new_database();
    let mut pooler = server.new_pooler("session");
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), &server.url(&name, pooler.port));
    let mut all = ChildProcess::new("all", "all", folder.path(), &settings);
    all.start();
    assert!(!all.log().contains("another session"), "{}", all.log());
    pooler.stop_immediately();
    eventually_blocking("it is not ready", SOON, || !all.is_ready());
    pooler.restart();
    eventually_blocking("it is ready again", SOON, || all.is_ready());
}

#[test]
fn a_start_that_waits_for_a_lock_says_so_and_can_be_stopped() {
    let (server, name) = new_database();
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), &server.url(&name, server.port));
    // As a pooler leaves it behind after an earlier version.
    let mut holder = std::process::Command::new("psql")
        .args([
            "-qAtX",
            "-c",
            "SELECT pg_advisory_lock(8388083418640314983)",
        ])
        .args(["-c", "SELECT pg_sleep(600)"])
        .arg(server.url(&name, server.port))
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually_blocking("the lock is held", SOON, || {
        answer(server, &name, LOCKS) == "1"
    });
    let mut all = ChildProcess::new("all", "all", folder.path(), &settings);
    all.launch();
    eventually_blocking("it says what it waits for", SOON, || {
        assert!(all.is_running(), "{}", all.log());
        all.log().contains("another process migrates")
    });
    all.signal("TERM");
    let asked = std::time::Instant::now();
    assert!(all.wait_for_end(SOON).success(), "{}", all.log());
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );
    let end = LOCKS.replace("count(*)", "pg_terminate_backend(pid)");
    answer(server, &name, &end);
    holder.wait().unwrap();
    all.start();
}

#[test]
fn a_role_that_may_not_change_the_schema_starts_once_it_is_there() {
    let (server, name) = new_database();
    answer(
        server,
        &name,
        "DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object THEN END $$; \
         REVOKE CREATE ON SCHEMA public FROM PUBLIC; \
         ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO reader",
    );
    let folder = tempfile::tempdir().unwrap();
    let owner = server.url(&name, server.front_port());
    let reader = owner.replace("thumbforge:thumbforge@", "reader:reader@");
    let reading = settings(folder.path(), &reader);
    let (code, output) = ChildProcess::run("all", folder.path(), &reading);
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("permission denied"), "{output}");
    assert!(output.contains("THUMBFORGE_AUTO_MIGRATE=false"), "{output}");
    let owning = settings(folder.path(), &owner);
    let (code, output) = ChildProcess::run("init-db", folder.path(), &owning);
    assert_eq!(code, Some(0), "{output}");
    let mut all = ChildProcess::new("all", "all", folder.path(), &reading);
    all.start();
}

#[test]
fn a_start_waits_for_a_database_that_is_starting() {
    let mut server = Postgres::start();
    let url = server.new_database();
    server.stop_immediately();
    let folder = tempfile::tempdir().unwrap();
    let mut all = ChildProcess::new("all", "all", folder.path(), &settings(folder.path(), &url));
    all.launch();
    eventually_blocking("it says that it waits", SOON, || {
        assert!(all.is_running(), "{}", all.log());
        all.log().contains("for the database")
    });
    server.restart();
    all.wait_until_ready();
}

#[test]
fn a_server_that_lets_nobody_in_is_one_line_at_once() {
    let (server, _) = new_database();
    for (user, name) in [("nobody", "postgres"), ("thumbforge", "no_such_database")] {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("postgres://{user}:secret@127.0.0.1:{}/{name}", server.port);
        let asked = std::time::Instant::now();
        let (code, output) =
            ChildProcess::run("all", folder.path(), &settings(folder.path(), &url));
        assert_eq!(code, Some(1), "{output}");
        assert!(output.contains("does not exist"), "{output}");
        assert!(!output.contains("secret"), "{output}");
        assert!(asked.elapsed() < Duration::from_secs(15), "it waited");
    }
}

#[test]
fn what_a_pooler_refuses_is_one_line_at_once() {
    let (server, name) = new_database();
    let pooler = server.new_pooler("transaction");
    let port = pooler.port;
    for (url, words) in [
        (
            format!("postgres://nobody:secret@127.0.0.1:{port}/{name}"),
            "nobody",
        ),
        (
            format!("postgres://thumbforge:secret@127.0.0.1:{port}/{name}?options=-c%20jit%3Doff"),
            "unsupported startup parameter",
        ),
        // As after a failover; the other host is down.
        (
            format!("postgres://nobody:secret@127.0.0.1:{port},127.0.0.1:1/{name}"),
            "nobody",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let asked = std::time::Instant::now();
        let (code, output) =
            ChildProcess::run("all", folder.path(), &settings(folder.path(), &url));
        assert_eq!(code, Some(1), "{output}");
        assert!(
            output.contains(words) && !output.contains("secret"),
            "{output}"
        );
        assert!(
            asked.elapsed() < Duration::from_secs(15),
            "it waited: {output}"
        );
    }
}

#[test]
fn a_pooler_with_a_single_connection_is_enough() {
    for mode in ["transaction", "session"] {
        let (server, name) = new_database();
        let pooler = server.pooler_of_size(mode, 1);
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(folder.path(), &server.url(&name, pooler.port));
        settings.push(("THUMBFORGE_DATABASE_POOL_SIZE".to_owned(), "1".to_owned()));
        let mut all = ChildProcess::new("all", "all", folder.path(), &settings);
        all.start();
    }
}

#[test]
fn a_start_beside_one_that_counts_says_so() {
    let (server, name) = new_database();
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), &server.url(&name, server.port));
    let (code, output) = ChildProcess::run("init-db", folder.path(), &settings);
    assert_eq!(code, Some(0), "{output}");
    // As after an upgrade; `thumbforge check` holds the same lock.
    answer(
        server,
        &name,
        "DELETE FROM service_state WHERE name = 'counts'",
    );
    let mut holder = std::process::Command::new("psql")
        .args(["-qAtX", "-c", COUNTING, "-c", "SELECT pg_sleep(600)"])
        .arg(server.url(&name, server.port))
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually_blocking("the lock is held", SOON, || {
        answer(server, &name, LOCKS) == "1"
    });
    let mut all = ChildProcess::new("all", "all", folder.path(), &settings);
    all.launch();
    eventually_blocking("it says what it waits for", SOON, || {
        assert!(all.is_running(), "{}", all.log());
        all.log().contains("another process counts the jobs")
    });
    answer(
        server,
        &name,
        &LOCKS.replace("count(*)", "pg_terminate_backend(pid)"),
    );
    holder.wait().unwrap();
    all.wait_until_ready();
}
