//! The formats that are read and written: one row each. Everything that depends on a format alone
//! (its name, its file suffix, whether it keeps alpha) derives from here.

/// A format of image files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    Jpeg,
    Png,
    Gif,
    Webp,
    Bmp,
    Avif,
}

/// The properties of a format.
#[derive(Debug)]
pub struct FormatRow {
    pub format: Format,
    /// The spelling is Pillow's.
    pub name: &'static str,
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
pub const FORMATS: [FormatRow; 6] = [
    FormatRow {
        format: Format::Jpeg,
        name: "JPEG",
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
        word: "avif",
        media_type: "image/avif",
        extension: "avif",
        is_read: false,
        is_written: true,
        keeps_alpha: true,
        may_be_animated: true,
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

    /// The word under which a variant asks for it.
    pub const fn word(self) -> &'static str {
        self.row().word
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
