//! A decode in a process of its own: what is asked of it, and what it answers, as bytes.
//!
//! The asking side opens and plans a source itself, and later renders what comes back. The decoding
//! side gets an [`Order`] and the bytes of the source, and writes an answer: a head of
//! [`ANSWER_HEAD_BYTES`], and what the head declares. **The answer may be anything**: whoever took
//! over the decoder writes it. [`Source::expect`] reads the head, and refuses what can't be the
//! picture that was planned before a byte of it is received.
//!
//! Of some formats the asking side may not even read the header: they are [`Unmeasured`] until the
//! other side told their size.

mod answer;
mod order;
mod unmeasured;

pub use answer::{ANSWER_HEAD_BYTES, Expected};
pub use order::{ORDER_HEAD_BYTES, Order};
pub use unmeasured::Unmeasured;

use answer::Most;
use order::Work;

use super::error::ImagingError;
use super::formats::Format;
use super::geometry::Size;
use super::limits::Limits;
use super::plan::Plan;
use super::render::Picture;
use super::source::Source;

impl Source<'_> {
    pub fn format(&self) -> Format {
        self.header.format()
    }

    /// What a process is asked that shall decode this source; its bytes follow.
    pub fn order(&self, plan: &Plan, limits: &Limits) -> [u8; ORDER_HEAD_BYTES] {
        Order::new(self.bytes.len(), Work::Decode(plan.target), limits).to_bytes()
    }

    /// The memory to reserve for a plan whose decode is another process's, in bytes: what this
    /// process needs, the copy of the source there, and the pixels on both sides.
    pub fn confined_memory_bytes(&self, plan: &Plan) -> usize {
        let pixels = Most::of(&self.header, plan.target.size).bytes;
        plan.memory_bytes
            .saturating_add(self.bytes.len())
            .saturating_add(pixels)
    }

    /// Reads the head of an answer.
    ///
    /// # Errors
    /// An answer that no decoder gives: of another size than planned, or that contradicts itself.
    pub fn expect(&self, plan: &Plan, head: &[u8]) -> Result<Expected, ImagingError> {
        Expected::read(head, &Most::of(&self.header, plan.target.size))
            .ok_or_else(answer::senseless)
    }

    /// What the decoding side found: a picture to render, or why there is none.
    ///
    /// # Errors
    /// The reason that the answer gives, or a body that makes no sense.
    pub fn receive(
        &self,
        expected: Expected,
        body: Vec<u8>,
        limits: &Limits,
    ) -> Result<Picture<'static>, ImagingError> {
        let decoded = expected.decoded(body)?;
        Ok(self.picture_of(decoded, limits))
    }
}

/// The area that a picture in the size of an answer can have at most.
const fn area(size: Size) -> u64 {
    size.width as u64 * size.height as u64
}

#[cfg(test)]
mod tests;
