//! Pictures as long as a file can hold.

use super::codings::check_all_the_same;
use super::picture::Picture;

#[test]
fn the_longest_lines_are_encoded() {
    check_all_the_same(&Picture::photograph(65_535, 1), 90);
    check_all_the_same(&Picture::photograph(1, 65_535), 90);
}

/// 40 960 blocks of luma, all alike except the last.
fn same_blocks(sample: fn(usize, usize) -> u8) -> Picture {
    Picture::new(65_535, 40, |_, x, y| {
        if x >= 65_528 && y >= 32 {
            (x * y) as u8
        } else {
            sample(x % 8, y % 8)
        }
    })
}

#[test]
fn flat_blocks_may_be_more_than_one_run_tells() {
    check_all_the_same(&same_blocks(|_, _| 77), 85);
}

#[test]
fn blocks_with_nothing_new_may_be_more_than_one_run_tells() {
    // Waves that are strong enough to be there before the last bits: the last scan brings only
    // these bits.
    let wave = |x: usize, y: usize| {
        let cosine = |at: usize| ((2 * at + 1) as f64 * std::f64::consts::PI / 16.0).cos();
        (128.0 + 50.0 * cosine(x) * cosine(y) + 40.0 * cosine(x)).round() as u8
    };
    check_all_the_same(&same_blocks(wave), 50);
}
