//! JPEGs of rare kinds: the same picture as in a usual file, or a typed error. Never another
//! picture.
//!
//! `unusual/plain.jpg` and all others hold one picture of 101 × 75 pixels, by libjpeg-turbo's
//! `cjpeg` and `jpegtran`.

use thumbforge_imaging::ErrorKind;

use crate::picture::{Picture, fixture, psnr, thumbnail_of, try_thumbnail};

fn unusual(name: &str) -> Vec<u8> {
    fixture(&format!("unusual/{name}"))
}

fn similarity(bytes: &[u8], to: &str) -> f64 {
    let thumbnail = thumbnail_of(bytes);
    assert!(!thumbnail.source.truncated);
    let expected = thumbnail_of(&unusual(to));
    psnr(
        &Picture::rgb(&thumbnail.jpeg),
        &Picture::rgb(&expected.jpeg),
    )
}

#[test]
fn rare_codings_show_the_picture_of_a_plain_file() {
    for (name, least) in [
        ("extended.jpg", 99.0),
        // Their chroma has fewer samples, and at the square's edges loses a little each.
        ("restart.jpg", 36.0),
        ("progressive_restart.jpg", 36.0),
        ("separate_scans.jpg", 36.0),
        ("two_scans.jpg", 36.0),
        ("rgb.jpg", 36.0),
        ("3x1.jpg", 36.0),
        ("410.jpg", 34.0),
        ("mixed_sampling.jpg", 36.0),
        // Cb has twice the samples of luma. A full decoder shows stripes (12 dB).
        ("larger_chroma.jpg", 29.0),
    ] {
        let similarity = similarity(&unusual(name), "plain.jpg");
        assert!(similarity > least, "{name}: {similarity:.1} dB");
    }
}

#[test]
fn inks_in_rare_codings_show_the_same_page() {
    for (name, least) in [
        ("cmyk420.jpg", 34.0),
        ("cmyk_scans.jpg", 34.0),
        ("cmyk_restart.jpg", 34.0),
        ("cmyk_progressive.jpg", 34.0),
    ] {
        let similarity = similarity(&unusual(name), "cmyk444.jpg");
        assert!(similarity > least, "{name}: {similarity:.1} dB");
    }
}

/// Where the frame header of `plain.jpg` begins.
fn frame_header(bytes: &[u8]) -> usize {
    bytes
        .windows(2)
        .position(|pair| pair == [0xff, 0xc0])
        .unwrap()
}

#[test]
fn kinds_that_nobody_here_decodes_are_named() {
    let plain = unusual("plain.jpg");
    let frame = frame_header(&plain);
    let changed = |at: usize, byte: u8| {
        let mut bytes = plain.clone();
        bytes[at] = byte;
        bytes
    };
    for (bytes, kind) in [
        (unusual("arithmetic.jpg"), "arithmetic"),
        (unusual("arithmetic_progressive.jpg"), "arithmetic"),
        (unusual("cmyk_arithmetic.jpg"), "arithmetic"),
        (fixture("jpeg/invalid-prediction-shift.jpg"), "lossless"),
        (changed(frame + 1, 0xc3), "lossless"),
        (changed(frame + 1, 0xc5), "hierarchical"),
        (changed(frame + 4, 12), "12 bits"),
        (changed(frame + 4, 16), "16 bits"),
    ] {
        let error = try_thumbnail(&bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains(kind), "{error}");
    }
}

/// The file with its height given after the scan, by a DNL segment (T.81, B.2.5).
fn with_height_behind(plain: &[u8]) -> Vec<u8> {
    let at = frame_header(plain) + 5;
    let end = plain.len() - 2;
    let height = &plain[at..at + 2];
    let dnl = [&[0xff, 0xdc, 0, 4], height].concat();
    [
        &plain[..at],
        &[0, 0],
        &plain[at + 2..end],
        &dnl,
        &plain[end..],
    ]
    .concat()
}

#[test]
fn broken_kinds_are_refused() {
    for bytes in [
        unusual("no_tables.jpg"),
        unusual("two_components.jpg"),
        with_height_behind(&unusual("plain.jpg")),
    ] {
        let error = try_thumbnail(&bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
}

/// Each row of the picture's MCUs is a restart interval of its own.
#[test]
fn a_lost_restart_marker_costs_one_interval() {
    let whole = unusual("restart.jpg");
    let expected = Picture::rgb(&thumbnail_of(&whole).jpeg);
    let marker = |number: u8| {
        whole
            .windows(2)
            .rposition(|pair| pair == [0xff, 0xd0 + number])
            .unwrap()
    };
    let mut missing = whole.clone();
    missing.drain(marker(2)..marker(2) + 2);
    // The next number would be taken for the next marker, and one before for a repeated one.
    let mut wrong = whole.clone();
    wrong[marker(2) + 1] = 0xd5;
    for (bytes, lost) in [(missing, 44..68), (wrong, 0..0)] {
        let thumbnail = thumbnail_of(&bytes);
        assert_eq!(thumbnail.source.truncated, !lost.is_empty());
        let picture = Picture::rgb(&thumbnail.jpeg);
        for y in (0..picture.height).filter(|y| !lost.contains(y)) {
            let row = |picture: &Picture| Picture {
                height: 1,
                samples: picture.row(y).to_vec(),
                ..*picture
            };
            assert!(psnr(&row(&picture), &row(&expected)) > 30.0, "row {y}");
        }
    }
}
