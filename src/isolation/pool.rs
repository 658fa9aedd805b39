//! The children that wait for work. There are at most as many as decodes at once, because one is
//! started only when none waits.

use std::io::ErrorKind;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use thumbforge_imaging::confined::Unmeasured;
use thumbforge_imaging::{Format, ImagingError, Limits, Picture, Plan, Source};

use super::child::Child;
use super::program::{Program, Starter};
use super::serve::Greeting;
use super::{Broken, CannotIsolate};
use crate::domain::{Failure, FailureCode};

/// How often a first child that ends at once is tried again.
const TRIES: u32 = 3;
/// A child whose start took so long is the fault of this machine, as is what comes of it.
const SLOW_START: Duration = Duration::from_secs(1);

/// Children of one program.
pub struct Pool {
    starter: Starter,
    idle: Mutex<Vec<Child>>,
    has_landlock: bool,
}

impl Pool {
    /// Starts the first child, and sees whether it could lock itself. One that is only slow, or that
    /// the system has no room for now, is tried again with the first picture.
    ///
    /// # Errors
    /// A program that is not there, that can't lock itself, or that always ends at once.
    pub fn open(program: Program) -> Result<Self, CannotIsolate> {
        let starter = Starter::new(program)?;
        let (idle, has_landlock) = match first(&starter)? {
            Some((child, has_landlock)) => (vec![child], has_landlock),
            None => (Vec::new(), false),
        };
        Ok(Self {
            starter,
            idle: Mutex::new(idle),
            has_landlock,
        })
    }

    /// Whether the kernel refuses files and network a second time.
    pub const fn has_landlock(&self) -> bool {
        self.has_landlock
    }

    /// The processes that wait for work.
    pub fn idle(&self) -> Vec<u32> {
        self.children().iter().map(Child::id).collect()
    }

    /// Has a picture decoded. Waits for it, at most until the deadline of `limits`.
    ///
    /// # Errors
    /// Those of the picture, or of the child that had it.
    pub fn decode(
        &self,
        source: &Source<'_>,
        plan: &Plan,
        limits: &Limits,
    ) -> Result<Picture<'static>, Failure> {
        self.have(source.format(), |child| child.decode(source, plan, limits))
    }

    /// Has a source measured that this process may not even parse. Waits as [`Self::decode`] does.
    ///
    /// # Errors
    /// Those of the source, or of the child that had it.
    pub fn measure<'a>(
        &self,
        source: Unmeasured<'a>,
        limits: &Limits,
    ) -> Result<Source<'a>, Failure> {
        self.have(source.format(), |child| child.measure(source, limits))
    }

    /// Has a child do something.
    fn have<T>(
        &self,
        format: Format,
        work: impl FnOnce(&mut Child) -> Result<Result<T, ImagingError>, Broken>,
    ) -> Result<T, Failure> {
        let began = Instant::now();
        let mut child = self.take().map_err(|broken| failure(&broken))?;
        let started_late = began.elapsed() > SLOW_START;
        let id = child.id();
        match work(&mut child) {
            Ok(done) => {
                if child.is_fit() {
                    self.children().push(child);
                }
                Ok(done?)
            }
            Err(broken) => {
                tracing::warn!(process = id, format = format.name(), reason = %broken, "a decoder failed");
                // The picture had less time than it is allowed.
                Err(failure(match broken {
                    Broken::TimedOut if started_late => &Broken::Late,
                    ref broken => broken,
                }))
            }
        }
    }

    fn take(&self) -> Result<Child, Broken> {
        // The latest is the warmest.
        while let Some(mut child) = { self.children().pop() } {
            if child.is_fit() {
                return Ok(child);
            }
        }
        match begin(&self.starter)? {
            (child, Greeting::Locked { .. }) => Ok(child),
            (_, Greeting::Refused { sentence }) => Err(Broken::Ended(sentence)),
        }
    }

    fn children(&self) -> MutexGuard<'_, Vec<Child>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first child, and whether it has Landlock; `None` if there is none now, but may be one later.
fn first(starter: &Starter) -> Result<Option<(Child, bool)>, CannotIsolate> {
    let mut tries = 0;
    loop {
        tries += 1;
        match begin(starter) {
            Ok((child, Greeting::Locked { has_landlock })) => {
                return Ok(Some((child, has_landlock)));
            }
            Ok((_, Greeting::Refused { sentence })) => return Err(CannotIsolate(sentence)),
            Err(broken @ (Broken::Late | Broken::NoRoom(_))) => {
                tracing::warn!(reason = %broken, "the first decoder does not start yet");
                return Ok(None);
            }
            Err(broken) if tries == TRIES => return Err(CannotIsolate(broken.to_string())),
            Err(_) => {}
        }
    }
}

fn begin(starter: &Starter) -> Result<(Child, Greeting), Broken> {
    let process = starter.start().map_err(|error| match error.kind() {
        // Too many processes, or too little memory.
        ErrorKind::WouldBlock | ErrorKind::OutOfMemory => Broken::NoRoom(error.to_string()),
        _ => Broken::Ended(format!("it does not start: {error}")),
    })?;
    Child::greet(process, starter.memory_bytes)
}

/// For the client. How the process ended is for our log.
fn failure(broken: &Broken) -> Failure {
    match broken {
        Broken::TimedOut => ImagingError::Timeout.into(),
        Broken::Ended(_) | Broken::Senseless | Broken::Late | Broken::NoRoom(_) => Failure::new(
            FailureCode::DecoderCrashed,
            "the process that decoded the image broke off",
        ),
    }
}
