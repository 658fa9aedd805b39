//! What a process is asked to decode.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::answer;
use crate::decode::{self, Decoded, Target};
use crate::error::ImagingError;
use crate::geometry::Size;
use crate::limits::Limits;
use crate::picture::Scratch;

/// The length of an order, without the source.
pub const ORDER_HEAD_BYTES: usize = 72;

/// The bytes of a source follow it.
pub struct Order {
    source_bytes: usize,
    target: Target,
    limits: Limits,
}

impl Order {
    pub(super) fn new(source_bytes: usize, target: Target, limits: &Limits) -> Self {
        Self {
            source_bytes,
            target,
            limits: limits.clone(),
        }
    }

    /// The length of the source that follows.
    pub const fn source_bytes(&self) -> usize {
        self.source_bytes
    }

    /// The time that is left goes along: a process has no clock in common with another.
    pub(super) fn to_bytes(&self) -> [u8; ORDER_HEAD_BYTES] {
        let limits = &self.limits;
        let left = limits.deadline.map_or(u64::MAX, |deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            u64::try_from(left.as_micros()).unwrap_or(u64::MAX)
        });
        let size = self.target.size;
        let fields: [u64; 9] = [
            self.source_bytes as u64,
            u64::from(size.width),
            u64::from(size.height),
            u64::from(self.target.halve_chroma),
            limits.max_pixels,
            limits.max_memory_bytes as u64,
            limits.max_icc_bytes as u64,
            u64::from(limits.max_jpeg_scans) << 32 | u64::from(limits.max_chunks),
            left,
        ];
        let mut bytes = [0; ORDER_HEAD_BYTES];
        for (place, field) in bytes.chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        bytes
    }

    /// Reads what [`Source::order`](crate::Source::order) wrote. `None` if it is nothing of the
    /// kind.
    pub fn from_bytes(bytes: &[u8; ORDER_HEAD_BYTES]) -> Option<Self> {
        let mut fields = bytes.chunks_exact(8).map(|field| {
            let field = field.try_into().ok()?;
            Some(u64::from_le_bytes(field))
        });
        let mut next = || fields.next().flatten();
        let source_bytes = usize::try_from(next()?).ok()?;
        let width = u32::try_from(next()?).ok().filter(|width| *width > 0)?;
        let height = u32::try_from(next()?).ok().filter(|height| *height > 0)?;
        let halve_chroma = next()? != 0;
        let max_pixels = next()?;
        let max_memory_bytes = usize::try_from(next()?).ok()?;
        let max_icc_bytes = usize::try_from(next()?).ok()?;
        let counts = next()?;
        let left = Duration::from_micros(next()?);
        Some(Self {
            source_bytes,
            target: Target {
                size: Size::new(width, height),
                halve_chroma,
            },
            limits: Limits {
                max_pixels,
                max_memory_bytes,
                max_icc_bytes,
                max_jpeg_scans: (counts >> 32) as u32,
                max_chunks: counts as u32,
                deadline: Instant::now().checked_add(left),
                ..Limits::default()
            },
        })
    }

    /// Decodes, and writes the answer.
    ///
    /// # Errors
    /// Only those of `output`: an image that can't be decoded is an answer.
    pub fn carry_out(
        &self,
        source: &[u8],
        scratch: &mut Scratch,
        output: &mut impl Write,
    ) -> io::Result<()> {
        match self.decode(source, scratch) {
            Ok(decoded) => answer::write_picture(&decoded, output),
            Err(error) => answer::write_refusal(&error, output),
        }
    }

    fn decode<'s>(
        &self,
        source: &[u8],
        scratch: &'s mut Scratch,
    ) -> Result<Decoded<'s>, ImagingError> {
        let header = decode::inspect(source, &self.limits)?;
        decode::decode(source, &header, self.target, &self.limits, scratch)
    }
}
