//! One connection to a source: plain or TLS, with what was read ahead.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

use super::error::FetchError;

/// Read-ahead for heads and chunked bodies; bodies of known length are read in place.
const READ_AHEAD_BYTES: usize = 16 * 1024;

pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

pub(super) struct Connection {
    stream: Stream,
    /// Received and not yet consumed.
    pub(super) buffer: BytesMut,
    /// True once the current request got any byte of an answer.
    pub(super) has_answered: bool,
}

impl Connection {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
            has_answered: false,
        }
    }

    /// Sends a request that does not wait for anything but the socket.
    pub(super) async fn send(&mut self, request: &[u8]) -> Result<(), FetchError> {
        self.has_answered = false;
        let sent = match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(request).await,
            Stream::Tls(stream) => match stream.write_all(request).await {
                Ok(()) => stream.flush().await,
                failed => failed,
            },
        };
        sent.map_err(|error| broken(&error))
    }

    /// Reads more into the buffer. `Ok(false)` at the end of the stream.
    pub(super) async fn fill(&mut self, deadline: Instant) -> Result<bool, Interrupted> {
        self.buffer.reserve(READ_AHEAD_BYTES);
        let read = self.stream.read_buf(&mut self.buffer);
        let count = finish_read(read, deadline).await?;
        self.has_answered |= count > 0;
        Ok(count > 0)
    }

    /// Reads at most `limit` bytes to the end of `body`, past the (empty) buffer. 0 at the end.
    pub(super) async fn read_into(
        &mut self,
        body: &mut BytesMut,
        limit: usize,
        deadline: Instant,
    ) -> Result<usize, Interrupted> {
        debug_assert!(self.buffer.is_empty());
        let mut limited = bytes::BufMut::limit(body, limit);
        finish_read(self.stream.read_buf(&mut limited), deadline).await
    }

    /// True if the connection is open and silent, as a kept one has to be: bytes that nobody asked
    /// for would be taken as the answer to the next request.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.buffer.is_empty()
            && match &mut self.stream {
                Stream::Plain(stream) => is_quiet_socket(stream),
                Stream::Tls(stream) => {
                    is_quiet_session(stream) && is_quiet_socket(stream.get_ref().0)
                }
            }
    }
}

/// Asks the socket itself: the runtime may not have heard yet of what arrived.
fn is_quiet_socket(stream: &TcpStream) -> bool {
    let peeked = SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]);
    peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

/// Looks for plaintext that was decrypted already, and swallows session tickets on the way.
fn is_quiet_session(stream: &mut TlsStream<TcpStream>) -> bool {
    let mut byte = [0; 1];
    let mut unasked = ReadBuf::new(&mut byte);
    let mut context = Context::from_waker(Waker::noop());
    Pin::new(stream)
        .poll_read(&mut context, &mut unasked)
        .is_pending()
}

/// Why a read brought nothing.
#[derive(Debug)]
pub(super) enum Interrupted {
    Deadline,
    Failed(FetchError),
}

impl Interrupted {
    /// The error, where passing the deadline means `timeout`.
    pub(super) fn or_timeout(self, timeout: FetchError) -> FetchError {
        match self {
            Self::Deadline => timeout,
            Self::Failed(error) => error,
        }
    }
}

async fn finish_read(
    read: impl Future<Output = io::Result<usize>>,
    deadline: Instant,
) -> Result<usize, Interrupted> {
    match tokio::time::timeout_at(deadline, read).await {
        Ok(Ok(count)) => Ok(count),
        Ok(Err(error)) => Err(Interrupted::Failed(broken(&error))),
        Err(_) => Err(Interrupted::Deadline),
    }
}

fn broken(error: &io::Error) -> FetchError {
    tracing::debug!(%error, "connection to a source broke");
    match error.kind() {
        // TLS that ends without saying so may have been cut by a third party.
        io::ErrorKind::UnexpectedEof => FetchError::EndedEarly,
        _ => FetchError::Broken,
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
        }
    }
}
