//! The body of an answer, bounded in bytes and time.

use bytes::{Buf, Bytes, BytesMut};
use tokio::time::Instant;

use super::connection::{Connection, Interrupted};
use super::error::FetchError;
use super::framing::Framing;
use super::pace::Pace;
use super::settings::FetchSettings;

/// Room made at once for a body whose length is only a promise; more is made as bytes arrive.
const FIRST_CAPACITY: u64 = 4 * 1024 * 1024;
/// One line of chunk size and extensions.
const MAX_CHUNK_LINE_BYTES: usize = 1024;
/// Chunk framing may take this much, and half of what it carries on top: one byte in a chunk of its
/// own costs us far more than it costs the sender.
const FREE_FRAMING_BYTES: u64 = 16 * 1024;
const MAX_TRAILER_BYTES: usize = 8 * 1024;

/// Reads the whole body, at most `max_bytes` of it.
pub(super) async fn read_body(
    connection: &mut Connection,
    framing: Framing,
    settings: &FetchSettings,
) -> Result<Bytes, FetchError> {
    let mut reader = BodyReader {
        connection,
        body: BytesMut::new(),
        max_bytes: settings.max_bytes,
        pace: Pace::new(settings, Instant::now()),
    };
    match framing {
        Framing::Length(length) => reader.read_length(length).await?,
        Framing::Chunked => reader.read_chunks().await?,
        Framing::UntilClose => reader.read_until_close().await?,
    }
    if reader.body.is_empty() {
        return Err(FetchError::Empty);
    }
    Ok(reader.body.freeze())
}

struct BodyReader<'a> {
    connection: &'a mut Connection,
    body: BytesMut,
    max_bytes: u64,
    pace: Pace,
}

impl BodyReader<'_> {
    async fn read_length(&mut self, length: u64) -> Result<(), FetchError> {
        self.check_room(length)?;
        self.body.reserve(length.min(FIRST_CAPACITY) as usize);
        self.take_buffered(length);
        while (self.body.len() as u64) < length {
            let missing = length - self.body.len() as u64;
            if self.read_more(missing).await? == 0 {
                return Err(FetchError::EndedEarly);
            }
        }
        Ok(())
    }

    async fn read_until_close(&mut self) -> Result<(), FetchError> {
        let buffered = self.connection.buffer.len() as u64;
        self.check_room(buffered)?;
        self.take_buffered(buffered);
        while self.read_more(self.room_and_one()).await? > 0 {
            self.check_room(0)?;
        }
        Ok(())
    }

    async fn read_chunks(&mut self) -> Result<(), FetchError> {
        let mut framing_bytes = 0;
        loop {
            let line_length = self.line_length(MAX_CHUNK_LINE_BYTES).await?;
            let size = parse_chunk_size(&self.connection.buffer[..line_length])?;
            self.connection.buffer.advance(line_length);
            if size == 0 {
                return self.skip_trailers().await;
            }
            self.check_room(size)?;
            self.read_chunk(size).await?;
            self.skip_chunk_end().await?;
            framing_bytes += line_length as u64 + 2;
            if framing_bytes > FREE_FRAMING_BYTES + self.body.len() as u64 / 2 {
                return Err(FetchError::InvalidResponse("its chunks are mostly framing"));
            }
        }
    }

    async fn read_chunk(&mut self, size: u64) -> Result<(), FetchError> {
        let mut missing = size;
        while missing > 0 {
            if self.connection.buffer.is_empty() {
                self.fill().await?;
            }
            missing -= self.take_buffered(missing);
        }
        Ok(())
    }

    async fn skip_chunk_end(&mut self) -> Result<(), FetchError> {
        while self.connection.buffer.len() < 2 {
            self.fill().await?;
        }
        if !self.connection.buffer.starts_with(b"\r\n") {
            return Err(FetchError::InvalidResponse(
                "a chunk does not end where it says",
            ));
        }
        self.connection.buffer.advance(2);
        Ok(())
    }

    /// Trailers are read to their end, for the sake of the connection, and ignored.
    async fn skip_trailers(&mut self) -> Result<(), FetchError> {
        let mut room = MAX_TRAILER_BYTES;
        loop {
            let line_length = self.line_length(room).await?;
            let is_last = line_length == 2;
            self.connection.buffer.advance(line_length);
            if is_last {
                return Ok(());
            }
            room -= line_length;
        }
    }

    /// Length of the next line with its CR LF, which is then in the buffer.
    async fn line_length(&mut self, max: usize) -> Result<usize, FetchError> {
        let mut searched = 0;
        loop {
            let bytes = &self.connection.buffer;
            if let Some(at) = bytes[searched..].iter().position(|byte| *byte == b'\n') {
                let length = searched + at + 1;
                // A lone LF ends a line for some readers and not for others.
                return if length > max {
                    Err(FetchError::InvalidResponse(
                        "a line of its chunked body is too long",
                    ))
                } else if bytes[..length].ends_with(b"\r\n") {
                    Ok(length)
                } else {
                    Err(FetchError::InvalidResponse(
                        "a line of its chunked body lacks its CR",
                    ))
                };
            }
            searched = bytes.len();
            if searched >= max {
                return Err(FetchError::InvalidResponse(
                    "a line of its chunked body is too long",
                ));
            }
            self.fill().await?;
        }
    }

    /// Moves up to `limit` bytes from the buffer to the body.
    fn take_buffered(&mut self, limit: u64) -> u64 {
        let buffer = &mut self.connection.buffer;
        let count = usize::try_from(limit).map_or(buffer.len(), |limit| limit.min(buffer.len()));
        self.body.extend_from_slice(&buffer[..count]);
        buffer.advance(count);
        count as u64
    }

    /// One byte past the limit tells a body that ends there from one that goes on.
    fn room_and_one(&self) -> u64 {
        (self.max_bytes - self.body.len() as u64).saturating_add(1)
    }

    /// Makes sure that `more` bytes may be added to the body.
    fn check_room(&self, more: u64) -> Result<(), FetchError> {
        let total = (self.body.len() as u64).saturating_add(more);
        if total > self.max_bytes {
            return Err(FetchError::TooLarge(self.max_bytes));
        }
        Ok(())
    }

    /// Reads at most `limit` bytes straight into the body. 0 at the end of the stream.
    async fn read_more(&mut self, limit: u64) -> Result<usize, FetchError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        loop {
            let deadline = self.pace.deadline();
            let read = self.connection.read_into(&mut self.body, limit, deadline);
            match read.await {
                Ok(count) => {
                    self.pace.record(count, Instant::now())?;
                    return Ok(count);
                }
                Err(interrupted) => self.go_on_waiting(interrupted)?,
            }
        }
    }

    /// Reads more into the buffer; here the end of the stream is an early one.
    async fn fill(&mut self) -> Result<(), FetchError> {
        loop {
            let before = self.connection.buffer.len();
            match self.connection.fill(self.pace.deadline()).await {
                Ok(true) => {
                    let count = self.connection.buffer.len() - before;
                    return self.pace.record(count, Instant::now());
                }
                Ok(false) => return Err(FetchError::EndedEarly),
                Err(interrupted) => self.go_on_waiting(interrupted)?,
            }
        }
    }

    fn go_on_waiting(&mut self, interrupted: Interrupted) -> Result<(), FetchError> {
        match interrupted {
            Interrupted::Deadline => self.pace.check(Instant::now()),
            Interrupted::Failed(error) => Err(error),
        }
    }
}

/// The size of a chunk; `line` ends in CR LF. Extensions are bounded with their line, and ignored.
fn parse_chunk_size(line: &[u8]) -> Result<u64, FetchError> {
    const INVALID: FetchError = FetchError::InvalidResponse("a chunk's size can't be read");
    let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
    let digits = size.trim_ascii_end();
    if digits.is_empty() || digits.len() > 15 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(INVALID);
    }
    let digits = std::str::from_utf8(digits).map_err(|_| INVALID)?;
    u64::from_str_radix(digits, 16).map_err(|_| INVALID)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_sizes_are_plain_hexadecimal() {
        for (line, expected) in [
            ("0\r\n", Some(0)),
            ("5\r\n", Some(5)),
            ("fF\r\n", Some(255)),
            ("5 \r\n", Some(5)),
            ("5;name=value\r\n", Some(5)),
            ("5 ; name\r\n", Some(5)),
            ("00000000000000a\r\n", Some(10)),
            ("fffffffffffffff\r\n", Some((1 << 60) - 1)),
            ("0000000000000005\r\n", None),
            ("ffffffffffffffff\r\n", None),
            ("\r\n", None),
            (";a\r\n", None),
            ("0x5\r\n", None),
            ("+5\r\n", None),
            ("-5\r\n", None),
            (" 5\r\n", None),
            ("5 5\r\n", None),
            ("g\r\n", None),
        ] {
            assert_eq!(parse_chunk_size(line.as_bytes()).ok(), expected, "{line:?}");
        }
    }
}
