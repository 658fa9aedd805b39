//! JPEG XL (ISO/IEC 18181), by the decoder of the libjxl project.
//!
//! It renders group by group, and looks at the clock before each. Of a file that ends early it
//! shows what it has.

use std::borrow::Cow;
use std::io::{Error as IoError, ErrorKind, IoSliceMut, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use brotli_decompressor::Decompressor;
use jxl::api::{
    Event, ExtraChannel, JxlBasicInfo, JxlBitstreamInput, JxlColorEncoding, JxlColorProfile,
    JxlColorType, JxlDataFormat, JxlDecoder, JxlDecoderOptions, JxlOutputBuffer, JxlParallelRunner,
    JxlParallelRunnerFun, JxlPixelFormat, JxlPrimaries, JxlTransferFunction, ProfileLevel,
};
use jxl::error::{Error, Result as JxlResult};

use super::boxes::{MAX_BOXES, boxes};
use super::{Decoded, check_rows, finish_rows};
use crate::decode::ROWS_PER_DEADLINE_CHECK;
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::header::{EmbeddedProfile, Header, Kind};
use crate::limits::Limits;
use crate::metadata::{Colorimetry, ExifFacts, Transfer};
use crate::raster::Layout;
use crate::reduce::BoxReducer;

/// What is given to the decoder at once.
const PIECE_BYTES: usize = 64 << 10;
/// Tables, and groups in work.
const DECODER_BYTES: usize = 16 << 20;
/// Coefficients, samples of lossless coding, or a frame that later ones refer to, as words of 32
/// bits. A usual file takes a third of it.
const DECODER_BYTES_A_SAMPLE: usize = 5;
/// A compressed EXIF block; larger ones are no EXIF.
const MAX_EXIF_BYTES: u64 = 64 << 10;

/// How a JPEG XL is coded.
#[derive(Debug)]
pub(crate) struct JxlFacts {
    layout: Layout,
    is_premultiplied: bool,
    extra_channels: usize,
    bytes: usize,
}

/// The bytes of the file, piece by piece until the deadline.
struct Input<'a> {
    left: &'a [u8],
    deadline: Option<Instant>,
}

impl Input<'_> {
    fn check(&self) -> Result<(), IoError> {
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => {
                Err(IoError::new(ErrorKind::TimedOut, "the deadline is over"))
            }
            _ => Ok(()),
        }
    }
}

impl JxlBitstreamInput for Input<'_> {
    fn available_bytes(&mut self) -> Result<usize, IoError> {
        Ok(self.left.len().min(PIECE_BYTES))
    }

    fn read(&mut self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize, IoError> {
        self.check()?;
        let mut piece = &self.left[..self.left.len().min(PIECE_BYTES)];
        let count = piece.read_vectored(buffers)?;
        self.left = &self.left[count..];
        Ok(count)
    }

    fn skip(&mut self, bytes: usize) -> Result<usize, IoError> {
        let count = bytes.min(self.left.len());
        self.left = &self.left[count..];
        Ok(count)
    }
}

/// One group after another until the deadline.
struct Groups {
    deadline: Option<Instant>,
}

impl JxlParallelRunner for Groups {
    fn run(&mut self, count: usize, work: &JxlParallelRunnerFun<'_>) -> JxlResult<()> {
        for index in 0..count {
            if self
                .deadline
                .is_some_and(|deadline| Instant::now() >= deadline)
            {
                return Err(IoError::new(ErrorKind::TimedOut, "the deadline is over").into());
            }
            work(index)?;
        }
        Ok(())
    }

    fn num_threads(&self) -> usize {
        1
    }

    fn run_ordered(
        &mut self,
        count: usize,
        _max_threads: Option<usize>,
        work: &JxlParallelRunnerFun<'_>,
    ) -> JxlResult<()> {
        self.run(count, work)
    }
}

fn corrupt(reason: impl std::fmt::Display) -> ImagingError {
    ImagingError::corrupt(Format::Jxl, reason)
}

/// `work`, whose decoder is safe but young.
fn guarded<T>(
    limits: &Limits,
    work: impl FnOnce() -> Result<T, ImagingError>,
) -> Result<T, ImagingError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(corrupt("its decoder gave up")))
        .map_err(|error| match error {
            ImagingError::Corrupt { .. } => limits.timeout_or(error),
            error => error,
        })
}

/// A decoder behind the header.
fn opened<'a>(
    bytes: &'a [u8],
    limits: &Limits,
    only_frames: bool,
) -> Result<(JxlDecoder, Input<'a>, JxlBasicInfo), ImagingError> {
    let mut options = JxlDecoderOptions::default();
    options.adjust_orientation = false;
    options.max_profile_level = ProfileLevel::Main10;
    options.scan_frames_only = only_frames;
    // With as many channels as a picture may have here.
    options.sample_limit = usize::try_from(limits.max_pixels.saturating_mul(8)).ok();
    let mut decoder = JxlDecoder::new(options);
    let mut input = Input {
        left: bytes,
        deadline: limits.deadline,
    };
    match decoder.process(&mut input, None, None) {
        Ok(Event::BasicInfo) => {}
        Ok(_) => return Err(corrupt("its header is cut off")),
        Err(error) => return Err(corrupt(error)),
    }
    let info = decoder.basic_info().cloned();
    let info = info.ok_or_else(|| corrupt("it has no header"))?;
    Ok((decoder, input, info))
}

fn size(info: &JxlBasicInfo, limits: &Limits) -> Result<Size, ImagingError> {
    let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
    let size = Size::new(side(info.size.0), side(info.size.1));
    limits.check_pixels(size.width, size.height)?;
    Ok(size)
}

pub(super) fn inspect<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Header<'a>, ImagingError> {
    guarded(limits, || inspect_unguarded(bytes, limits))
}

fn inspect_unguarded<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Header<'a>, ImagingError> {
    let (mut decoder, _, info) = opened(bytes, limits, false)?;
    let size = size(&info, limits)?;
    let has = |kind: ExtraChannel| {
        info.extra_channels
            .iter()
            .find(|channel| channel.ec_type == kind)
    };
    let alpha = has(ExtraChannel::Alpha);
    let embedded = decoder.embedded_color_profile();
    let channels = embedded.map_or(3, JxlColorProfile::channels);
    let layout = match (channels, alpha, has(ExtraChannel::Black)) {
        (4, _, Some(_)) => Layout::Cmyk,
        (1, None, _) => Layout::Luma,
        (1, Some(_), _) => Layout::LumaAlpha,
        (_, None, _) => Layout::Rgb,
        (_, Some(_), _) => Layout::Rgba,
    };
    let format = pixel_format(layout, info.extra_channels.len());
    decoder.set_pixel_format(format).map_err(corrupt)?;
    let icc = match decoder.output_color_profile() {
        Some(profile) => {
            let highlights = highlights(profile).map(EmbeddedProfile::Described);
            let icc = || {
                let icc = profile.try_as_icc().map(Cow::into_owned);
                icc.map(|icc| EmbeddedProfile::Plain(Cow::Owned(icc)))
            };
            highlights.or_else(icc)
        }
        None => None,
    };
    let mut exif = exif(bytes);
    exif.orientation = info.orientation as u8;
    let frames = match info.animation {
        Some(_) => count_frames(bytes, limits)?,
        None => 1,
    };
    Ok(Header {
        size,
        has_alpha: layout.has_alpha(),
        frames,
        icc: icc.unwrap_or(EmbeddedProfile::None),
        exif,
        kind: Kind::Jxl(JxlFacts {
            layout,
            is_premultiplied: alpha.is_some_and(|alpha| alpha.alpha_associated),
            extra_channels: info.extra_channels.len(),
            bytes: bytes.len(),
        }),
    })
}

/// How the samples of a picture with highlights become light.
fn highlights(profile: &JxlColorProfile) -> Option<Colorimetry> {
    let transfer = match profile.transfer_function()? {
        JxlTransferFunction::PQ => Transfer::Pq,
        JxlTransferFunction::HLG => Transfer::Hlg,
        _ => return None,
    };
    let JxlColorProfile::Simple(encoding) = profile else {
        return None;
    };
    let place = |(x, y): (f32, f32)| [f64::from(x), f64::from(y)];
    let (white, [red, green, blue]) = match encoding {
        JxlColorEncoding::RgbColorSpace {
            white_point,
            primaries,
            ..
        } => (white_point, primaries.to_xy_coords()),
        // Greys are the same in any primaries.
        JxlColorEncoding::GrayscaleColorSpace { white_point, .. } => {
            (white_point, JxlPrimaries::BT2100.to_xy_coords())
        }
        JxlColorEncoding::XYB { .. } => return None,
    };
    let white = place(white.to_xy_coords());
    Colorimetry::of_highlights_in(transfer, [white, place(red), place(green), place(blue)])
}

fn pixel_format(layout: Layout, extra_channels: usize) -> JxlPixelFormat {
    JxlPixelFormat {
        color_type: match layout {
            Layout::Luma => JxlColorType::Grayscale,
            Layout::LumaAlpha => JxlColorType::GrayscaleAlpha,
            Layout::Rgba => JxlColorType::Rgba,
            Layout::Cmyk | Layout::Ycck => JxlColorType::Cmyk,
            Layout::Rgb => JxlColorType::Rgb,
        },
        color_data_format: Some(JxlDataFormat::U8 { bit_depth: 8 }),
        extra_channel_format: vec![None; extra_channels],
    }
}

/// The visible ones, by their headers; as far as the file goes.
fn count_frames(bytes: &[u8], limits: &Limits) -> Result<u32, ImagingError> {
    let (mut decoder, mut input, _) = opened(bytes, limits, true)?;
    loop {
        let event = decoder.process(&mut input, None, None);
        let count = u32::try_from(decoder.scanned_frames().len()).unwrap_or(u32::MAX);
        limits.check_chunks(count)?;
        match event {
            Ok(Event::Complete | Event::NeedMoreInput { .. }) | Err(_) => return Ok(count.max(1)),
            Ok(_) => limits.check_deadline()?,
        }
    }
}

/// The box for it, plain or compressed: an offset, and the block.
fn exif(bytes: &[u8]) -> ExifFacts {
    const OFFSET_BYTES: usize = 4;
    for found in boxes(bytes).take(MAX_BOXES) {
        match &found.kind {
            b"Exif" => {
                return ExifFacts::read(found.data.get(OFFSET_BYTES..).unwrap_or_default());
            }
            b"brob" if found.data.starts_with(b"Exif") => {
                let mut block = Vec::new();
                let packed = &found.data[OFFSET_BYTES..];
                let unpacked = Decompressor::new(packed, 4096)
                    .take(MAX_EXIF_BYTES)
                    .read_to_end(&mut block);
                // A broken one counts as none.
                return match unpacked {
                    Ok(_) => ExifFacts::read(block.get(OFFSET_BYTES..).unwrap_or_default()),
                    Err(_) => ExifFacts::default(),
                };
            }
            _ => {}
        }
    }
    ExifFacts::default()
}

impl JxlFacts {
    pub(super) fn memory_bytes(&self, size: Size, target: Size) -> usize {
        let channels = self.layout.channels();
        let samples = size
            .area()
            .saturating_mul(channels.max(3) + self.extra_channels);
        samples
            .saturating_mul(DECODER_BYTES_A_SAMPLE)
            .saturating_add(size.area() * channels)
            .saturating_add(BoxReducer::memory_bytes(size, target, channels))
            .saturating_add(self.bytes)
            .saturating_add(DECODER_BYTES)
    }

    pub(super) fn decode(
        &self,
        bytes: &[u8],
        size: Size,
        target: Size,
        limits: &Limits,
    ) -> Result<Decoded<'static>, ImagingError> {
        limits.check_deadline()?;
        let stride = size.width as usize * self.layout.channels();
        let mut picture = vec![0; stride * size.height as usize];
        let is_whole = guarded(limits, || {
            self.decode_into(&mut picture, bytes, size, limits)
        })?;
        let rows = size.height;
        let rows_decoded = if is_whole {
            rows
        } else {
            rows - empty_rows_below(&picture, stride) as u32
        };
        check_rows(Format::Jxl, rows_decoded, rows)?;
        let mut reducer = BoxReducer::new(size, target, self.layout);
        let decoded = picture.chunks_exact(stride).take(rows_decoded as usize);
        for (index, row) in decoded.enumerate() {
            if index.is_multiple_of(ROWS_PER_DEADLINE_CHECK) {
                limits.check_deadline()?;
            }
            if self.is_premultiplied {
                reducer.push_premultiplied_row(row);
            } else {
                reducer.push_row(row);
            }
        }
        let mut decoded = finish_rows(reducer, Format::Jxl, rows_decoded, rows)?;
        decoded.truncated |= !is_whole;
        Ok(decoded)
    }

    /// False if the file ended before the (first) frame was whole.
    fn decode_into(
        &self,
        picture: &mut [u8],
        bytes: &[u8],
        size: Size,
        limits: &Limits,
    ) -> Result<bool, ImagingError> {
        let (mut decoder, mut input, info) = opened(bytes, limits, false)?;
        if (info.size.0, info.size.1) != (size.width as usize, size.height as usize) {
            return Err(corrupt("its headers contradict each other"));
        }
        let format = pixel_format(self.layout, info.extra_channels.len());
        decoder.set_pixel_format(format).map_err(corrupt)?;
        let stride = size.width as usize * self.layout.channels();
        let mut groups = Groups {
            deadline: limits.deadline,
        };
        loop {
            let mut buffer = [JxlOutputBuffer::new(picture, size.height as usize, stride)];
            match decoder.process(&mut input, Some(&mut buffer), Some(&mut groups)) {
                Ok(Event::FrameComplete { .. } | Event::Complete) => return Ok(true),
                Ok(Event::NeedMoreInput { .. }) => {
                    if !input.left.is_empty() {
                        continue;
                    }
                    let shown = decoder.flush_pixels(&mut buffer, Some(&mut groups));
                    shown.map_err(corrupt)?;
                    return Ok(false);
                }
                Ok(Event::BasicInfo | Event::FrameHeader) => {}
                Err(Error::OutOfBounds(_)) => return Ok(false),
                Err(error) => return Err(corrupt(error)),
            }
        }
    }
}

/// Rows at the bottom of which nothing was decoded.
fn empty_rows_below(picture: &[u8], stride: usize) -> usize {
    picture
        .rchunks_exact(stride)
        .take_while(|row| row.iter().all(|sample| *sample == 0))
        .count()
}
