//! Animations: the frames of GIF, WebP and APNG, each rendered as a picture is, in one WebP.
//!
//! | file | thought |
//! | --- | --- |
//! | `frames` | what a frame is, whatever format it comes from |
//! | `canvas` | what is seen when a frame is laid on those before it |
//! | `container` | the WebP around the frames |

pub(crate) mod canvas;
mod container;
pub(crate) mod frames;

use self::canvas::Canvas;
use self::container::Writer;
use self::frames::{Animation, Frame};
use super::decode::{self, Decoded};
use super::encode::{self, EncodedFile};
use super::error::ImagingError;
use super::formats::Format;
use super::geometry::Size;
use super::header::{Header, Kind};
use super::limits::Limits;
use super::picture::Pixels;
use super::plan;
use super::raster::Layout;
use super::reduce::BoxReducer;
use super::render::fit::Geometry;
use super::render::{Picture, Rendition};
use super::source::Source;
use super::variant::{Formats, Variant};

impl Source<'_> {
    /// Makes the files of a variant; its WebP moves if the variant wants that and the source does.
    /// An animation that has more than `max_bytes` gives way to its first frame, and frames beyond
    /// those of `limits` are left out.
    ///
    /// # Errors
    /// Those of [`Picture::render`]. Broken frames end the animation.
    pub fn render(
        &self,
        picture: &Picture<'_>,
        variant: &Variant,
        limits: &Limits,
    ) -> Result<Rendition, ImagingError> {
        let mut rendition = picture.render(variant, limits)?;
        let moves = variant.animated && moves(&self.header);
        let webp = rendition
            .files
            .iter_mut()
            .find(|file| file.format == Format::Webp);
        if let Some(file) = webp.filter(|_| moves)
            && let Some(bytes) = self.animate(picture, variant, limits)?
            && variant
                .max_bytes
                .is_none_or(|most| bytes.len() as u64 <= most)
        {
            file.bytes = bytes;
        }
        Ok(rendition)
    }

    /// `None` if fewer than two frames differ.
    fn animate(
        &self,
        picture: &Picture<'_>,
        variant: &Variant,
        limits: &Limits,
    ) -> Result<Option<Vec<u8>>, ImagingError> {
        let geometry = picture.geometry(variant)?;
        let variant = Variant {
            formats: Formats::List(vec![Format::Webp]),
            max_bytes: None,
            ..variant.clone()
        };
        let output = geometry.output();
        let mut making = Making {
            picture,
            variant: &variant,
            geometry,
            limits,
            canvas: Canvas::new(self.header.size),
            needed: plan::needed_size(&geometry, &self.header),
            frames_left: most_frames(&self.header, output, limits),
            writer: Writer::new(output),
        };
        let read = decode::frames(self.bytes, &self.header, limits, &mut making);
        match read {
            Ok(plays) => Ok(making.writer.finish(plays)),
            Err(ImagingError::Corrupt { .. }) => Ok(making.writer.finish(0)),
            Err(error) => Err(error),
        }
    }
}

/// Whether there are frames that are read here.
fn moves(header: &Header<'_>) -> bool {
    header.frames > 1 && matches!(header.kind, Kind::Gif(_) | Kind::Png(_) | Kind::Webp(_))
}

/// At least two, so that it moves.
fn most_frames(header: &Header<'_>, output: Size, limits: &Limits) -> u32 {
    let by_pixels = limits.max_animation_pixels / output.area().max(1) as u64;
    let by_pixels = u32::try_from(by_pixels).unwrap_or(u32::MAX);
    header
        .frames
        .min(limits.max_animation_frames)
        .min(by_pixels)
        .max(2)
}

/// Memory for the frames of a variant besides what its first takes, in bytes: two canvases and a
/// frame in four channels, the rows that are averaged, and the file.
pub(crate) fn memory_bytes(header: &Header<'_>, output: Size, limits: &Limits) -> usize {
    if !moves(header) {
        return 0;
    }
    let canvases = header.size.area().saturating_mul(4 * 4);
    let frames = most_frames(header, output, limits) as usize;
    let file = encode::file_bytes(Format::Webp, output.area()).saturating_mul(frames);
    canvases
        .saturating_add(BoxReducer::memory_bytes(header.size, output, 4))
        .saturating_add(file)
}

/// A WebP in the making.
struct Making<'m> {
    picture: &'m Picture<'m>,
    variant: &'m Variant,
    geometry: Geometry,
    /// The size of the whole picture at the scale of the variant.
    needed: Size,
    limits: &'m Limits,
    canvas: Canvas,
    frames_left: u32,
    writer: Writer,
}

impl Animation for Making<'_> {
    fn show(&mut self, frame: &Frame) -> Result<bool, ImagingError> {
        self.limits.check_deadline()?;
        self.canvas.lay(frame);
        let decoded = self.reduced()?;
        let shown = self.picture.of_frame(decoded);
        let rendition = shown.render_part(self.variant, self.geometry, self.limits)?;
        let files: Vec<EncodedFile> = rendition.files;
        if let Some(file) = files.first() {
            self.writer.add(&file.bytes, frame.milliseconds);
        }
        self.frames_left = self.frames_left.saturating_sub(1);
        Ok(self.frames_left > 0)
    }
}

impl Making<'_> {
    fn reduced(&self) -> Result<Decoded<'static>, ImagingError> {
        let size = self.canvas.size;
        let mut reducer = BoxReducer::new(size, self.needed, Layout::Rgba);
        let stride = size.width as usize * 4;
        for (index, row) in self.canvas.pixels.chunks_exact(stride).enumerate() {
            if index.is_multiple_of(decode::ROWS_PER_DEADLINE_CHECK) {
                self.limits.check_deadline()?;
            }
            reducer.push_row(row);
        }
        Ok(Decoded {
            pixels: Pixels::Raster(reducer.finish()),
            rows: size.height,
            truncated: false,
        })
    }
}

#[cfg(test)]
mod tests;
