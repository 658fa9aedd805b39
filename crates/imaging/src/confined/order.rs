//! What a process is asked to decode, or to measure.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::answer;
use crate::decode::{self, Target};
use crate::geometry::Size;
use crate::limits::Limits;
use crate::picture::Scratch;

/// The length of an order, without the source.
pub const ORDER_HEAD_BYTES: usize = 80;

const DECODE: u64 = 1;
const MEASURE: u64 = 2;

/// The bytes of a source follow it.
pub struct Order {
    source_bytes: usize,
    work: Work,
    limits: Limits,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Work {
    Decode(Target),
    /// The size alone, of what is parsed nowhere else.
    Measure,
}

impl Order {
    pub(super) fn new(source_bytes: usize, work: Work, limits: &Limits) -> Self {
        Self {
            source_bytes,
            work,
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
        let (work, [width, height, halve_chroma]) = match self.work {
            Work::Decode(Target { size, halve_chroma }) => {
                let sides = [size.width, size.height].map(u64::from);
                (DECODE, [sides[0], sides[1], u64::from(halve_chroma)])
            }
            Work::Measure => (MEASURE, [0; 3]),
        };
        let fields: [u64; 10] = [
            work,
            self.source_bytes as u64,
            width,
            height,
            halve_chroma,
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

    /// Reads what [`Source::order`](crate::Source::order) or
    /// [`Unmeasured::order`](super::Unmeasured::order) wrote. `None` if it is nothing of the kind.
    pub fn from_bytes(bytes: &[u8; ORDER_HEAD_BYTES]) -> Option<Self> {
        let mut fields = bytes.chunks_exact(8).map(|field| {
            let field = field.try_into().ok()?;
            Some(u64::from_le_bytes(field))
        });
        let mut next = || fields.next().flatten();
        let work = next()?;
        let source_bytes = usize::try_from(next()?).ok()?;
        let size = Size::new(u32::try_from(next()?).ok()?, u32::try_from(next()?).ok()?);
        let halve_chroma = next()? != 0;
        let work = match work {
            DECODE if size.width > 0 && size.height > 0 => {
                Work::Decode(Target { size, halve_chroma })
            }
            MEASURE => Work::Measure,
            _ => return None,
        };
        let max_pixels = next()?;
        let max_memory_bytes = usize::try_from(next()?).ok()?;
        let max_icc_bytes = usize::try_from(next()?).ok()?;
        let counts = next()?;
        let left = Duration::from_micros(next()?);
        Some(Self {
            source_bytes,
            work,
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

    /// Does what is asked, and writes the answer.
    ///
    /// # Errors
    /// Only those of `output`: an image that can't be decoded is an answer.
    pub fn carry_out(
        &self,
        source: &[u8],
        scratch: &mut Scratch,
        output: &mut impl Write,
    ) -> io::Result<()> {
        let limits = &self.limits;
        let written = match self.work {
            Work::Decode(target) => decode::decode_whole(source, target, limits, scratch)
                .map(|decoded| answer::write_picture(&decoded, output)),
            Work::Measure => {
                decode::measure(source, limits).map(|size| answer::write_size(size, output))
            }
        };
        written.unwrap_or_else(|error| answer::write_refusal(&error, output))
    }
}
