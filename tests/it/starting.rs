//! Bad surroundings: one clear error, an exit code, no panic, nothing half-written.

use std::time::Duration;

use crate::support::child_process::ChildProcess;
use crate::support::deadline::eventually_blocking;
use crate::support::redis::Redis;
use crate::support::server_process::free_port;

fn variables(folder: &std::path::Path, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = [
        ("THUMBFORGE_BIND", format!("127.0.0.1:{}", free_port())),
        (
            "THUMBFORGE_DATABASE_URL",
            format!("sqlite://{}", folder.join("jobs.db").display()),
        ),
        (
            "THUMBFORGE_STORAGE_PATH",
            folder.join("thumbnails").display().to_string(),
        ),
    ];
    let more = more
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    own.into_iter()
        .chain(more)
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Starts `command`, which must end with `code` and one line that contains `words`. Returns what it
/// printed.
fn refused(command: &str, more: &[(&str, &str)], code: i32, words: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (exit, output) = ChildProcess::run(command, folder.path(), &variables(folder.path(), more));
    assert_eq!(exit, Some(code), "{output}");
    assert!(!output.contains("panicked"), "{output}");
    let errors: Vec<&str> = output
        .lines()
        .filter(|line| line.starts_with("error:"))
        .collect();
    assert_eq!(errors.len(), words.len(), "{output}");
    for (line, word) in errors.iter().zip(words) {
        assert!(line.contains(word), "{line:?} does not say {word:?}");
        let clauses: Vec<&str> = line.split(": ").collect();
        for (number, clause) in clauses.iter().enumerate() {
            assert!(
                !clauses[..number].contains(clause),
                "{line:?} says {clause:?} twice"
            );
        }
    }
    output
}

#[test]
fn an_unreachable_database_is_one_line() {
    let url = format!("postgres://u:secret@127.0.0.1:{}/x", free_port());
    for command in ["all", "init-db"] {
        refused(
            command,
            &[
                ("THUMBFORGE_DATABASE_URL", &url),
                ("THUMBFORGE_STARTUP_WAIT_SECONDS", "0"),
            ],
            1,
            &["database is not available"],
        );
    }
}

#[test]
fn a_busy_port_is_one_line() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let said = format!("can't listen on {address}: the address is in use");
    refused("all", &[("THUMBFORGE_BIND", &address)], 1, &[&said]);
    let redis = Redis::shared().url();
    let settings = [
        ("THUMBFORGE_WORKER_BIND", address.as_str()),
        ("THUMBFORGE_REDIS_URL", &redis),
    ];
    let output = refused("work", &settings, 1, &[&said]);
    assert!(output.contains("set THUMBFORGE_WORKER_BIND"), "{output}");
}

#[test]
fn a_storage_that_is_a_file_is_one_line() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().join("below").display().to_string();
    refused(
        "all",
        &[("THUMBFORGE_STORAGE_PATH", &path)],
        1,
        &["storage"],
    );
}

#[test]
fn a_storage_that_can_not_be_written_is_named_whole_with_user_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    // Not even root may make folders there.
    std::os::unix::fs::symlink("/sys", folder.path().join("there")).unwrap();
    let environment = variables(
        folder.path(),
        &[("THUMBFORGE_STORAGE_PATH", "there/thumbs")],
    );
    let (exit, output) = ChildProcess::run("all", folder.path(), &environment);
    assert_eq!(exit, Some(1), "{output}");
    let path = folder.path().join("there/thumbs").display().to_string();
    let user = rustix::process::geteuid().as_raw();
    let words = format!("the storage {path} can't be used by this process (user {user}, group ");
    assert!(output.contains(&words), "{output}");
    assert!(
        output.contains("not permitted") || output.contains("denied"),
        "{output}"
    );
    assert!(output.contains(&format!("chown -R {user}:")), "{output}");
}

#[test]
fn secrets_are_read_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("database-url");
    std::fs::write(&secret, "sqlite://secret.db\n").unwrap();
    let path = secret.display().to_string();
    let named = vec![("THUMBFORGE_DATABASE_URL_FILE".to_owned(), path.clone())];
    let (exit, output) = ChildProcess::run("init-db", folder.path(), &named);
    assert_eq!(exit, Some(0), "{output}");
    assert!(folder.path().join("secret.db").is_file(), "{output}");
    std::fs::write(
        folder.path().join("thumbforge.toml"),
        "database_url_file = \"database-url\"",
    )
    .unwrap();
    std::fs::write(&secret, "sqlite://from-toml.db").unwrap();
    let (exit, output) = ChildProcess::run("init-db", folder.path(), &[]);
    assert_eq!(exit, Some(0), "{output}");
    assert!(folder.path().join("from-toml.db").is_file(), "{output}");

    let twice = "THUMBFORGE_DATABASE_URL is set as well";
    refused(
        "all",
        &[("THUMBFORGE_DATABASE_URL_FILE", &path)],
        2,
        &[twice],
    );
    for (variable, path) in [
        ("THUMBFORGE_REDIS_URL_FILE", "missing"),
        ("THUMBFORGE_EGRESS_PROXY_FILE", "."),
    ] {
        let output = refused("all", &[(variable, path)], 2, &[variable]);
        let (_, rest) = output
            .split_once(&format!("{variable}: /"))
            .expect("a whole path");
        assert!(rest.contains("can't be read: "), "{output}");
    }
}

#[test]
fn a_database_file_that_is_no_database_is_one_line() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        "this is a shopping list, not a database".repeat(100),
    )
    .unwrap();
    let url = format!("sqlite://{}", file.path().display());
    refused(
        "all",
        &[("THUMBFORGE_DATABASE_URL", &url)],
        1,
        &["not a database"],
    );
}

#[test]
fn a_database_that_is_a_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let url = format!("sqlite://{path}");
    refused("all", &[("THUMBFORGE_DATABASE_URL", &url)], 1, &[&path]);
}

#[test]
fn a_start_that_fails_leaves_no_storage_behind() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("postgres://u@127.0.0.1:{}/x", free_port());
    let (exit, _) = ChildProcess::run(
        "all",
        folder.path(),
        &variables(folder.path(), &[("THUMBFORGE_DATABASE_URL", &url)]),
    );
    assert_eq!(exit, Some(1));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_missing_schema_names_init_db() {
    refused(
        "all",
        &[("THUMBFORGE_AUTO_MIGRATE", "false")],
        1,
        &["init-db"],
    );
}

#[test]
fn all_faults_of_the_settings_are_told_at_once() {
    refused(
        "all",
        &[
            ("THUMBFORGE_THUMBNAIL_SIZE", "huge"),
            ("THUMBFORGE_JPEG_QUALITY", "0"),
        ],
        2,
        &["THUMBNAIL_SIZE", "JPEG_QUALITY"],
    );
}

#[test]
fn separate_processes_without_redis_are_sent_to_all() {
    for command in ["serve", "work"] {
        refused(command, &[], 2, &["thumbforge all"]);
    }
}

#[test]
fn a_keys_file_without_a_key_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let redis = Redis::shared().url();
    for text in [None, Some(""), Some("\n# one:\n"), Some("one:two\n")] {
        let path = folder.path().join("keys");
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let path = path.display().to_string();
        let said = format!("the file {path} that THUMBFORGE_API_KEYS_FILE names");
        let settings = [
            ("THUMBFORGE_API_KEYS_FILE", path.as_str()),
            ("THUMBFORGE_REDIS_URL", &redis),
        ];
        for command in ["all", "serve"] {
            let output = refused(command, &settings, 2, &[&said]);
            assert!(!output.contains("listens"), "{output}");
        }
    }
}

#[test]
fn a_redis_that_wants_another_password_is_one_line() {
    let redis = Redis::with_password("open-sesame");
    let port = redis.port;
    for user in ["", ":wrong-word@"] {
        let url = format!("redis://{user}127.0.0.1:{port}/0");
        let settings = [("THUMBFORGE_REDIS_URL", url.as_str())];
        for command in ["all", "serve", "work"] {
            refused(command, &settings, 1, &["Redis refuses"]);
        }
    }
    let (_, output) = {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("redis://:wrong-word@127.0.0.1:{port}/0");
        let settings = variables(folder.path(), &[("THUMBFORGE_REDIS_URL", &url)]);
        ChildProcess::run("all", folder.path(), &settings)
    };
    assert!(!output.contains("wrong-word"), "{output}");
}

#[test]
fn a_redis_database_that_is_not_there_is_one_line() {
    let url = format!("redis://127.0.0.1:{}/99", Redis::shared().port);
    let settings = [("THUMBFORGE_REDIS_URL", url.as_str())];
    refused("all", &settings, 1, &["Redis refuses"]);
}

#[test]
fn a_redis_that_is_away_stops_no_start() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("redis://127.0.0.1:{}/0", free_port());
    let settings = variables(folder.path(), &[("THUMBFORGE_REDIS_URL", &url)]);
    let mut all = ChildProcess::new("all", "all", folder.path(), &settings);
    all.start();
    assert!(
        all.log().contains("starting without the queue"),
        "{}",
        all.log()
    );
}

#[test]
fn who_serves_the_api_is_told_that_the_workers_address_is_not_used() {
    let redis = Redis::shared().url();
    for command in ["all", "serve"] {
        let folder = tempfile::tempdir().unwrap();
        let bind = format!("127.0.0.1:{}", free_port());
        let more = [
            ("THUMBFORGE_REDIS_URL", redis.as_str()),
            ("THUMBFORGE_WORKER_BIND", &bind),
        ];
        let settings = variables(folder.path(), &more);
        let mut process = ChildProcess::new(command, command, folder.path(), &settings);
        process.start();
        let log = process.log();
        assert!(log.contains("THUMBFORGE_WORKER_BIND is for"), "{log}");
        std::net::TcpStream::connect(&bind).unwrap_err();
    }
}

#[test]
fn clients_of_a_start_that_waits_are_refused() {
    // Takes connections, and answers none.
    let database = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    database.set_nonblocking(true).unwrap();
    let url = format!("postgres://u@{}/x", database.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let variables = variables(folder.path(), &[("THUMBFORGE_DATABASE_URL", &url)]);
    let mut all = ChildProcess::new("all", "all", folder.path(), &variables);
    all.launch();
    let mut asked = None;
    eventually_blocking("it asks its database", Duration::from_secs(30), || {
        assert!(all.is_running(), "{}", all.log());
        asked = database.accept().ok();
        asked.is_some()
    });
    let refused = std::net::TcpStream::connect(all.address).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    // It did wait all the while.
    assert!(all.is_running(), "{}", all.log());
    drop(asked);
}
