//! What the engine makes of a file.

use std::io::Cursor;

use thumbforge_imaging::confined::{ANSWER_HEAD_BYTES, Order, Unmeasured};
use thumbforge_imaging::{
    Format, Formats, ImagingError, Limits, Picture as Decoded, Plan, Scratch, Source, SourceImage,
    Variant,
};

use super::super::{png_picture, rgba};
use crate::picture::Picture;

/// Pictures are alike from here on, in dB: the codings lose something, another picture has below 15.
const ALIKE: f64 = 26.0;
/// Of a picture in less detail.
const ROUGHLY_ALIKE: f64 = 20.0;

/// A picture as it is shown, the facts beside it, and how many frames its animation has.
pub struct Seen {
    pub picture: Picture,
    pub source: SourceImage,
    pub frames: u32,
}

pub fn seen(bytes: &[u8]) -> Result<Seen, ImagingError> {
    let limits = Limits::default();
    let variant = |format| Variant {
        formats: Formats::List(vec![format]),
        animated: true,
        ..Variant::thumbnail(256, 90)
    };
    let variants = [variant(Format::Png), variant(Format::Webp)];
    let source = match Source::open(bytes, &limits) {
        Err(ImagingError::NeedsLockdown { format }) => measured(bytes, format, &limits)?,
        opened => opened?,
    };
    let plan = source
        .plan(&variants, &limits)
        .map_err(|refused| refused.error)?;
    let mut scratch = Scratch::default();
    let decoded = if source.format().needs_lockdown() {
        confined(&source, &plan, &limits)?
    } else {
        source.decode(&plan, &limits, &mut scratch)?
    };
    let file = |variant| -> Result<Vec<u8>, ImagingError> {
        let mut rendition = source.render(&decoded, variant, &limits)?;
        Ok(rendition.files.remove(0).bytes)
    };
    let webp = file(&variants[1])?;
    let webp = image_webp::WebPDecoder::new(Cursor::new(webp)).unwrap();
    Ok(Seen {
        picture: png_picture(&file(&variants[0])?),
        source: decoded.source().clone(),
        frames: if webp.is_animated() {
            webp.num_frames()
        } else {
            1
        },
    })
}

/// Its size as a locked-down child would tell it.
fn measured<'a>(
    bytes: &'a [u8],
    format: Format,
    limits: &Limits,
) -> Result<Source<'a>, ImagingError> {
    let source = Unmeasured::new(bytes, format);
    let order = Order::from_bytes(&source.order(limits)).unwrap();
    let mut answer = Vec::new();
    order
        .carry_out(bytes, &mut Scratch::default(), &mut answer)
        .unwrap();
    let (head, body) = answer.split_at(ANSWER_HEAD_BYTES);
    source.receive(source.expect(head)?, body, limits)
}

/// As a locked-down child would, in this process: these files are ours.
fn confined(
    source: &Source<'_>,
    plan: &Plan,
    limits: &Limits,
) -> Result<Decoded<'static>, ImagingError> {
    let order = Order::from_bytes(&source.order(plan, limits)).unwrap();
    let mut answer = Vec::new();
    order
        .carry_out(source.bytes(), &mut Scratch::default(), &mut answer)
        .unwrap();
    let (head, body) = answer.split_at(ANSWER_HEAD_BYTES);
    let expected = source.expect(plan, head)?;
    source.receive(expected, body.to_vec(), limits)
}

pub fn is_alike(got: &Picture, expected: &Picture) -> bool {
    (got.width, got.height) == (expected.width, expected.height)
        && likeness(&rgba(got), &rgba(expected)) > ALIKE
}

/// Whether a cut picture shows at least two fifths of the rows of the whole, wherever they are.
pub fn has_rows_of(cut: &Picture, whole: &Picture) -> bool {
    if (cut.width, cut.height) != (whole.width, whole.height) {
        return false;
    }
    let (one, other) = (rgba(cut), rgba(whole));
    let rows = one.chunks(cut.width).zip(other.chunks(cut.width));
    let alike = rows.filter(|(one, other)| likeness(one, other) > ROUGHLY_ALIKE);
    alike.count() * 5 >= cut.height * 2
}

/// Peak signal to noise ratio in dB.
fn likeness(one: &[[u8; 4]], other: &[[u8; 4]]) -> f64 {
    let pairs = one.as_flattened().iter().zip(other.as_flattened());
    let squares: f64 = pairs.map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    let mean = squares / (one.len() * 4) as f64;
    10.0 * (255.0_f64.powi(2) / mean.max(1e-9)).log10()
}
