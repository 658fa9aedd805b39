//! The formats beyond JPEG, PNG, GIF, WebP and BMP: the picture of `tests/fixtures/formats` in
//! every coding.

mod heif;
mod heif_file;
mod jpeg2000;
mod jxl;
mod psd;
mod raw;
mod simple;
mod table;
mod tiff;
mod tiff_file;

use thumbforge_imaging::{
    ErrorKind, Format, Formats, ImagingError, Limits, SourceImage, Variant, make,
};

use crate::picture::{Picture, fixture};

pub const WIDTH: usize = 64;
pub const HEIGHT: usize = 48;

/// The colour of a pixel; `make.py` has the same formula.
pub fn colour(x: usize, y: usize) -> [u8; 3] {
    [4 * x, 5 * y, 255 - 2 * x - 2 * y].map(|sample| sample as u8)
}

pub fn grey(x: usize, y: usize) -> u8 {
    (3 * x + y) as u8
}

pub fn colours() -> Picture {
    Picture::of(WIDTH, HEIGHT, colour)
}

pub fn greys() -> Picture {
    Picture::of(WIDTH, HEIGHT, |x, y| [grey(x, y); 3])
}

/// Black and white squares of eight pixels.
pub fn squares() -> Picture {
    Picture::of(WIDTH, HEIGHT, |x, y| [((x / 8 + y / 8) % 2 * 255) as u8; 3])
}

/// A file of the folder.
pub fn file(name: &str) -> Vec<u8> {
    fixture(&format!("formats/{name}"))
}

/// Any picture of up to 256 pixels a side, as it is: through PNG, which loses nothing.
pub fn try_shown(bytes: &[u8], limits: &Limits) -> Result<(Picture, SourceImage), ImagingError> {
    let mut variant = Variant::thumbnail(256, 85);
    variant.formats = Formats::List(vec![Format::Png]);
    let mut made = make(bytes, &[variant], limits)?;
    let png = made.renditions.remove(0).files.remove(0).bytes;
    Ok((png_picture(&png), made.source))
}

/// The pixels of a PNG.
pub fn png_picture(png: &[u8]) -> Picture {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut samples = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut samples).unwrap();
    Picture {
        width: info.width as usize,
        height: info.height as usize,
        channels: info.color_type.samples(),
        samples,
    }
}

pub fn shown(bytes: &[u8]) -> (Picture, SourceImage) {
    try_shown(bytes, &Limits::default()).unwrap()
}

/// The same in red, green, blue and alpha.
pub fn rgba(picture: &Picture) -> Vec<[u8; 4]> {
    let pixels = picture.samples.chunks_exact(picture.channels);
    pixels
        .map(|pixel| match *pixel {
            [l] => [l, l, l, 255],
            [l, a] => [l, l, l, a],
            [r, g, b] => [r, g, b, 255],
            [r, g, b, a] => [r, g, b, a],
            _ => unreachable!("no PNG has such pixels"),
        })
        .collect()
}

/// Each sample differs by at most `most`.
pub fn assert_alike(got: &Picture, expected: &Picture, most: u8, what: &str) {
    assert_eq!(
        (got.width, got.height),
        (expected.width, expected.height),
        "{what}"
    );
    for (index, (one, other)) in rgba(got).iter().zip(rgba(expected)).enumerate() {
        assert!(
            one.iter().zip(other).all(|(a, b)| a.abs_diff(b) <= most),
            "{what} at {}, {}: {one:?} instead of {other:?}",
            index % got.width,
            index / got.width
        );
    }
}

pub fn assert_shows(bytes: &[u8], format: Format, expected: &Picture, most: u8, what: &str) {
    let (picture, source) =
        try_shown(bytes, &Limits::default()).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(source.format, format, "{what}");
    assert!(!source.truncated, "{what}");
    assert_alike(&picture, expected, most, what);
}

pub fn kind_of_failure(bytes: &[u8]) -> ErrorKind {
    match try_shown(bytes, &Limits::default()) {
        Ok((picture, _)) => panic!("it shows {} × {}", picture.width, picture.height),
        Err(error) => error.kind(),
    }
}

/// Cuts a file anywhere and changes bytes in it: whatever comes of it, it is typed and no panic.
pub fn torture(bytes: &[u8], what: &str) {
    let check = |bytes: &[u8], what: String| {
        if let Err(error) = try_shown(bytes, &Limits::default()) {
            assert_ne!(error.kind(), ErrorKind::Internal, "{what}: {error}");
        }
    };
    for length in (0..bytes.len()).step_by((bytes.len() / 60).max(1)) {
        check(&bytes[..length], format!("{what} cut to {length}"));
    }
    let early = 0..bytes.len().min(80);
    for index in early.chain((80..bytes.len()).step_by((bytes.len() / 60).max(1))) {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = bytes.to_vec();
            changed[index] ^= change;
            check(&changed, format!("{what} with byte {index} ^ {change}"));
        }
    }
}

/// A cut file with most of its rows shows them, and white below; one with few is refused.
pub fn assert_cuts(bytes: &[u8], at_three_quarters: usize, at_a_quarter: usize, what: &str) {
    let (whole, _) = shown(bytes);
    let (picture, source) = try_shown(&bytes[..at_three_quarters], &Limits::default())
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(source.truncated, "{what}");
    let upper = 0..whole.width * whole.channels * whole.height * 6 / 10;
    assert!(
        picture.samples[upper.clone()] == whole.samples[upper],
        "{what}: the rows that are there differ"
    );
    let last = picture.row(picture.height - 1);
    assert!(
        last.iter().all(|sample| *sample == 255),
        "{what}: its end is not white"
    );
    let refused = try_shown(&bytes[..at_a_quarter], &Limits::default()).map(|_| "a picture");
    assert!(
        matches!(refused, Err(ImagingError::Truncated { .. })),
        "{what}: {refused:?}"
    );
}
