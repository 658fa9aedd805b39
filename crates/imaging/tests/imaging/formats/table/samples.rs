//! For each format: files that have what the columns ask for.

use thumbforge_imaging::Format;

use super::{browser, plain, rich};
use crate::picture::Picture;

/// A file that has something.
pub enum Sample {
    /// The format has no place for it.
    Impossible,
    Of(Vec<u8>),
    /// Shows this picture if the engine heeds it.
    Shows(Vec<u8>, Picture),
    /// Ends early: the whole file, and how many bytes there are.
    Cut(Vec<u8>, usize),
}

pub struct Samples {
    /// Has nothing but its picture.
    pub plain: Vec<u8>,
    /// A camera, in EXIF.
    pub metadata: Sample,
    /// Transparent pixels.
    pub alpha: Sample,
    /// A picture that lies on its side or its head, and says so.
    pub orientation: Sample,
    /// A description of its colours, which makes others of them.
    pub colour: Sample,
    pub truncated: Sample,
    /// Two frames or more.
    pub animated: Sample,
}

impl Samples {
    /// Of a format that has only its picture.
    pub fn of_picture(plain: Vec<u8>) -> Self {
        let length = plain.len() * 3 / 4;
        Self {
            truncated: Sample::Cut(plain.clone(), length),
            plain,
            metadata: Sample::Impossible,
            alpha: Sample::Impossible,
            orientation: Sample::Impossible,
            colour: Sample::Impossible,
            animated: Sample::Impossible,
        }
    }

    pub fn of(format: Format) -> Self {
        match format {
            Format::Jpeg => browser::jpeg(),
            Format::Png => browser::png(),
            Format::Gif => browser::gif(),
            Format::Webp => browser::webp(),
            Format::Avif => browser::avif(),
            Format::Svg => browser::svg(),
            Format::Pdf => browser::pdf(),
            Format::Bmp => plain::bmp(),
            Format::Ico => plain::ico(),
            Format::Pnm => plain::pnm(),
            Format::Tga => plain::tga(),
            Format::Qoi => plain::qoi(),
            Format::Dds => plain::dds(),
            Format::Tiff => rich::tiff(),
            Format::Raw => rich::raw(),
            Format::Heif => rich::heif(),
            Format::Jxl => rich::jxl(),
            Format::Jpeg2000 => rich::jpeg2000(),
            Format::Psd => rich::psd(),
        }
    }
}
