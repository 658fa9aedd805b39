//! The built binary as a child process.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::deadline::eventually_blocking;

/// A running `thumbforge`, killed when dropped. What it prints is kept.
pub struct Program {
    child: Child,
    output: Arc<Mutex<String>>,
}

impl Program {
    /// Starts a command with these variables and no others of its own.
    pub fn start(command: &str, variables: &[(&str, String)]) -> Self {
        let mut child = blank(command, variables)
            .spawn()
            .expect("the built binary can be started");
        let output = Arc::<Mutex<String>>::default();
        let streams: [Box<dyn std::io::Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("piped")),
            Box::new(child.stderr.take().expect("piped")),
        ];
        for stream in streams {
            let output = Arc::clone(&output);
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let mut kept = output.lock().expect("not poisoned");
                    kept.push_str(&line);
                    kept.push('\n');
                }
            });
        }
        Self { child, output }
    }

    /// Runs a command to its end: exit code, and what it printed.
    pub fn run(command: &str, variables: &[(&str, String)]) -> (Option<i32>, String) {
        let output = blank(command, variables)
            .output()
            .expect("the built binary can be started");
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    pub fn output(&self) -> String {
        self.output.lock().expect("not poisoned").clone()
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .expect("kill is there");
        assert!(status.success(), "kill -{name}");
    }

    /// Waits for the end.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let mut ended = None;
        eventually_blocking("the process ends", limit, || {
            ended = self.child.try_wait().expect("it is our child");
            ended.is_some()
        });
        ended.expect("it has ended")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- output of the child process\n{}", self.output());
        }
    }
}

fn blank(command: &str, variables: &[(&str, String)]) -> Command {
    let mut child = Command::new(env!("CARGO_BIN_EXE_thumbforge"));
    child
        .args(command.split(' '))
        .env_clear()
        .env("THUMBFORGE_LOG_LEVEL", "info")
        .envs(variables.iter().map(|(name, value)| (name, value)))
        // No `.env` or `thumbforge.toml` of the project.
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    child
}
