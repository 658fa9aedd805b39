//! The container of an animated WebP (RFC 9649, sections 2.7.1 and 2.7.1.1): `VP8X`, `ANIM`, and
//! for each frame `ANMF` with the chunks of a picture in it. All frames cover the canvas and replace
//! what was there, so that each can be shown alone.

use crate::geometry::Size;

/// Flags of `VP8X`.
const ALPHA_FLAG: u8 = 0x10;
const ANIMATION_FLAG: u8 = 0x02;
/// Flag of `ANMF`: do not blend.
const REPLACES: u8 = 0x02;
/// Durations have three bytes.
const LONGEST: u32 = 0xff_ffff;

pub(super) struct Writer {
    size: Size,
    has_alpha: bool,
    /// The chunks of each picture, and how long it is seen in milliseconds.
    frames: Vec<(Vec<u8>, u32)>,
}

impl Writer {
    pub(super) fn new(size: Size) -> Self {
        Self {
            size,
            has_alpha: false,
            frames: Vec::new(),
        }
    }

    /// Adds a file of one picture; one like that before is seen longer instead.
    pub(super) fn add(&mut self, file: &[u8], milliseconds: u32) {
        let chunks = picture_chunks(file);
        self.has_alpha |= chunks.has_alpha;
        match self.frames.last_mut() {
            Some((last, seen)) if *last == chunks.bytes => {
                *seen = seen.saturating_add(milliseconds).min(LONGEST);
            }
            _ => self.frames.push((chunks.bytes, milliseconds.min(LONGEST))),
        }
    }

    /// The file, which plays so many times, or for ever at 0. `None` if nothing in it moves.
    pub(super) fn finish(self, plays: u32) -> Option<Vec<u8>> {
        if self.frames.len() < 2 {
            return None;
        }
        let alpha = if self.has_alpha { ALPHA_FLAG } else { 0 };
        let [width, height] = [self.size.width, self.size.height].map(|side| three(side - 1));
        let mut out = b"RIFF\0\0\0\0WEBP".to_vec();
        let head = [&[ANIMATION_FLAG | alpha, 0, 0, 0][..], &width, &height].concat();
        chunk(*b"VP8X", &[&head], &mut out);
        // The background, which players ignore, and the plays.
        let plays = u16::try_from(plays).unwrap_or(u16::MAX).to_le_bytes();
        chunk(*b"ANIM", &[&[0; 4], &plays], &mut out);
        for (picture, milliseconds) in &self.frames {
            let place = [0; 6];
            let duration = three(*milliseconds);
            let head = [&place[..], &width, &height, &duration, &[REPLACES]].concat();
            chunk(*b"ANMF", &[&head, picture], &mut out);
        }
        let length = (out.len() - 8) as u32;
        out[4..8].copy_from_slice(&length.to_le_bytes());
        Some(out)
    }
}

fn three(number: u32) -> [u8; 3] {
    let [one, two, three, _] = number.to_le_bytes();
    [one, two, three]
}

fn chunk(kind: [u8; 4], parts: &[&[u8]], out: &mut Vec<u8>) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.extend(kind);
    out.extend((length as u32).to_le_bytes());
    parts.iter().for_each(|part| out.extend_from_slice(part));
    if length % 2 == 1 {
        out.push(0);
    }
}

struct PictureChunks {
    bytes: Vec<u8>,
    has_alpha: bool,
}

/// `ALPH`, `VP8 ` and `VP8L` of a file that our own encoder wrote, with their heads and padding.
fn picture_chunks(file: &[u8]) -> PictureChunks {
    let mut picture = PictureChunks {
        bytes: Vec::new(),
        has_alpha: false,
    };
    let mut rest = file.get(12..).unwrap_or_default();
    while let Some((head, _)) = rest.split_first_chunk::<8>() {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let end = (8 + length.next_multiple_of(2)).min(rest.len());
        let kind = &head[..4];
        if [&b"ALPH"[..], b"VP8 ", b"VP8L"].contains(&kind) {
            picture.bytes.extend_from_slice(&rest[..end]);
            picture.has_alpha |= kind != b"VP8 ";
        }
        rest = &rest[end..];
    }
    picture
}
