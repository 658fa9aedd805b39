//! JPEG 2000 (ISO/IEC 15444-1), as a JP2 file or bare, by `hayro-jpeg2000`.
//!
//! Levels of detail that no variant needs are not decoded. The decoder knows no deadline: it is not
//! begun when the time left is less than it takes.

mod coding;

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use hayro_jpeg2000::{ColorSpace, DecodeSettings, DecoderContext, Image};

use self::coding::Coding;
use crate::decode::boxes::{MAX_BOXES, boxes};
use crate::decode::{Decoded, ROWS_PER_DEADLINE_CHECK};
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::header::{EmbeddedProfile, Header, Kind};
use crate::limits::Limits;
use crate::metadata::ExifFacts;
use crate::picture::Pixels;
use crate::raster::{Layout, Raster};
use crate::reduce::BoxReducer;

const EXIF_UUID: &[u8; 16] = b"JpgTiffExif->JP2";
const END_OF_CODESTREAM: &[u8] = b"\xff\xd9";
/// Of each sample that is decoded: coefficients, samples as floats, and a byte. Measured are 8.
const DECODER_BYTES_A_SAMPLE: usize = 9;
const DECODER_BYTES: usize = 4 << 20;
/// The least that a sample takes; measured are 8 to 10.
const NANOS_A_SAMPLE: u64 = 3;

/// How a JPEG 2000 is coded.
#[derive(Debug)]
pub(crate) struct Jpeg2000Facts {
    layout: Layout,
    /// Ends before its last marker.
    is_cut: bool,
    coding: Coding,
    bytes: usize,
}

fn corrupt(reason: impl std::fmt::Display) -> ImagingError {
    ImagingError::corrupt(Format::Jpeg2000, reason)
}

/// `work`, whose decoder forbids unsafe code and is young.
fn guarded<T>(work: impl FnOnce() -> Result<T, ImagingError>) -> Result<T, ImagingError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(corrupt("its decoder gave up")))
}

pub(in crate::decode) fn inspect<'a>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<Header<'a>, ImagingError> {
    limits.check_deadline()?;
    let (size, layout, icc) = guarded(|| {
        let image = Image::new(bytes, &DecodeSettings::default()).map_err(corrupt)?;
        let size = Size::new(image.width(), image.height());
        let (channels, profile) = match image.color_space() {
            ColorSpace::Icc {
                profile,
                num_channels,
            } => (*num_channels, Some(profile.clone())),
            space => (space.num_channels(), None),
        };
        let layout = match (channels, image.has_alpha()) {
            (1, false) => Layout::Luma,
            (1, true) => Layout::LumaAlpha,
            (3, false) => Layout::Rgb,
            (3, true) => Layout::Rgba,
            // Layouts of inks have no alpha.
            (4, false) => Layout::Cmyk,
            _ => {
                return Err(ImagingError::UnsupportedKind {
                    format: Format::Jpeg2000,
                    kind: "an image of unusual channels",
                });
            }
        };
        Ok((size, layout, profile))
    })?;
    let coding = Coding::read(codestream(bytes), limits)?;
    Ok(Header {
        size,
        has_alpha: layout.has_alpha(),
        frames: 1,
        icc: icc.map_or(EmbeddedProfile::None, |profile| {
            EmbeddedProfile::Plain(Cow::Owned(profile))
        }),
        exif: exif(bytes),
        kind: Kind::Jpeg2000(Jpeg2000Facts {
            layout,
            coding,
            is_cut: !ends(codestream(bytes)),
            bytes: bytes.len(),
        }),
    })
}

/// Whether its last marker is there; zeros may fill what is behind it.
fn ends(codestream: &[u8]) -> bool {
    let end = codestream.iter().rposition(|byte| *byte != 0);
    codestream[..end.map_or(0, |last| last + 1)].ends_with(END_OF_CODESTREAM)
}

/// EXIF lies in a box by a UUID. No standard says so, but its writers agree (Exiv2, ExifTool).
fn exif(bytes: &[u8]) -> ExifFacts {
    let own = boxes(bytes)
        .take(MAX_BOXES)
        .filter(|found| found.kind == *b"uuid");
    own.filter_map(|found| found.data.strip_prefix(EXIF_UUID))
        .map(ExifFacts::read)
        .next()
        .unwrap_or_default()
}

fn codestream(bytes: &[u8]) -> &[u8] {
    let mut found = boxes(bytes).take(MAX_BOXES);
    let stream = found.find(|found| found.kind == *b"jp2c");
    stream.map_or(bytes, |found| found.data)
}

/// Twice the target, as everywhere: the decoder gives at least that, and less than twice of it.
fn wanted(target: Size) -> (u32, u32) {
    (
        target.width.saturating_mul(2),
        target.height.saturating_mul(2),
    )
}

/// The size that is decoded at most: half, a quarter and so on, as long as enough is left.
fn reduced(size: Size, target: Size, levels: u8) -> Size {
    let (width, height) = wanted(target);
    let halvings = (size.width / width).min(size.height / height);
    let levels = halvings.checked_ilog2().unwrap_or(0).min(levels.into());
    Size::new(
        size.width.div_ceil(1 << levels) + 1,
        size.height.div_ceil(1 << levels) + 1,
    )
}

impl Jpeg2000Facts {
    pub(in crate::decode) fn memory_bytes(&self, size: Size, target: Size) -> usize {
        let decoded = reduced(size, target, self.coding.levels);
        let samples = decoded.area().saturating_mul(self.layout.channels());
        let all_samples = size.area().saturating_mul(self.layout.channels());
        samples
            .saturating_mul(DECODER_BYTES_A_SAMPLE)
            .saturating_add(
                self.coding
                    .structure_bytes(all_samples, self.layout.channels()),
            )
            .saturating_add(self.bytes)
            .saturating_add(DECODER_BYTES)
    }

    pub(in crate::decode) fn decode(
        &self,
        bytes: &[u8],
        size: Size,
        target: Size,
        limits: &Limits,
    ) -> Result<Decoded<'static>, ImagingError> {
        self.check_time(reduced(size, target, self.coding.levels), limits)?;
        let settings = DecodeSettings {
            target_resolution: Some(wanted(target)),
            ..DecodeSettings::default()
        };
        let channels = self.layout.channels();
        let (decoded, picture) = guarded(|| {
            let image = Image::new(bytes, &settings).map_err(corrupt)?;
            let decoded = Size::new(image.width(), image.height());
            if decoded.area() > reduced(size, target, self.coding.levels).area() {
                return Err(corrupt("its levels contradict each other"));
            }
            let mut context = DecoderContext::default();
            let samples = image.decode(&mut context).map_err(corrupt)?;
            let components = samples.components();
            let fits = components.len() == channels
                && components
                    .iter()
                    .all(|component| component.samples().len() == decoded.area());
            if !fits {
                return Err(corrupt("its channels differ in size"));
            }
            let mut picture = vec![0; decoded.area() * channels];
            samples.store_u8_into(&mut picture);
            Ok((decoded, picture))
        })?;
        limits.check_deadline()?;
        self.reduce(picture, decoded, size, target, limits)
    }

    fn check_time(&self, decoded: Size, limits: &Limits) -> Result<(), ImagingError> {
        limits.check_deadline()?;
        let samples = (decoded.area() * self.layout.channels()) as u64;
        let least = Duration::from_nanos(samples * NANOS_A_SAMPLE);
        match limits.deadline {
            Some(deadline) if deadline.saturating_duration_since(Instant::now()) < least => {
                Err(ImagingError::Timeout)
            }
            _ => Ok(()),
        }
    }

    /// Averages what is still too large, and says how much of it the source covers.
    fn reduce(
        &self,
        mut picture: Vec<u8>,
        decoded: Size,
        size: Size,
        target: Size,
        limits: &Limits,
    ) -> Result<Decoded<'static>, ImagingError> {
        if self.layout == Layout::Cmyk {
            // 0 means no ink.
            picture.iter_mut().for_each(|sample| *sample = !*sample);
        }
        let mut reducer = BoxReducer::new(decoded, target, self.layout);
        let stride = decoded.width as usize * self.layout.channels();
        for (index, row) in picture.chunks_exact(stride).enumerate() {
            if index.is_multiple_of(ROWS_PER_DEADLINE_CHECK) {
                limits.check_deadline()?;
            }
            reducer.push_row(row);
        }
        let raster = reducer.finish();
        // The last column and row of a level may stand for less than the others.
        let levels = f64::from(size.width) / f64::from(decoded.width);
        let scale = 2_f64.powf(levels.log2().round());
        let part = |whole: u32, decoded: u32| (f64::from(whole) / scale) / f64::from(decoded);
        Ok(Decoded {
            pixels: Pixels::Raster(Raster {
                span: (
                    raster.span.0 * part(size.width, decoded.width).min(1.0),
                    raster.span.1 * part(size.height, decoded.height).min(1.0),
                ),
                ..raster
            }),
            rows: size.height,
            truncated: self.is_cut,
        })
    }
}
