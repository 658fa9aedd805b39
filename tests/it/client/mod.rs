//! The commands that speak to a running service, as a person at a terminal types them.

mod commands;
mod libraries;
mod readme;
mod submit;
mod submit_faults;
mod terminal;

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use crate::support::child_process::ChildProcess;
use crate::support::http_client::{Answer, try_get};
use crate::support::images;
use crate::support::origin::{Origin, Reply};

/// No command of these tests takes longer.
const LIMIT: Duration = Duration::from_secs(120);

/// A running service, an origin of pictures, and a folder to be in.
struct Stand {
    service: ChildProcess,
    origin: Origin,
    folder: tempfile::TempDir,
}

struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Stand {
    async fn new(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let own = [
            (
                "THUMBFORGE_DATABASE_URL",
                format!("sqlite://{}", path("jobs.db")),
            ),
            ("THUMBFORGE_STORAGE_PATH", path("thumbnails")),
            (
                "THUMBFORGE_ALLOWED_SOURCE_NETWORKS",
                "127.0.0.0/8".to_owned(),
            ),
            ("THUMBFORGE_ALLOWED_SOURCE_PORTS", "*".to_owned()),
            (
                "THUMBFORGE_ALLOWED_WEBHOOK_NETWORKS",
                "127.0.0.0/8".to_owned(),
            ),
            ("THUMBFORGE_ALLOWED_WEBHOOK_PORTS", "*".to_owned()),
        ];
        let given = settings
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        let variables: Vec<_> = own.into_iter().chain(given).collect();
        let variables: Vec<_> = variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let mut service = ChildProcess::new("all", "all", folder.path(), &variables);
        tokio::task::block_in_place(|| service.start());
        Self {
            service,
            origin: Origin::start().await,
            folder,
        }
    }

    /// Serves a picture at `path`, and returns its URL.
    fn picture(&self, path: &str) -> String {
        let picture = images::jpeg(64, 48, 1);
        self.origin.on(path, [Reply::body("image/jpeg", picture)]);
        self.origin.url(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), text).unwrap();
        name.to_owned()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let server = format!("http://{}", self.service.address);
        command(self.folder.path(), &server, arguments)
    }

    async fn run(&self, arguments: &[&str]) -> Said {
        self.run_with(arguments, b"").await
    }

    async fn run_with(&self, arguments: &[&str], input: &[u8]) -> Said {
        let mut child = self.command(arguments).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input).await.unwrap();
        drop(stdin);
        ended(child).await
    }

    /// Runs a command that must succeed, and returns what it printed.
    async fn printed(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments).await;
        assert_eq!(
            said.code,
            Some(0),
            "{arguments:?}: {}{}",
            said.stdout,
            said.stderr
        );
        said.stdout
    }

    fn answer(&self, target: &str) -> Answer {
        try_get(self.service.address, target, LIMIT).unwrap()
    }

    fn get(&self, target: &str) -> Value {
        self.answer(target).json()
    }

    fn count(&self, name: &str) -> u64 {
        self.get("/v1/metrics")[name].as_u64().unwrap()
    }
}

fn command(folder: &Path, server: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thumbforge"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("THUMBFORGE_SERVER", server)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs a program to its end, without input.
async fn finished(command: &mut Command) -> Said {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    ended(child.unwrap()).await
}

async fn ended(child: Child) -> Said {
    let output = tokio::time::timeout(LIMIT, child.wait_with_output()).await;
    let Output {
        status,
        stdout,
        stderr,
    } = output.expect("the command ends").unwrap();
    Said {
        code: status.code(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().expect("it runs").to_string();
    let status = std::process::Command::new("kill")
        .args([&format!("-{name}"), &pid])
        .status();
    assert!(status.unwrap().success());
}
