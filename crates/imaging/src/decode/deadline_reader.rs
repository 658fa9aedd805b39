//! A source for decoders that know no deadline: reading from it fails once the deadline is over.
//!
//! That ends decoders that read as they decode. One that first reads all and then decodes from its
//! own memory is not ended by it.

use std::io::{BufRead, Cursor, Error, ErrorKind, Read, Result, Seek, SeekFrom};
use std::time::Instant;

/// Reads between two looks at the clock. Decoders read a few bytes or one row at a time.
const READS_PER_LOOK: u32 = 256;

pub(super) struct DeadlineReader<'a> {
    source: Cursor<&'a [u8]>,
    deadline: Option<Instant>,
    reads_until_look: u32,
}

impl<'a> DeadlineReader<'a> {
    pub(super) fn new(bytes: &'a [u8], deadline: Option<Instant>) -> Self {
        Self {
            source: Cursor::new(bytes),
            deadline,
            reads_until_look: READS_PER_LOOK,
        }
    }

    #[inline]
    fn check(&mut self) -> Result<()> {
        self.reads_until_look -= 1;
        if self.reads_until_look == 0 {
            self.look()?;
        }
        Ok(())
    }

    #[cold]
    fn look(&mut self) -> Result<()> {
        if self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
        {
            // Some decoders go on after an error: the next read looks again.
            self.reads_until_look = 1;
            return Err(Error::new(ErrorKind::TimedOut, "the deadline is over"));
        }
        self.reads_until_look = READS_PER_LOOK;
        Ok(())
    }
}

impl Read for DeadlineReader<'_> {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.check()?;
        self.source.read(buffer)
    }

    #[inline]
    fn read_exact(&mut self, buffer: &mut [u8]) -> Result<()> {
        self.check()?;
        self.source.read_exact(buffer)
    }
}

impl BufRead for DeadlineReader<'_> {
    #[inline]
    fn fill_buf(&mut self) -> Result<&[u8]> {
        self.check()?;
        self.source.fill_buf()
    }

    #[inline]
    fn consume(&mut self, amount: usize) {
        self.source.consume(amount);
    }
}

impl Seek for DeadlineReader<'_> {
    #[inline]
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.source.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn reading_fails_soon_after_the_deadline_and_stays_failed() {
        let bytes = vec![7; 100_000];
        let mut late = DeadlineReader::new(&bytes, Some(Instant::now()));
        let mut one = [0];
        let reads = (0..100_000).take_while(|_| late.read_exact(&mut one).is_ok());
        assert_eq!(reads.count() as u32, READS_PER_LOOK - 1);
        assert_eq!(late.read(&mut one).unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(late.fill_buf().unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[test]
    fn before_the_deadline_all_is_read() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|index| index as u8).collect();
        let hour = Duration::from_secs(3600);
        for deadline in [None, Some(Instant::now() + hour)] {
            let mut reader = DeadlineReader::new(&bytes, deadline);
            let mut read = Vec::new();
            reader.seek(SeekFrom::Start(3)).unwrap();
            reader.read_to_end(&mut read).unwrap();
            assert_eq!(read, bytes[3..]);
        }
    }
}
