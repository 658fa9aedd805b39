//! One child: its greeting, its pictures, its end.

use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, pidfd_open, prlimit};
use thumbforge_imaging::confined::{ANSWER_HEAD_BYTES, Expected, Unmeasured};
use thumbforge_imaging::{ImagingError, Limits, Picture, Plan, Source};

use super::serve::{GREETING_BYTES, Greeting};
use super::{Broken, CHILD_BYTES, pipes, program};

/// A child that wrote nothing for so long will never do.
const GREETING_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a process that closed its pipes may take to be gone.
const END_TIMEOUT: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};
/// Pictures of one child.
const MAX_PICTURES: u32 = 1000;
/// Memory that a child may have been given, or hold, and still be kept.
const KEPT_BYTES: usize = 64 << 20;

/// A process that decodes, and our ends of its pipes. It is killed when this is dropped.
pub(super) struct Child {
    process: std::process::Child,
    input: ChildStdin,
    output: ChildStdout,
    pictures: u32,
    worked: Duration,
    /// The most that one of its pictures took.
    memory_bytes: usize,
    /// What it may use at the most.
    most_bytes: u64,
}

/// What a child is asked.
struct Asked<'a> {
    order: &'a [u8],
    bytes: &'a [u8],
    /// What is reserved for it, with the copy of the source.
    memory_bytes: usize,
    deadline: Option<Instant>,
}

impl Child {
    /// Takes over a process that was just started, and waits for its greeting.
    pub(super) fn greet(
        mut process: std::process::Child,
        most_bytes: u64,
    ) -> Result<(Self, Greeting), Broken> {
        let pipes = process.stdin.take().zip(process.stdout.take());
        let Some((input, output)) = pipes else {
            return Err(Broken::Ended("it has no pipes".into()));
        };
        let mut child = Self {
            process,
            input,
            output,
            pictures: 0,
            worked: Duration::ZERO,
            memory_bytes: 0,
            most_bytes,
        };
        for prepared in [pipes::prepare(&child.input), pipes::prepare(&child.output)] {
            prepared.map_err(|error| Broken::Ended(format!("its pipe: {error}")))?;
        }
        let deadline = Some(Instant::now() + GREETING_TIMEOUT);
        let mut greeting = [0; GREETING_BYTES];
        let read = pipes::read_exact(child.output.as_fd(), &mut greeting, deadline);
        read.map_err(|broken| match child.end_of(broken) {
            Broken::TimedOut => Broken::Late,
            broken => broken,
        })?;
        let greeting = Greeting::from_bytes(&greeting).ok_or(Broken::Senseless)?;
        Ok((child, greeting))
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether it may get another picture. One that died while it waited may not.
    pub(super) fn is_fit(&mut self) -> bool {
        self.pictures < MAX_PICTURES
            && self.worked < program::LIFE
            && (self.memory_bytes <= KEPT_BYTES || self.holds_little())
            && matches!(self.process.try_wait(), Ok(None))
    }

    /// Whether its memory went back to the system after pictures that may have taken much.
    fn holds_little(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()));
        let held = status.ok().and_then(|status| {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:"))?;
            line.split_whitespace().next()?.parse::<usize>().ok()
        });
        held.is_some_and(|kib| kib <= KEPT_BYTES >> 10)
    }

    /// Has one picture decoded. After an error it must not be used again.
    pub(super) fn decode(
        &mut self,
        source: &Source<'_>,
        plan: &Plan,
        limits: &Limits,
    ) -> Result<Result<Picture<'static>, ImagingError>, Broken> {
        let asked = Asked {
            order: &source.order(plan, limits),
            bytes: source.bytes(),
            memory_bytes: source.confined_memory_bytes(plan),
            deadline: limits.deadline,
        };
        let (expected, body) = self.ask(&asked, |head| source.expect(plan, head))?;
        Ok(source.receive(expected, body, limits))
    }

    /// Has one source measured. After an error it must not be used again.
    pub(super) fn measure<'a>(
        &mut self,
        source: Unmeasured<'a>,
        limits: &Limits,
    ) -> Result<Result<Source<'a>, ImagingError>, Broken> {
        let asked = Asked {
            order: &source.order(limits),
            bytes: source.bytes(),
            memory_bytes: source.memory_bytes(),
            deadline: limits.deadline,
        };
        let (expected, body) = self.ask(&asked, |head| source.expect(head))?;
        Ok(source.receive(expected, &body, limits))
    }

    fn ask(
        &mut self,
        asked: &Asked<'_>,
        expect: impl FnOnce(&[u8]) -> Result<Expected, ImagingError>,
    ) -> Result<(Expected, Vec<u8>), Broken> {
        let began = Instant::now();
        self.hold_to(asked.memory_bytes)?;
        let exchanged = self.exchange(asked, expect);
        let exchanged = exchanged.map_err(|broken| self.end_of(broken))?;
        self.pictures += 1;
        self.worked += began.elapsed();
        self.memory_bytes = self.memory_bytes.max(asked.memory_bytes);
        Ok(exchanged)
    }

    /// Lets it have what is reserved for its picture, and no more of what it could have. Only we
    /// can change that again.
    fn hold_to(&self, memory_bytes: usize) -> Result<(), Broken> {
        let kept = CHILD_BYTES + KEPT_BYTES as u64;
        let wanted = kept.saturating_add(memory_bytes as u64);
        let limit = Rlimit {
            current: Some(wanted.min(self.most_bytes)),
            maximum: Some(self.most_bytes),
        };
        prlimit(Some(Pid::from_child(&self.process)), Resource::Data, limit)
            .map(|_| ())
            .map_err(|error| Broken::Ended(format!("its memory can't be limited: {error}")))
    }

    fn exchange(
        &self,
        asked: &Asked<'_>,
        expect: impl FnOnce(&[u8]) -> Result<Expected, ImagingError>,
    ) -> Result<(Expected, Vec<u8>), Broken> {
        let (input, output) = (self.input.as_fd(), self.output.as_fd());
        let deadline = asked.deadline;
        pipes::write_all(input, asked.order, deadline)?;
        pipes::write_all(input, asked.bytes, deadline)?;
        let mut head = [0; ANSWER_HEAD_BYTES];
        pipes::read_exact(output, &mut head, deadline)?;
        let expected = expect(&head).map_err(|_| Broken::Senseless)?;
        let mut body = vec![0; expected.body_bytes()];
        pipes::read_exact(output, &mut body, deadline)?;
        Ok((expected, body))
    }

    /// Says how the process ended, where that is why its pipe was closed.
    fn end_of(&mut self, broken: Broken) -> Broken {
        if !matches!(broken, Broken::Ended(_)) {
            return broken;
        }
        // Its pipes close a moment before it is gone.
        let id = Pid::from_child(&self.process);
        if let Ok(process) = pidfd_open(id, PidfdFlags::empty()) {
            let _ = poll(
                &mut [PollFd::new(&process, PollFlags::IN)],
                Some(&END_TIMEOUT),
            );
        }
        match self.process.try_wait() {
            Ok(Some(status)) => match status.signal() {
                Some(signal) => Broken::Ended(format!("signal {signal} killed it")),
                None => Broken::Ended(format!("it ended with {status}")),
            },
            Ok(None) | Err(_) => broken,
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // SIGKILL also ends what is stopped; both fail only if it is gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
