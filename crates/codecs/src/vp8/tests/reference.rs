//! The planes of a picture, by our decoder and by the complete one of `image-webp`. For the tests
//! and the fuzz target.

use crate::vp8::{LoopFilter, Progress, Rows, Scratch, Vp8Error, decode};

/// Rows as they come.
#[derive(Default, Debug, PartialEq, Eq)]
pub struct Planes {
    pub luma: Vec<u8>,
    pub cb: Vec<u8>,
    pub cr: Vec<u8>,
}

impl Rows for Planes {
    fn luma(&mut self, row: &[u8]) {
        self.luma.extend_from_slice(row);
    }

    fn chroma(&mut self, cb: &[u8], cr: &[u8]) {
        self.cb.extend_from_slice(cb);
        self.cr.extend_from_slice(cr);
    }
}

pub fn ours(
    data: &[u8],
    declared_bytes: usize,
    filter: LoopFilter,
    scratch: &mut Scratch,
) -> Result<(Planes, Progress), Vp8Error> {
    let mut planes = Planes::default();
    let progress = decode(data, declared_bytes, filter, None, scratch, &mut planes)?;
    Ok((planes, progress))
}

/// Decodes with both. `None` if one of them complains, or the values are beyond what decoders agree
/// on.
///
/// # Errors
/// The name of the plane in which they differ.
pub fn compare(data: &[u8], scratch: &mut Scratch) -> Option<Result<(), &'static str>> {
    let (planes, progress) = ours(data, data.len(), LoopFilter::Apply, scratch).ok()?;
    if progress.stopped.is_some() || scratch.was_extreme() {
        return None;
    }
    let expected = theirs(data)?;
    // Not `assert_eq`: it would print whole planes.
    let differs = [
        (planes.luma != expected.luma, "luma"),
        (planes.cb != expected.cb, "Cb"),
        (planes.cr != expected.cr, "Cr"),
    ];
    let plane = differs.into_iter().find(|(differs, _)| *differs);
    Some(plane.map_or(Ok(()), |(_, name)| Err(name)))
}

pub fn theirs(data: &[u8]) -> Option<Planes> {
    let frame = image_webp::vp8::Vp8Decoder::decode_frame(data).ok()?;
    let (width, height) = (usize::from(frame.width), usize::from(frame.height));
    let stride = width.div_ceil(16) * 16;
    let plane = |samples: &[u8], stride: usize, width: usize, height: usize| -> Vec<u8> {
        let rows = samples.chunks_exact(stride).take(height);
        rows.flat_map(|row| &row[..width]).copied().collect()
    };
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    Some(Planes {
        luma: plane(&frame.ybuf, stride, width, height),
        cb: plane(&frame.ubuf, stride / 2, half_width, half_height),
        cr: plane(&frame.vbuf, stride / 2, half_width, half_height),
    })
}
