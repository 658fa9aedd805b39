//! JPEG XL, as libjxl writes it.

use std::time::Instant;

use thumbforge_imaging::{ErrorKind, Format, ImagingError, Limits};

use super::heif_file::media_box;
use super::tiff_file::{Directory, file as tiff};
use super::{
    HEIGHT, WIDTH, assert_alike, assert_shows, colour, colours, file, greys, kind_of_failure, rgba,
    shown, torture, try_shown,
};
use crate::picture::Picture;

#[test]
fn each_shows_its_picture() {
    let linear = Picture::of(WIDTH, HEIGHT, |x, y| colour(x, y).map(from_linear));
    for (name, expected, most) in [
        ("lossless", colours(), 0),
        ("linear", linear, 7),
        ("grey", greys(), 0),
        ("lossy", colours(), 16),
        ("frames", colours(), 0),
    ] {
        assert_shows(
            &file(&format!("{name}.jxl")),
            Format::Jxl,
            &expected,
            most,
            name,
        );
    }
    assert_eq!(shown(&file("frames.jxl")).1.frames, 2);
    let (picture, source) = shown(&file("alpha.jxl"));
    assert!(source.has_alpha);
    for (index, pixel) in rgba(&picture).iter().enumerate() {
        assert_eq!(pixel[3], (4 * (index % WIDTH)) as u8);
    }
}

/// IEC 61966-2-1.
pub fn from_linear(sample: u8) -> u8 {
    let linear = f64::from(sample) / 255.0;
    let encoded = if linear <= 0.003_130_8 {
        12.92 * linear
    } else {
        1.055 * linear.powf(1.0 / 2.4) - 0.055
    };
    (encoded * 255.0).round() as u8
}

/// The codestream in a container, with another box before it.
pub fn contained(name: &str, extra: &[u8]) -> Vec<u8> {
    let stream = file(name);
    assert!(stream.starts_with(b"\xff\x0a"), "it is bare");
    [
        media_box(b"JXL ", &[b"\r\n\x87\n"]),
        media_box(b"ftyp", &[b"jxl \0\0\0\0jxl "]),
        extra.to_vec(),
        media_box(b"jxlc", &[&stream]),
    ]
    .concat()
}

#[test]
fn exif_is_read_from_its_box_also_where_it_is_compressed() {
    let block = tiff(
        b"II*\0",
        &[Directory::default()
            .with(271, &b"Canon\0"[..])
            // The codestream's own turn counts, and is none.
            .with(274, 6_u16)],
    );
    let plain = media_box(b"Exif", &[&[0; 4], &block]);
    let uncompressed = uncompressed_brotli(&[&[0; 4][..], &block].concat());
    let packed = media_box(b"brob", &[b"Exif", &uncompressed]);
    for extra in [plain, packed] {
        let (picture, source) = shown(&contained("lossless.jxl", &extra));
        assert_eq!(source.exif.unwrap().camera.as_deref(), Some("Canon"));
        assert_eq!(source.orientation, 1);
        assert_alike(&picture, &colours(), 0, "in a container");
    }
}

/// RFC 7932: a window of 16 bits, one meta-block of at most 65,536 bytes as they are, and an empty
/// last one.
fn uncompressed_brotli(data: &[u8]) -> Vec<u8> {
    let mut bits: Vec<bool> = Vec::new();
    let mut put = |number: usize, count: usize| {
        bits.extend((0..count).map(|bit| number >> bit & 1 == 1));
    };
    put(0, 1);
    // Not the last; four nibbles of length less one; uncompressed.
    put(0, 1);
    put(0, 2);
    put(data.len() - 1, 16);
    put(1, 1);
    let mut bytes: Vec<u8> = bits
        .chunks(8)
        .map(|bits| {
            bits.iter()
                .rev()
                .fold(0, |byte, bit| byte << 1 | u8::from(*bit))
        })
        .collect();
    bytes.extend(data);
    bytes.push(3);
    bytes
}

#[test]
fn a_file_that_ends_early_is_marked_or_refused() {
    let bytes = file("lossy.jxl");
    for length in [10, bytes.len() / 2, bytes.len() - 20] {
        match try_shown(&bytes[..length], &Limits::default()) {
            Ok((picture, source)) => {
                assert!(source.truncated, "cut to {length}");
                assert_eq!((picture.width, picture.height), (WIDTH, HEIGHT));
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}"),
        }
    }
}

/// By SMPTE ST 2084 and ITU-R BT.2100 with 203 cd/m² as white, the curve of Reinhard, and the matrix
/// from BT.2020 to BT.709: computed apart.
#[test]
fn more_light_than_a_screen_has_is_compressed() {
    for (name, neutral, orange) in [
        ("pq.jxl", [188, 188, 188], [181, 100, 62]),
        ("hlg.jxl", [144, 144, 144], [135, 104, 85]),
    ] {
        let (picture, source) = shown(&file(name));
        assert_eq!((source.width, source.height), (64, 48));
        for (x, expected) in [(10, neutral), (54, orange)] {
            for (sample, expected) in picture.at(x, 20).iter().zip(expected) {
                assert!(
                    sample.abs_diff(expected) <= 1,
                    "{name}: {:?}",
                    picture.at(x, 20)
                );
            }
        }
    }
}

#[test]
fn damaged_files_never_panic() {
    for name in ["lossless", "lossy", "alpha", "frames"] {
        torture(&file(&format!("{name}.jxl")), name);
    }
}

#[test]
fn headers_that_promise_too_much_are_refused() {
    // SizeHeader: not small, sides of 30 bits less one.
    let mut bits = vec![0xff, 0x0a];
    let field: u128 = 0b11 << 1 | ((1 << 30) - 1) << 3 | 0b11 << 36 | ((1 << 30) - 1) << 38;
    bits.extend(field.to_le_bytes());
    bits.extend([0; 64]);
    let kind = kind_of_failure(&bits);
    assert!(
        matches!(kind, ErrorKind::TooLarge | ErrorKind::Corrupt),
        "{kind:?}"
    );
}

#[test]
fn a_passed_deadline_ends_the_work() {
    let limits = Limits {
        deadline: Some(Instant::now()),
        ..Limits::default()
    };
    for name in ["lossless", "lossy"] {
        let outcome = try_shown(&file(&format!("{name}.jxl")), &limits).map(|_| "a picture");
        assert_eq!(outcome, Err(ImagingError::Timeout), "{name}");
    }
}
