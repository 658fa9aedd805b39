//! A Postgres server of the tests' own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::authority::CertifiedKey;
use super::deadline::eventually_blocking;
use super::pgbouncer::{self, Pooler};
use super::server_process::{ServerProcess, find_program, free_port, run_as};

pub struct Postgres {
    process: ServerProcess,
    folder: PathBuf,
    binaries: PathBuf,
    user: Option<(u32, u32)>,
    more: Vec<String>,
    pub port: u16,
    /// What the service connects to instead, if the tests are run so.
    pooler: OnceLock<Pooler>,
}

/// What a server that speaks TLS is given.
pub struct ServerTls<'a> {
    pub own: &'a CertifiedKey,
    /// The authority of its clients.
    pub clients: &'a Path,
    /// Lines of `pg_hba.conf` before the one that trusts everybody.
    pub rules: &'a str,
}

static NEXT_DATABASE: AtomicU32 = AtomicU32::new(0);

impl Postgres {
    /// The server that all tests of this binary share; each makes its own database in it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A new server with an empty data folder.
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// A server that speaks TLS, too.
    pub fn with_tls(tls: &ServerTls<'_>) -> Self {
        Self::start_with(Some(tls))
    }

    fn start_with(tls: Option<&ServerTls<'_>>) -> Self {
        let binaries = binaries();
        let user = unprivileged_user();
        let folder = tempfile::Builder::new()
            .prefix("thumbforge-postgres-")
            .tempdir()
            .expect("a temporary folder")
            .keep();
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(&folder, Some(uid), Some(gid)).expect("root may chown");
        }
        let mut initdb = Command::new(binaries.join("initdb"));
        initdb
            .args(["--auth=trust", "--username=thumbforge", "--encoding=UTF8"])
            .args(["--locale=C", "--no-sync", "--pgdata"])
            .arg(folder.join("data"))
            .current_dir(&folder);
        run_as(&mut initdb, user);
        let output = initdb.output().expect("initdb can be run");
        assert!(
            output.status.success(),
            "initdb failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let port = free_port();
        let more = tls.map_or(Vec::new(), |tls| set_up_tls(tls, &folder, user));
        let process = launch(&binaries, &folder, port, user, &more);
        let server = Self {
            process,
            more,
            folder,
            binaries,
            user,
            port,
            pooler: OnceLock::new(),
        };
        server.wait_until_ready();
        server
    }

    /// URL of a new, empty database.
    pub fn new_database(&self) -> String {
        let name = format!(
            "test_{}_{}",
            std::process::id(),
            NEXT_DATABASE.fetch_add(1, Ordering::Relaxed)
        );
        let output = self.psql("postgres", &format!("CREATE DATABASE {name}"));
        assert!(
            output.status.success(),
            "{output:?}; the server said last:\n{}",
            self.last_words()
        );
        self.url(&name, self.front_port())
    }

    /// What tells in the server's log why it crashed, if it did, and the end of the log.
    fn last_words(&self) -> String {
        const LINES: usize = 40;
        let log = std::fs::read(self.folder.join("test-server.log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let grave: Vec<&str> = log
            .lines()
            .filter(|line| line.contains("PANIC") || line.contains("LOG:  server process"))
            .collect();
        let lines: Vec<&str> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(LINES)..];
        [grave.as_slice(), last].concat().join("\n")
    }

    /// The port that the service connects to: the server's, or that of a pooler before it.
    pub fn front_port(&self) -> u16 {
        match std::env::var(pgbouncer::VARIABLE) {
            Ok(mode) if !mode.is_empty() => {
                let pooler = self.pooler.get_or_init(|| self.new_pooler(&mode));
                pooler.port
            }
            _ => self.port,
        }
    }

    /// Whether the service reaches all databases of the tests through a pooler.
    pub fn is_behind_a_pooler() -> bool {
        std::env::var(pgbouncer::VARIABLE).is_ok_and(|mode| !mode.is_empty())
    }

    /// A pooler before this server, with few connections of it for many clients, so that they are
    /// exchanged.
    pub fn new_pooler(&self, mode: &str) -> Pooler {
        self.pooler_of_size(mode, 6)
    }

    /// The same, with so many connections of the server.
    pub fn pooler_of_size(&self, mode: &str, size: u32) -> Pooler {
        Pooler::start(self.port, mode, size, self.user)
    }

    /// URL of a database, through another port (a proxy) if wanted.
    pub fn url(&self, database: &str, port: u16) -> String {
        format!("postgres://thumbforge:thumbforge@127.0.0.1:{port}/{database}")
    }

    /// Runs SQL and returns what psql printed.
    pub fn psql(&self, database: &str, sql: &str) -> std::process::Output {
        Command::new(self.binaries.join("psql"))
            .args(["-qAtX", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .arg(self.url(database, self.port))
            .output()
            .expect("psql can be run")
    }

    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Stops all processes of the server with SIGSTOP, until the answer is dropped.
    pub fn freeze(&self) -> Frozen {
        // The first one starts the others: once it stands, no more come.
        signal(&self.processes()[..1], "-STOP");
        let frozen = Frozen(self.processes());
        signal(&frozen.0, "-STOP");
        frozen
    }

    /// The first process, and those that it has started: they serve the connections.
    fn processes(&self) -> Vec<String> {
        let list = Command::new("ps")
            .args(["-eo", "pid,ppid,args"])
            .output()
            .expect("ps is there");
        let list = String::from_utf8_lossy(&list.stdout).into_owned();
        let marker = format!("--port={}", self.port);
        let rows: Vec<Vec<&str>> = list
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        let first = rows
            .iter()
            .find(|row| {
                row.len() > 2 && row[2].ends_with("postgres") && row.contains(&marker.as_str())
            })
            .expect("the server runs");
        let mut pids = vec![first[0].to_owned()];
        pids.extend(
            rows.iter()
                .filter(|row| row.len() > 1 && row[1] == first[0])
                .map(|row| row[0].to_owned()),
        );
        pids
    }

    /// `pg_ctl stop -m immediate`: as in a crash, without a checkpoint.
    pub fn stop_immediately(&mut self) {
        self.process.end();
    }

    pub fn restart(&mut self) {
        self.process = launch(
            &self.binaries,
            &self.folder,
            self.port,
            self.user,
            &self.more,
        );
        self.wait_until_ready();
    }

    fn wait_until_ready(&self) {
        eventually_blocking(
            "Postgres accepts connections",
            Duration::from_secs(60),
            || self.psql("postgres", "SELECT 1").status.success(),
        );
    }
}

/// A server that stands still; dropped, it goes on.
pub struct Frozen(Vec<String>);

fn signal(pids: &[String], name: &str) {
    // One that has ended meanwhile is no fault.
    let _ = Command::new("kill")
        .arg(name)
        .args(pids)
        .stderr(std::process::Stdio::null())
        .status();
}

impl Drop for Frozen {
    fn drop(&mut self) {
        signal(&self.0, "-CONT");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.process.end();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Puts the files where the server wants them; returns what its command line says of them.
fn set_up_tls(tls: &ServerTls<'_>, folder: &Path, user: Option<(u32, u32)>) -> Vec<String> {
    use std::os::unix::fs::PermissionsExt;
    let files = [
        ("ssl_cert_file", tls.own.certificate.as_path()),
        ("ssl_key_file", &tls.own.key),
        ("ssl_ca_file", tls.clients),
    ];
    let mut arguments = vec!["--ssl=on".to_owned()];
    for (setting, file) in files {
        let copy = folder.join(setting);
        std::fs::copy(file, &copy).expect("our own folder");
        std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o600)).expect("our file");
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(&copy, Some(uid), Some(gid)).expect("root may chown");
        }
        arguments.push(format!("--{setting}={}", copy.display()));
    }
    let rules = format!(
        "local all all trust\n{}\nhost all thumbforge 127.0.0.1/32 trust\n",
        tls.rules
    );
    let file = folder.join("hba.conf");
    std::fs::write(&file, rules).expect("our own folder");
    arguments.push(format!("--hba_file={}", file.display()));
    arguments
}

fn launch(
    binaries: &Path,
    folder: &Path,
    port: u16,
    user: Option<(u32, u32)>,
    more: &[String],
) -> ServerProcess {
    let mut arguments = vec![
        "-D".to_owned(),
        folder.join("data").display().to_string(),
        format!("--port={port}"),
        "--listen_addresses=127.0.0.1".to_owned(),
        format!("--unix_socket_directories={}", folder.display()),
        "--max_connections=200".to_owned(),
    ];
    arguments.extend_from_slice(more);
    ServerProcess::start(&binaries.join("postgres"), &arguments, folder, user, "QUIT")
}

fn binaries() -> PathBuf {
    let mut folders: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    folders.sort();
    folders.reverse();
    let initdb = find_program("initdb", &folders).expect(
        "Postgres is needed for the tests: run scripts/test, or install its server package",
    );
    initdb.parent().expect("a file in a folder").to_owned()
}

/// Postgres refuses to run as root: then it runs as `postgres` or `nobody`.
fn unprivileged_user() -> Option<(u32, u32)> {
    let own = Command::new("id").arg("-u").output().expect("id is there");
    if own.stdout.trim_ascii() != b"0" {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("/etc/passwd is there");
    ["postgres", "nobody"].iter().find_map(|wanted| {
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            (name == *wanted).then_some((uid, gid))
        })
    })
}
