//! What a page shows of a job, and the placeholder of its picture.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use std::io::Write as _;

use super::frame::Frame;
use super::times::When;
use crate::domain::{Job, JobStatus};

/// The longer side of a placeholder in pixels: browsers smooth the rest.
const SIDE: usize = 12;

/// A thumbnail.
pub struct Picture {
    pub src: String,
    pub width: u32,
    pub height: u32,
    /// A `data:` URL; empty if there is none.
    pub placeholder: String,
}

/// A job in a list or on the wall.
pub struct Card {
    pub id: String,
    pub href: String,
    pub host: String,
    /// What comes after the host.
    pub path: String,
    pub status: &'static str,
    pub error_code: Option<String>,
    pub error: Option<String>,
    pub created: When,
    pub picture: Option<Picture>,
}

impl Card {
    pub fn new(job: &Job, frame: &Frame) -> Self {
        let (host, path) = split(&job.url);
        Self {
            id: job.id.to_string(),
            href: frame.link(&format!("/ui/jobs/{}", job.id)),
            host: host.to_owned(),
            path: path.to_owned(),
            status: job.status.as_str(),
            error_code: job.error_code.clone(),
            error: job.error.clone(),
            created: job.created_at.into(),
            picture: picture(job, frame),
        }
    }

    /// What a screen reader says of its picture.
    pub fn text(&self) -> String {
        let name = self.path.rsplit('/').find(|part| !part.is_empty());
        match name {
            Some(name) => format!("{name} from {}", self.host),
            None => self.host.clone(),
        }
    }
}

/// Host and the rest of a normalised URL.
pub fn split(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find(['/', '?'])
        .map_or((rest, ""), |end| rest.split_at(end))
}

pub fn picture(job: &Job, frame: &Frame) -> Option<Picture> {
    let result = job
        .result
        .as_deref()
        .filter(|_| job.status == JobStatus::Completed)?;
    Some(Picture {
        src: frame.link(&format!("/ui/images/{}/thumbnail", job.id)),
        width: result.thumbnail.width,
        height: result.thumbnail.height,
        placeholder: placeholder(&result.thumbhash).unwrap_or_default(),
    })
}

/// The picture that a ThumbHash (base64) describes, as a `data:` URL.
fn placeholder(thumbhash: &str) -> Option<String> {
    let hash = BASE64.decode(thumbhash).ok()?;
    let (width, height, rgba) = thumbhash::thumb_hash_to_rgba(&hash).ok()?;
    let longest = width.max(height);
    let scaled = |side: usize| (side * SIDE / longest.max(1)).clamp(1, side.max(1));
    let (columns, rows) = (scaled(width), scaled(height));
    let mut raster = Vec::with_capacity(rows * (1 + columns * 3));
    for row in 0..rows {
        // No filter.
        raster.push(0);
        for column in 0..columns {
            let (x, y) = (column * width / columns, row * height / rows);
            raster.extend(rgba.get((y * width + x) * 4..)?.get(..3)?);
        }
    }
    let png = png(
        u32::try_from(columns).ok()?,
        u32::try_from(rows).ok()?,
        &raster,
    )?;
    Some(format!("data:image/png;base64,{}", BASE64.encode(png)))
}

/// A PNG of 8-bit RGB (PNG specification, section 11); `raster` has a filter byte before each row.
fn png(width: u32, height: u32, raster: &[u8]) -> Option<Vec<u8>> {
    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(raster).ok()?;
    let data = zlib.finish().ok()?;
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", &header), (b"IDAT", &data), (b"IEND", &Vec::new())] {
        let mut crc = Crc::new();
        crc.update(kind);
        crc.update(data);
        png.extend(u32::try_from(data.len()).ok()?.to_be_bytes());
        png.extend(kind);
        png.extend(data);
        png.extend(crc.sum().to_be_bytes());
    }
    Some(png)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_has_the_colours_of_its_hash() {
        let blue: Vec<u8> = [20_u8, 40, 200, 255].repeat(30 * 20);
        let hash = thumbhash::rgba_to_thumb_hash(30, 20, &blue);
        let url = placeholder(&BASE64.encode(hash)).unwrap();
        let bytes = BASE64.decode(url.strip_prefix("data:image/png;base64,").unwrap());
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes.unwrap()))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert!(
            info.width == 12 && (7..=9).contains(&info.height),
            "{info:?}"
        );
        for pixel in pixels.chunks(3) {
            assert!(pixel[2] > 150 && pixel[0] < 80, "{pixel:?}");
        }
    }

    #[test]
    fn what_is_no_hash_has_no_placeholder() {
        for text in ["", "AAAA", "!", "////"] {
            assert_eq!(placeholder(text), None, "{text}");
        }
    }

    #[test]
    fn a_url_is_a_host_and_the_rest() {
        for (url, expected) in [
            ("https://a.example/b/c.jpg?d", ("a.example", "/b/c.jpg?d")),
            ("http://a.example:81", ("a.example:81", "")),
            ("http://[::1]:81?x", ("[::1]:81", "?x")),
        ] {
            assert_eq!(split(url), expected);
        }
    }
}
