//! All frames of an animated WebP (RFC 9649, section 2.7.1.1).

use super::{Chunks, container, corrupt, decode_file, le_u16, le_u32};
use crate::animation::frames::{Animation, Disposal, Frame, seen_for};
use crate::error::ImagingError;
use crate::geometry::Size;
use crate::header::Header;
use crate::limits::Limits;
use crate::raster::Layout;

/// Flags of a frame.
const CLEARS: u8 = 1;
const REPLACES: u8 = 2;
const HEAD_BYTES: usize = 16;

/// How often it plays; 0 is for ever.
pub(in crate::decode) fn frames(
    bytes: &[u8],
    header: &Header<'_>,
    limits: &Limits,
    animation: &mut dyn Animation,
) -> Result<u32, ImagingError> {
    let mut plays = 0;
    for chunk in Chunks::new(bytes) {
        match chunk.kind {
            b"ANIM" => plays = le_u16(chunk.data, 4).unwrap_or(0).into(),
            b"ANMF" if !animation.show(&frame(chunk.data, header, limits)?)? => break,
            _ => {}
        }
    }
    Ok(plays)
}

fn frame(data: &[u8], header: &Header<'_>, limits: &Limits) -> Result<Frame, ImagingError> {
    let (Some(head), Some(chunks)) = (data.first_chunk::<HEAD_BYTES>(), data.get(HEAD_BYTES..))
    else {
        return Err(corrupt("a frame is too short"));
    };
    // The last field of three bytes is read with the flags behind it.
    let field = |at: usize| le_u32(head, at).unwrap_or_default() & 0xff_ffff;
    let size = Size::new(field(6) + 1, field(9) + 1);
    if size.area() > header.size.area() {
        return Err(corrupt("a frame is larger than the picture"));
    }
    let flags = head[15];
    // A frame without an alpha plane is opaque, whatever the others are.
    let may_have_alpha = chunks.starts_with(b"ALPH") || chunks.starts_with(b"VP8L");
    let file = container::of_frame(size, header.has_alpha && may_have_alpha, chunks);
    let (layout, picture) = decode_file(&file, size, limits)?;
    let pixels = match layout {
        Layout::Rgba => picture,
        _ => picture
            .chunks_exact(3)
            .flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255])
            .collect(),
    };
    Ok(Frame {
        left: field(0) * 2,
        top: field(3) * 2,
        size,
        pixels,
        blends: flags & REPLACES == 0,
        disposal: if flags & CLEARS == 0 {
            Disposal::Keep
        } else {
            Disposal::Clear
        },
        milliseconds: seen_for(field(12)),
    })
}
