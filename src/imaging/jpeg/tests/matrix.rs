use jpeg_encoder::SamplingFactor;

use super::super::{ColorKind, Header, Plane, Scale, Scratch, decode_scaled, read_header};
use super::pictures::{PLAIN, Recipe};
use super::reference::{self, Reference};

const SAMPLINGS: [SamplingFactor; 5] = [
    SamplingFactor::F_1_1,
    SamplingFactor::F_2_1,
    SamplingFactor::F_1_2,
    SamplingFactor::F_2_2,
    SamplingFactor::F_4_1,
];

fn sample(plane: &Plane<'_>, x: usize, y: usize) -> f64 {
    f64::from(plane.data[y * plane.stride + x])
}

/// zune-jpeg brings chroma up with a triangle filter; averaged back over a pixel pair, a sample has 6/8 of itself and
/// 1/8 of each neighbour. Do the same to ours, for the directions that are subsampled.
fn blurred(plane: &Plane<'_>, x: usize, y: usize, across: bool, down: bool) -> f64 {
    let row = |y: usize| {
        if !across {
            return sample(plane, x, y);
        }
        let (left, right) = (x.saturating_sub(1), (x + 1).min(plane.width - 1));
        (sample(plane, left, y) + 6.0 * sample(plane, x, y) + sample(plane, right, y)) / 8.0
    };
    if !down {
        return row(y);
    }
    let (up, below) = (y.saturating_sub(1), (y + 1).min(plane.height - 1));
    (row(up) + 6.0 * row(y) + row(below)) / 8.0
}

fn check_full(bytes: &[u8], header: &Header, reference: &Reference, name: &str) {
    let mut scratch = Scratch::default();
    let decoded = decode_scaled(bytes, header, Scale::FULL, &mut scratch).unwrap();
    assert_eq!(
        (decoded.stopped, decoded.rows_decoded),
        (None, header.height),
        "{name}"
    );
    for (channel, plane) in decoded.planes.iter().enumerate() {
        let (c, first) = (header.components[channel], header.components[0]);
        let (across, down) = (c.h < first.h, c.v < first.v);
        let boxed = reference.boxed(channel, plane);
        let (rmse, largest) =
            reference::difference(&boxed, |x, y| blurred(plane, x, y, across, down));
        // Two transforms and a filter, each rounding in its own way.
        let bound = if across || down {
            (1.0, 3.0)
        } else {
            (0.6, 2.0)
        };
        assert!(
            rmse <= bound.0 && largest <= bound.1,
            "{name}, plane {channel}: RMSE {rmse}, largest {largest}"
        );
    }
}

fn check_eighth(bytes: &[u8], header: &Header, reference: &Reference, name: &str) {
    let mut scratch = Scratch::default();
    let decoded = decode_scaled(bytes, header, Scale::new(1).unwrap(), &mut scratch).unwrap();
    assert_eq!(
        (decoded.stopped, decoded.rows_decoded),
        (None, header.height),
        "{name}"
    );
    let first = header.components[0];
    for (channel, plane) in decoded.planes.iter().enumerate() {
        // Of subsampled chroma the reference shows a filtered form only: that one is compared at full size.
        if (header.components[channel].h, header.components[channel].v) != (first.h, first.v) {
            continue;
        }
        let boxed = reference.boxed(channel, plane);
        let (rmse, _) = reference::difference(&boxed, |x, y| sample(plane, x, y));
        assert!(rmse <= 1.0, "{name}, plane {channel}: RMSE {rmse}");
    }
}

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
    let reference = reference::decode(&bytes, header.color_kind()).unwrap();
    check_full(&bytes, &header, &reference, &name);
    check_eighth(&bytes, &header, &reference, &name);
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

/// The encoder writes one scan a component when it optimises its tables. zune-jpeg 0.5.15 shows luma wrong where such a
/// file is subsampled down (libjpeg-turbo shows it as we do), so the interleaved file stands in as the reference.
/// Likewise below for restarts, where it goes wrong with 4:1:1.
#[test]
fn separate_scans_give_the_same_picture_as_one_interleaved_scan() {
    for sampling in SAMPLINGS {
        for eighths in [1, 2, 4, 8] {
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
fn restart_markers_do_not_change_the_picture() {
    for restart_interval in [1, 2, 3, 7, 8, 100] {
        check(&Recipe {
            restart_interval,
            ..PLAIN
        });
        for sampling in SAMPLINGS {
            for eighths in [1, 2, 4, 8] {
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
