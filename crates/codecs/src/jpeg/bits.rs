use std::time::Instant;

use super::error::JpegError;
use super::markers;

/// The window of unstuffed bytes that the decoder works in: small enough to stay in the first cache
/// levels.
const WINDOW: usize = 32 * 1024;
/// More than any MCU takes: 10 blocks of 64 symbols of 16 + 15 bits.
const MAX_MCU_BYTES: usize = 2500;
/// Bytes one refill reads.
const WORD: usize = 8;
/// The window is filled up to here; after it lie zeros that a truncated MCU may run into.
const FILL_LIMIT: usize = WINDOW - MAX_MCU_BYTES - WORD;

pub struct Window([u8; WINDOW + WORD]);

impl Default for Window {
    fn default() -> Self {
        Self([0; WINDOW + WORD])
    }
}

/// Position in the [`Window`] and the next bits. Small and `Copy`, so that a scan keeps it in
/// registers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bits {
    /// The next bits, from the top. Below the `count` valid ones stand bits that the next refill
    /// repeats.
    word: u64,
    count: u64,
    /// Where in the window the next refill reads.
    position: usize,
}

impl Bits {
    #[inline(always)]
    pub fn peek(self) -> u64 {
        self.word
    }

    #[inline(always)]
    pub fn consume(&mut self, bits: u32) {
        let bits = u64::from(bits);
        debug_assert!(bits <= self.count, "{bits} of {} bits", self.count);
        self.word <<= bits & 63;
        self.count = self.count.wrapping_sub(bits);
    }

    /// Makes at least 56 bits valid, without a branch (variant 4 of F. Giesen, "Reading bits in far
    /// too many ways").
    #[inline(always)]
    pub fn refill(&mut self, window: &Window) {
        // The mask never takes effect, see `Input::top_up`; it spares the bounds check.
        let at = self.position & (WINDOW - 1);
        let bytes = [
            window.0[at],
            window.0[at + 1],
            window.0[at + 2],
            window.0[at + 3],
            window.0[at + 4],
            window.0[at + 5],
            window.0[at + 6],
            window.0[at + 7],
        ];
        self.word |= u64::from_be_bytes(bytes) >> (self.count & 63);
        self.position += ((63 - (self.count & 63)) >> 3) as usize;
        self.count |= 56;
    }

    /// The next `bits` bits (0 to 16) as a number, consumed.
    #[inline(always)]
    pub fn take(&mut self, bits: u32) -> u32 {
        let value = ((self.word >> 32) >> (32 - bits)) as u32;
        self.consume(bits);
        value
    }
}

/// The entropy-coded data of one scan: taken from the file in windows, byte stuffing removed, up to
/// the next marker.
pub struct Input<'a> {
    source: &'a [u8],
    /// Where in `source` the window ends.
    next: usize,
    window: &'a mut Window,
    /// Valid bytes in the window.
    end: usize,
    /// An MCU may start while the position is not above this.
    limit: usize,
    /// `next` is at a marker or at the end of the file.
    exhausted: bool,
    deadline: Option<Instant>,
}

impl<'a> Input<'a> {
    /// Reads `source` from `start`, until `deadline`.
    pub fn new(
        source: &'a [u8],
        start: usize,
        window: &'a mut Window,
        deadline: Option<Instant>,
    ) -> Self {
        let mut input = Self {
            source,
            next: start,
            window,
            end: 0,
            limit: 0,
            exhausted: false,
            deadline,
        };
        input.fill();
        input
    }

    #[inline(always)]
    pub fn window(&self) -> &Window {
        self.window
    }

    /// Whether the window has another whole MCU, or more bytes than any MCU if the data ends in it.
    #[inline(always)]
    pub fn holds_mcu(&self, bits: Bits) -> bool {
        bits.position <= self.limit
    }

    /// Call before each MCU: makes sure that it is in the window, and that the one decoded before
    /// was there.
    #[inline(always)]
    pub fn begin_mcu(&mut self, bits: &mut Bits) -> Result<(), JpegError> {
        if bits.position > self.limit {
            *bits = self.top_up(*bits)?;
        }
        Ok(())
    }

    /// Call after each row of MCUs: as [`check_overrun`](Self::check_overrun), and looks at the
    /// clock.
    pub fn end_row(&self, bits: Bits) -> Result<(), JpegError> {
        if self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
        {
            return Err(JpegError::TimedOut);
        }
        self.check_overrun(bits)
    }

    /// Call after the last MCU of an interval: [`JpegError::Truncated`] if it took bits that are
    /// not there.
    pub fn check_overrun(&self, bits: Bits) -> Result<(), JpegError> {
        let taken = (bits.position * 8).saturating_sub(bits.count as usize);
        if taken > self.end * 8 {
            Err(JpegError::Truncated)
        } else {
            Ok(())
        }
    }

    #[cold]
    #[inline(never)]
    fn top_up(&mut self, mut bits: Bits) -> Result<Bits, JpegError> {
        self.check_overrun(bits)?;
        if !self.exhausted {
            self.window.0.copy_within(bits.position..self.end, 0);
            self.end -= bits.position;
            bits.position = 0;
            self.fill();
        }
        Ok(bits)
    }

    /// Steps over restart marker number `index` (modulo 8) and starts anew after it.
    pub fn restart(&mut self, index: u32) -> Result<Bits, JpegError> {
        let marker = self.end_of_data();
        match self.source.get(marker + 1) {
            None => Err(JpegError::Truncated),
            Some(&code) if code == markers::RST0 + (index % 8) as u8 => {
                self.next = marker + 2;
                self.end = 0;
                self.exhausted = false;
                self.fill();
                Ok(Bits::default())
            }
            Some(markers::RST0..=markers::RST7) => {
                Err(JpegError::Corrupt("restart marker out of order"))
            }
            Some(_) => Err(JpegError::Truncated),
        }
    }

    /// Position in the file of the marker after the data, or of the end of the file.
    pub fn end_of_data(&self) -> usize {
        let mut at = self.next;
        while let Some(found) = self
            .source
            .get(at..)
            .and_then(|rest| memchr::memchr(0xFF, rest))
        {
            at += found;
            match self.source.get(at + 1) {
                Some(0x00) => at += 2,
                Some(0xFF) => at += 1,
                _ => return at,
            }
        }
        self.source.len()
    }

    fn fill(&mut self) {
        while self.end < FILL_LIMIT && !self.exhausted {
            let rest = self.source.get(self.next..).unwrap_or_default();
            let chunk = &rest[..rest.len().min(FILL_LIMIT - self.end)];
            let found = memchr::memchr(0xFF, chunk);
            let plain = &chunk[..found.unwrap_or(chunk.len())];
            self.window.0[self.end..self.end + plain.len()].copy_from_slice(plain);
            self.end += plain.len();
            self.next += plain.len();
            match (found, rest.get(plain.len() + 1)) {
                (None, _) => self.exhausted = plain.len() == rest.len(),
                (Some(_), Some(0x00)) => {
                    self.window.0[self.end] = 0xFF;
                    self.end += 1;
                    self.next += 2;
                }
                (Some(_), Some(0xFF)) => self.next += 1,
                (Some(_), _) => self.exhausted = true,
            }
        }
        if self.exhausted {
            self.window.0[self.end..(self.end + MAX_MCU_BYTES + WORD).min(WINDOW + WORD)].fill(0);
            self.limit = self.end;
        } else {
            self.limit = self.end.saturating_sub(MAX_MCU_BYTES + WORD);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(source: &[u8]) -> (Vec<u8>, usize) {
        let mut window = Box::default();
        let mut input = Input::new(source, 0, &mut window, None);
        let (mut bits, mut out) = (Bits::default(), Vec::new());
        loop {
            if input.begin_mcu(&mut bits).is_err() {
                out.pop();
                return (out, input.end_of_data());
            }
            bits.refill(input.window());
            out.push((bits.peek() >> 56) as u8);
            bits.consume(8);
            if input.check_overrun(bits).is_err() {
                out.pop();
                return (out, input.end_of_data());
            }
        }
    }

    #[test]
    fn stuffing_and_fill_bytes_vanish_and_a_marker_ends_the_data() {
        let source = [1, 0xFF, 0, 2, 0xFF, 0xFF, 0, 3, 0xFF, 0xFF, 0xD9, 4];
        assert_eq!(read_all(&source), (vec![1, 0xFF, 2, 0xFF, 3], 9));
    }

    #[test]
    fn the_end_of_the_file_ends_the_data() {
        assert_eq!(read_all(&[1, 2, 0xFF]), (vec![1, 2], 2));
        assert_eq!(read_all(&[]), (vec![], 0));
    }

    #[test]
    fn many_windows_come_through_unchanged() {
        let plain: Vec<u8> = (0..200_000_u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        let stuffed: Vec<u8> = plain
            .iter()
            .flat_map(|&b| if b == 0xFF { vec![0xFF, 0] } else { vec![b] })
            .collect();
        let (out, end) = read_all(&stuffed);
        assert!(out == plain);
        assert_eq!(end, stuffed.len());
    }

    #[test]
    fn a_restart_needs_its_own_marker() {
        let source = [1, 0xFF, 0xD0, 2, 0xFF, 0xD2];
        let mut window = Box::default();
        let mut input = Input::new(&source, 0, &mut window, None);
        let mut bits = input.restart(8).unwrap();
        bits.refill(input.window());
        assert_eq!(bits.peek() >> 56, 2);
        assert!(matches!(input.restart(1), Err(JpegError::Corrupt(_))));
    }
}
