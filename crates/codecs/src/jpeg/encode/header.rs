//! The segments of the file (ITU-T T.81, annex B; JFIF 1.02).

use std::ops::Range;

use super::blocks::Source;
use super::picture::Picture;
use super::tables::HuffmanSpec;

pub const END_OF_IMAGE: [u8; 2] = [0xFF, 0xD9];
pub const SOF0: u8 = 0xC0;
pub const SOF2: u8 = 0xC2;

const START_OF_IMAGE: [u8; 2] = [0xFF, 0xD8];
const APP0: u8 = 0xE0;
const DQT: u8 = 0xDB;
const DHT: u8 = 0xC4;
const SOS: u8 = 0xDA;

/// What a scan holds (B.2.3).
pub struct Scan {
    pub components: Range<u8>,
    /// Of the coefficients in zigzag order.
    pub first: u8,
    pub last: u8,
    /// The bit at which the scans before ended, 0 if there were none; and the one at which this
    /// scan ends.
    pub high: u8,
    pub low: u8,
}

impl Scan {
    /// The whole description of a picture.
    pub fn whole(picture: &Picture<'_>) -> Self {
        Self::new(0..picture.shifts().len() as u8, [0, 63], [0, 0])
    }

    pub const fn new(components: Range<u8>, [first, last]: [u8; 2], [high, low]: [u8; 2]) -> Self {
        Self {
            components,
            first,
            last,
            high,
            low,
        }
    }

    /// The part of a picture that the scan holds, if any.
    pub fn of(&self, picture: &Picture<'_>) -> Option<Self> {
        let end = self.components.end.min(picture.shifts().len() as u8);
        let components = self.components.start..end;
        (!components.is_empty()).then_some(Self {
            components,
            ..*self
        })
    }
}

/// The segments before the tables of codes.
pub fn frame(file: &mut Vec<u8>, kind: u8, source: &Source<'_>) {
    file.extend_from_slice(&START_OF_IMAGE);
    // Version 1.02, square pixels, no picture of its own.
    segment(file, APP0, &[b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0"]);
    let tables = &source.steps[..source.picture.tables()];
    for (number, table) in (0_u8..).zip(tables) {
        segment(file, DQT, &[&[number], &table.map(|step| step as u8)]);
    }
    let (width, height) = source.picture.size();
    let ([w0, w1], [h0, h1]) = (width.to_be_bytes(), height.to_be_bytes());
    let shifts = source.picture.shifts();
    // 8 bits; the components, each with its sampling and its quantisation table.
    let mut content = vec![8, h0, h1, w0, w1, shifts.len() as u8];
    for (component, shift) in (0..).zip(shifts) {
        content.extend([component + 1, 0x11 << shift, u8::from(component > 0)]);
    }
    segment(file, kind, &[&content]);
}

pub fn huffman(file: &mut Vec<u8>, table: &HuffmanSpec) {
    segment(file, DHT, &[&[table.id], &table.counts, &table.symbols]);
}

pub fn scan(file: &mut Vec<u8>, scan: &Scan) {
    let mut content = vec![scan.components.len() as u8];
    for component in scan.components.clone() {
        let table = u8::from(component > 0);
        // A table that is not used is 0, as in libjpeg; the standard leaves it open.
        let dc = table * u8::from(scan.first == 0 && scan.high == 0);
        let ac = table * u8::from(scan.last > 0);
        content.extend([component + 1, dc << 4 | ac]);
    }
    content.extend([scan.first, scan.last, scan.high << 4 | scan.low]);
    segment(file, SOS, &[&content]);
}

fn segment(file: &mut Vec<u8>, marker: u8, parts: &[&[u8]]) {
    let length = 2 + parts.iter().map(|part| part.len()).sum::<usize>();
    file.extend_from_slice(&[0xFF, marker]);
    file.extend_from_slice(&(length as u16).to_be_bytes());
    for part in parts {
        file.extend_from_slice(part);
    }
}
