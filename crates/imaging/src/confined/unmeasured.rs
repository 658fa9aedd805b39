//! A source whose size only a locked-down process may find.

use super::answer::{self, Expected};
use super::order::{ORDER_HEAD_BYTES, Order, Work};
use crate::decode;
use crate::error::ImagingError;
use crate::formats::Format;
use crate::limits::Limits;
use crate::source::Source;

/// Memory that measuring may take in the other process, in bytes, beside the source and as much again
/// for its copy and for tables of its objects.
const MEASURE_BYTES: usize = 64 << 20;
const TIMES_SOURCE: usize = 3;

/// The bytes of a source of which [`Source::open`] says that it needs a locked-down process.
#[derive(Debug, Clone, Copy)]
pub struct Unmeasured<'a> {
    bytes: &'a [u8],
    format: Format,
}

impl<'a> Unmeasured<'a> {
    pub const fn new(bytes: &'a [u8], format: Format) -> Self {
        Self { bytes, format }
    }

    pub const fn format(&self) -> Format {
        self.format
    }

    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The memory that the other process may use for it, in bytes.
    pub const fn memory_bytes(&self) -> usize {
        let own = self.bytes.len().saturating_mul(TIMES_SOURCE);
        own.saturating_add(MEASURE_BYTES)
    }

    /// What a process is asked that shall measure this source; its bytes follow.
    pub fn order(&self, limits: &Limits) -> [u8; ORDER_HEAD_BYTES] {
        Order::new(self.bytes.len(), Work::Measure, limits).to_bytes()
    }

    /// Reads the head of an answer.
    ///
    /// # Errors
    /// An answer that is neither a size nor a refusal.
    pub fn expect(&self, head: &[u8]) -> Result<Expected, ImagingError> {
        Expected::read_size(head).ok_or_else(answer::senseless)
    }

    /// The source, now that its size is known.
    ///
    /// # Errors
    /// The reason that the answer gives, or a size that is nothing or beyond `limits`.
    pub fn receive(
        self,
        expected: Expected,
        body: &[u8],
        limits: &Limits,
    ) -> Result<Source<'a>, ImagingError> {
        let size = expected.size(body)?;
        let header = decode::measured(self.format, size, self.bytes.len(), limits)?;
        Ok(Source {
            bytes: self.bytes,
            header,
        })
    }
}
