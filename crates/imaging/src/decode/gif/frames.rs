//! All frames of a GIF.

use super::{
    Block, Blocks, Frame as Place, HEADER_BYTES, PASSES, colour_table, corrupt,
    premultiplied_colours, sub_blocks,
};
use crate::animation::frames::{Animation, Disposal, Frame, seen_for};
use crate::decode::{ROWS_PER_DEADLINE_CHECK, le_u16};
use crate::error::ImagingError;
use crate::geometry::Size;
use crate::limits::Limits;
use thumbforge_codecs::gif::Lzw;

const NETSCAPE: &[u8] = b"NETSCAPE2.0";

/// How the next frame is shown, by the graphic control extension.
#[derive(Default, Clone, Copy)]
pub(super) struct Control {
    pub transparent: Option<u8>,
    pub hundredths: u16,
    /// 0 to 7, of which 2 and 3 are in use.
    pub disposal: u8,
}

/// How often it plays; 0 is for ever.
pub(in crate::decode) fn frames(
    bytes: &[u8],
    canvas: Size,
    limits: &Limits,
    animation: &mut dyn Animation,
) -> Result<u32, ImagingError> {
    let flags = *bytes
        .get(10)
        .ok_or_else(|| corrupt("its header is too short"))?;
    let global = colour_table(HEADER_BYTES, flags);
    let mut walk = Blocks {
        bytes,
        position: HEADER_BYTES + global.len(),
    };
    let mut control = Control::default();
    // Without the extension it plays once.
    let mut plays = 1;
    while let Some(block) = walk.next_block() {
        match block {
            Block::GraphicControl(next) => control = next,
            Block::Application { identifier, at } if identifier == NETSCAPE => {
                let data = sub_blocks(bytes, at, 3);
                if let (Some(1), Some(repeats)) = (data.first(), le_u16(&data, 1)) {
                    plays = if repeats == 0 {
                        0
                    } else {
                        u32::from(repeats) + 1
                    };
                }
            }
            Block::Application { .. } => {}
            Block::Frame(place) => {
                if place.size.area() > canvas.area() {
                    return Err(corrupt("a frame is larger than the picture"));
                }
                let palette = if place.palette.is_empty() {
                    global.clone()
                } else {
                    place.palette.clone()
                };
                let palette = bytes.get(palette).unwrap_or_default();
                let colours = premultiplied_colours(palette, control.transparent);
                let frame = Frame {
                    left: place.left,
                    top: place.top,
                    size: place.size,
                    pixels: pixels(bytes, &place, &colours, limits)?,
                    blends: true,
                    disposal: match control.disposal {
                        2 => Disposal::Clear,
                        3 => Disposal::Restore,
                        _ => Disposal::Keep,
                    },
                    milliseconds: seen_for(u32::from(control.hundredths) * 10),
                };
                if !animation.show(&frame)? {
                    break;
                }
                control = Control::default();
            }
        }
    }
    Ok(plays)
}

/// What can't be decoded is transparent.
fn pixels(
    bytes: &[u8],
    place: &Place,
    colours: &[[u8; 4]; 256],
    limits: &Limits,
) -> Result<Vec<u8>, ImagingError> {
    let (width, height) = (place.size.width as usize, place.size.height as usize);
    let mut pixels = vec![0; width * height * 4];
    let mut codes =
        Lzw::new(bytes, place.data_at).ok_or_else(|| corrupt("a frame has no pixels"))?;
    let passes: &[(usize, usize)] = if place.interlaced { &PASSES } else { &[(0, 1)] };
    let rows = passes
        .iter()
        .flat_map(|(first, step)| (*first..height).step_by(*step));
    let mut indices = vec![0; width];
    for (count, row) in rows.enumerate() {
        if count.is_multiple_of(ROWS_PER_DEADLINE_CHECK) {
            limits.check_deadline()?;
        }
        if !codes.read(&mut indices) {
            break;
        }
        let (out, _) = pixels[row * width * 4..][..width * 4].as_chunks_mut::<4>();
        for (out, index) in out.iter_mut().zip(&indices) {
            *out = colours[usize::from(*index)];
        }
    }
    Ok(pixels)
}
