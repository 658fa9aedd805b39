//! Damaged files: never a panic, never a wrong picture without an error.

use jpeg_encoder::SamplingFactor;

use super::super::{JpegError, Scale, Scratch, decode_scaled, read_header};
use super::pictures::{PLAIN, Random, Recipe};
use super::reference;

fn originals() -> Vec<Vec<u8>> {
    let plain = Recipe {
        width: 60,
        height: 44,
        ..PLAIN
    };
    let recipes = [
        plain,
        Recipe {
            restart_interval: 3,
            ..plain
        },
        Recipe {
            grey: true,
            optimized: true,
            ..plain
        },
        // Several scans. (Subsampled down, the reference is wrong on such files: see the matrix.)
        Recipe {
            optimized: true,
            sampling: SamplingFactor::F_1_1,
            ..plain
        },
        Recipe {
            progressive: true,
            ..plain
        },
    ];
    let mut files: Vec<Vec<u8>> = recipes.iter().map(Recipe::encode).collect();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/jpeg");
    files.push(std::fs::read(folder.join("progressive.jpg")).unwrap());
    files
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => bytes[at] = 0xFF,
            3 => drop(bytes.drain(at..(at + 1 + random.below(8)).min(bytes.len()))),
            4 => bytes.insert(at, random.next() as u8),
            _ => bytes.truncate(at.max(2)),
        }
        if bytes.is_empty() {
            bytes.push(0xFF);
        }
    }
}

fn scale(random: &mut Random) -> Scale {
    Scale::new([1, 2, 3, 4, 5, 6, 8][random.below(7)]).unwrap()
}

#[test]
fn damaged_files_never_panic() {
    let (originals, mut random, mut scratch) = (originals(), Random(1), Scratch::default());
    let (mut whole, mut stopped, mut refused) = (0, 0, 0);
    for round in 0..6_000 {
        let mut bytes = originals[round % originals.len()].clone();
        mutate(&mut bytes, &mut random);
        let Ok(header) = read_header(&bytes) else {
            continue;
        };
        let scale = scale(&mut random);
        if header.memory_estimate(scale) > 8 << 20 {
            continue;
        }
        match decode_scaled(&bytes, &header, scale, &mut scratch) {
            Ok(decoded) => {
                assert!(decoded.rows_decoded <= header.height);
                assert!(decoded.stopped.is_some() || decoded.rows_decoded == header.height);
                let counter = if decoded.stopped.is_some() {
                    &mut stopped
                } else {
                    &mut whole
                };
                *counter += 1;
            }
            Err(_) => refused += 1,
        }
    }
    // The mutations must reach all outcomes, or this test tests nothing.
    assert!(
        whole > 100 && stopped > 100 && refused > 100,
        "{whole} whole, {stopped} stopped, {refused} refused"
    );
}

/// Both decoders decode damaged bits that still make valid codes alike: where neither complains,
/// both must show the same wrong picture.
#[test]
fn what_is_decoded_without_complaint_is_what_the_reference_shows() {
    let (originals, mut random, mut scratch) = (originals(), Random(2), Scratch::default());
    let mut compared = 0;
    for round in 0..3_000 {
        let mut bytes = originals[round % originals.len()].clone();
        mutate(&mut bytes, &mut random);
        let Ok(header) = read_header(&bytes) else {
            continue;
        };
        if header.memory_estimate(Scale::FULL) > 8 << 20 {
            continue;
        }
        let Ok(decoded) = decode_scaled(&bytes, &header, Scale::FULL, &mut scratch) else {
            continue;
        };
        // The reference estimates nothing.
        if decoded.stopped.is_some() || decoded.is_smoothed {
            continue;
        }
        let Ok(reference) = reference::decode(&bytes, header.color_kind(), true) else {
            continue;
        };
        let plane = &decoded.planes[0];
        let expected = reference.boxed(0, plane);
        let (rmse, _) =
            reference::difference(&expected, |x, y| match plane.data[y * plane.stride + x] {
                // Coefficients too large for any picture: we clip the result, others let it wrap
                // around.
                0 | 255 => f64::NAN,
                sample => f64::from(sample),
            });
        compared += 1;
        assert!(rmse <= 3.0, "round {round}: RMSE {rmse}");
    }
    assert!(compared > 300, "only {compared} compared");
}

#[test]
fn a_file_cut_anywhere_says_how_far_it_went() {
    for recipe in [
        PLAIN,
        Recipe {
            restart_interval: 2,
            ..PLAIN
        },
        Recipe {
            progressive: true,
            ..PLAIN
        },
    ] {
        let bytes = recipe.encode();
        let whole = read_header(&bytes).unwrap();
        let mut scratch = Scratch::default();
        let mut rows_before = 0;
        for end in (0..bytes.len() - 2).step_by(7) {
            let Ok(header) = read_header(&bytes[..end]) else {
                continue;
            };
            assert_eq!(header, whole);
            for eighths in [1, 2, 8] {
                match decode_scaled(
                    &bytes[..end],
                    &header,
                    Scale::new(eighths).unwrap(),
                    &mut scratch,
                ) {
                    Ok(decoded) => {
                        assert_eq!(decoded.stopped, Some(JpegError::Truncated), "cut at {end}");
                        assert!(
                            decoded.rows_decoded >= rows_before || eighths > 1,
                            "cut at {end}"
                        );
                        rows_before = if eighths == 1 {
                            decoded.rows_decoded
                        } else {
                            rows_before
                        };
                    }
                    Err(error) => assert_eq!(error, JpegError::Truncated, "cut at {end}"),
                }
            }
        }
        assert!(
            rows_before >= whole.height - 16,
            "{recipe:?}: {rows_before} rows at the last cut"
        );
    }
}
