//! Files of one picture, made of the chunks of another file, for a decoder that takes files.

use super::{ALPHA_FLAG, VP8L_SIGNATURE};
use crate::geometry::Size;

/// In the fifth byte of a lossless stream: whether the alpha channel is used.
const ALPHA_HINT: u8 = 0x10;

fn chunk(kind: [u8; 4], data: &[u8], out: &mut Vec<u8>) {
    out.extend(kind);
    out.extend((data.len() as u32).to_le_bytes());
    out.extend_from_slice(data);
    if data.len() % 2 == 1 {
        out.push(0);
    }
}

fn file(chunks: &[u8]) -> Vec<u8> {
    let length = (chunks.len() as u32 + 4).to_le_bytes();
    [b"RIFF", &length, b"WEBP", chunks].concat()
}

/// A picture with its chunks (`ALPH`, `VP8 `, `VP8L`) as they are.
pub(super) fn of_frame(size: Size, has_alpha: bool, chunks: &[u8]) -> Vec<u8> {
    let mut extended = vec![if has_alpha { ALPHA_FLAG } else { 0 }, 0, 0, 0];
    for side in [size.width, size.height] {
        extended.extend(&(side - 1).to_le_bytes()[..3]);
    }
    let mut all = Vec::with_capacity(chunks.len() + 40);
    chunk(*b"VP8X", &extended, &mut all);
    all.extend_from_slice(chunks);
    file(&all)
}

/// A lossless stream whose alpha is looked at, whatever its hint says.
pub(super) fn of_lossless(stream: &[u8]) -> Vec<u8> {
    let mut stream = stream.to_vec();
    if let Some(byte) = stream.get_mut(4) {
        *byte |= ALPHA_HINT;
    }
    let mut all = Vec::with_capacity(stream.len() + 10);
    chunk(*b"VP8L", &stream, &mut all);
    file(&all)
}

/// The stream of an alpha plane, which has no header of its own.
pub(super) fn of_alpha(size: Size, stream: &[u8]) -> Vec<u8> {
    let sides = (size.width - 1) | (size.height - 1) << 14;
    let header = [&[VP8L_SIGNATURE][..], &sides.to_le_bytes()].concat();
    of_lossless(&[&header, stream].concat())
}
