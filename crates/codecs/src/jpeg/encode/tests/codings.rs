//! Every coding shows the same samples, in our decoder and in another one.

use proptest::prelude::*;
use zune_core::colorspace::ColorSpace;

use super::picture::{Picture, shown, shown_by_other};
use crate::jpeg::encode::{Coding, encode_as};
use crate::jpeg::{ColorKind, read_header};

pub fn files(picture: &Picture, quality: u8, grey: bool) -> [Vec<u8>; 3] {
    [Coding::Baseline, Coding::Optimized, Coding::Progressive].map(|coding| {
        if grey {
            encode_as(picture.grey(), quality, coding)
        } else {
            encode_as(picture.planes(), quality, coding)
        }
    })
}

pub fn check_all_the_same(picture: &Picture, quality: u8) {
    let mut luma = Vec::new();
    for (grey, colors) in [(false, ColorSpace::YCbCr), (true, ColorSpace::Luma)] {
        let files = files(picture, quality, grey);
        let [baseline, optimized, progressive] = files.each_ref().map(|file| shown(file));
        assert!(baseline == optimized && baseline == progressive);
        let [baseline, optimized, progressive] =
            files.each_ref().map(|file| shown_by_other(file, colors));
        assert!(baseline == optimized && baseline == progressive);
        luma.push(shown(&files[0]).swap_remove(0));
    }
    assert!(luma[0] == luma[1], "grey is not the luma of the picture");
}

/// How the picture is filled.
#[derive(Debug, Clone, Copy)]
enum Content {
    Flat,
    Photograph,
    /// Each sample is as likely as any other.
    Noise,
    /// Few frequencies in each block, low or high, weak or strong: long runs of zeros between them.
    Sparse,
}

impl Content {
    fn picture(self, width: u16, height: u16, seed: u64) -> Picture {
        let random = |plane: usize, x: usize, y: usize| {
            let place = (plane as u64) << 40 | (x as u64) << 20 | y as u64;
            let mut z = (place ^ seed << 50).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z ^ z >> 27
        };
        Picture::new(width, height, |plane, x, y| match self {
            Self::Flat => (seed * 37) as u8,
            Self::Photograph => Picture::photograph_sample(plane, x + seed as usize, y),
            Self::Noise => (random(plane, x, y) >> 20) as u8,
            Self::Sparse => {
                let choice = random(plane, x / 8, y / 8);
                let wave = |bits: u64| {
                    let cosine = |position: usize, frequency: u64| {
                        let angle = (2 * position + 1) as f64 * frequency as f64;
                        (angle * std::f64::consts::PI / 16.0).cos()
                    };
                    let strength = (bits & 15) as f64 * 2.5;
                    strength * cosine(x % 8, bits >> 4 & 7) * cosine(y % 8, bits >> 7 & 7)
                };
                let waves = wave(choice >> 8) + wave(choice >> 24) - wave(choice >> 40);
                (128.0 + waves).round().clamp(0.0, 255.0) as u8
            }
        })
    }
}

#[test]
fn codings_agree_on_every_kind_of_size() {
    for width in [1, 2, 7, 8, 9, 15, 16, 17, 48] {
        for height in [1, 3, 8, 16, 17, 32, 41] {
            for content in [Content::Flat, Content::Photograph, Content::Sparse] {
                check_all_the_same(&content.picture(width, height, 5), 85);
            }
        }
    }
}

#[test]
fn codings_agree_on_noise_at_the_ends_of_the_scale() {
    for quality in [1, 2, 99, 100] {
        for (width, height) in [(1, 1), (70, 50), (64, 64), (200, 3)] {
            check_all_the_same(&Content::Noise.picture(width, height, 9), quality);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn codings_agree(
        width in 1_u16..100,
        height in 1_u16..100,
        quality in 1_u8..=100,
        content in prop::sample::select(&[
            Content::Flat,
            Content::Photograph,
            Content::Noise,
            Content::Sparse,
        ][..]),
        seed in 0_u64..1000,
    ) {
        check_all_the_same(&content.picture(width, height, seed), quality);
    }
}

#[test]
fn files_say_their_coding_and_their_colours() {
    let picture = Picture::photograph(50, 40);
    for grey in [false, true] {
        let headers = files(&picture, 80, grey).map(|file| read_header(&file).unwrap());
        assert_eq!(
            headers.each_ref().map(|header| header.progressive),
            [false, false, true]
        );
        let kind = if grey {
            ColorKind::Grey
        } else {
            ColorKind::YCbCr
        };
        assert!(headers.iter().all(|header| header.color_kind() == kind));
    }
}

#[test]
fn each_coding_takes_less_than_the_one_before() {
    let picture = Picture::photograph(256, 256);
    for grey in [false, true] {
        let sizes = files(&picture, 85, grey).map(|file| file.len());
        assert!(
            sizes.is_sorted_by(|before, after| before > after),
            "{sizes:?}"
        );
    }
}
