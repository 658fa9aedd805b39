//! A Redis server of the tests' own.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::authority::CertifiedKey;
use super::deadline::eventually_blocking;
use super::server_process::{ServerProcess, find_program, free_port};

pub struct Redis {
    process: ServerProcess,
    folder: PathBuf,
    program: PathBuf,
    password: Option<&'static str>,
    more: Vec<String>,
    pub port: u16,
    /// Where it speaks TLS.
    pub tls_port: Option<u16>,
}

static NEXT_KEY: AtomicU32 = AtomicU32::new(0);

impl Redis {
    /// The server that all tests of this binary share; each uses its own key.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Redis> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A key that no other test uses.
    pub fn new_key() -> String {
        format!("test:{}", NEXT_KEY.fetch_add(1, Ordering::Relaxed))
    }

    pub fn start() -> Self {
        Self::start_with(None, &[])
    }

    /// A server that serves no client without this password.
    pub fn with_password(password: &'static str) -> Self {
        Self::start_with(Some(password), &[])
    }

    /// A server with more words on its command line.
    pub fn with_arguments(more: &[&str]) -> Self {
        Self::start_with(None, more)
    }

    /// A server that speaks TLS, too, and there may ask its clients for certificates of `authority`.
    pub fn with_tls(own: &CertifiedKey, authority: &Path, asks_clients: bool) -> Self {
        let asks = if asks_clients { "yes" } else { "no" };
        Self::with_tls_and(own, authority, &["--tls-auth-clients", asks])
    }

    /// The same, with more words on its command line.
    pub fn with_tls_and(own: &CertifiedKey, authority: &Path, more: &[&str]) -> Self {
        let tls_port = free_port();
        let port = tls_port.to_string();
        let path = |path: &Path| path.to_str().expect("a plain path").to_owned();
        let (certificate, key) = (path(&own.certificate), path(&own.key));
        let authority = path(authority);
        let of_tls = [
            ["--tls-port", &port],
            ["--tls-cert-file", &certificate],
            ["--tls-key-file", &key],
            ["--tls-ca-cert-file", &authority],
        ];
        let arguments = [of_tls.as_flattened(), more].concat();
        let mut server = Self::start_with(None, &arguments);
        server.tls_port = Some(tls_port);
        server
    }

    /// A server with a password, if given, and more words on its command line.
    pub fn start_with(password: Option<&'static str>, more: &[&str]) -> Self {
        let program = program();
        let folder = tempfile::Builder::new()
            .prefix("thumbforge-redis-")
            .tempdir()
            .expect("a temporary folder")
            .keep();
        let port = free_port();
        let more: Vec<String> = more.iter().map(|word| (*word).to_owned()).collect();
        let server = Self {
            process: launch(&program, &folder, port, password, &more),
            password,
            more,
            folder,
            program,
            port,
            tls_port: None,
        };
        server.wait_until_ready();
        server
    }

    pub fn url(&self) -> String {
        self.url_through(self.port)
    }

    /// URL through another port (a proxy).
    pub fn url_through(&self, port: u16) -> String {
        let user = self.password.map(|password| format!(":{password}@"));
        format!("redis://{}127.0.0.1:{port}/0", user.unwrap_or_default())
    }

    /// A connection of the test's own.
    pub fn connection(&self) -> redis::Connection {
        redis::Client::open(self.url())
            .and_then(|client| client.get_connection())
            .expect("the test server answers")
    }

    /// Sends a command, its words separated by spaces.
    pub fn tell(&self, command: &str) {
        let words: Vec<&str> = command.split(' ').collect();
        redis::cmd(words[0])
            .arg(&words[1..])
            .exec(&mut self.connection())
            .expect("the server obeys");
    }

    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Kills the server; its data is gone.
    pub fn kill(&mut self) {
        self.process.signal("KILL");
        self.process.end();
    }

    pub fn restart(&mut self) {
        self.process = launch(
            &self.program,
            &self.folder,
            self.port,
            self.password,
            &self.more,
        );
        self.wait_until_ready();
    }

    fn wait_until_ready(&self) {
        eventually_blocking("Redis answers", Duration::from_secs(30), || {
            redis::Client::open(self.url())
                .and_then(|client| client.get_connection())
                .and_then(|mut connection| redis::cmd("PING").query::<String>(&mut connection))
                .is_ok()
        });
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.process.end();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub fn program() -> PathBuf {
    find_program("redis-server", &[]).expect(
        "Redis is needed for the tests: run scripts/test, or install the package redis-server",
    )
}

fn launch(
    program: &Path,
    folder: &Path,
    port: u16,
    password: Option<&str>,
    more: &[String],
) -> ServerProcess {
    let mut arguments = vec![
        "--port".to_owned(),
        port.to_string(),
        "--bind".to_owned(),
        "127.0.0.1".to_owned(),
        "--save".to_owned(),
        String::new(),
        "--appendonly".to_owned(),
        "no".to_owned(),
        "--dir".to_owned(),
        folder.display().to_string(),
    ];
    if let Some(password) = password {
        arguments.extend(["--requirepass".to_owned(), password.to_owned()]);
    }
    arguments.extend_from_slice(more);
    ServerProcess::start(program, &arguments, folder, None, "KILL")
}
