//! The filtered rows of a picture, inflated from its `IDAT` chunks.

use fdeflate::Decompressor;

use super::Damage;
use super::chunks::{Chunk, Chunks};
use super::wavefront::PADDING_BYTES;

/// Steps that may give less than a full one before the caller is asked: chunks may be short, or
/// empty.
const MAX_IDLE_GOES: usize = 64;
/// How far back the codes of deflate reach: the size of the window that must be kept.
const WINDOW_BYTES: usize = 32 << 10;
/// Inflated in one step. The output of a damaged stream in the step that met the damage is lost.
const STEP_BYTES: usize = 16 << 10;
/// Read in one step: a stream may hold megabytes that give nothing, and the caller wants to look at
/// the clock.
const INPUT_STEP_BYTES: usize = 64 << 10;

/// Inflates into one buffer, in which the rows are read where they lie. They must not change there:
/// later codes refer to them.
pub(super) struct Inflater<'a> {
    chunks: Chunks<'a>,
    chunk: Option<Chunk<'a>>,
    /// The rest of the chunk.
    input: &'a [u8],
    decompressor: Box<Decompressor>,
    buffer: Vec<u8>,
    /// The first byte in `buffer` that was not taken yet.
    start: usize,
    filled: usize,
    /// Bytes of the picture that are still to be inflated. Whatever the stream holds beyond that is
    /// never looked at.
    remaining: usize,
    /// Why no more will come.
    end: Option<Damage>,
}

impl<'a> Inflater<'a> {
    /// `total` bytes in all, of which up to `batch` are wanted at once.
    pub(super) fn new(file: &'a [u8], total: usize, batch: usize) -> Self {
        let mut chunks = Chunks::new(file);
        let chunk = chunks.find(|chunk| chunk.kind == b"IDAT");
        let mut decompressor = Box::new(Decompressor::new());
        // The png crate does not look at it either: the chunks have checksums of their own.
        decompressor.ignore_adler32();
        Self {
            chunks,
            chunk,
            input: chunk.map_or(&[], |chunk| chunk.data),
            decompressor,
            buffer: vec![0; total.min(buffer_bytes(batch)) + PADDING_BYTES],
            start: 0,
            filled: 0,
            remaining: total,
            end: None,
        }
    }

    /// Inflates until `wanted` bytes are there, at most one batch, or until no more will come.
    /// False if it stopped before, because the input gave little for its length.
    pub(super) fn fill(&mut self, wanted: usize) -> bool {
        let mut goes = 0..2 * wanted.div_ceil(STEP_BYTES) + MAX_IDLE_GOES;
        while self.filled - self.start < wanted && self.remaining > 0 && self.end.is_none() {
            if goes.next().is_none() {
                return false;
            }
            if let Err(damage) = self.inflate() {
                self.end = Some(damage);
            }
        }
        true
    }

    /// Bytes that are inflated and not taken.
    pub(super) fn rows(&self) -> &[u8] {
        &self.buffer[self.start..self.filled]
    }

    /// The same, followed by at least [`PADDING_BYTES`] of any content.
    pub(super) fn padded_rows(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    pub(super) fn take(&mut self, bytes: usize) {
        self.start += bytes;
        debug_assert!(self.start <= self.filled);
    }

    /// Why the rows end before the picture does.
    pub(super) fn end(&self) -> Option<&Damage> {
        self.end.as_ref()
    }

    fn inflate(&mut self) -> Result<(), Damage> {
        let capacity = self.buffer.len() - PADDING_BYTES;
        let step = self.remaining.min(STEP_BYTES);
        if capacity - self.filled < step {
            self.drop_what_is_done();
        }
        let end = capacity.min(self.filled + step);
        let input = &self.input[..self.input.len().min(INPUT_STEP_BYTES)];
        let (read, written) = self
            .decompressor
            .read(input, &mut self.buffer[..end], self.filled, false)
            .map_err(Damage::Deflate)?;
        self.input = &self.input[read..];
        self.filled += written;
        self.remaining -= written;
        if written == 0 && (read == 0 || self.input.is_empty()) {
            // Everything is read, or the stream has ended. Before, it may have held back a last
            // symbol for want of input.
            return self.next_chunk();
        }
        Ok(())
    }

    /// Moves the bytes that are still needed to the front.
    fn drop_what_is_done(&mut self) {
        let done = self.start.min(self.filled.saturating_sub(WINDOW_BYTES));
        self.buffer.copy_within(done..self.filled, 0);
        self.start -= done;
        self.filled -= done;
    }

    /// Checksums are looked at only when the chunk is read and more is wanted, as in the png crate.
    fn next_chunk(&mut self) -> Result<(), Damage> {
        let chunk = self.chunk.take().ok_or(Damage::TooFewRows)?;
        if chunk.is_cut_off() {
            return Err(Damage::TooFewRows);
        }
        if !chunk.is_sound() {
            return Err(Damage::Checksum);
        }
        let next = self.chunks.next().filter(|chunk| chunk.kind == b"IDAT");
        self.input = next.ok_or(Damage::TooFewRows)?.data;
        self.chunk = next;
        Ok(())
    }
}

/// The buffer of a picture of at least this size: the window, a batch that is not yet taken, and
/// room for another, so that moving is rare.
pub(super) fn buffer_bytes(batch: usize) -> usize {
    WINDOW_BYTES + 2 * batch.max(WINDOW_BYTES)
}
