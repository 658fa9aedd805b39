//! All frames of an APNG (PNG, third edition, section 11.3.6).

use std::io::Cursor;

use ::png::{BlendOp, ColorType, DisposeOp, FrameControl, Transformations};

use super::{MAX_BUFFERED_CHUNK_BYTES, check_palette, corrupt, row_buffers_bytes};
use crate::animation::frames::{Animation, Disposal, Frame, seen_for};
use crate::error::ImagingError;
use crate::geometry::Size;
use crate::limits::Limits;

/// How often it plays; 0 is for ever.
pub(in crate::decode) fn frames(
    bytes: &[u8],
    size: Size,
    limits: &Limits,
    animation: &mut dyn Animation,
) -> Result<u32, ImagingError> {
    let most = ::png::Limits {
        bytes: row_buffers_bytes(size, 4) + MAX_BUFFERED_CHUNK_BYTES,
    };
    let mut decoder = ::png::Decoder::new_with_limits(Cursor::new(bytes), most);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(corrupt)?;
    check_palette(reader.info())?;
    let Some(control) = reader.info().animation_control().copied() else {
        return Ok(0);
    };
    let mut buffer = vec![
        0;
        reader
            .output_buffer_size()
            .ok_or_else(|| corrupt("its size"))?
    ];
    // The default picture need not be a frame.
    let mut is_frame = reader.info().frame_control.is_some();
    let mut is_first = true;
    loop {
        let info = match reader.next_frame(&mut buffer) {
            Ok(info) => info,
            Err(error) if is_first => return Err(corrupt(error)),
            // After the last, or a broken one.
            Err(_) => return Ok(control.num_plays),
        };
        is_first = false;
        let frame = reader.info().frame_control.filter(|_| is_frame);
        is_frame = true;
        let Some(frame) = frame else {
            continue;
        };
        let shown = Size::new(info.width, info.height);
        let used = &buffer[..info.buffer_size()];
        let pixels = rgba(used, info.color_type).ok_or_else(|| corrupt("its palette"))?;
        if pixels.len() != shown.area() * 4 {
            return Err(corrupt("a frame has another size than it claims"));
        }
        if !animation.show(&of(&frame, shown, pixels))? {
            return Ok(control.num_plays);
        }
        limits.check_deadline()?;
    }
}

fn of(control: &FrameControl, size: Size, pixels: Vec<u8>) -> Frame {
    // Hundredths if nothing is said.
    let parts = match control.delay_den {
        0 => 100,
        parts => u32::from(parts),
    };
    Frame {
        left: control.x_offset,
        top: control.y_offset,
        size,
        pixels,
        blends: control.blend_op == BlendOp::Over,
        disposal: match control.dispose_op {
            DisposeOp::None => Disposal::Keep,
            DisposeOp::Background => Disposal::Clear,
            DisposeOp::Previous => Disposal::Restore,
        },
        milliseconds: seen_for(u32::from(control.delay_num) * 1000 / parts),
    }
}

fn rgba(pixels: &[u8], colours: ColorType) -> Option<Vec<u8>> {
    Some(match colours {
        ColorType::Rgba => pixels.to_vec(),
        ColorType::Rgb => pixels
            .chunks_exact(3)
            .flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255])
            .collect(),
        ColorType::GrayscaleAlpha => pixels
            .chunks_exact(2)
            .flat_map(|pixel| [pixel[0], pixel[0], pixel[0], pixel[1]])
            .collect(),
        ColorType::Grayscale => pixels
            .iter()
            .flat_map(|grey| [*grey, *grey, *grey, 255])
            .collect(),
        ColorType::Indexed => return None,
    })
}
