//! What a child runs, and the thread that starts it.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use super::{CannotIsolate, ChildLimits};
use crate::cli::DecodeChildArguments;

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub path: PathBuf,
    pub arguments: Vec<OsString>,
    /// The most that a child of it may use, as its arguments say.
    pub memory_bytes: u64,
}

/// How long a child decodes all in all before another takes its place: this bounds what it may use
/// of a processor over its life, and how long hostile code that took it over stays.
pub(super) const LIFE: Duration = Duration::from_secs(60);
/// Threads that a decoder may keep busy at once: its own and two of AV1.
const THREADS: u64 = 3;

impl Program {
    /// This program itself, also if its file was replaced since it started.
    pub fn itself(limits: &ChildLimits) -> Self {
        Self::at("/proc/self/exe".into(), limits)
    }

    /// The child of the program at this path.
    pub fn at(path: PathBuf, limits: &ChildLimits) -> Self {
        let seconds = (LIFE + limits.timeout).as_secs() + 1;
        let arguments = DecodeChildArguments {
            memory_bytes: limits.memory_bytes,
            cpu_seconds: seconds * THREADS,
        };
        Self {
            path,
            arguments: arguments.to_line(),
            memory_bytes: limits.memory_bytes,
        }
    }

    /// With no more than it needs: no variable, no terminal, no folder.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A Ctrl-C is for the service, which finishes its jobs.
            .process_group(0);
        command
    }
}

type Started = io::Result<std::process::Child>;

/// A thread that starts children. They die with the thread that started them (`PR_SET_PDEATHSIG`
/// counts threads), and the threads that decode come and go.
pub(super) struct Starter {
    orders: Mutex<Sender<Sender<Started>>>,
    /// Of a child.
    pub(super) memory_bytes: u64,
}

impl Starter {
    pub(super) fn new(program: Program) -> Result<Self, CannotIsolate> {
        let (orders, ordered) = channel::<Sender<Started>>();
        let memory_bytes = program.memory_bytes;
        let start = move || {
            for reply in ordered {
                // Nobody waits any more if the job's thread was given up.
                let _ = reply.send(program.command().spawn());
            }
        };
        std::thread::Builder::new()
            .name("decoder-starter".into())
            .spawn(start)
            .map_err(|error| CannotIsolate(format!("no thread starts: {error}")))?;
        Ok(Self {
            orders: Mutex::new(orders),
            memory_bytes,
        })
    }

    pub(super) fn start(&self) -> Started {
        let gone = || io::Error::other("the thread that starts decoders has ended");
        let (reply, replied) = channel();
        let orders = self.orders.lock().map_err(|_| gone())?;
        orders.send(reply).map_err(|_| gone())?;
        drop(orders);
        replied.recv().map_err(|_| gone())?
    }
}
