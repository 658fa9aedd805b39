//! Compares the encoder with a well-known one.

use super::picture::Picture;
use crate::jpeg::read_header;

#[test]
fn files_are_as_near_and_as_large_as_another_encoder_makes_them() {
    let picture = Picture::photograph(200, 150);
    for quality in [1, 10, 50, 75, 85, 95, 100] {
        let (ours, other) = (picture.encoded(quality), picture.encoded_by_other(quality));
        let (error, other_error) = (picture.luma_error(&ours), picture.luma_error(&other));
        // A tenth of a decibel, or as much as rounding makes.
        assert!(
            error < other_error * 1.023 + 0.01,
            "{quality}: {error} {other_error}"
        );
        let ratio = ours.len() as f64 / other.len() as f64;
        assert!((0.97..1.03).contains(&ratio), "{quality}: {ratio}");
    }
}

#[test]
fn every_size_is_shown_whole() {
    for width in 1..=34 {
        for height in [1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33] {
            let picture = Picture::photograph(width, height);
            let file = picture.encoded(95);
            let header = read_header(&file).unwrap();
            assert_eq!(
                (header.width, header.height),
                (u32::from(width), u32::from(height))
            );
            let (error, other) = (
                picture.luma_error(&file),
                picture.luma_error(&picture.encoded_by_other(95)),
            );
            // The two repeat samples beyond the edges in different manners.
            assert!(
                error < other * 1.5 + 1.0,
                "{width} × {height}: {error} {other}"
            );
        }
    }
}

#[test]
fn the_strongest_patterns_there_are_stay_within_the_codes() {
    let patterns: [fn(usize, usize) -> bool; 6] = [
        |x, y| (x + y) % 2 == 0,
        |x, _| x % 2 == 0,
        |_, y| y % 4 < 2,
        |x, y| x % 8 < 4 && y % 8 < 4,
        |x, y| (x / 8 + y / 8) % 2 == 0,
        |x, _| matches!(x % 8, 0 | 3 | 4 | 7),
    ];
    for pattern in patterns {
        let picture = Picture::new(48, 40, |_, x, y| if pattern(x, y) { 255 } else { 0 });
        let error = picture.luma_error(&picture.encoded(100));
        assert!(error < 2.0, "{error}");
        picture.luma_error(&picture.encoded(1));
    }
}

#[test]
fn a_flat_picture_takes_few_bits_and_keeps_its_grey() {
    for grey in [0, 1, 127, 128, 254, 255] {
        let picture = Picture::new(256, 256, |_, _, _| grey);
        let file = picture.encoded(90);
        assert!(file.len() < 1700, "{}", file.len());
        assert!(picture.luma_error(&file) <= 1.0, "{grey}");
    }
}

/// Uses whole numbers, so that every machine sees the same.
fn whole_numbers(width: u16, height: u16, largest_grain: usize) -> Picture {
    Picture::new(width, height, |plane, x, y| {
        let grain = (((x * 7919) ^ (y * 104_729) ^ (plane * 31)) * 2_654_435_761) >> 7;
        ((x * 3 + y * 2 + plane * 50) % 200 + grain % largest_grain) as u8
    })
}

#[test]
fn baseline_files_are_what_they_always_were() {
    let mut sum = crc32fast::Hasher::new();
    for (width, height) in [(1, 1), (16, 16), (97, 61), (33, 200)] {
        for quality in [1, 30, 85, 100] {
            for grain in [1, 9, 56] {
                let picture = whole_numbers(width, height, grain);
                sum.update(&picture.encoded(quality));
            }
        }
    }
    assert_eq!(sum.finalize(), 3_403_281_805);
}
