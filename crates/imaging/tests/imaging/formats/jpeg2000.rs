//! JPEG 2000, as OpenJPEG writes it.

use std::time::Instant;

use thumbforge_imaging::{ErrorKind, Format, ImagingError, Limits, Variant};

use super::heif_file::media_box;
use super::table::blocks::{exif, seen_turned};
use super::{
    WIDTH, assert_alike, assert_shows, colour, colours, file, greys, kind_of_failure, rgba, shown,
    torture, try_shown,
};
use crate::picture::{Picture, thumbnail};

#[test]
fn each_shows_its_picture() {
    for (name, expected, most) in [
        ("colour.jp2", colours(), 0),
        ("colour.j2k", colours(), 0),
        ("tiles.jp2", colours(), 0),
        ("grey.jp2", greys(), 0),
        ("lossy.jp2", colours(), 20),
    ] {
        assert_shows(&file(name), Format::Jpeg2000, &expected, most, name);
    }
    let (picture, source) = shown(&file("alpha.jp2"));
    assert!(source.has_alpha);
    for (index, pixel) in rgba(&picture).iter().enumerate() {
        assert_eq!(pixel[3], (4 * (index % WIDTH)) as u8);
    }
}

/// 1024 × 768, of which half and quarter suffice for these.
#[test]
fn what_no_variant_needs_is_not_decoded_and_not_missed() {
    let bytes = file("large.jp2");
    for side in [256, 200, 128, 100, 64] {
        let made = thumbnail(&bytes, &Variant::thumbnail(side, 95), &Limits::default()).unwrap();
        assert_eq!((made.source.width, made.source.height), (1024, 768));
        let picture = Picture::rgb(&made.jpeg);
        assert_eq!(picture.width, side as usize);
        let scale = side as f64 / 64.0;
        for (x, y) in [(3, 3), (30, 20), (60, 44), (10, 40)] {
            let at = |place: usize| ((place as f64 + 0.5) * scale) as usize;
            let got = picture.at(at(x), at(y));
            let near = got
                .iter()
                .zip(colour(x, y))
                .all(|(a, b)| a.abs_diff(b) < 16);
            assert!(
                near,
                "{got:?} instead of {:?} at {x}, {y} of {side}",
                colour(x, y)
            );
        }
    }
}

#[test]
fn exif_is_read_from_its_box_and_turns_the_picture() {
    let block = [b"JpgTiffExif->JP2", &exif(6)[..]].concat();
    let foreign = media_box(b"uuid", &[&[7; 16], &exif(3)]);
    let bytes = [file("colour.jp2"), foreign, media_box(b"uuid", &[&block])].concat();
    let (picture, source) = shown(&bytes);
    assert_eq!(source.exif.unwrap().camera.as_deref(), Some("Canon"));
    assert_eq!(source.orientation, 6);
    assert_alike(&picture, &seen_turned(&colours()), 0, "turned");
    // Behind the codestream it takes nothing from it.
    assert!(!source.truncated);
}

#[test]
fn a_file_that_ends_early_is_marked() {
    let bytes = file("large.jp2");
    let (_, source) = shown(&bytes[..bytes.len() * 3 / 4]);
    assert!(source.truncated);
    assert!(!shown(&bytes).1.truncated);
    assert_eq!(kind_of_failure(&bytes[..60]), ErrorKind::Corrupt);
}

#[test]
fn damaged_files_never_panic() {
    for name in ["colour.jp2", "tiles.jp2", "alpha.jp2", "lossy.jp2"] {
        torture(&file(name), name);
    }
}

#[test]
fn headers_that_promise_too_much_are_refused() {
    let mut bytes = file("colour.j2k");
    // Xsiz and Ysiz (A.5.1).
    bytes[8..16].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    assert_eq!(kind_of_failure(&bytes), ErrorKind::TooLarge);
}

#[test]
fn a_passed_deadline_ends_the_work() {
    let limits = Limits {
        deadline: Some(Instant::now()),
        ..Limits::default()
    };
    let outcome = try_shown(&file("colour.jp2"), &limits).map(|_| "a picture");
    assert_eq!(outcome, Err(ImagingError::Timeout));
}
