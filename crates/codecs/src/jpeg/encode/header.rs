//! The segments of the file (ITU-T T.81, annex B; JFIF 1.02).

use super::super::tables::Quantization;
use super::tables::HUFFMAN;

pub const END_OF_IMAGE: [u8; 2] = [0xFF, 0xD9];

const START_OF_IMAGE: [u8; 2] = [0xFF, 0xD8];
const APP0: u8 = 0xE0;
const DQT: u8 = 0xDB;
const SOF0: u8 = 0xC0;
const DHT: u8 = 0xC4;
const SOS: u8 = 0xDA;

/// All that stands before the entropy-coded data. `steps`: of luminance, of chrominance.
pub fn write(file: &mut Vec<u8>, width: u16, height: u16, steps: &[Quantization; 2]) {
    file.extend_from_slice(&START_OF_IMAGE);
    // Version 1.02, square pixels, no picture of its own.
    segment(file, APP0, &[b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0"]);
    for (number, table) in (0_u8..).zip(steps) {
        segment(file, DQT, &[&[number], &table.map(|step| step as u8)]);
    }
    let ([w0, w1], [h0, h1]) = (width.to_be_bytes(), height.to_be_bytes());
    // 8 bits; three components, each with its sampling and its quantisation table.
    let frame = [8, h0, h1, w0, w1, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1];
    segment(file, SOF0, &[&frame]);
    for table in &HUFFMAN {
        segment(file, DHT, &[&[table.id], &table.counts, table.symbols]);
    }
    // Each component with its DC and AC table; all 64 coefficients.
    segment(file, SOS, &[&[3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0]]);
}

fn segment(file: &mut Vec<u8>, marker: u8, parts: &[&[u8]]) {
    let length = 2 + parts.iter().map(|part| part.len()).sum::<usize>();
    file.extend_from_slice(&[0xFF, marker]);
    file.extend_from_slice(&(length as u16).to_be_bytes());
    for part in parts {
        file.extend_from_slice(part);
    }
}
