//! A client's connection that ends unless its requests make progress.
//!
//! The HTTP library limits the first head of a connection and the time between requests, and
//! handlers limit the bodies that they read. Nothing limits a second head, or a body that no
//! handler reads: a client could send it byte by byte for ever. Whatever the trick, nothing is ever
//! written to such a connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// Longest time without a write on a connection, or from its start to the first. Longer than an
/// idle time, the slowest request that is allowed, and the wait for its answer take together.
pub(super) const ANSWER_DEADLINE: Duration = Duration::from_secs(60);

/// Far more than any request has. A client that posts the photo instead of its URL still gets to
/// read the refusal.
const MAX_UNANSWERED_BYTES: usize = 16 * 1024 * 1024;

/// What a client may do before something is written to it.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub answer_deadline: Duration,
    pub max_unanswered_bytes: usize,
}

impl Pace {
    pub(super) const DEFAULT: Self = Self {
        answer_deadline: ANSWER_DEADLINE,
        max_unanswered_bytes: MAX_UNANSWERED_BYTES,
    };
}

impl Default for Pace {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// By which a handler says that the request it reads makes progress without an answer yet, as a long
/// stream of items does.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress(Arc<AtomicBool>);

impl Progress {
    /// Starts both counts of the connection's [`Pace`] anew.
    pub fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// A stream that fails with [`io::ErrorKind::TimedOut`] or [`io::ErrorKind::QuotaExceeded`] once
/// its [`Pace`] is broken. Each byte written starts both counts anew.
pub(super) struct PacedStream<S> {
    stream: S,
    pace: Pace,
    clock: Pin<Box<Sleep>>,
    unanswered_bytes: usize,
    progress: Progress,
}

impl<S> PacedStream<S> {
    /// Must be called inside a runtime with timers.
    pub fn new(stream: S, pace: Pace) -> Self {
        Self {
            stream,
            pace,
            clock: Box::pin(sleep(pace.answer_deadline)),
            unanswered_bytes: 0,
            progress: Progress::default(),
        }
    }

    /// For the handlers of this connection.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    fn answered(&mut self) {
        let end = Instant::now() + self.pace.answer_deadline;
        self.clock.as_mut().reset(end);
        self.unanswered_bytes = 0;
    }

    /// Pending until the time is over, which wakes the caller; then an error.
    fn poll_clock<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if self.clock.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        if self.progress.take() {
            self.answered();
            if self.clock.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
        let reason = "no answer in time";
        Poll::Ready(Err(cut_off(io::ErrorKind::TimedOut, reason)))
    }
}

/// The server drops the error, so it is logged here.
fn cut_off(kind: io::ErrorKind, reason: &'static str) -> io::Error {
    tracing::debug!(reason, "a client was cut off");
    io::Error::new(kind, reason)
}

impl<S: AsyncRead + Unpin> AsyncRead for PacedStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.progress.take() {
            this.answered();
        }
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(context, buffer) {
            Poll::Pending => this.poll_clock(context),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {
                this.unanswered_bytes += buffer.filled().len() - before;
                if this.unanswered_bytes > this.pace.max_unanswered_bytes {
                    let reason = "too much was sent without an answer";
                    return Poll::Ready(Err(cut_off(io::ErrorKind::QuotaExceeded, reason)));
                }
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PacedStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.stream).poll_write(context, bytes) {
            // The server no longer reads once the client has closed its half.
            Poll::Pending => this.poll_clock(context),
            Poll::Ready(Ok(written)) => {
                if written > 0 {
                    this.answered();
                }
                Poll::Ready(Ok(written))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn paced() -> (DuplexStream, PacedStream<DuplexStream>) {
        let (client, server) = duplex(64);
        let pace = Pace {
            answer_deadline: 10 * SECOND,
            max_unanswered_bytes: 100,
        };
        (client, PacedStream::new(server, pace))
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_that_drip_do_not_move_the_deadline() {
        let (mut client, mut server) = paced();
        let begun = Instant::now();
        let drip = async {
            while client.write_all(b"a").await.is_ok() {
                sleep(SECOND).await;
            }
        };
        let read = async {
            loop {
                if let Err(error) = server.read_u8().await {
                    return error.kind();
                }
            }
        };
        tokio::select! {
            () = drip => unreachable!("the server holds its end"),
            kind = read => assert_eq!(kind, io::ErrorKind::TimedOut),
        }
        let held = begun.elapsed();
        assert!(held >= 10 * SECOND && held < 11 * SECOND, "{held:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_starts_the_counts_anew() {
        let (mut client, mut server) = paced();
        for _ in 0..10 {
            client.write_all(&[0; 60]).await.unwrap();
            sleep(9 * SECOND).await;
            server.read_exact(&mut [0; 60]).await.unwrap();
            server.write_all(b"a").await.unwrap();
            client.read_u8().await.unwrap();
        }
        let error = server.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn noted_progress_starts_them_anew_too() {
        let (mut client, mut server) = paced();
        let progress = server.progress();
        for _ in 0..10 {
            client.write_all(&[0; 60]).await.unwrap();
            sleep(9 * SECOND).await;
            progress.note();
            server.read_exact(&mut [0; 60]).await.unwrap();
        }
        // The last note is older than the time it gave.
        let error = server.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_cut_off() {
        let (mut client, mut server) = paced();
        client.write_all(&[0; 60]).await.unwrap();
        server.read_exact(&mut [0; 60]).await.unwrap();
        client.write_all(&[0; 41]).await.unwrap();
        let error = server.read_exact(&mut [0; 41]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::QuotaExceeded);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_ends_too() {
        let (client, mut server) = paced();
        let writing = tokio::time::timeout(11 * SECOND, server.write_all(&[0; 65]));
        let error = writing.await.expect("an end in time").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(client);
    }
}
