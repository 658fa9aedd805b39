//! The formats that are read and written: one row each. Everything that depends on a format alone
//! (its name, its file suffix, whether it keeps alpha) derives from here.

use super::error::ImagingError;
use super::sniff::sniff;

/// A format of image files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    Jpeg,
    Png,
    Gif,
    Webp,
    Bmp,
    Avif,
    Tiff,
    /// Also CUR.
    Ico,
    /// PBM, PGM, PPM and PAM.
    Pnm,
    Tga,
    Qoi,
    Dds,
    /// CR2, CR3, NEF, ARW, DNG, RAF, ORF and RW2, and others that are built as TIFF is.
    Raw,
    /// HEIC, and HEIF with HEVC.
    Heif,
    Jxl,
    Jpeg2000,
    /// Also PSB.
    Psd,
    /// Also SVGZ.
    Svg,
    /// Its first page.
    Pdf,
}

/// The properties of a format.
#[derive(Debug)]
pub struct FormatRow {
    pub format: Format,
    /// The spelling is Pillow's.
    pub name: &'static str,
    /// The spelling in sentences.
    pub prose: &'static str,
    /// The word by which a client asks for it as output.
    pub word: &'static str,
    pub media_type: &'static str,
    /// Of files, without a dot.
    pub extension: &'static str,
    pub is_read: bool,
    pub is_written: bool,
    pub keeps_alpha: bool,
    pub may_be_animated: bool,
}

/// In the order in which readers see them.
pub const FORMATS: [FormatRow; 19] = [
    FormatRow {
        format: Format::Jpeg,
        name: "JPEG",
        prose: "JPEG",
        word: "jpeg",
        media_type: "image/jpeg",
        extension: "jpg",
        is_read: true,
        is_written: true,
        keeps_alpha: false,
        may_be_animated: false,
    },
    FormatRow {
        format: Format::Png,
        name: "PNG",
        prose: "PNG",
        word: "png",
        media_type: "image/png",
        extension: "png",
        is_read: true,
        is_written: true,
        keeps_alpha: true,
        may_be_animated: true,
    },
    FormatRow {
        format: Format::Gif,
        name: "GIF",
        prose: "GIF",
        word: "gif",
        media_type: "image/gif",
        extension: "gif",
        is_read: true,
        is_written: false,
        keeps_alpha: true,
        may_be_animated: true,
    },
    FormatRow {
        format: Format::Webp,
        name: "WEBP",
        prose: "WebP",
        word: "webp",
        media_type: "image/webp",
        extension: "webp",
        is_read: true,
        is_written: true,
        keeps_alpha: true,
        may_be_animated: true,
    },
    FormatRow {
        format: Format::Bmp,
        name: "BMP",
        prose: "BMP",
        word: "bmp",
        media_type: "image/bmp",
        extension: "bmp",
        is_read: true,
        is_written: false,
        keeps_alpha: true,
        may_be_animated: false,
    },
    FormatRow {
        format: Format::Avif,
        name: "AVIF",
        prose: "AVIF",
        word: "avif",
        media_type: "image/avif",
        extension: "avif",
        is_read: true,
        is_written: true,
        keeps_alpha: true,
        may_be_animated: true,
    },
    FormatRow {
        format: Format::Tiff,
        name: "TIFF",
        prose: "TIFF",
        word: "tiff",
        media_type: "image/tiff",
        extension: "tif",
        is_read: true,
        is_written: false,
        keeps_alpha: true,
        may_be_animated: false,
    },
    FormatRow {
        format: Format::Ico,
        name: "ICO",
        prose: "ICO",
        word: "ico",
        media_type: "image/vnd.microsoft.icon",
        extension: "ico",
        is_read: true,
        is_written: false,
        keeps_alpha: true,
        may_be_animated: false,
    },
    FormatRow {
        format: Format::Pnm,
        name: "PPM",
        prose: "PNM",
        word: "pnm",
        media_type: "image/x-portable-anymap",
        extension: "pnm",
        is_read: true,
        is_written: false,
        keeps_alpha: true,
        may_be_animated: false,
    },
    FormatRow {
        format: Format::Tga,
        name: "TGA",
        prose: "TGA",
        word: "tga",
        media_type: "image/x-tga",
        extension: "tga",
        is_read: true,
        is_written: false,
        keeps_alpha: true,
        may_be_animated: false,
    },
    FormatRow {
        format: Format::Qoi,
        name: "QOI",
        prose: "QOI",
        word: "qoi",
        media_type: "image/qoi",
        extension: "qoi",
        is_read: true,
        is_written: false,
        keeps_alpha: true,
        may_be_animated: false,
    },
    FormatRow {
        format: Format::Dds,
        name: "DDS",
        prose: "DDS",
        word: "dds",
        media_type: "image/vnd-ms.dds",
        extension: "dds",
        is_read: true,
        is_written: false,
        keeps_alpha: true,
        may_be_animated: false,
    },
    FormatRow {
        format: Format::Raw,
        name: "RAW",
        prose: "camera RAW",
        word: "raw",
        media_type: "image/x-dcraw",
        extension: "raw",
        is_read: true,
        is_written: false,
        keeps_alpha: false,
        may_be_animated: false,
    },
    FormatRow {
        format: Format::Heif,
        name: "HEIF",
        prose: "HEIC",
        word: "heif",
        media_type: "image/heic",
        extension: "heic",
        is_read: true,
        is_written: false,
        keeps_alpha: true,
        may_be_animated: false,
    },
    FormatRow {
        format: Format::Jxl,
        name: "JXL",
        prose: "JPEG XL",
        word: "jxl",
        media_type: "image/jxl",
        extension: "jxl",
        is_read: true,
        is_written: false,
        keeps_alpha: true,
        may_be_animated: true,
    },
    FormatRow {
        format: Format::Jpeg2000,
        name: "JPEG2000",
        prose: "JPEG 2000",
        word: "jpeg2000",
        media_type: "image/jp2",
        extension: "jp2",
        is_read: true,
        is_written: false,
        keeps_alpha: true,
        may_be_animated: false,
    },
    FormatRow {
        format: Format::Psd,
        name: "PSD",
        prose: "PSD",
        word: "psd",
        media_type: "image/vnd.adobe.photoshop",
        extension: "psd",
        is_read: true,
        is_written: false,
        keeps_alpha: true,
        may_be_animated: false,
    },
    FormatRow {
        format: Format::Svg,
        name: "SVG",
        prose: "SVG",
        word: "svg",
        media_type: "image/svg+xml",
        extension: "svg",
        is_read: true,
        is_written: false,
        keeps_alpha: true,
        may_be_animated: false,
    },
    FormatRow {
        format: Format::Pdf,
        name: "PDF",
        prose: "PDF",
        word: "pdf",
        media_type: "application/pdf",
        extension: "pdf",
        is_read: true,
        is_written: false,
        keeps_alpha: false,
        may_be_animated: false,
    },
];

impl Format {
    pub const fn row(self) -> &'static FormatRow {
        &FORMATS[self as usize]
    }

    pub const fn name(self) -> &'static str {
        self.row().name
    }

    pub const fn media_type(self) -> &'static str {
        self.row().media_type
    }

    pub const fn extension(self) -> &'static str {
        self.row().extension
    }

    /// True if its decoder may abort or hang on a hostile file: it runs only in a process that is
    /// locked down, and that can be killed.
    pub const fn needs_lockdown(self) -> bool {
        matches!(self, Self::Avif | Self::Svg | Self::Pdf)
    }

    /// True if its pictures are drawn, in any size: there are no pixels that could be too few.
    pub const fn is_vector(self) -> bool {
        matches!(self, Self::Svg | Self::Pdf)
    }

    /// True if it is read only where an operator wants it.
    pub const fn is_off_by_default(self) -> bool {
        matches!(self, Self::Pdf)
    }

    /// The format by the first bytes of a file, whatever is wrong with the rest.
    ///
    /// # Errors
    /// The bytes are of no format that is read.
    pub fn of(bytes: &[u8]) -> Result<Self, ImagingError> {
        sniff(bytes)
    }

    /// The word under which a variant asks for it.
    pub const fn word(self) -> &'static str {
        self.row().word
    }

    /// The formats of sources.
    pub fn read() -> impl Iterator<Item = Self> {
        FORMATS
            .iter()
            .filter(|row| row.is_read)
            .map(|row| row.format)
    }

    /// The formats that variants may have.
    pub fn written() -> impl Iterator<Item = Self> {
        FORMATS
            .iter()
            .filter(|row| row.is_written)
            .map(|row| row.format)
    }

    /// The format that is written under this word (`jpeg`, `png`, `webp`, `avif`).
    pub fn written_as(word: &str) -> Option<Self> {
        Self::written().find(|format| format.word() == word)
    }
}

/// The names of the formats that are always read, for a sentence: `JPEG, PNG and GIF`.
pub fn names_read() -> String {
    let always = Format::read().filter(|format| !format.is_off_by_default());
    let names: Vec<_> = always.map(|format| format.row().prose).collect();
    match names.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_stands_where_its_format_says() {
        for (index, row) in FORMATS.iter().enumerate() {
            assert_eq!(row.format as usize, index);
            assert_eq!(row.format.row().name, row.name);
        }
    }

    #[test]
    fn only_what_is_written_can_be_asked_for() {
        assert_eq!(Format::written_as("webp"), Some(Format::Webp));
        for word in ["gif", "bmp", "JPEG", "jpg", ""] {
            assert_eq!(Format::written_as(word), None, "{word}");
        }
    }
}
