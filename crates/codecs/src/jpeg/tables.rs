use super::error::JpegError;
use super::huffman::HuffmanCode;

/// Quantisation table in zigzag order, as the file gives it.
pub type Quantization = [u16; 64];

/// Row-major index of each coefficient in zigzag order (ITU-T T.81, figure 5).
pub const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// The tables in force at a place in the file.
#[derive(Default)]
pub struct Tables {
    pub quantization: [Option<Quantization>; 4],
    dc: [Option<Result<HuffmanCode, JpegError>>; 4],
    ac: [Option<Result<HuffmanCode, JpegError>>; 4],
}

/// Motion JPEG frames leave the well-known tables out.
const NO_TABLE: JpegError = JpegError::Unsupported("no Huffman table");

impl Tables {
    /// A DQT segment (B.2.4.1).
    pub fn read_quantization(&mut self, mut segment: &[u8]) -> Result<(), JpegError> {
        while let [head, rest @ ..] = segment {
            let (size, number) = (1 + usize::from(head >> 4), usize::from(head & 15));
            let slot = self.quantization.get_mut(number).filter(|_| size <= 2);
            let (Some(slot), Some(values)) = (slot, rest.get(..64 * size)) else {
                return Err(JpegError::Corrupt("quantisation table"));
            };
            let mut table = [0; 64];
            for (entry, value) in table.iter_mut().zip(values.chunks_exact(size)) {
                *entry = value
                    .iter()
                    .fold(0, |sum, &byte| sum << 8 | u16::from(byte));
            }
            *slot = Some(table);
            segment = &rest[64 * size..];
        }
        Ok(())
    }

    /// The code of a scan's DC coefficients.
    pub fn dc(&self, number: usize) -> Result<&HuffmanCode, JpegError> {
        let table = self.dc.get(number).and_then(Option::as_ref);
        table.ok_or(NO_TABLE)?.as_ref().map_err(|error| *error)
    }

    /// The code of a scan's AC coefficients.
    pub fn ac(&self, number: usize) -> Result<&HuffmanCode, JpegError> {
        let table = self.ac.get(number).and_then(Option::as_ref);
        table.ok_or(NO_TABLE)?.as_ref().map_err(|error| *error)
    }

    /// A DHT segment (B.2.4.2). A table that is no code is an error only to the scan that uses it.
    pub fn read_huffman(&mut self, mut segment: &[u8]) -> Result<(), JpegError> {
        const CORRUPT: JpegError = JpegError::Corrupt("Huffman table");
        while let [head, rest @ ..] = segment {
            let counts: &[u8; 16] = rest.first_chunk().ok_or(CORRUPT)?;
            let total: usize = counts.iter().map(|&n| usize::from(n)).sum();
            let symbols = rest.get(16..16 + total).ok_or(CORRUPT)?;
            if total > 256 {
                return Err(CORRUPT);
            }
            let class = match head >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return Err(CORRUPT),
            };
            *class.get_mut(usize::from(head & 15)).ok_or(CORRUPT)? =
                Some(HuffmanCode::new(counts, symbols));
            segment = &rest[16 + total..];
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_tables_in_one_segment_are_all_read() {
        let mut segment = vec![0x00];
        segment.extend(1..=64);
        segment.push(0x11);
        segment.extend((1..=64).flat_map(|n| [1, n]));
        let mut tables = Tables::default();
        tables.read_quantization(&segment).unwrap();
        assert_eq!(tables.quantization[0].unwrap()[63], 64);
        assert_eq!(tables.quantization[1].unwrap()[1], 258);
    }

    #[test]
    fn a_table_that_is_no_code_is_an_error_to_the_scan_that_uses_it() {
        let mut overfull = vec![0x00, 3];
        overfull.extend([0; 15]);
        overfull.extend([1, 2, 3]);
        let mut tables = Tables::default();
        tables.read_huffman(&overfull).unwrap();
        assert!(matches!(tables.dc(0), Err(JpegError::Corrupt(_))));
        assert!(matches!(tables.dc(1), Err(JpegError::Unsupported(_))));
        (overfull[1], overfull[2]) = (1, 2);
        tables.read_huffman(&overfull).unwrap();
        assert!(tables.dc(0).is_ok());
    }

    #[test]
    fn short_and_misnumbered_tables_are_corrupt() {
        assert!(Tables::default().read_quantization(&[0, 1, 2]).is_err());
        assert!(Tables::default().read_quantization(&[4; 65]).is_err());
        assert!(Tables::default().read_huffman(&[0; 16]).is_err());
        assert!(Tables::default().read_huffman(&[0x20; 17]).is_err());
        assert!(Tables::default().read_huffman(&[0x04; 17]).is_err());
    }
}
