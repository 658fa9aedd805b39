//! Reading and writing of pipes that never lasts beyond a deadline, whatever the other side does.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::Broken;

/// As large as the kernel lets everybody make a pipe (`/proc/sys/fs/pipe-max-size`): a picture
/// passes in fewer pieces.
const PIPE_BYTES: usize = 1 << 20;

/// Makes this end one that never waits by itself.
pub(super) fn prepare(pipe: impl AsFd) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(&pipe)?;
    rustix::fs::fcntl_setfl(&pipe, flags | OFlags::NONBLOCK)?;
    match rustix::pipe::fcntl_setpipe_size(&pipe, PIPE_BYTES) {
        // A user with many pipes gets small ones: they are slower, no more.
        Ok(_) | Err(Errno::PERM | Errno::BUSY) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Fills `buffer`.
pub(super) fn read_exact(
    pipe: BorrowedFd<'_>,
    mut buffer: &mut [u8],
    deadline: Option<Instant>,
) -> Result<(), Broken> {
    while !buffer.is_empty() {
        match rustix::io::read(pipe, &mut *buffer) {
            Ok(0) => return Err(closed()),
            Ok(read) => buffer = &mut buffer[read..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait(pipe, PollFlags::IN, deadline)?,
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

pub(super) fn write_all(
    pipe: BorrowedFd<'_>,
    mut bytes: &[u8],
    deadline: Option<Instant>,
) -> Result<(), Broken> {
    while !bytes.is_empty() {
        match rustix::io::write(pipe, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait(pipe, PollFlags::OUT, deadline)?,
            Err(Errno::PIPE) => return Err(closed()),
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

/// Waits until something can be read or written, or the other side is gone.
fn wait(pipe: BorrowedFd<'_>, what: PollFlags, deadline: Option<Instant>) -> Result<(), Broken> {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    if left == Some(Duration::ZERO) {
        return Err(Broken::TimedOut);
    }
    let left = left.and_then(|left| Timespec::try_from(left).ok());
    match poll(&mut [PollFd::from_borrowed_fd(pipe, what)], left.as_ref()) {
        Ok(0) => Err(Broken::TimedOut),
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

fn closed() -> Broken {
    Broken::Ended("it closed its pipe".into())
}

fn failed(error: Errno) -> Broken {
    Broken::Ended(format!("its pipe failed: {error}"))
}
