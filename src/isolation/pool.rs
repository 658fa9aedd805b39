//! The children that wait for work. There are at most as many as decodes at once, because one is
//! started only when none waits.

use std::sync::{Mutex, MutexGuard, PoisonError};

use thumbforge_imaging::confined::Unmeasured;
use thumbforge_imaging::{Format, ImagingError, Limits, Picture, Plan, Source};

use super::child::Child;
use super::program::{Program, Starter};
use super::serve::Greeting;
use super::{Broken, CannotIsolate};
use crate::domain::{Failure, FailureCode};

/// Children of one program.
pub struct Pool {
    starter: Starter,
    idle: Mutex<Vec<Child>>,
    has_landlock: bool,
}

impl Pool {
    /// Starts the first child, and sees whether it could lock itself.
    ///
    /// # Errors
    /// A child that can't be started or locked, with the reason.
    pub fn open(program: Program) -> Result<Self, CannotIsolate> {
        let starter = Starter::new(program)?;
        let (child, greeting) =
            begin(&starter).map_err(|broken| CannotIsolate(broken.to_string()))?;
        let has_landlock = match greeting {
            Greeting::Locked { has_landlock } => has_landlock,
            Greeting::Refused { sentence } => return Err(CannotIsolate(sentence)),
        };
        Ok(Self {
            starter,
            idle: Mutex::new(vec![child]),
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
        let mut child = self.take().map_err(|broken| failure(&broken))?;
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
                Err(failure(&broken))
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

fn begin(starter: &Starter) -> Result<(Child, Greeting), Broken> {
    let process = starter.start();
    let process = process.map_err(|error| Broken::Ended(format!("it does not start: {error}")))?;
    Child::greet(process, starter.memory_bytes)
}

/// For the client. How the process ended is for our log.
fn failure(broken: &Broken) -> Failure {
    match broken {
        Broken::TimedOut => ImagingError::Timeout.into(),
        Broken::Ended(_) | Broken::Senseless => Failure::new(
            FailureCode::DecoderCrashed,
            "the process that decoded the image broke off",
        ),
    }
}
