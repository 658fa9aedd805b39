//! The bytes of one strip or tile, decompressed as they are asked for.

use std::borrow::Cow;
use std::io::{Cursor, Read};

use flate2::bufread::ZlibDecoder;
use weezl::decode::Decoder as Lzw;
use weezl::{BitOrder, LzwStatus};

use super::facts::{Compression, TiffFacts};
use super::fax::Fax;
use super::jpeg;
use crate::error::ImagingError;
use crate::limits::Limits;

/// The tables and windows of one stream, at most.
pub(super) const STREAM_BYTES: usize = 96 << 10;

pub(super) enum Stream<'a> {
    /// Also what is decompressed whole.
    Plain(Cursor<Cow<'a, [u8]>>),
    PackBits(PackBits<'a>),
    Lzw(Box<Lzw>, Cursor<Cow<'a, [u8]>>),
    Deflate(Box<ZlibDecoder<Cursor<Cow<'a, [u8]>>>>),
    Fax(Box<Fax<'a>>),
}

impl<'a> Stream<'a> {
    /// `rows` is how many the chunk has by the header.
    pub(super) fn open(
        facts: &TiffFacts,
        data: &'a [u8],
        tables: &[u8],
        rows: u32,
        limits: &Limits,
    ) -> Result<Self, ImagingError> {
        let data = if facts.bits_are_reversed {
            Cow::Owned(data.iter().map(|byte| byte.reverse_bits()).collect())
        } else {
            Cow::Borrowed(data)
        };
        Ok(match facts.compression {
            Compression::None => Self::Plain(Cursor::new(data)),
            Compression::PackBits => Self::PackBits(PackBits::new(data)),
            Compression::Lzw => Self::Lzw(Box::new(lzw(&data)), Cursor::new(data)),
            Compression::Deflate => Self::Deflate(Box::new(ZlibDecoder::new(Cursor::new(data)))),
            Compression::Runs { .. } | Compression::Group4 => Self::Fax(Box::new(Fax::new(
                data,
                facts.compression,
                facts.chunk.width,
            ))),
            Compression::Jpeg { is_progressive } => {
                let pixels = jpeg::decode(facts, &data, tables, is_progressive, rows, limits)?;
                Self::Plain(Cursor::new(Cow::Owned(pixels)))
            }
        })
    }

    /// Fills `out`; false if that is not possible, because of an early end or damage.
    pub(super) fn read(&mut self, out: &mut [u8]) -> bool {
        match self {
            Self::Plain(data) => data.read_exact(out).is_ok(),
            Self::PackBits(data) => data.read(out),
            Self::Lzw(decoder, data) => read_lzw(decoder, data, out),
            Self::Deflate(data) => data.read_exact(out).is_ok(),
            Self::Fax(data) => data.read(out),
        }
    }
}

/// Codes from the highest bit on; the first version of LZW in TIFF had them from the lowest, and
/// its first code, "clear", shows which it is.
fn lzw(data: &[u8]) -> Lzw {
    match data {
        [0, second, ..] if second & 1 == 1 => Lzw::new(BitOrder::Lsb, 8),
        _ => Lzw::with_tiff_size_switch(BitOrder::Msb, 8),
    }
}

fn read_lzw(decoder: &mut Lzw, data: &mut Cursor<Cow<'_, [u8]>>, mut out: &mut [u8]) -> bool {
    while !out.is_empty() {
        let at = data.position() as usize;
        let result = decoder.decode_bytes(data.get_ref().get(at..).unwrap_or_default(), out);
        data.set_position((at + result.consumed_in) as u64);
        out = &mut out[result.consumed_out..];
        let stands_still = result.consumed_in == 0 && result.consumed_out == 0;
        match result.status {
            Ok(LzwStatus::Ok) if !stands_still => {}
            _ => break,
        }
    }
    out.is_empty()
}

/// TIFF 6.0, section 9.
pub(crate) struct PackBits<'a> {
    data: Cow<'a, [u8]>,
    at: usize,
    /// Bytes of the current run that are still to come.
    left: usize,
    /// The byte that is repeated, if the run is not literal.
    repeated: Option<u8>,
}

impl<'a> PackBits<'a> {
    pub(crate) fn new(data: impl Into<Cow<'a, [u8]>>) -> Self {
        Self {
            data: data.into(),
            at: 0,
            left: 0,
            repeated: None,
        }
    }

    /// As [`Stream::read`].
    pub(crate) fn read(&mut self, mut out: &mut [u8]) -> bool {
        while !out.is_empty() {
            if self.left == 0 && !self.begin_run() {
                return false;
            }
            let (now, later) = out.split_at_mut(self.left.min(out.len()));
            match self.repeated {
                Some(byte) => now.fill(byte),
                None => match self.data.get(self.at..self.at + now.len()) {
                    Some(literal) => {
                        now.copy_from_slice(literal);
                        self.at += now.len();
                    }
                    None => return false,
                },
            }
            self.left -= now.len();
            out = later;
        }
        true
    }

    fn begin_run(&mut self) -> bool {
        while let Some(&code) = self.data.get(self.at) {
            self.at += 1;
            match code as i8 {
                // Nothing, by the specification.
                -128 => continue,
                code @ 0.. => {
                    self.repeated = None;
                    self.left = code as usize + 1;
                }
                code => {
                    self.repeated = self.data.get(self.at).copied();
                    self.at += 1;
                    self.left = 1 + usize::from(code.unsigned_abs());
                    return self.repeated.is_some();
                }
            }
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_bytes_go_on_from_row_to_row() {
        // The example of TIFF 6.0, section 9.
        let packed = [
            0xfe, 0xaa, 0x02, 0x80, 0x00, 0x2a, 0xfd, 0xaa, 0x80, 0x03, 0x80, 0x00, 0x2a, 0x22,
            0xf7, 0xaa,
        ];
        let mut stream = PackBits::new(&packed[..]);
        let mut rows = [[0; 8]; 3];
        assert!(rows.iter_mut().all(|row| stream.read(row)));
        let unpacked = [
            0xaa, 0xaa, 0xaa, 0x80, 0x00, 0x2a, 0xaa, 0xaa, 0xaa, 0xaa, 0x80, 0x00, 0x2a, 0x22,
            0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
        ];
        assert_eq!(rows.concat(), unpacked);
        assert!(!stream.read(&mut [0]));
    }
}
