//! PgBouncer between the service and a Postgres server of the tests.

use std::path::PathBuf;
use std::time::Duration;

use super::deadline::eventually_blocking;
use super::server_process::{ServerProcess, find_program, free_port};

/// If it is set, all databases of the tests are reached through a pooler of this mode.
pub const VARIABLE: &str = "THUMBFORGE_TEST_POOLER";

pub struct Pooler {
    process: ServerProcess,
    folder: tempfile::TempDir,
    program: PathBuf,
    user: Option<(u32, u32)>,
    pub port: u16,
}

impl Pooler {
    /// In front of the server on `port`. `mode` is `session`, `transaction` or `statement`; `size`
    /// is how many connections of the server it has for each database.
    pub fn start(port: u16, mode: &str, size: u32, user: Option<(u32, u32)>) -> Self {
        let program = find_program("pgbouncer", &["/usr/sbin".into(), "/usr/local/sbin".into()])
            .expect("PgBouncer is needed for this test: run scripts/test, or install it");
        let folder = tempfile::Builder::new()
            .prefix("thumbforge-pgbouncer-")
            .tempdir()
            .expect("a temporary folder");
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid)).expect("root may chown");
        }
        let own_port = free_port();
        let users = folder.path().join("users.txt");
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={port}\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {own_port}\nunix_socket_dir =\n\
             auth_type = trust\nauth_file = {}\npool_mode = {mode}\ndefault_pool_size = {size}\n\
             max_client_conn = 1000\nserver_idle_timeout = 1\nserver_login_retry = 1\nlog_connections = 0\n\
             log_disconnections = 0\n",
            users.display()
        );
        std::fs::write(folder.path().join("pgbouncer.ini"), settings).expect("our own folder");
        std::fs::write(
            users,
            "\"thumbforge\" \"thumbforge\"\n\"reader\" \"reader\"\n",
        )
        .expect("our own folder");
        let process = launch(&program, folder.path(), user);
        let pooler = Self {
            process,
            folder,
            program,
            user,
            port: own_port,
        };
        pooler.wait_until_ready();
        pooler
    }

    pub fn stop_immediately(&mut self) {
        self.process.end();
    }

    pub fn restart(&mut self) {
        self.process = launch(&self.program, self.folder.path(), self.user);
        self.wait_until_ready();
    }

    fn wait_until_ready(&self) {
        eventually_blocking(
            "PgBouncer accepts connections",
            Duration::from_secs(30),
            || std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok(),
        );
    }
}

fn launch(
    program: &std::path::Path,
    folder: &std::path::Path,
    user: Option<(u32, u32)>,
) -> ServerProcess {
    let arguments = [folder.join("pgbouncer.ini").display().to_string()];
    // SIGTERM ends it at once; SIGINT would wait for its clients.
    ServerProcess::start(program, &arguments, folder, user, "TERM")
}
