//! Facsimile (ITU-T T.4 and T.6) in TIFF, row by row.

use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;

use fax::decoder::{DecodeStatus, Group4Decoder};
use fax::maps::{black, white};
use fax::{BitReader, ByteReader};

use super::facts::Compression;

/// The bytes of a chunk, with a limit for each row: what a row keeps grows with its codes.
struct Bytes<'a> {
    data: Cow<'a, [u8]>,
    at: usize,
    left_for_row: Rc<Cell<usize>>,
}

/// Decoders look ahead.
const PADDING: usize = 4;

impl Iterator for Bytes<'_> {
    type Item = Result<u8, ()>;

    fn next(&mut self) -> Option<Self::Item> {
        let left = self.left_for_row.get();
        if left == 0 {
            return Some(Err(()));
        }
        self.left_for_row.set(left - 1);
        let byte = self.data.get(self.at).copied();
        self.at += 1;
        byte.or((self.at <= self.data.len() + PADDING).then_some(0))
            .map(Ok)
    }
}

enum Coding<'a> {
    Runs {
        reader: Option<ByteReader<Bytes<'a>>>,
        rows_end_on_bytes: bool,
    },
    /// `None` where it can't begin. Rows may end the picture early: all others are white.
    Group4(Option<Group4Decoder<Bytes<'a>>>),
}

pub(super) struct Fax<'a> {
    coding: Coding<'a>,
    width: u16,
    bytes_for_row: usize,
    left_for_row: Rc<Cell<usize>>,
    /// Where the colour changes, from white on.
    changes: Vec<u16>,
}

impl<'a> Fax<'a> {
    pub(super) fn new(data: Cow<'a, [u8]>, compression: Compression, width: u32) -> Self {
        // At most six bits for a pixel that differs from the one before it, and the padding between
        // rows.
        let bytes_for_row = width as usize + 64;
        let left_for_row = Rc::new(Cell::new(bytes_for_row));
        let bytes = Bytes {
            data,
            at: 0,
            left_for_row: Rc::clone(&left_for_row),
        };
        // Wider ones are beyond the decoder, and no facsimiles.
        let width = u16::try_from(width).unwrap_or(0);
        let coding = match compression {
            Compression::Runs { rows_end_on_bytes } => Coding::Runs {
                reader: ByteReader::new(bytes).ok(),
                rows_end_on_bytes,
            },
            _ => Coding::Group4(Group4Decoder::new(bytes, width).ok()),
        };
        Self {
            coding,
            width,
            bytes_for_row,
            left_for_row,
            changes: Vec::new(),
        }
    }

    /// As `Stream::read`, for one row. A set bit is black.
    pub(super) fn read(&mut self, out: &mut [u8]) -> bool {
        self.left_for_row.set(self.bytes_for_row);
        if self.width == 0 {
            return false;
        }
        let changes = match &mut self.coding {
            Coding::Runs {
                reader: Some(reader),
                rows_end_on_bytes,
            } => {
                self.changes.clear();
                if !read_runs(reader, *rows_end_on_bytes, self.width, &mut self.changes) {
                    return false;
                }
                &self.changes[..]
            }
            Coding::Group4(Some(decoder)) => match decoder.advance() {
                Ok(DecodeStatus::Incomplete) => decoder.transition(),
                _ => return false,
            },
            _ => return false,
        };
        paint(changes, self.width, out);
        true
    }
}

fn paint(changes: &[u16], width: u16, out: &mut [u8]) {
    out.fill(0);
    for pair in changes.chunks(2) {
        let end = pair.get(1).copied().unwrap_or(width).min(width);
        for column in pair[0]..end {
            out[usize::from(column) / 8] |= 0x80 >> (column % 8);
        }
    }
}

/// A row of T.4 in one dimension: an end-of-line code may stand before it.
fn read_runs(
    reader: &mut ByteReader<Bytes<'_>>,
    rows_end_on_bytes: bool,
    width: u16,
    changes: &mut Vec<u16>,
) -> bool {
    // No code of a run begins with nine zeros.
    if reader.peek(9) == Some(0) {
        while reader.peek(1) == Some(0) {
            if reader.consume(1).is_err() {
                return false;
            }
        }
        if reader.consume(1).is_err() {
            return false;
        }
    }
    let (mut at, mut is_white) = (0_u16, true);
    while at < width {
        let Some(run) = read_run(reader, is_white) else {
            return false;
        };
        at = at.saturating_add(run);
        changes.push(at);
        is_white = !is_white;
    }
    if rows_end_on_bytes {
        let rest = reader.bits_to_byte_boundary();
        return reader.consume(rest).is_ok();
    }
    true
}

/// Codes of multiples of 64, and then one of less.
fn read_run(reader: &mut ByteReader<Bytes<'_>>, is_white: bool) -> Option<u16> {
    let mut sum = 0_u16;
    loop {
        let part = if is_white {
            white::decode(reader)
        } else {
            black::decode(reader)
        }?;
        sum = sum.checked_add(part)?;
        if part < 64 {
            return Some(sum);
        }
    }
}
