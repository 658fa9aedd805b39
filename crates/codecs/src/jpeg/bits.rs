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

/// Where an interval begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    Here,
    /// Its marker is lost: the next marker belongs to one of the two intervals after it.
    Later,
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

    /// [`JpegError::TimedOut`] once the deadline is over.
    pub fn check_deadline(&self) -> Result<(), JpegError> {
        if self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
        {
            return Err(JpegError::TimedOut);
        }
        Ok(())
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

    /// Looks for restart marker number `index` (modulo 8), and starts anew after it.
    ///
    /// Where another one is found, it is judged by its number, as libjpeg does: one of the next two
    /// is left where it is, for the one looked for is lost; one of the last two is stepped over; any
    /// other has a wrong number.
    ///
    /// # Errors
    /// [`JpegError::Truncated`] if there is none before the next marker of another kind.
    pub fn restart(&mut self, index: u32) -> Result<Restart, JpegError> {
        loop {
            let marker = self.end_of_data();
            self.next = marker;
            self.end = 0;
            self.exhausted = true;
            let code = match self.source.get(marker + 1) {
                Some(&code @ markers::RST0..=markers::RST7) => code - markers::RST0,
                _ => return Err(JpegError::Truncated),
            };
            match code.wrapping_sub(index as u8) & 7 {
                1 | 2 => return Ok(Restart::Later),
                6 | 7 => self.next += 2,
                _ => {
                    self.next += 2;
                    self.exhausted = false;
                    self.fill();
                    return Ok(Restart::Here);
                }
            }
        }
    }

    /// Whether the next marker is a restart marker.
    pub fn restart_follows(&self) -> bool {
        let code = self.source.get(self.end_of_data() + 1);
        matches!(code, Some(markers::RST0..=markers::RST7))
    }

    /// Position in the file of the marker after the data, or of the end of the file. What no
    /// marker begins with (T.81, table B.1: below SOF0) is damaged data.
    pub fn end_of_data(&self) -> usize {
        let mut at = self.next;
        while let Some(found) = self
            .source
            .get(at..)
            .and_then(|rest| memchr::memchr(0xFF, rest))
        {
            at += found;
            match self.source.get(at + 1) {
                Some(0xFF) => at += 1,
                Some(..markers::SOF0) => at += 2,
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

    /// What is found for the marker `index`, and the byte after it.
    fn restarted(source: &[u8], index: u32) -> Option<(Restart, Option<u8>)> {
        let mut window = Box::default();
        let mut input = Input::new(source, 0, &mut window, None);
        let found = input.restart(index).ok()?;
        let mut bits = Bits::default();
        bits.refill(input.window());
        let is_here = found == Restart::Here;
        Some((found, is_here.then_some((bits.peek() >> 56) as u8)))
    }

    #[test]
    fn a_restart_marker_is_judged_by_its_number() {
        let source = |number: u8| [1, 0xFF, 0xD0 + number, 2, 0xFF, 0xD9];
        let here = Some((Restart::Here, Some(2)));
        for (number, found) in [
            (3, here),
            // Too far away to be another one's.
            (6, here),
            (7, here),
            (0, here),
            // The next two: the one looked for is lost.
            (4, Some((Restart::Later, None))),
            (5, Some((Restart::Later, None))),
            // The last two are stepped over, and none follows.
            (1, None),
            (2, None),
        ] {
            assert_eq!(restarted(&source(number), 3 + 8), found, "{number}");
        }
        assert_eq!(restarted(&[1, 0xFF, 0xD2, 9, 0xFF, 0xD3, 2], 3), here);
        assert_eq!(restarted(&[1, 0xFF, 0xD9, 0xFF, 0xD3], 3), None);
        assert_eq!(restarted(&[1], 3), None);
    }

    #[test]
    fn a_reserved_code_is_damaged_data_and_no_marker() {
        let source = [1, 0xFF, 0x45, 0xFF, 0x01, 7, 0xFF, 0xD3, 2];
        assert_eq!(restarted(&source, 3), Some((Restart::Here, Some(2))));
    }
}
