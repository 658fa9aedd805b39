//! The body of an answer, bounded in bytes, memory and time.

use bytes::Bytes;
use reqwest::Response;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::ended::Ended;
use super::error::FetchError;
use super::memory::Reservation;
use super::pace::Pace;
use super::settings::FetchSettings;
use super::transport_error;

/// The first memory that is reserved if no length is known; then it doubles.
const FIRST_STEP_BYTES: u64 = 64 * 1024;
/// How much of a declared length is reserved first. The length is only a promise: a source that
/// declares much and sends little would otherwise hold the shared memory.
const FIRST_DECLARED_BYTES: u64 = 1024 * 1024;
/// Room made at once for a body whose length is only a promise; more is made as bytes arrive.
const FIRST_CAPACITY: u64 = 4 * 1024 * 1024;
/// This many pieces are free; each further one must bring a minimum. A body in pieces of a byte
/// costs us far more than it costs the sender.
const FREE_PIECES: u64 = 4096;
const MIN_PIECE_BYTES: u64 = 16;

/// A body, as far as it has arrived.
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    pub(super) reservation: Reservation,
    max_bytes: u64,
    declared: Option<u64>,
    pieces: u64,
}

impl Body {
    pub(super) fn new(reservation: Reservation, max_bytes: u64) -> Self {
        Self {
            bytes: Vec::new(),
            reservation,
            max_bytes,
            declared: None,
            pieces: 0,
        }
    }

    /// Reads to the end, until `deadline` at the latest.
    pub(super) async fn read(
        &mut self,
        response: &mut Response,
        length: Option<u64>,
        settings: &FetchSettings,
        deadline: Instant,
    ) -> Result<(), Ended> {
        if let Some(length) = length {
            self.check_size(length)?;
            self.declared = Some(length);
            self.reserve(length.min(FIRST_DECLARED_BYTES), deadline)
                .await?;
        }
        let mut pace = Pace::new(settings, Instant::now());
        let stopped = self.reservation.stopped();
        // The earliest time at which the alarm rings; bytes that came since put it off only then.
        let alarm = sleep_until(pace.deadline().min(deadline));
        tokio::pin!(stopped, alarm);
        loop {
            let piece = tokio::select! {
                biased;
                () = stopped.as_mut() => return Err(Ended::OutOfMemory),
                piece = response.chunk() => piece,
                () = alarm.as_mut() => {
                    let now = Instant::now();
                    if now >= deadline {
                        return Err(FetchError::TotalTimeout(settings.total_timeout).into());
                    }
                    pace.check(now)?;
                    alarm.as_mut().reset(pace.deadline().min(deadline));
                    continue;
                }
            };
            match piece {
                Ok(Some(piece)) => {
                    pace.record(piece.len(), Instant::now())?;
                    if self.take(&piece, deadline).await? {
                        pace.restart(Instant::now());
                    }
                }
                Ok(None) => return Ok(()),
                Err(error) => return Err(transport_error::in_body(&error).into()),
            }
        }
    }

    /// True if memory had to be asked for.
    async fn take(&mut self, piece: &Bytes, deadline: Instant) -> Result<bool, Ended> {
        let length = (self.bytes.len() + piece.len()) as u64;
        self.check_size(length)?;
        self.pieces += 1;
        if self.pieces > FREE_PIECES && self.pieces - FREE_PIECES > length / MIN_PIECE_BYTES {
            return Err(FetchError::InvalidResponse("its chunks are mostly framing").into());
        }
        let has_asked = length > self.reservation.bytes();
        if has_asked {
            let twice = (2 * self.reservation.bytes()).max(FIRST_STEP_BYTES);
            let most = self.declared.unwrap_or(self.max_bytes).max(length);
            let step = twice.max(length).min(most).min(self.max_bytes);
            self.reserve(step, deadline).await?;
        }
        self.make_room(length);
        self.bytes.extend_from_slice(piece);
        Ok(has_asked)
    }

    fn check_size(&self, length: u64) -> Result<(), FetchError> {
        if length > self.max_bytes {
            return Err(FetchError::TooLarge(self.max_bytes));
        }
        Ok(())
    }

    /// The wait for memory is not the source's fault.
    async fn reserve(&mut self, bytes: u64, deadline: Instant) -> Result<(), Ended> {
        timeout_at(deadline, self.reservation.grow_to(bytes))
            .await
            .map_err(|_| Ended::OutOfMemory)??;
        Ok(())
    }

    /// Never more than is reserved.
    fn make_room(&mut self, length: u64) {
        let capacity = self.bytes.capacity() as u64;
        if length > capacity {
            let room = (2 * capacity).max(FIRST_CAPACITY).max(length);
            let room = room.min(self.reservation.bytes().max(length));
            let more = room as usize - self.bytes.len();
            self.bytes.reserve_exact(more);
        }
    }
}
