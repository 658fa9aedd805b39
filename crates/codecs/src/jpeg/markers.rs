use super::error::JpegError;

pub const SOF0: u8 = 0xC0;
pub const SOF1: u8 = 0xC1;
pub const SOF2: u8 = 0xC2;
pub const DHT: u8 = 0xC4;
pub const DAC: u8 = 0xCC;
pub const RST0: u8 = 0xD0;
pub const RST7: u8 = 0xD7;
pub const SOI: u8 = 0xD8;
pub const EOI: u8 = 0xD9;
pub const SOS: u8 = 0xDA;
pub const DQT: u8 = 0xDB;
pub const DNL: u8 = 0xDC;
pub const DRI: u8 = 0xDD;
pub const APP0: u8 = 0xE0;
pub const APP14: u8 = 0xEE;
pub const APP15: u8 = 0xEF;
pub const COM: u8 = 0xFE;

/// Walks a file from marker to marker (ITU-T T.81, B.1.1).
#[derive(Debug, Clone)]
pub struct MarkerReader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> MarkerReader<'a> {
    /// Starts after the SOI marker.
    pub fn new(bytes: &'a [u8]) -> Result<Self, JpegError> {
        if bytes.starts_with(&[0xFF, SOI]) {
            Ok(Self { bytes, position: 2 })
        } else {
            Err(JpegError::Corrupt("no SOI marker"))
        }
    }

    pub fn position(&self) -> usize {
        self.position
    }

    /// Goes on from `position`, e.g. from where the entropy decoder met a marker.
    pub fn seek(&mut self, position: usize) {
        self.position = position.min(self.bytes.len());
    }

    /// The code of the next marker, over fill bytes, entropy-coded data, restart markers and stray
    /// bytes.
    pub fn next_marker(&mut self) -> Result<u8, JpegError> {
        loop {
            let rest = self.bytes.get(self.position..).unwrap_or_default();
            let found = memchr::memchr(0xFF, rest).ok_or(JpegError::Truncated)?;
            let code = *rest.get(found + 1).ok_or(JpegError::Truncated)?;
            // A fill byte may be the first byte of the marker: step over one byte only.
            self.position += found + if code == 0xFF { 1 } else { 2 };
            if !matches!(code, 0x00 | 0x01 | 0xFF | RST0..=RST7) {
                return Ok(code);
            }
        }
    }

    /// Where the next marker is, over entropy-coded data, also damaged, and restart markers; the
    /// end of the file if there is none.
    pub fn end_of_data(&self) -> usize {
        let mut ahead = self.clone();
        loop {
            match ahead.next_marker() {
                Ok(..SOF0) => {}
                Ok(_) => return ahead.position - 2,
                Err(_) => return self.bytes.len(),
            }
        }
    }

    /// Steps over the segment of a marker that means nothing to the picture.
    ///
    /// Any other marker is refused: it may be a table whose marker was damaged, and without that
    /// table the rest decodes to something else.
    pub fn skip_segment(&mut self, code: u8) -> Result<(), JpegError> {
        match code {
            APP0..=APP15 | COM | DNL => self.loose_segment().map(|_| ()),
            _ => Err(JpegError::Corrupt("unexpected marker")),
        }
    }

    /// As [`segment`](Self::segment), for a segment that the picture can do without: one that is
    /// too short for its own length is empty.
    pub fn loose_segment(&mut self) -> Result<&'a [u8], JpegError> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        if let &[0, 0 | 1, ..] = rest {
            self.position += 2;
            return Ok(&[]);
        }
        self.segment()
    }

    /// The payload of the segment that follows the marker just read, without its length.
    pub fn segment(&mut self) -> Result<&'a [u8], JpegError> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let &[high, low, ref body @ ..] = rest else {
            return Err(JpegError::Truncated);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let body_length = length
            .checked_sub(2)
            .ok_or(JpegError::Corrupt("segment length below 2"))?;
        self.position += length;
        body.get(..body_length).ok_or(JpegError::Truncated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fill_bytes_restart_markers_and_stuffed_bytes_are_stepped_over() {
        let bytes = [
            0xFF, SOI, 7, 0xFF, 0x00, 0xFF, RST0, 0xFF, 0xFF, 0xFF, DRI, 0, 4, 1, 2, 0xFF, EOI,
        ];
        let mut reader = MarkerReader::new(&bytes).unwrap();
        assert_eq!(reader.next_marker(), Ok(DRI));
        assert_eq!(reader.segment(), Ok(&[1, 2][..]));
        assert_eq!(reader.next_marker(), Ok(EOI));
        assert_eq!(reader.next_marker(), Err(JpegError::Truncated));
    }

    #[test]
    fn a_segment_longer_than_the_file_is_truncation() {
        let bytes = [0xFF, SOI, 0xFF, DRI, 0, 9, 1];
        let mut reader = MarkerReader::new(&bytes).unwrap();
        reader.next_marker().unwrap();
        assert_eq!(reader.segment(), Err(JpegError::Truncated));
    }
}
