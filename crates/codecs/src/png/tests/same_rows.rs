//! Sound files.

use super::files::{File, Random, deflate};
use super::{read, reference};
use crate::png::RowReader;

fn assert_whole(file: &File, bytes: &[u8], name: &str) {
    let expected = reference::read(bytes).expect("the file is sound");
    assert_eq!(expected, (file.rows(), None), "{name}: the test's own file");
    assert!(read(file, bytes) == expected, "{name}");
}

#[test]
fn every_width_filter_and_kind_of_pixel_gives_the_same_rows() {
    let mut random = Random::new(1);
    for width in 1..=65 {
        for bytes_per_pixel in 1..=4 {
            for pattern in 0..8 {
                let height = 1 + random.below(65) as usize;
                let filters = match pattern {
                    0..=4 => vec![pattern; height],
                    // Few rows that wait for their left neighbours.
                    5 => (0..height).map(|y| [2, 0, 2, 4, 2, 0][y % 6]).collect(),
                    _ => random.filters(height),
                };
                let file = File::new(width, height, bytes_per_pixel, filters);
                let name = format!("{width}×{height}, {bytes_per_pixel} bytes, {pattern}");
                assert_whole(&file, &file.bytes(), &name);
            }
        }
    }
}

#[test]
fn every_height_up_to_65_gives_the_same_rows() {
    let mut random = Random::new(2);
    for height in 1..=65 {
        let file = File::new(11, height, 3, random.filters(height));
        assert_whole(&file, &file.bytes(), &height.to_string());
    }
}

#[test]
fn rows_that_fill_the_buffers_many_times_give_the_same_rows() {
    let mut random = Random::new(3);
    for (width, height, bytes_per_pixel) in [(5000, 60, 3), (700, 500, 4), (32_768, 20, 4)] {
        let file = File::new(width, height, bytes_per_pixel, random.filters(height));
        assert_whole(&file, &file.bytes(), &format!("{width}×{height}"));
    }
}

#[test]
fn chunks_may_be_of_any_length_and_empty() {
    let file = File::new(40, 50, 3, Random::new(4).filters(50));
    let stream = file.deflated();
    for lengths in [
        &[1_usize][..],
        &[0, 1],
        &[2, 0, 0, 3],
        &[7],
        &[100, 0, 1, 5000],
        &[usize::MAX],
    ] {
        let bytes = file.with_stream(&stream, lengths);
        assert_whole(&file, &bytes, &format!("{lengths:?}"));
    }
}

#[test]
fn what_the_stream_holds_behind_the_picture_is_not_looked_at() {
    // The buffer holds one of them whole, and a part of the other.
    for (width, height) in [(30, 20), (700, 200)] {
        let file = File::new(width, height, 4, Random::new(5).filters(height));
        let mut longer = file.filtered();
        longer.extend(vec![77; 100_000]);
        let garbage = [&file.deflated()[..], &[255; 1000]].concat();
        let mut broken = deflate(&longer);
        let last = broken.len() - 1;
        broken[last - 20..].fill(255);
        for stream in [deflate(&longer), garbage, broken] {
            for lengths in [&[usize::MAX][..], &[64]] {
                assert_whole(&file, &file.with_stream(&stream, lengths), "longer");
            }
        }
    }
}

#[test]
fn a_stream_that_gives_nothing_for_long_lets_the_caller_look_at_the_clock() {
    let file = File::new(30, 20, 3, Random::new(11).filters(20));
    let stream = file.deflated();
    // Stored blocks without content, after the two bytes of the header.
    let empty_blocks = [0, 0, 0, 255, 255].repeat(2 << 20);
    let stream = [&stream[..2], &empty_blocks, &stream[2..]].concat();
    for lengths in [&[usize::MAX][..], &[100]] {
        let bytes = file.with_stream(&stream, lengths);
        let mut reader = RowReader::new(&bytes, file.shape).expect("its rows are not too wide");
        let mut pauses = 0;
        let mut rows = Vec::new();
        while let Some(next) = reader.next_rows() {
            pauses += usize::from(next.len() == 0);
            rows.extend(next.map(<[u8]>::to_vec));
        }
        assert!(pauses > 1, "{lengths:?}: {pauses}");
        assert!(rows == file.rows(), "{lengths:?}");
    }
}

#[test]
fn rows_too_wide_for_the_buffers_are_not_ours() {
    let shape = |width| crate::png::Shape {
        width,
        height: 1,
        bytes_per_pixel: 4,
    };
    assert!(RowReader::new(&[], shape(32_768)).is_some());
    for width in [0, 32_769, usize::MAX] {
        assert!(RowReader::new(&[], shape(width)).is_none());
    }
}
