//! The marker segments before the first scan.

use crate::decode::be_u16;

/// Markers, the second byte after `0xFF` (T.81, table B.1).
pub(super) mod marker {
    pub(in super::super) const TEM: u8 = 0x01;
    pub(in super::super) const SOF0: u8 = 0xc0;
    pub(in super::super) const SOF2: u8 = 0xc2;
    pub(in super::super) const DHT: u8 = 0xc4;
    pub(in super::super) const JPG: u8 = 0xc8;
    pub(in super::super) const DAC: u8 = 0xcc;
    pub(in super::super) const SOF15: u8 = 0xcf;
    pub(in super::super) const RST0: u8 = 0xd0;
    pub(in super::super) const SOI: u8 = 0xd8;
    pub(in super::super) const EOI: u8 = 0xd9;
    pub(in super::super) const SOS: u8 = 0xda;
    pub(in super::super) const APP1: u8 = 0xe1;
    pub(in super::super) const APP2: u8 = 0xe2;
    pub(in super::super) const APP13: u8 = 0xed;
}

/// Gives each marker up to the first scan with its data.
pub(super) struct Segments<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Segments<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            // Decoders skip garbage between segments, and so do we.
            while *self.bytes.get(self.position)? != 0xff {
                self.position += 1;
            }
            let kind = *self.bytes.get(self.position + 1)?;
            match kind {
                // Fill bytes and stuffing.
                0xff => self.position += 1,
                0 | marker::TEM | marker::RST0..=marker::SOI => self.position += 2,
                marker::SOS | marker::EOI => return None,
                _ => {
                    let length = usize::from(be_u16(self.bytes, self.position + 2)?);
                    let start = self.position + 4;
                    self.position += 2 + length.max(2);
                    let end = self.position.min(self.bytes.len());
                    return Some((kind, self.bytes.get(start..end)?));
                }
            }
        }
    }
}
