//! What other programs say of themselves. Facts only, from their own documentation as it was in
//! August 2026.

use thumbforge_imaging::Format::{self, *};

pub struct Peer {
    /// With the version.
    pub name: &'static str,
    pub reads: &'static [Format],
    /// What it reads with something that it does not bring along, and a word for that.
    pub reads_with: (&'static str, &'static [Format]),
    /// Its list is said to be all that it reads.
    pub lists_all: bool,
    /// Of which it reads all frames.
    pub animated: &'static [Format],
    /// Upright by EXIF, to sRGB by an ICC profile, and the rows of a file that is cut.
    pub heeds: [&'static str; 3],
    pub pages: &'static [&'static str],
}

const ON_REQUEST: &str = "on request";

pub const PEERS: [Peer; 5] = [
    Peer {
        name: "Pillow 13.0",
        reads: &[
            Jpeg, Png, Gif, Webp, Bmp, Avif, Tiff, Ico, Pnm, Tga, Qoi, Dds, Jpeg2000, Psd,
        ],
        reads_with: ("plug-in", &[Raw, Heif, Jxl, Svg]),
        lists_all: true,
        // It says of WebP only how several frames are saved.
        animated: &[Png, Gif, Avif],
        heeds: [ON_REQUEST, ON_REQUEST, ON_REQUEST],
        pages: &[
            "https://pillow.readthedocs.io/en/stable/handbook/image-file-formats.html",
            "https://pillow.readthedocs.io/en/stable/handbook/third-party-plugins.html",
            "https://pillow.readthedocs.io/en/stable/handbook/concepts.html",
            "https://pillow.readthedocs.io/en/stable/reference/ImageCms.html",
        ],
    },
    Peer {
        name: "libvips 8.18",
        reads: &[
            Jpeg, Png, Gif, Webp, Avif, Tiff, Pnm, Raw, Heif, Jxl, Jpeg2000, Svg, Pdf,
        ],
        reads_with: ("", &[]),
        // What ImageMagick reads comes to it.
        lists_all: false,
        animated: &[Gif, Webp, Jxl],
        heeds: ["yes", ON_REQUEST, "yes"],
        pages: &[
            "https://github.com/libvips/libvips/blob/v8.18.4/README.md",
            "https://github.com/libvips/libvips/blob/v8.18.4/doc/function-list.md",
            "https://github.com/libvips/libvips/blob/v8.18.4/doc/multipage-and-animated-images.md",
            "https://www.libvips.org/API/current/ctor.Image.thumbnail.html",
        ],
    },
    Peer {
        name: "sharp 0.35",
        reads: &[Jpeg, Png, Gif, Webp, Avif, Tiff, Svg],
        reads_with: ("own libvips", &[Heif, Jxl, Jpeg2000, Pdf]),
        lists_all: true,
        animated: &[Gif, Webp],
        heeds: [ON_REQUEST, "yes", ON_REQUEST],
        pages: &[
            "https://sharp.pixelplumbing.com/",
            "https://sharp.pixelplumbing.com/api-constructor/",
            "https://sharp.pixelplumbing.com/api-operation/",
            "https://sharp.pixelplumbing.com/api-output/",
        ],
    },
    Peer {
        name: "imgproxy 4.0",
        reads: &[Jpeg, Png, Gif, Webp, Bmp, Avif, Tiff, Ico, Heif, Jxl, Svg],
        reads_with: ("", &[]),
        lists_all: true,
        animated: &[Gif, Webp],
        heeds: ["yes", "yes", "?"],
        pages: &[
            "https://docs.imgproxy.net/image_formats_support",
            "https://docs.imgproxy.net/configuration/options",
        ],
    },
    Peer {
        name: "imgproxy Pro 4.0",
        reads: &[
            Jpeg, Png, Gif, Webp, Bmp, Avif, Tiff, Ico, Heif, Jxl, Psd, Svg, Pdf,
        ],
        reads_with: ("a setting", &[Raw]),
        lists_all: true,
        animated: &[Gif, Webp],
        heeds: ["yes", "yes", "?"],
        pages: &["https://docs.imgproxy.net/image_formats_support"],
    },
];

impl Peer {
    pub fn reads(&self, format: Format) -> &'static str {
        let (word, with) = self.reads_with;
        if self.reads.contains(&format) {
            "yes"
        } else if with.contains(&format) {
            word
        } else if self.lists_all {
            "no"
        } else {
            "?"
        }
    }

    /// Whether it reads all frames. What it does not read has none.
    pub fn animated(&self, format: Format) -> &'static str {
        if self.animated.contains(&format) {
            "yes"
        } else if self.reads(format) == "no" {
            "no"
        } else {
            "?"
        }
    }
}
