//! Hangups and changed files, while the program runs.

use std::fs::{File, OpenOptions};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::child_process::ChildProcess;
use crate::support::deadline::{eventually, eventually_blocking};
use crate::support::http_client::{try_get_with, try_post};
use crate::support::origin::{Origin, Reply};
use crate::support::postgres::Postgres;
use crate::support::redis::Redis;
use crate::support::server_process::free_port;

const SOON: Duration = Duration::from_secs(30);

/// By `printf %s secret-one | sha256sum`.
const ONE: &str = "one:ea77193cc4e6f18656f3130e296203880c4b9b3772afc855211b82fdd46e9185\n";
const TWO: &str = "two:cebdf378f2d2bd60d3e3693349e8f20f329daf11a276f849996f0a6377e2155b\n";

/// A process in a folder of its own, whose settings are in `thumbforge.toml` there.
struct Running {
    process: ChildProcess,
    folder: tempfile::TempDir,
}

fn stores(folder: &Path) -> Vec<(String, String)> {
    let database = format!("sqlite://{}", folder.join("jobs.db").display());
    let storage = folder.join("thumbnails").display().to_string();
    vec![
        ("THUMBFORGE_DATABASE_URL".to_owned(), database),
        ("THUMBFORGE_STORAGE_PATH".to_owned(), storage),
    ]
}

impl Running {
    fn new(toml: &str, keys: &str) -> Self {
        Self::of("all", &[], toml, keys)
    }

    fn of(command: &'static str, more: &[(String, String)], toml: &str, keys: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let environment = [&stores(folder.path()), more].concat();
        let process = ChildProcess::new(command, command, folder.path(), &environment);
        let mut running = Self { process, folder };
        running.write("thumbforge.toml", toml);
        running.write("keys", keys);
        running.process.start();
        running
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// As editors do it: a new file takes the name of the old one.
    fn write(&self, name: &str, text: &str) {
        let new = self.path(&format!("{name}~"));
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, self.path(name)).unwrap();
    }

    /// The status that a key gets.
    fn status_of(&self, key: &str) -> u16 {
        let bearer = format!("Bearer {key}");
        let headers = [("Authorization", bearer.as_str())];
        let answer = try_get_with(self.process.address, "/v1/metrics", &headers, SOON);
        answer.unwrap().status
    }

    fn times_logged(&self, words: &str) -> usize {
        self.process.log().matches(words).count()
    }

    fn wait_for_log(&mut self, words: &str, times: usize) {
        eventually_blocking(words, SOON, || {
            assert!(self.process.is_running(), "{}", self.process.log());
            self.times_logged(words) >= times
        });
    }
}

const READ: &str = "settings are read anew";
const NOT_READ: &str = "the settings can't be read anew, those from before stay";

#[test]
fn a_hangup_reads_keys_and_log_level_anew_and_a_removed_key_stops_at_once() {
    let mut all = Running::new("log_level = \"info\"\napi_keys_file = \"keys\"", ONE);
    assert_eq!(
        (all.status_of("secret-one"), all.status_of("secret-two")),
        (200, 401)
    );
    assert_eq!(all.times_logged("DEBUG"), 0, "{}", all.process.log());
    all.write("keys-two", TWO);
    all.write(
        "thumbforge.toml",
        "log_level = \"debug\"\napi_keys_file = \"keys-two\"",
    );
    all.process.signal("HUP");
    all.wait_for_log(READ, 1);
    assert_eq!(
        (all.status_of("secret-one"), all.status_of("secret-two")),
        (401, 200)
    );
    all.wait_for_log("DEBUG", 1);
    // The new file is the one that is looked at from now on.
    all.write("keys-two", ONE);
    all.wait_for_log("API keys are read anew", 1);
    assert_eq!(
        (all.status_of("secret-one"), all.status_of("secret-two")),
        (200, 401)
    );
    assert!(all.process.is_running());
}

#[test]
fn serve_and_work_read_their_settings_anew_too() {
    let shared = [
        ("DATABASE_URL", Postgres::shared().new_database()),
        ("REDIS_URL", Redis::shared().url()),
        ("QUEUE_NAME", Redis::new_key()),
    ];
    let shared = shared.map(|(name, value)| (format!("THUMBFORGE_{name}"), value));
    let keys = "api_keys_file = \"keys\"\n";
    for (command, more) in [("serve", keys), ("work", "")] {
        let info = format!("{more}log_level = \"info\"");
        let mut half = Running::of(command, &shared, &info, ONE);
        assert_eq!(half.times_logged("DEBUG"), 0, "{}", half.process.log());
        half.write("keys", TWO);
        half.write("thumbforge.toml", &info.replace("info", "debug"));
        half.process.signal("HUP");
        half.wait_for_log(READ, 1);
        half.wait_for_log("DEBUG", 1);
        if command == "serve" {
            assert_eq!(
                (half.status_of("secret-one"), half.status_of("secret-two")),
                (401, 200)
            );
        }
        assert!(half.process.is_running());
    }
}

#[test]
fn what_is_wrong_at_a_hangup_is_one_line_and_the_old_values_stay() {
    let good = "log_level = \"warn\"\napi_keys_file = \"keys\"";
    let mut all = Running::new(good, ONE);
    let wrong = [
        (
            "log_level = \"loud\"\njpeg_quality = 0",
            "log_level in thumbforge.toml",
        ),
        ("log_level = ", "thumbforge.toml: TOML parse error"),
        (
            "log_level = \"info\"\napi_keys_file = \"missing\"",
            "the file missing that",
        ),
        // That would open the API to everybody.
        ("log_level = \"info\"", "only a restart opens the API"),
    ];
    for (index, (toml, words)) in wrong.into_iter().enumerate() {
        all.write("thumbforge.toml", toml);
        all.process.signal("HUP");
        all.wait_for_log(NOT_READ, index + 1);
        let log = all.process.log();
        let line = log.lines().rfind(|line| line.contains(NOT_READ)).unwrap();
        assert!(line.contains(words) && line.contains("ERROR"), "{line}");
        assert_eq!(
            (all.status_of("secret-one"), all.status_of("secret-two")),
            (200, 401)
        );
    }
    let log = all.process.log();
    assert_eq!(log.matches("ERROR").count(), wrong.len(), "{log}");
    assert!(!log.contains("INFO"), "{log}");
    all.write("thumbforge.toml", &good.replace("warn", "info"));
    all.process.signal("HUP");
    all.wait_for_log(READ, 1);
}

#[test]
fn changed_keys_count_without_a_signal_and_a_wrong_file_is_told_once() {
    let mut all = Running::new("api_keys_file = \"keys\"", ONE);
    let changed = "API keys are read anew";
    all.write("keys", TWO);
    all.wait_for_log(changed, 1);
    assert_eq!(
        (all.status_of("secret-one"), all.status_of("secret-two")),
        (401, 200)
    );
    all.write("keys", &ONE[..40]);
    let wrong = "API keys can't be read anew, those from before stay";
    all.wait_for_log(wrong, 1);
    assert_eq!(all.status_of("secret-two"), 200);
    // Written in place.
    std::fs::write(all.path("keys"), [ONE, TWO].concat()).unwrap();
    all.wait_for_log(changed, 2);
    assert_eq!(
        (all.status_of("secret-one"), all.status_of("secret-two")),
        (200, 200)
    );
    let log = all.process.log();
    assert_eq!(log.matches(wrong).count(), 1, "{log}");
    assert!(!log.contains("ea77193c"), "{log}");
}

#[test]
fn a_hangup_asks_for_keys_where_none_were_needed() {
    let mut all = Running::new("", "");
    assert_eq!(all.status_of("anything"), 200);
    all.write("keys", ONE);
    all.write("thumbforge.toml", "api_keys_file = \"keys\"");
    all.process.signal("HUP");
    all.wait_for_log(READ, 1);
    assert_eq!(
        (all.status_of("secret-one"), all.status_of("anything")),
        (200, 401)
    );
    let described = try_get_with(all.process.address, "/openapi.json", &[], SOON).unwrap();
    let scheme = &described.json()["components"]["securitySchemes"]["api_key"];
    assert_eq!(scheme["scheme"], "bearer");
}

#[test]
fn a_hangup_while_it_starts_does_not_kill() {
    // Takes connections, and answers none.
    let database = TcpListener::bind("127.0.0.1:0").unwrap();
    database.set_nonblocking(true).unwrap();
    let url = format!("postgres://u@{}/x", database.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut environment = stores(folder.path());
    environment.push(("THUMBFORGE_DATABASE_URL".to_owned(), url));
    let mut all = ChildProcess::new("all", "all", folder.path(), &environment);
    all.launch();
    let mut asked = None;
    eventually_blocking("it asks its database", SOON, || {
        assert!(all.is_running(), "{}", all.log());
        asked = database.accept().ok();
        asked.is_some()
    });
    all.signal("HUP");
    eventually_blocking("it reads its settings anew", SOON, || {
        assert!(all.is_running(), "{}", all.log());
        all.log().contains(READ)
    });
    drop(asked);
}

/// A terminal: what programs see of it, and our end, with which it goes away.
fn terminal() -> (OwnedFd, File) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = openpt(flags).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlags::NOCTTY.bits().cast_signed())
        .open(name.to_str().unwrap());
    (ours, theirs.unwrap())
}

/// Lets a process on `address` download what never comes.
async fn occupy(address: SocketAddr, origin: &Origin) {
    origin.on("/silent", [Reply::silent()]);
    let body = serde_json::json!({ "url": origin.url("/silent") }).to_string();
    let answer = try_post(address, "/v1/images", &body, SOON).await.unwrap();
    assert_eq!(answer.status, 202, "{answer:?}");
    eventually("it downloads", SOON, async || origin.hits("/silent") > 0).await;
}

const LOOPBACK: [(&str, &str); 3] = [
    ("THUMBFORGE_ALLOWED_SOURCE_NETWORKS", "127.0.0.0/8"),
    ("THUMBFORGE_ALLOWED_SOURCE_PORTS", "*"),
    ("THUMBFORGE_SHUTDOWN_GRACE_SECONDS", "3"),
];

#[tokio::test(flavor = "multi_thread")]
async fn hangups_do_not_hurry_a_process_that_is_ending() {
    let folder = tempfile::tempdir().unwrap();
    let mut environment = stores(folder.path());
    environment.extend(LOOPBACK.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let mut all = ChildProcess::new("all", "all", folder.path(), &environment);
    tokio::task::block_in_place(|| all.start());
    let origin = Origin::start().await;
    occupy(all.address, &origin).await;
    tokio::task::block_in_place(|| {
        all.signal("TERM");
        eventually_blocking("it is ending", SOON, || all.log().contains("stopping"));
        for _ in 0..3 {
            assert!(all.is_running(), "{}", all.log());
            all.signal("HUP");
        }
        assert_eq!(all.wait_for_end(SOON).code(), Some(0), "{}", all.log());
    });
    assert!(all.log().contains("handed back"), "{}", all.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_goes_away_ends_it_in_good_order() {
    let origin = Origin::start().await;
    for log_goes_there_too in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let (ours, theirs) = terminal();
        let log = folder.path().join("log");
        // Makes the terminal the program's own, as a login does, and reports how it ends.
        let mut child = Command::new("setsid");
        child
            .args(["--ctty", "--wait", env!("CARGO_BIN_EXE_thumbforge"), "all"])
            .current_dir(folder.path())
            .env_clear()
            .envs(stores(folder.path()))
            .envs(LOOPBACK)
            .env("THUMBFORGE_BIND", &address)
            .stdin(Stdio::from(theirs.try_clone().unwrap()));
        match log_goes_there_too {
            true => child.stdout(theirs.try_clone().unwrap()).stderr(theirs),
            false => {
                drop(theirs);
                let log = File::create(&log).unwrap();
                child.stdout(log.try_clone().unwrap()).stderr(log)
            }
        };
        let mut running = child.spawn().unwrap();
        // Its copies of the terminal keep that alive.
        drop(child);
        let address: SocketAddr = address.parse().unwrap();
        eventually_blocking("it is ready", SOON, || {
            let ended = running.try_wait().unwrap();
            assert_eq!(ended, None);
            try_get_with(address, "/readyz", &[], SOON).is_ok_and(|answer| answer.status == 200)
        });
        occupy(address, &origin).await;
        drop(ours);
        let mut ended = None;
        eventually_blocking("it ends", SOON, || {
            ended = running.try_wait().unwrap();
            ended.is_some()
        });
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        assert_eq!(ended.unwrap().code(), Some(0), "{log}");
        if !log_goes_there_too {
            assert!(log.contains("signal=\"SIGHUP\""), "{log}");
            assert!(log.contains("handed back"), "{log}");
            assert!(log.contains("workers have ended"), "{log}");
        }
    }
}
