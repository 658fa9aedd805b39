//! A source, fetched.

use bytes::Bytes;

use super::memory::Reservation;

#[derive(Debug)]
pub struct Download {
    pub bytes: Bytes,
    /// As the source declared it, if it is visible ASCII.
    pub content_type: Option<String>,
    /// The status of the answer that brought it.
    pub status: u16,
    /// After redirects, normalised.
    pub final_url: String,
    /// Comes back when this is dropped.
    pub(super) reservation: Reservation,
}

impl Download {
    /// Bytes of the memory of downloads that it holds.
    pub fn reserved_bytes(&self) -> u64 {
        self.reservation.bytes()
    }
}
