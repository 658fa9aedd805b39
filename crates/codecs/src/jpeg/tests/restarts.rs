//! Damage in files with restart markers: it costs the interval in which it is, and no other.

use jpeg_encoder::SamplingFactor;

use super::super::{Scale, Scratch, decode_scaled, read_header};
use super::pictures::{PLAIN, Recipe};

/// An interval is 16 lines: one row of MCUs of 16 × 16 pixels, or below two rows of blocks.
const LINES: Recipe = Recipe {
    width: 96,
    height: 128,
    restart_interval: 6,
    ..PLAIN
};

fn recipes() -> [Recipe; 3] {
    [
        LINES,
        Recipe {
            grey: true,
            restart_interval: 24,
            ..LINES
        },
        Recipe {
            progressive: true,
            sampling: SamplingFactor::F_1_1,
            restart_interval: 24,
            ..LINES
        },
    ]
}

/// Where the restart markers of the first scan are.
fn markers(bytes: &[u8]) -> Vec<usize> {
    let scan = |at: usize| bytes[at] == 0xFF && bytes[at + 1] == 0xDA;
    let first = (0..bytes.len() - 1).find(|&at| scan(at)).unwrap();
    (first + 2..bytes.len() - 1)
        .take_while(|&at| !scan(at))
        .filter(|&at| bytes[at] == 0xFF && (0xD0..=0xD7).contains(&bytes[at + 1]))
        .collect()
}

/// The rows of luma, and whether anything was found wrong.
fn luma(bytes: &[u8], scale: Scale) -> (Vec<Vec<u8>>, bool) {
    let header = read_header(bytes).unwrap();
    let mut scratch = Scratch::default();
    let decoded = decode_scaled(bytes, &header, scale, &mut scratch).unwrap();
    assert_eq!(decoded.rows_decoded, header.height);
    let plane = &decoded.planes[0];
    let rows = plane.data.chunks(plane.stride).take(plane.height);
    (
        rows.map(|row| row[..plane.width].to_vec()).collect(),
        decoded.stopped.is_some(),
    )
}

/// Checks that of all lines of 16 pixels only those in `lost` differ. Returns whether damage was
/// found.
fn assert_lost(name: &str, whole: &[u8], damaged: &[u8], lost: std::ops::Range<usize>) -> bool {
    let mut is_found = false;
    for eighths in [1, 2, 4, 8] {
        let scale = Scale::new(eighths).unwrap();
        let ((expected, is_damaged), (shown, is_known)) =
            (luma(whole, scale), luma(damaged, scale));
        assert!(!is_damaged, "{name} at {eighths}/8");
        is_found = is_known;
        let side = 16 * usize::from(eighths) / 8;
        let differ: Vec<usize> = (0..expected.len() / side)
            .filter(|line| (0..side).any(|y| expected[line * side + y] != shown[line * side + y]))
            .collect();
        assert!(
            differ.iter().all(|line| lost.contains(line)),
            "{name} at {eighths}/8: {differ:?} instead of {lost:?}"
        );
    }
    is_found
}

#[test]
fn a_damaged_interval_is_lost_alone() {
    for recipe in recipes() {
        let whole = recipe.encode();
        let markers = markers(&whole);
        for line in 0..markers.len() {
            let start = if line == 0 {
                markers[0] - 20
            } else {
                markers[line - 1] + 4
            };
            // Codes that no table has, zeros, and noise. The last two may be codes.
            for (fill, step) in [(0xFE, 0), (0, 0), (0x35, 0x17)] {
                let mut damaged = whole.clone();
                for (index, byte) in damaged[start..markers[line] - 2].iter_mut().enumerate() {
                    *byte = (fill + index * step) as u8 & 0xFE;
                }
                let name = format!("{recipe:?}, line {line}, {fill:x}");
                let is_known = assert_lost(&name, &whole, &damaged, line..line + 1);
                assert!(is_known || fill != 0xFE, "{name}");
            }
        }
    }
}

#[test]
fn an_interval_that_ends_early_is_lost_alone() {
    for recipe in recipes() {
        let whole = recipe.encode();
        let markers = markers(&whole);
        for line in 1..markers.len() {
            let mut damaged = whole.clone();
            let length = markers[line] - markers[line - 1];
            damaged.drain(markers[line - 1] + 2 + length / 3..markers[line]);
            let name = format!("{recipe:?}, line {line}");
            assert!(assert_lost(&name, &whole, &damaged, line..line + 1));
        }
    }
}

#[test]
fn a_lost_marker_costs_the_interval_after_it() {
    for recipe in recipes() {
        let whole = recipe.encode();
        for (line, &at) in markers(&whole).iter().enumerate().rev().skip(1) {
            let mut damaged = whole.clone();
            damaged.drain(at..at + 2);
            let name = format!("{recipe:?}, line {line}");
            // The codes of the one before may end with bits of this one.
            assert!(assert_lost(&name, &whole, &damaged, line..line + 2));
        }
    }
}

#[test]
fn a_marker_with_a_wrong_number_costs_little_or_nothing() {
    for recipe in recipes() {
        let whole = recipe.encode();
        let markers = markers(&whole);
        for (line, &at) in markers.iter().enumerate().take(markers.len() - 2) {
            for more in 3..=5 {
                let mut damaged = whole.clone();
                damaged[at + 1] = 0xD0 + (damaged[at + 1] - 0xD0 + more) % 8;
                assert_eq!(luma(&damaged, Scale::FULL).0, luma(&whole, Scale::FULL).0);
            }
            for more in [1, 2, 6, 7] {
                let mut damaged = whole.clone();
                damaged[at + 1] = 0xD0 + (damaged[at + 1] - 0xD0 + more) % 8;
                let name = format!("{recipe:?}, line {line}, {more}");
                let lost = if more == 2 { 3 } else { 2 };
                assert!(assert_lost(
                    &name,
                    &whole,
                    &damaged,
                    line + 1..line + 1 + lost
                ));
            }
        }
    }
}

#[test]
fn a_reserved_code_in_damaged_data_ends_no_scan() {
    for recipe in recipes() {
        let whole = recipe.encode();
        let at = markers(&whole)[2] + 8;
        let mut damaged = whole.clone();
        damaged[at..at + 2].copy_from_slice(&[0xFF, 0x45]);
        assert!(assert_lost(&format!("{recipe:?}"), &whole, &damaged, 3..4));
    }
}

#[test]
fn without_an_interval_to_come_the_picture_ends_at_the_damage() {
    for recipe in &recipes()[..2] {
        let whole = recipe.encode();
        let last = *markers(&whole).last().unwrap();
        let mut damaged = whole.clone();
        damaged[last + 6..].fill(0xFE);
        let header = read_header(&damaged).unwrap();
        let mut scratch = Scratch::default();
        let decoded = decode_scaled(&damaged, &header, Scale::FULL, &mut scratch).unwrap();
        assert_eq!(decoded.rows_decoded, 112, "{recipe:?}");
        assert!(decoded.stopped.is_some());
    }
}
