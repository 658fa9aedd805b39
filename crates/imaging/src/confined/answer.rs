//! What a decoding process answers, and the doubts of whoever reads it.
//!
//! The head, in 64-bit little-endian fields: what it is, the rows that hold a picture, whether the
//! file is truncated, what the samples mean, and for each of up to four planes its size and its
//! span. The body is the samples of each plane, without gaps; or a sentence. Of a source that was only
//! measured the second and third field are its sides, and there is no body.

use std::borrow::Cow;
use std::io::{self, Write};

use super::area;
use crate::decode::{self, Decoded};
use crate::error::{ErrorKind, ImagingError};
use crate::formats::Format;
use crate::geometry::Size;
use crate::header::Header;
use crate::picture::{Pixels, Plane, PlaneColors, Planes};
use crate::raster::{Layout, Raster};

/// The length of the head of an answer.
pub const ANSWER_HEAD_BYTES: usize = FIELDS * 8;
const FIELDS: usize = 4 + MAX_PLANES * PLANE_FIELDS;
const MAX_PLANES: usize = 4;
const PLANE_FIELDS: usize = 4;

const PICTURE: u64 = 1;
const REFUSAL: u64 = 2;
const SIZE: u64 = 3;
/// Longest sentence of a refusal, in bytes.
const MAX_SENTENCE: usize = 400;

const LAYOUTS: [Layout; 6] = [
    Layout::Luma,
    Layout::LumaAlpha,
    Layout::Rgb,
    Layout::Rgba,
    Layout::Cmyk,
    Layout::Ycck,
];
const KINDS: [ErrorKind; 5] = [
    ErrorKind::Unsupported,
    ErrorKind::TooLarge,
    ErrorKind::Corrupt,
    ErrorKind::Timeout,
    ErrorKind::Internal,
];

/// What the samples mean: interleaved, or planes.
const INTERLEAVED: u64 = 0;
const PLANES: u64 = 16;
const YCC: u64 = 32;
const LIMITED_YCC: u64 = 33;

/// An answer whose head was found possible.
pub struct Expected {
    what: What,
    body_bytes: usize,
}

enum What {
    Picture {
        rows: u32,
        truncated: bool,
        meaning: Meaning,
        planes: Vec<PlaneHead>,
    },
    Refusal(ErrorKind),
    Size(Size),
}

#[derive(Clone, Copy)]
enum Meaning {
    Interleaved(Layout),
    Planes(PlaneColors),
}

struct PlaneHead {
    size: Size,
    span: (f64, f64),
}

impl Expected {
    /// The length of what follows the head: never more than the plan takes.
    pub const fn body_bytes(&self) -> usize {
        self.body_bytes
    }

    /// `None` if it can't be the answer that was asked for.
    pub(super) fn read(head: &[u8], most: &Most) -> Option<Self> {
        let [what, first, second, meaning, planes @ ..] = fields(head)?;
        match what {
            PICTURE => Self::picture(first, second, meaning, &planes, most),
            REFUSAL => Self::refusal(first, second),
            _ => None,
        }
    }

    /// The same of a size that was asked for.
    pub(super) fn read_size(head: &[u8]) -> Option<Self> {
        let [what, first, second, ..] = fields(head)?;
        match what {
            SIZE => {
                let size = Size::new(u32::try_from(first).ok()?, u32::try_from(second).ok()?);
                Some(Self {
                    what: What::Size(size),
                    body_bytes: 0,
                })
            }
            REFUSAL => Self::refusal(first, second),
            _ => None,
        }
    }

    fn refusal(kind: u64, body_bytes: u64) -> Option<Self> {
        let kind = KINDS.get(usize::try_from(kind).ok()?)?;
        let body_bytes = usize::try_from(body_bytes).ok()?;
        (body_bytes <= MAX_SENTENCE).then_some(Self {
            what: What::Refusal(*kind),
            body_bytes,
        })
    }

    fn picture(
        rows: u64,
        truncated: u64,
        meaning: u64,
        planes: &[u64],
        most: &Most,
    ) -> Option<Self> {
        let rows = u32::try_from(rows).ok()?;
        if rows > most.source.height || truncated > 1 {
            return None;
        }
        let meaning = Meaning::of_code(meaning)?;
        let planes = planes.chunks_exact(PLANE_FIELDS).take(meaning.planes());
        let planes: Vec<_> = planes
            .map(|fields| PlaneHead::read(fields, most.size))
            .collect::<Option<_>>()?;
        let samples: u64 = planes.iter().map(|plane| area(plane.size)).sum();
        let body_bytes = usize::try_from(samples * meaning.samples_of_a_plane()).ok()?;
        (body_bytes <= most.bytes).then_some(Self {
            what: What::Picture {
                rows,
                truncated: truncated == 1,
                meaning,
                planes,
            },
            body_bytes,
        })
    }

    pub(super) fn decoded(self, body: Vec<u8>) -> Result<Decoded<'static>, ImagingError> {
        if body.len() != self.body_bytes {
            return Err(ImagingError::Internal(
                "a decoder's answer is too short".into(),
            ));
        }
        match self.what {
            What::Refusal(kind) => Err(refusal(kind, &body)),
            What::Size(_) => Err(senseless()),
            What::Picture {
                rows,
                truncated,
                meaning,
                planes,
            } => Ok(Decoded {
                pixels: pixels(meaning, planes, body),
                rows,
                truncated,
            }),
        }
    }

    pub(super) fn size(self, body: &[u8]) -> Result<Size, ImagingError> {
        match self.what {
            What::Refusal(kind) => Err(refusal(kind, body)),
            What::Size(size) => Ok(size),
            What::Picture { .. } => Err(senseless()),
        }
    }
}

/// A head as its numbers.
fn fields(head: &[u8]) -> Option<[u64; FIELDS]> {
    let head: &[u8; ANSWER_HEAD_BYTES] = head.try_into().ok()?;
    let mut fields = [0_u64; FIELDS];
    for (field, bytes) in fields.iter_mut().zip(head.chunks_exact(8)) {
        *field = u64::from_le_bytes(bytes.try_into().ok()?);
    }
    Some(fields)
}

fn refusal(kind: ErrorKind, sentence: &[u8]) -> ImagingError {
    match kind {
        ErrorKind::Timeout => ImagingError::Timeout,
        ErrorKind::Internal => ImagingError::Internal(printable(sentence)),
        kind => ImagingError::Confined {
            kind,
            sentence: printable(sentence),
        },
    }
}

pub(super) fn senseless() -> ImagingError {
    ImagingError::Internal("a decoder's answer makes no sense".into())
}

fn pixels(meaning: Meaning, planes: Vec<PlaneHead>, body: Vec<u8>) -> Pixels<'static> {
    let colors = match (meaning, &planes[..]) {
        (Meaning::Interleaved(layout), [PlaneHead { size, span }]) => {
            return Pixels::Raster(Raster {
                size: *size,
                span: *span,
                layout,
                pixels: body,
            });
        }
        (Meaning::Planes(colors), _) => colors,
        // One plane, by `Meaning::planes`.
        (Meaning::Interleaved(layout), _) => PlaneColors::Channels(layout),
    };
    // From the last to the first, so that no sample is held twice.
    let mut body = body;
    let mut split: Vec<_> = planes
        .into_iter()
        .rev()
        .map(|PlaneHead { size, span }| {
            let samples = body.split_off(body.len().saturating_sub(size.area()));
            body.shrink_to_fit();
            Plane {
                samples: Cow::Owned(samples),
                stride: size.width as usize,
                size,
                span,
            }
        })
        .collect();
    split.reverse();
    Pixels::Planes(Planes {
        colors,
        planes: split,
    })
}

impl Meaning {
    fn of_code(code: u64) -> Option<Self> {
        let layout = |first: u64| LAYOUTS.get(usize::try_from(code.checked_sub(first)?).ok()?);
        match code {
            YCC => Some(Self::Planes(PlaneColors::Ycc)),
            LIMITED_YCC => Some(Self::Planes(PlaneColors::LimitedYcc)),
            PLANES.. => Some(Self::Planes(PlaneColors::Channels(*layout(PLANES)?))),
            _ => Some(Self::Interleaved(*layout(INTERLEAVED)?)),
        }
    }

    fn code(self) -> u64 {
        let place = |layout| LAYOUTS.iter().position(|known| *known == layout);
        match self {
            Self::Planes(PlaneColors::Ycc) => YCC,
            Self::Planes(PlaneColors::LimitedYcc) => LIMITED_YCC,
            Self::Planes(PlaneColors::Channels(layout)) => {
                PLANES + place(layout).unwrap_or_default() as u64
            }
            Self::Interleaved(layout) => INTERLEAVED + place(layout).unwrap_or_default() as u64,
        }
    }

    const fn planes(self) -> usize {
        match self {
            Self::Interleaved(_) => 1,
            Self::Planes(PlaneColors::Channels(layout)) => layout.channels(),
            Self::Planes(PlaneColors::Ycc | PlaneColors::LimitedYcc) => 3,
        }
    }

    const fn samples_of_a_plane(self) -> u64 {
        match self {
            Self::Interleaved(layout) => layout.channels() as u64,
            Self::Planes(_) => 1,
        }
    }
}

impl PlaneHead {
    fn read(fields: &[u64], most: Size) -> Option<Self> {
        let [width, height, across, down] = *fields else {
            return None;
        };
        let side = |side: u64, most: u32| {
            let side = u32::try_from(side).ok()?;
            (1..=most).contains(&side).then_some(side)
        };
        let size = Size::new(side(width, most.width)?, side(height, most.height)?);
        // The last column or row may be partial, and of chroma less than that.
        let covers = |span: u64, side: u32| {
            let (span, side) = (f64::from_bits(span), f64::from(side));
            (span > 0.0 && span > side - 2.0 && span <= side).then_some(span)
        };
        let span = (covers(across, size.width)?, covers(down, size.height)?);
        Some(Self { size, span })
    }

    fn fields(size: Size, span: (f64, f64)) -> [u64; PLANE_FIELDS] {
        [
            u64::from(size.width),
            u64::from(size.height),
            span.0.to_bits(),
            span.1.to_bits(),
        ]
    }
}

/// The bounds of an answer.
pub(super) struct Most {
    source: Size,
    size: Size,
    pub(super) bytes: usize,
}

impl Most {
    pub(super) fn of(header: &Header<'_>, target: Size) -> Self {
        let source = header.size;
        if header.format() == Format::Jpeg {
            // Narrow pictures and odd samplings stay large. The estimate is little more than planes.
            return Self {
                source,
                size: source,
                bytes: decode::memory_bytes(header, target),
            };
        }
        if header.format().is_vector() {
            return Self {
                source,
                size: target,
                bytes: target.area().saturating_mul(4),
            };
        }
        // Boxes leave less than four times the target on the side that needs more, and a box has at
        // most 257 rows.
        let part = |target: u32, source: u32| f64::from(target) / f64::from(source);
        let part = part(target.width, source.width).max(part(target.height, source.height));
        let part = (4.0 * part + 1.0 / 128.0).min(1.0);
        let side = |side: u32| ((f64::from(side) * part).ceil() as u32 + 1).min(side);
        let size = Size::new(side(source.width), side(source.height));
        Self {
            source,
            size,
            bytes: size.area().saturating_mul(4),
        }
    }
}

/// What a log and a client can be shown.
fn printable(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let shown = text.chars().filter(|letter| !letter.is_control());
    shown.take(MAX_SENTENCE).collect()
}

fn write_head(fields: &[u64], output: &mut impl Write) -> io::Result<()> {
    let mut head = [0; ANSWER_HEAD_BYTES];
    for (place, field) in head.chunks_exact_mut(8).zip(fields) {
        place.copy_from_slice(&field.to_le_bytes());
    }
    output.write_all(&head)
}

pub(super) fn write_picture(decoded: &Decoded<'_>, output: &mut impl Write) -> io::Result<()> {
    let (rows, truncated) = (u64::from(decoded.rows), u64::from(decoded.truncated));
    let mut fields = vec![PICTURE, rows, truncated];
    match &decoded.pixels {
        Pixels::Raster(raster) => {
            fields.push(Meaning::Interleaved(raster.layout).code());
            fields.extend(PlaneHead::fields(raster.size, raster.span));
            write_head(&fields, output)?;
            output.write_all(&raster.pixels)?;
        }
        Pixels::Planes(planes) => {
            fields.push(Meaning::Planes(planes.colors).code());
            for plane in &planes.planes {
                fields.extend(PlaneHead::fields(plane.size, plane.span));
            }
            write_head(&fields, output)?;
            for plane in &planes.planes {
                let (width, height) = (plane.size.width as usize, plane.size.height as usize);
                if plane.stride == width {
                    output.write_all(&plane.samples[..plane.size.area()])?;
                    continue;
                }
                for row in plane.samples.chunks(plane.stride).take(height) {
                    output.write_all(&row[..width])?;
                }
            }
        }
    }
    output.flush()
}

pub(super) fn write_size(size: Size, output: &mut impl Write) -> io::Result<()> {
    let sides = [size.width, size.height].map(u64::from);
    write_head(&[SIZE, sides[0], sides[1]], output)?;
    output.flush()
}

pub(super) fn write_refusal(error: &ImagingError, output: &mut impl Write) -> io::Result<()> {
    let kind = error.kind();
    let place = KINDS.iter().position(|known| *known == kind);
    // A decode has no other kinds.
    let place = place.unwrap_or(KINDS.len() - 1) as u64;
    let sentence = error.to_string();
    let sentence = &sentence.as_bytes()[..sentence.len().min(MAX_SENTENCE)];
    write_head(&[REFUSAL, place, sentence.len() as u64], output)?;
    output.write_all(sentence)?;
    output.flush()
}
