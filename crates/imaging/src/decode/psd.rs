//! PSD and PSB (Adobe Photoshop File Formats Specification, 2019): the composite of all layers,
//! row by row from its planes.

use std::borrow::Cow;

use super::lab::lab_to_rgb;
use super::samples::Depth;
use super::tiff::PackBits;
use super::{Decoded, ROWS_PER_DEADLINE_CHECK, be_u16, be_u32, finish_rows};
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::header::{EmbeddedProfile, Header, Kind};
use crate::limits::Limits;
use crate::metadata::ExifFacts;
use crate::raster::Layout;
use crate::reduce::BoxReducer;

const HEADER_BYTES: usize = 26;
const MAX_CHANNELS: u16 = 56;
const PALETTE_BYTES: usize = 768;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colors {
    /// 1 is black.
    Bits,
    Grey,
    Palette,
    Rgb,
    /// 255 means no ink.
    Cmyk,
    Lab,
}

impl Colors {
    const fn channels(self) -> usize {
        match self {
            Self::Bits | Self::Grey | Self::Palette => 1,
            Self::Rgb | Self::Lab => 3,
            Self::Cmyk => 4,
        }
    }
}

/// How the composite is coded.
#[derive(Debug)]
pub(crate) struct PsdFacts {
    colors: Colors,
    depth: Depth,
    channels: usize,
    /// The channel behind the colours is what the layers leave transparent.
    has_alpha: bool,
    /// Each row has its length before all of them, in so many bytes; 0 where they are not packed.
    length_bytes: usize,
    palette_at: usize,
    /// Where the composite begins, behind the word for its compression.
    at: usize,
}

fn corrupt(reason: impl std::fmt::Display) -> ImagingError {
    ImagingError::corrupt(Format::Psd, reason)
}

fn unsupported(kind: &'static str) -> ImagingError {
    ImagingError::UnsupportedKind {
        format: Format::Psd,
        kind,
    }
}

/// The sections after the header, each behind its length.
struct Sections {
    palette_at: usize,
    resources: std::ops::Range<usize>,
    layers: std::ops::Range<usize>,
}

impl Sections {
    fn read(bytes: &[u8], is_large: bool) -> Option<Self> {
        let palette = be_u32(bytes, HEADER_BYTES)? as usize;
        let palette_at = HEADER_BYTES + 4;
        let resources_at = palette_at.checked_add(palette)?.checked_add(4)?;
        let resources = be_u32(bytes, resources_at - 4)? as usize;
        let length_at = resources_at.checked_add(resources)?;
        let (layers, length_bytes) = if is_large {
            let length = bytes.get(length_at..)?.first_chunk()?;
            (usize::try_from(u64::from_be_bytes(*length)).ok()?, 8)
        } else {
            (be_u32(bytes, length_at)? as usize, 4)
        };
        let layers_at = length_at + length_bytes;
        Some(Self {
            palette_at,
            resources: resources_at..length_at,
            layers: layers_at..layers_at.checked_add(layers)?,
        })
    }
}

pub(super) fn inspect<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Header<'a>, ImagingError> {
    let cut = || corrupt("its header is cut off");
    let short = |at| be_u16(bytes, at).ok_or_else(cut);
    let long = |at| be_u32(bytes, at).ok_or_else(cut);
    let is_large = short(4)? == 2;
    let channels = short(12)?;
    let size = Size::new(long(18)?, long(14)?);
    let bits = short(22)?;
    let colors = match short(24)? {
        0 => Colors::Bits,
        // A duotone is a grey picture; its inks are Adobe's secret.
        1 | 8 => Colors::Grey,
        2 => Colors::Palette,
        3 => Colors::Rgb,
        4 => Colors::Cmyk,
        9 => Colors::Lab,
        _ => return Err(unsupported("an image in channels without colours")),
    };
    let is_known = match colors {
        Colors::Bits => bits == 1,
        Colors::Palette => bits == 8,
        _ => matches!(bits, 8 | 16 | 32),
    };
    if !is_known {
        return Err(unsupported("an image of an unusual depth"));
    }
    let needed = colors.channels();
    if channels > MAX_CHANNELS || usize::from(channels) < needed {
        return Err(corrupt("it has too few or too many channels"));
    }
    let sections = Sections::read(bytes, is_large).ok_or_else(cut)?;
    let resources = Resources::read(bytes.get(sections.resources).unwrap_or_default(), limits)?;
    if resources.has_no_composite {
        return Err(unsupported("a file without the composite of its layers"));
    }
    let length_bytes = match short(sections.layers.end)? {
        0 => 0,
        1 if is_large => 4,
        1 => 2,
        _ => return Err(unsupported("an image in ZIP")),
    };
    let layers = bytes.get(sections.layers.clone()).unwrap_or_default();
    let has_alpha = colors != Colors::Cmyk
        && usize::from(channels) > needed
        && is_transparent(layers, is_large);
    Ok(Header {
        size,
        has_alpha,
        frames: 1,
        icc: match resources.icc {
            Some(profile) if colors != Colors::Lab => {
                EmbeddedProfile::Plain(Cow::Borrowed(profile))
            }
            _ => EmbeddedProfile::None,
        },
        exif: resources.exif.map(ExifFacts::read).unwrap_or_default(),
        kind: Kind::Psd(PsdFacts {
            colors,
            depth: Depth {
                bits: bits as u8,
                is_float: bits == 32,
                is_little_endian: false,
            },
            channels: channels.into(),
            has_alpha,
            length_bytes,
            palette_at: sections.palette_at,
            at: sections.layers.end + 2,
        }),
    })
}

/// A negative number of layers says so. Files of 16 and 32 bits have their layers in a block behind an
/// empty list, or a block for nothing but this.
fn is_transparent(section: &[u8], is_large: bool) -> bool {
    const MAX_BLOCKS: usize = 1000;
    let is_negative = |list: &[u8]| be_u16(list, 0).is_some_and(|count| (count as i16) < 0);
    let Some((list, rest)) = behind_length(section, is_large) else {
        return false;
    };
    // The list, and the mask of all layers.
    let mut rest = behind_length(rest, false).map_or(&[][..], |(_, rest)| rest);
    let blocks = std::iter::from_fn(|| {
        let (key, data, next) = block(rest, is_large)?;
        rest = next;
        Some((key, data))
    });
    is_negative(list)
        || blocks.take(MAX_BLOCKS).any(|(key, data)| match &key {
            b"Mtrn" | b"Mt16" | b"Mt32" => true,
            b"Layr" | b"Lr16" | b"Lr32" => is_negative(data),
            _ => false,
        })
}

/// What stands behind its length, in four bytes or eight, and what follows.
fn behind_length(bytes: &[u8], is_long: bool) -> Option<(&[u8], &[u8])> {
    let (length, rest) = if is_long {
        let (length, rest) = bytes.split_first_chunk()?;
        (usize::try_from(u64::from_be_bytes(*length)).ok()?, rest)
    } else {
        (be_u32(bytes, 0)? as usize, &bytes[4..])
    };
    rest.split_at_checked(length)
}

/// "Additional layer information": a signature, a key, and data that is filled up to four bytes. In a
/// large document some have a longer length.
fn block(bytes: &[u8], is_large: bool) -> Option<([u8; 4], &[u8], &[u8])> {
    const LONG: [&[u8; 4]; 13] = [
        b"LMsk", b"Lr16", b"Lr32", b"Layr", b"Mt16", b"Mt32", b"Mtrn", b"Alph", b"FMsk", b"lnk2",
        b"FEid", b"FXid", b"PxSD",
    ];
    let rest = bytes
        .strip_prefix(b"8BIM")
        .or_else(|| bytes.strip_prefix(b"8B64"))?;
    let (key, rest) = rest.split_first_chunk()?;
    let (data, _) = behind_length(rest, is_large && LONG.contains(&key))?;
    let head = if is_large && LONG.contains(&key) {
        8
    } else {
        4
    };
    let next = rest.get(head + data.len().next_multiple_of(4)..);
    Some((*key, data, next.unwrap_or_default()))
}

/// The image resources that are used.
#[derive(Default)]
struct Resources<'a> {
    icc: Option<&'a [u8]>,
    exif: Option<&'a [u8]>,
    has_no_composite: bool,
}

impl<'a> Resources<'a> {
    /// As far as their structure holds.
    fn read(bytes: &'a [u8], limits: &Limits) -> Result<Self, ImagingError> {
        const ICC: u16 = 1039;
        const VERSION: u16 = 1057;
        const EXIF: u16 = 1058;
        let mut found = Self::default();
        let (mut rest, mut count) = (bytes, 0);
        while let Some((kind, data, next)) = resource(rest) {
            count += 1;
            limits.check_chunks(count)?;
            match kind {
                ICC if found.icc.is_none() => found.icc = Some(data),
                EXIF if found.exif.is_none() => found.exif = Some(data),
                // Behind a version, whether there is a composite.
                VERSION => found.has_no_composite = data.get(4) == Some(&0),
                _ => {}
            }
            rest = next;
        }
        Ok(found)
    }
}

/// `8BIM`, a number, a name and data, both filled up to even lengths.
fn resource(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let rest = bytes.strip_prefix(b"8BIM")?;
    let kind = be_u16(rest, 0)?;
    let name = usize::from(*rest.get(2)?);
    let rest = rest.get(2 + (1 + name).next_multiple_of(2)..)?;
    let length = be_u32(rest, 0)? as usize;
    let data = rest.get(4..4_usize.checked_add(length)?)?;
    let next = rest
        .get(4 + length.next_multiple_of(2)..)
        .unwrap_or_default();
    Some((kind, data, next))
}

impl PsdFacts {
    const fn layout(&self) -> Layout {
        match (self.colors, self.has_alpha) {
            (Colors::Cmyk, _) => Layout::Cmyk,
            (Colors::Bits | Colors::Grey, false) => Layout::Luma,
            (Colors::Bits | Colors::Grey, true) => Layout::LumaAlpha,
            (_, false) => Layout::Rgb,
            (_, true) => Layout::Rgba,
        }
    }

    fn planes(&self) -> usize {
        self.colors.channels() + usize::from(self.has_alpha)
    }

    pub(super) fn memory_bytes(&self, size: Size, target: Size) -> usize {
        let layout = self.layout();
        let row = self.depth.row_bytes(size.width as usize);
        BoxReducer::memory_bytes(size, target, layout.channels())
            + row
            + size.width as usize * (self.planes() + layout.channels())
    }

    pub(super) fn decode(
        &self,
        bytes: &[u8],
        size: Size,
        target: Size,
        limits: &Limits,
    ) -> Result<Decoded<'static>, ImagingError> {
        let layout = self.layout();
        let (width, height) = (size.width as usize, size.height as usize);
        let mut planes = self.plane_rows(bytes, size);
        let mut raw = vec![0; self.depth.row_bytes(width)];
        let mut samples = vec![0; width * planes.len()];
        let mut row = vec![0; width * layout.channels()];
        let palette = bytes.get(self.palette_at..).unwrap_or_default();
        let palette = &palette[..palette.len().min(PALETTE_BYTES)];
        let mut reducer = BoxReducer::new(size, target, layout);
        'rows: for index in 0..height {
            if index.is_multiple_of(ROWS_PER_DEADLINE_CHECK) {
                limits.check_deadline()?;
            }
            for (plane, samples) in planes.iter_mut().zip(samples.chunks_exact_mut(width)) {
                if !plane.read(&mut raw) {
                    break 'rows;
                }
                self.depth.unpack(&raw, true, samples);
            }
            self.paint(&samples, palette, &mut row);
            if self.has_alpha {
                reducer.push_premultiplied_row(&row);
            } else {
                reducer.push_row(&row);
            }
        }
        let rows_decoded = reducer.rows_pushed();
        finish_rows(reducer, Format::Psd, rows_decoded, size.height)
    }

    /// All rows of a plane come before those of the next.
    fn plane_rows<'a>(&self, bytes: &'a [u8], size: Size) -> Vec<PlaneRows<'a>> {
        let composite = bytes.get(self.at..).unwrap_or_default();
        let (height, planes) = (size.height as usize, 0..self.planes());
        if self.length_bytes == 0 {
            let plane_bytes = self.depth.row_bytes(size.width as usize) * height;
            let data = |plane| composite.get(plane * plane_bytes..).unwrap_or_default();
            return planes.map(|plane| PlaneRows::Plain(data(plane))).collect();
        }
        let lengths_of_plane = height * self.length_bytes;
        let all = lengths_of_plane.saturating_mul(self.channels);
        let (lengths, mut data) = composite.split_at(all.min(composite.len()));
        let packed_rows = |plane| {
            let lengths = lengths.get(plane * lengths_of_plane..).unwrap_or_default();
            let lengths = &lengths[..lengths.len().min(lengths_of_plane)];
            let each = lengths.chunks_exact(self.length_bytes).map(number);
            let packed = each.fold(0, usize::saturating_add);
            let rows = PlaneRows::Packed {
                lengths,
                length_bytes: self.length_bytes,
                data,
            };
            data = data.get(packed..).unwrap_or_default();
            rows
        };
        planes.map(packed_rows).collect()
    }

    /// Samples lie plane by plane.
    fn paint(&self, samples: &[u8], palette: &[u8], row: &mut [u8]) {
        let layout = self.layout();
        let width = row.len() / layout.channels();
        let channels = self.colors.channels();
        for (column, pixel) in row.chunks_exact_mut(layout.channels()).enumerate() {
            let at = |plane: usize| samples[plane * width + column];
            let mut colour = [0; 4];
            match self.colors {
                Colors::Bits => colour[0] = !at(0),
                Colors::Palette => {
                    for (channel, sample) in colour.iter_mut().take(3).enumerate() {
                        let place = channel * PALETTE_BYTES / 3 + usize::from(at(0));
                        *sample = palette.get(place).copied().unwrap_or(0);
                    }
                }
                Colors::Lab => colour[..3].copy_from_slice(&lab_to_rgb(at(0), at(1), at(2))),
                _ => {
                    for (plane, sample) in colour.iter_mut().take(channels).enumerate() {
                        *sample = at(plane);
                    }
                }
            }
            let count = layout.channels() - usize::from(self.has_alpha);
            pixel[..count].copy_from_slice(&colour[..count]);
            if self.has_alpha {
                // The composite lies on white: without it, the colours are weighted by alpha.
                let alpha = at(channels);
                let white = 255 - alpha;
                pixel[..count]
                    .iter_mut()
                    .for_each(|sample| *sample = sample.saturating_sub(white));
                pixel[count] = alpha;
            }
        }
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// The rows of one channel that are still to come.
enum PlaneRows<'a> {
    Plain(&'a [u8]),
    Packed {
        lengths: &'a [u8],
        length_bytes: usize,
        data: &'a [u8],
    },
}

impl PlaneRows<'_> {
    /// False if there is no whole row.
    fn read(&mut self, out: &mut [u8]) -> bool {
        match self {
            Self::Plain(data) => match data.split_at_checked(out.len()) {
                Some((row, rest)) => {
                    out.copy_from_slice(row);
                    *data = rest;
                    true
                }
                None => false,
            },
            Self::Packed {
                lengths,
                length_bytes,
                data,
            } => {
                let Some((length, rest)) = lengths.split_at_checked(*length_bytes) else {
                    return false;
                };
                *lengths = rest;
                let length = number(length).min(data.len());
                let (row, rest) = data.split_at(length);
                *data = rest;
                PackBits::new(row).read(out)
            }
        }
    }
}
