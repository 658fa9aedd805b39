//! Files that promise more than they hold, or hold more than they show.

use std::io::Write;
use std::time::{Duration, Instant};

use thumbforge::domain::FailureCode;
use thumbforge::imaging::{ImagingError, Limits, probe, thumbnail};

use crate::picture::{Picture, SPEC, fixture, thumbnail_of, try_thumbnail};

#[test]
fn lying_headers_are_refused() {
    for (name, code) in [
        ("png_claim_7fffffff.png", FailureCode::ImageTooLarge),
        ("webp_16383x16383_vp8l.webp", FailureCode::ImageTooLarge),
        ("webp_anim_16383x16383_10.webp", FailureCode::ImageTooLarge),
        ("gif_claimframe_65535.gif", FailureCode::ImageTooLarge),
        ("bmp_claim_30000x30000.bmp", FailureCode::CorruptImage),
        ("jpg_claim_16000x3000_trunc.jpg", FailureCode::CorruptImage),
        ("svg_as.png", FailureCode::UnsupportedFormat),
        ("xcrn0g04.png", FailureCode::UnsupportedFormat),
        ("xhdn0g08.png", FailureCode::CorruptImage),
    ] {
        let begun = Instant::now();
        let error = try_thumbnail(&fixture(name)).unwrap_err();
        assert_eq!(error.failure_code(), code, "{name}: {error}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{name}");
    }
}

fn png_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(kind);
    crc.update(data);
    [
        &(data.len() as u32).to_be_bytes()[..],
        kind,
        data,
        &crc.sum().to_be_bytes(),
    ]
    .concat()
}

/// A PNG with a chunk behind its header.
fn png_with(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    const HEADER_END: usize = 8 + 25;
    let mut bytes = Picture::textured(64, 64).to_png();
    bytes.splice(HEADER_END..HEADER_END, png_chunk(kind, data));
    bytes
}

fn deflated_zeros(bytes: usize) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    let block = vec![0; 1 << 20];
    for _ in 0..bytes >> 20 {
        encoder.write_all(&block).unwrap();
    }
    encoder.finish().unwrap()
}

#[test]
fn compressed_metadata_is_not_inflated_beyond_its_limit() {
    let zeros = deflated_zeros(64 << 20);
    for (kind, prefix) in [
        (b"iCCP", &b"profile\0\0"[..]),
        (b"zTXt", b"Comment\0\0"),
        (b"iTXt", b"Comment\0\x01\0\0\0"),
    ] {
        let bytes = png_with(kind, &[prefix, &zeros].concat());
        let begun = Instant::now();
        assert_eq!(thumbnail_of(&bytes).source.icc_profile, None);
        assert!(begun.elapsed() < Duration::from_secs(1));
    }
}

#[test]
fn chunks_are_counted() {
    let mut bytes = png_with(b"tEXt", b"a\0b");
    let one = png_chunk(b"tEXt", b"a\0b");
    bytes.splice(33..33, one.repeat(200));
    let limits = Limits {
        max_chunks: 100,
        ..Limits::default()
    };
    assert!(matches!(
        thumbnail(&bytes, &SPEC, &limits),
        Err(ImagingError::TooMany { max: 100, .. })
    ));
    assert!(try_thumbnail(&bytes).is_ok());
}

#[test]
fn scans_are_counted() {
    let mut jpeg = Vec::new();
    let picture = Picture::textured(64, 64);
    let mut encoder = jpeg_encoder::Encoder::new(&mut jpeg, 80);
    encoder.set_progressive(true);
    encoder
        .encode(&picture.samples, 64, 64, jpeg_encoder::ColorType::Rgb)
        .unwrap();
    assert!(try_thumbnail(&jpeg).is_ok());
    let last_scan = jpeg
        .windows(2)
        .rposition(|pair| pair == [0xff, 0xda])
        .unwrap();
    let end = jpeg.len() - 2;
    let scan = jpeg[last_scan..end].to_vec();
    jpeg.splice(end..end, scan.repeat(200));
    assert!(try_thumbnail(&jpeg).is_err());
}

#[test]
fn pixels_and_memory_are_limited_before_decoding() {
    let bytes = fixture("Landscape_1.jpg");
    let few_pixels = Limits {
        max_pixels: 1000,
        ..Limits::default()
    };
    let little_memory = Limits {
        max_memory_bytes: 1000,
        ..Limits::default()
    };
    for (limits, expected) in [
        (few_pixels, "at most 1000 pixels"),
        (little_memory, "1000 are allowed"),
    ] {
        let message = probe(&bytes, &SPEC, &limits).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        assert_eq!(
            thumbnail(&bytes, &SPEC, &limits)
                .unwrap_err()
                .failure_code(),
            FailureCode::ImageTooLarge
        );
    }
}

#[test]
fn a_passed_deadline_ends_the_work() {
    let limits = Limits {
        deadline: Some(Instant::now()),
        ..Limits::default()
    };
    for name in [
        "Landscape_1.jpg",
        "jpg-cmyk-2.jpg",
        "basn6a16.png",
        "basi6a16.png",
        "beacon.gif",
        "interlaced.gif",
        "simple-rgb.webp",
        "bmp24.bmp",
    ] {
        assert_eq!(
            thumbnail(&fixture(name), &SPEC, &limits).unwrap_err(),
            ImagingError::Timeout,
            "{name}"
        );
    }
}
