use jpeg_encoder::SamplingFactor;

use super::super::{ColorKind, Plane, Scale, Scratch, decode_scaled, read_header};
use super::comparison;
use super::pictures::{PLAIN, Recipe};
use super::reference;

const SAMPLINGS: [SamplingFactor; 5] = [
    SamplingFactor::F_1_1,
    SamplingFactor::F_2_1,
    SamplingFactor::F_1_2,
    SamplingFactor::F_2_2,
    SamplingFactor::F_4_1,
];

fn check(recipe: &Recipe) {
    let (bytes, name) = (recipe.encode(), format!("{recipe:?}"));
    let header = read_header(&bytes).unwrap();
    assert_eq!(
        header.color_kind(),
        if recipe.grey {
            ColorKind::Grey
        } else {
            ColorKind::YCbCr
        },
        "{name}"
    );
    let reference = reference::decode(&bytes, header.color_kind(), true).unwrap();
    comparison::check(&bytes, &header, &reference, &name);
}

/// The visible samples of each plane.
fn planes(recipe: &Recipe, scale: Scale) -> Vec<Vec<u8>> {
    let bytes = recipe.encode();
    let mut scratch = Scratch::default();
    let decoded =
        decode_scaled(&bytes, &read_header(&bytes).unwrap(), scale, &mut scratch).unwrap();
    assert_eq!(decoded.stopped, None, "{recipe:?}");
    let visible = |plane: &Plane<'_>| {
        plane
            .data
            .chunks(plane.stride)
            .take(plane.height)
            .flat_map(|row| row[..plane.width].to_vec())
            .collect()
    };
    decoded.planes.iter().map(visible).collect()
}

#[test]
fn every_sampling_decodes_like_the_reference() {
    for sampling in SAMPLINGS {
        check(&Recipe { sampling, ..PLAIN });
    }
}

/// The encoder writes one scan a component when it optimises its tables. zune-jpeg 0.5.15 shows
/// luma wrong where such a file is subsampled down (libjpeg-turbo shows it as we do), so the
/// interleaved file stands in as the reference. Likewise below for restarts, where it goes wrong
/// with 4:1:1.
#[test]
fn separate_scans_give_the_same_picture_as_one_interleaved_scan() {
    for sampling in SAMPLINGS {
        for eighths in [1, 2, 3, 4, 5, 6, 8] {
            let plain = Recipe { sampling, ..PLAIN };
            let scale = Scale::new(eighths).unwrap();
            assert!(
                planes(&plain, scale)
                    == planes(
                        &Recipe {
                            optimized: true,
                            ..plain
                        },
                        scale
                    ),
                "{sampling:?}"
            );
        }
    }
}

#[test]
fn grey_decodes_like_the_reference() {
    for sampling in [SamplingFactor::F_1_1, SamplingFactor::F_2_2] {
        check(&Recipe {
            grey: true,
            sampling,
            ..PLAIN
        });
    }
}

#[test]
fn every_odd_size_decodes_like_the_reference() {
    for width in 1..=65 {
        for sampling in [
            SamplingFactor::F_1_1,
            SamplingFactor::F_2_2,
            SamplingFactor::F_2_1,
        ] {
            check(&Recipe {
                width,
                height: 66 - width,
                sampling,
                ..PLAIN
            });
        }
    }
}

#[test]
fn a_progressive_file_gives_the_same_picture_as_a_sequential_one() {
    for sampling in SAMPLINGS {
        check(&Recipe {
            sampling,
            progressive: true,
            ..PLAIN
        });
        for eighths in [1, 2, 3, 4, 5, 6, 8] {
            for restart_interval in [0, 5] {
                let plain = Recipe { sampling, ..PLAIN };
                let scale = Scale::new(eighths).unwrap();
                let progressive = planes(
                    &Recipe {
                        progressive: true,
                        restart_interval,
                        ..plain
                    },
                    scale,
                );
                assert!(
                    planes(&plain, scale) == progressive,
                    "{sampling:?} {eighths}/8"
                );
            }
        }
    }
}

#[test]
fn restart_markers_do_not_change_the_picture() {
    for restart_interval in [1, 2, 3, 7, 8, 100] {
        check(&Recipe {
            restart_interval,
            ..PLAIN
        });
        for sampling in SAMPLINGS {
            for eighths in [1, 2, 3, 4, 5, 6, 8] {
                let plain = Recipe { sampling, ..PLAIN };
                let scale = Scale::new(eighths).unwrap();
                assert!(
                    planes(&plain, scale)
                        == planes(
                            &Recipe {
                                restart_interval,
                                ..plain
                            },
                            scale
                        ),
                    "{sampling:?}"
                );
            }
        }
    }
}

#[test]
fn every_quality_decodes_like_the_reference() {
    for quality in [1, 10, 35, 60, 95, 100] {
        check(&Recipe {
            quality,
            width: 200,
            height: 150,
            ..PLAIN
        });
    }
}
