//! A server as a child process that can't outlive the tests.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

/// Runs under a shell that ends the server when our end of the pipe closes, i.e. also when the
/// test process ends or is killed. Then it removes the server's folder, too: gigabytes would be left
/// behind by the servers that all tests of a binary share, which nothing drops.
pub struct ServerProcess {
    keeper: Child,
    leash: Option<ChildStdin>,
    pid_file: PathBuf,
}

impl ServerProcess {
    /// Starts `program` with `arguments`, as `user` if given, to be ended with `last_signal`.
    pub fn start(
        program: &Path,
        arguments: &[String],
        folder: &Path,
        user: Option<(u32, u32)>,
        last_signal: &str,
    ) -> Self {
        let pid_file = folder.join("test-server.pid");
        let script = r#"
            log="$1"; pid_file="$2"; last_signal="$3"; folder="$4"; shift 4
            "$@" </dev/null >>"$log" 2>&1 &
            pid=$!
            echo $pid > "$pid_file"
            read -r word
            kill -CONT $pid 2>/dev/null
            kill -$last_signal $pid 2>/dev/null
            wait $pid
            [ "$word" = keep ] || rm -rf "$folder"
        "#;
        let mut command = Command::new("sh");
        command
            .args(["-c", script, "sh"])
            .arg(folder.join("test-server.log"))
            .arg(&pid_file)
            .arg(last_signal)
            .arg(folder)
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir(folder);
        run_as(&mut command, user);
        let _ = std::fs::remove_file(&pid_file);
        let mut keeper = command.spawn().expect("sh is there");
        let leash = keeper.stdin.take();
        Self {
            keeper,
            leash,
            pid_file,
        }
    }

    /// Sends a signal by name, e.g. `KILL`, `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        let pid = std::fs::read_to_string(&self.pid_file).expect("the server wrote its pid");
        let status = Command::new("kill")
            .args([&format!("-{name}"), pid.trim()])
            .status()
            .expect("kill is there");
        assert!(status.success(), "kill -{name} {pid}");
    }

    /// Ends the server and waits until it is gone. Its folder stays: it may be started again.
    pub fn end(&mut self) {
        if let Some(mut leash) = self.leash.take() {
            let _ = leash.write_all(b"keep\n");
        }
        let _ = self.keeper.wait();
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.end();
    }
}

pub fn run_as(command: &mut Command, user: Option<(u32, u32)>) {
    use std::os::unix::process::CommandExt;
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
}

/// Below those that Linux gives to clients, and to servers that ask for any: one of these would
/// otherwise take a port between its choice and its use.
const FIRST_PORT: u16 = 12_000;
const PORTS: u16 = 20_000;

/// A port that was free a moment ago, and that this process has not chosen before.
pub fn free_port() -> u16 {
    static CHOSEN: AtomicU16 = AtomicU16::new(0);
    // Processes of tests begin at different places.
    let begin = u64::from(std::process::id()) * 997;
    let begin = u16::try_from(begin % u64::from(PORTS)).expect("below that");
    for _ in 0..PORTS {
        let chosen = CHOSEN.fetch_add(1, Ordering::Relaxed) % PORTS;
        let port = FIRST_PORT + (begin + chosen) % PORTS;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("loopback has no free port");
}

/// Finds a program on the PATH or in one of `folders`.
pub fn find_program(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders
        .iter()
        .cloned()
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}
