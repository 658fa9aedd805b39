//! The built binary as a child process: started, signalled, killed, and gone with the test.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::deadline::eventually_blocking;
use super::http_client;
use super::server_process::free_port;

/// Longest time that a process may take to get ready: it shares two cores with the whole suite.
const STARTING: Duration = Duration::from_secs(30);

/// One process of ThumbForge, which keeps its address and log over restarts.
pub struct ChildProcess {
    pub command: &'static str,
    binary: PathBuf,
    environment: Vec<(String, String)>,
    folder: PathBuf,
    /// Of the API, or of the worker's health checks.
    pub address: SocketAddr,
    log: PathBuf,
    running: Option<Running>,
}

struct Running {
    child: Child,
    /// Kills the child when our end of its pipe closes, i.e. also when the test process is killed.
    watchdog: Child,
}

impl ChildProcess {
    /// Describes a process; nothing runs yet. `folder` is where it starts and keeps its log. It
    /// listens on a free port, unless `environment` names one.
    pub fn new(
        command: &'static str,
        name: &str,
        folder: &Path,
        environment: &[(String, String)],
    ) -> Self {
        let bind = match command {
            "work" => "THUMBFORGE_WORKER_BIND",
            _ => "THUMBFORGE_BIND",
        };
        let mut environment = environment.to_vec();
        let named = environment.iter().rfind(|(name, _)| name == bind);
        let address = match named {
            Some((_, address)) => address.parse().expect("an address"),
            None => SocketAddr::from(([127, 0, 0, 1], free_port())),
        };
        environment.push((bind.to_owned(), address.to_string()));
        Self {
            command,
            binary: PathBuf::from(BUILT),
            environment,
            folder: folder.to_owned(),
            address,
            log: folder.join(format!("{name}.log")),
            running: None,
        }
    }

    /// Runs a command to its end: exit code, and what it printed.
    pub fn run(
        command: &str,
        folder: &Path,
        environment: &[(String, String)],
    ) -> (Option<i32>, String) {
        Self::run_of(Path::new(BUILT), command, folder, environment)
    }

    /// The same with another binary.
    pub fn run_of(
        binary: &Path,
        command: &str,
        folder: &Path,
        environment: &[(String, String)],
    ) -> (Option<i32>, String) {
        let child = blank(binary, command, folder, environment)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be run");
        let pid = child.id();
        let (ended, end) = std::sync::mpsc::channel();
        std::thread::spawn(move || ended.send(child.wait_with_output()));
        let Ok(output) = end.recv_timeout(STARTING * 2) else {
            kill("KILL", pid);
            panic!("`thumbforge {command}` does not end");
        };
        let output = output.expect("our own child");
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    /// The command to run, for tests that look after the child themselves.
    pub fn command_line(&self) -> Command {
        blank(&self.binary, self.command, &self.folder, &self.environment)
    }

    /// Runs another binary from the next start on.
    pub fn set_binary(&mut self, binary: &Path) {
        self.binary = binary.to_owned();
    }

    pub fn set(&mut self, variable: &str, value: &str) {
        self.environment
            .push((variable.to_owned(), value.to_owned()));
    }

    /// Sets its wall clock wrong with libfaketime; time itself passes normally.
    pub fn set_clock(&mut self, library: &Path, shift: &str) {
        self.set("LD_PRELOAD", library.to_str().expect("a plain path"));
        self.set("FAKETIME", shift);
        self.set("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }

    /// Starts the process without waiting for it.
    pub fn launch(&mut self) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .expect("the log can be written");
        let child = self
            .command_line()
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("the binary can be run");
        let watchdog = Command::new("sh")
            .args(["-c", "cat >/dev/null; kill -KILL $1 2>/dev/null", "sh"])
            .arg(child.id().to_string())
            .stdin(Stdio::piped())
            .spawn()
            .expect("sh is there");
        self.running = Some(Running { child, watchdog });
    }

    /// Starts the process and waits until it is ready.
    pub fn start(&mut self) {
        self.launch();
        self.wait_until_ready();
    }

    pub fn wait_until_ready(&mut self) {
        let what = format!("`thumbforge {}` is ready", self.command);
        eventually_blocking(&what, STARTING, || {
            assert!(self.is_running(), "it ended: {}", self.tail());
            self.is_ready()
        });
    }

    /// Whether it reports itself ready.
    pub fn is_ready(&self) -> bool {
        let answer = http_client::try_get(self.address, "/readyz", Duration::from_secs(3));
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// False before its start and after its end.
    pub fn is_running(&mut self) -> bool {
        let Some(running) = &mut self.running else {
            return false;
        };
        let status = running.child.try_wait().expect("our own child");
        status.is_none()
    }

    pub fn pid(&self) -> u32 {
        self.running.as_ref().expect("it runs").child.id()
    }

    /// Sends a signal by name, e.g. `TERM`, `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        kill(name, self.pid());
    }

    /// SIGKILL, and waits until the process is gone.
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.end();
        }
    }

    /// Waits for an end that was asked for.
    pub fn wait_for_end(&mut self, limit: Duration) -> ExitStatus {
        let mut ended = None;
        let running = self.running.as_mut().expect("it runs");
        eventually_blocking("the process has ended", limit, || {
            ended = running.child.try_wait().expect("our own child");
            ended.is_some()
        });
        self.kill();
        ended.expect("it has ended")
    }

    pub fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The end of the log, for messages.
    pub fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }

    /// The id under which the worker of this run claims, as it logged it.
    pub fn worker_id(&self) -> Option<String> {
        let log = self.log();
        let line = log.lines().rfind(|line| line.contains("workers start"))?;
        let (_, id) = line.split_once("worker.id=")?;
        Some(id.split_whitespace().next()?.to_owned())
    }
}

const BUILT: &str = env!("CARGO_BIN_EXE_thumbforge");

/// A binary with this environment and no other.
fn blank(binary: &Path, command: &str, folder: &Path, environment: &[(String, String)]) -> Command {
    let mut child = Command::new(binary);
    child
        .arg(command)
        // No `.env` or `thumbforge.toml` of the project.
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null());
    child
}

pub fn kill(signal: &str, pid: u32) {
    let status = Command::new("kill")
        .args([format!("-{signal}"), pid.to_string()])
        .status()
        .expect("kill is there");
    assert!(status.success(), "kill -{signal}");
}

impl Running {
    fn end(mut self) {
        // First the watchdog: it must not outlive the pid that it watches.
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- {} ---\n{}", self.log.display(), self.tail());
        }
    }
}
