//! ICO and CUR, and the formats that are decoded whole.

use std::time::Instant;

use thumbforge_imaging::{ErrorKind, Format, ImagingError, Limits};

use super::{
    HEIGHT, WIDTH, assert_alike, assert_shows, colour, colours, file, grey, greys, kind_of_failure,
    rgba, shown, squares, torture, try_shown,
};
use crate::picture::Picture;

/// What `make.py` has as alpha.
fn alpha(x: usize) -> u8 {
    (4 * x) as u8
}

fn assert_has_alpha(bytes: &[u8], format: Format, height: usize, most: u8, what: &str) {
    let (picture, source) = shown(bytes);
    assert_eq!((source.format, source.has_alpha), (format, true), "{what}");
    assert_eq!(picture.height, height, "{what}");
    for (index, pixel) in rgba(&picture).iter().enumerate() {
        let (x, y) = (index % picture.width, index / picture.width);
        assert!(
            pixel[3].abs_diff(alpha(x)) <= most,
            "{what} at {x}, {y}: {pixel:?}"
        );
        // Colours lose their precision with their alpha.
        let least = u16::from(most) + 1 + 255 / u16::from(alpha(x).max(1));
        for (got, expected) in pixel.iter().zip(colour(x, y)) {
            let differs = u16::from(got.abs_diff(expected));
            assert!(
                alpha(x) == 0 || differs <= least,
                "{what} at {x}, {y}: {pixel:?}"
            );
        }
    }
}

#[test]
fn each_shows_its_picture() {
    for (name, format, expected, most) in [
        ("plain.tga", Format::Tga, colours(), 0),
        ("runs.tga", Format::Tga, colours(), 0),
        ("grey.tga", Format::Tga, greys(), 0),
        ("palette.tga", Format::Tga, colours(), 32),
        ("colour.ppm", Format::Pnm, colours(), 0),
        ("grey.pgm", Format::Pnm, greys(), 0),
        ("bits.pbm", Format::Pnm, squares(), 0),
        ("colour.qoi", Format::Qoi, colours(), 0),
        ("dxt1.dds", Format::Dds, colours(), 16),
    ] {
        assert_shows(&file(name), format, &expected, most, name);
        assert!(
            !shown(&file(name)).1.has_alpha || format == Format::Dds,
            "{name}"
        );
    }
    for (name, format, most) in [
        ("alpha.tga", Format::Tga, 0),
        ("alpha.qoi", Format::Qoi, 0),
        ("dxt5.dds", Format::Dds, 18),
    ] {
        assert_has_alpha(&file(name), format, HEIGHT, most, name);
    }
}

#[test]
fn what_a_tga_does_not_call_alpha_is_none() {
    let mut bytes = file("alpha.tga");
    bytes[17] &= 0xf0;
    assert_shows(&bytes, Format::Tga, &colours(), 0, "no attributes");
    assert!(!shown(&bytes).1.has_alpha);
}

#[test]
fn of_several_icons_the_largest_is_shown() {
    for name in ["png.ico", "bitmap.ico"] {
        let (picture, _) = shown(&file(name));
        assert_eq!((picture.width, picture.height), (48, 48), "{name}");
        assert_has_alpha(&file(name), Format::Ico, 48, 0, name);
    }
}

/// A cursor is an icon with other numbers in its directory, which may be any.
#[test]
fn a_cursor_is_read_as_an_icon_is() {
    for name in ["png.ico", "bitmap.ico"] {
        let mut cursor = file(name);
        cursor[2] = 2;
        for entry in cursor[6..38].chunks_exact_mut(16) {
            entry[4..8].fill(0xfe);
        }
        let (picture, source) = shown(&cursor);
        assert_eq!(source.format, Format::Ico);
        assert_alike(&picture, &shown(&file(name)).0, 0, name);
    }
}

#[test]
fn an_icon_whose_directory_counts_too_few_bytes_is_read_by_its_own_header() {
    let right = file("bitmap.ico");
    let mut wrong = right.clone();
    for entry in wrong[6..38].chunks_exact_mut(16) {
        entry[8..12].copy_from_slice(&8_u32.to_le_bytes());
    }
    assert_alike(&shown(&wrong).0, &shown(&right).0, 0, "8 bytes");
}

#[test]
fn a_broken_icon_makes_way_for_a_smaller_one() {
    let mut bytes = file("png.ico");
    let second = bytes[6 + 16] == 48;
    let entry = if second { 6 + 16 } else { 6 };
    let place = u32::from_le_bytes(bytes[entry + 12..entry + 16].try_into().unwrap()) as usize;
    // The kind of its first chunk.
    bytes[place + 12..place + 16].fill(0);
    let (picture, _) = shown(&bytes);
    assert_eq!((picture.width, picture.height), (16, 16));
}

#[test]
fn bits_of_an_icon_with_a_mask_are_seen() {
    // 8 × 1 in one bit: white, black, white …; the last four are masked out.
    let mut icon = vec![0, 0, 1, 0, 1, 0, 8, 1, 2, 0, 1, 0, 1, 0];
    let bitmap = [
        &40_u32.to_le_bytes()[..],
        &8_u32.to_le_bytes(),
        &2_u32.to_le_bytes(),
        &[1, 0, 1, 0],
        &[0; 24],
        &[0, 0, 0, 0, 255, 255, 255, 0],
        &[0b1010_1010, 0, 0, 0],
        &[0b0000_1111, 0, 0, 0],
    ]
    .concat();
    icon.extend((bitmap.len() as u32).to_le_bytes());
    icon.extend(22_u32.to_le_bytes());
    icon.extend(bitmap);
    let (picture, source) = shown(&icon);
    assert!(source.has_alpha);
    let pixels = rgba(&picture);
    assert_eq!(
        pixels[..4],
        [[255; 4], [0, 0, 0, 255], [255; 4], [0, 0, 0, 255]]
    );
    assert!(pixels[4..].iter().all(|pixel| pixel[3] == 0));
}

#[test]
fn anymaps_have_text_bytes_and_shorts() {
    let text: String = (0..HEIGHT)
        .flat_map(|y| (0..WIDTH).map(move |x| format!("{} ", grey(x, y))))
        .collect();
    let plain = format!("P2\n# a remark\n{WIDTH} {HEIGHT}\n255\n{text}");
    let mut shorts = format!("P5 {WIDTH} {HEIGHT} 65535\n").into_bytes();
    let mut few = format!("P5 {WIDTH} {HEIGHT} 15\n").into_bytes();
    let mut alpha = format!(
        "P7\nWIDTH {WIDTH}\nHEIGHT {HEIGHT}\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n"
    )
    .into_bytes();
    for (x, y) in (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y))) {
        shorts.extend((u16::from(grey(x, y)) * 257).to_be_bytes());
        few.push(grey(x, y) / 17);
        alpha.extend(colour(x, y));
        alpha.push(255);
    }
    assert_shows(plain.as_bytes(), Format::Pnm, &greys(), 0, "P2");
    assert_shows(&shorts, Format::Pnm, &greys(), 0, "shorts");
    let rough = Picture::of(WIDTH, HEIGHT, |x, y| [grey(x, y) / 17 * 17; 3]);
    assert_shows(&few, Format::Pnm, &rough, 0, "sixteen greys");
    assert_shows(&alpha, Format::Pnm, &colours(), 0, "P7");
}

#[test]
fn damaged_files_never_panic() {
    for name in [
        "plain.tga",
        "runs.tga",
        "palette.tga",
        "colour.ppm",
        "bits.pbm",
        "colour.qoi",
        "alpha.qoi",
        "dxt1.dds",
        "dxt5.dds",
        "png.ico",
        "bitmap.ico",
    ] {
        torture(&file(name), name);
    }
}

#[test]
fn a_file_that_ends_early_is_corrupt() {
    for name in [
        "plain.tga",
        "colour.ppm",
        "colour.qoi",
        "dxt1.dds",
        "bitmap.ico",
    ] {
        let bytes = file(name);
        let cut = match name {
            // Another picture of it is whole.
            "bitmap.ico" => 40,
            _ => bytes.len() * 3 / 4,
        };
        assert_eq!(kind_of_failure(&bytes[..cut]), ErrorKind::Corrupt, "{name}");
    }
}

#[test]
fn headers_that_promise_too_much_are_refused() {
    let mut tga = file("plain.tga");
    tga[12..16].fill(0xff);
    let mut qoi = file("colour.qoi");
    // Beyond 400 megapixels its decoder calls it broken.
    qoi[4..12].copy_from_slice(&[0, 0, 0x40, 0, 0, 0, 0x40, 0]);
    let mut dds = file("dxt1.dds");
    dds[12..20].copy_from_slice(&[0xfc, 0xff, 0xff, 0, 0xfc, 0xff, 0xff, 0]);
    let pnm = b"P6 1000000 1000000 255\n".to_vec();
    for bytes in [tga, qoi, dds, pnm] {
        assert_eq!(kind_of_failure(&bytes), ErrorKind::TooLarge);
    }
}

#[test]
fn a_passed_deadline_ends_the_work() {
    let limits = Limits {
        deadline: Some(Instant::now()),
        ..Limits::default()
    };
    for name in [
        "runs.tga",
        "colour.ppm",
        "colour.qoi",
        "dxt1.dds",
        "png.ico",
        "bitmap.ico",
    ] {
        let outcome = try_shown(&file(name), &limits).map(|_| "a picture");
        assert_eq!(outcome, Err(ImagingError::Timeout), "{name}");
    }
}
