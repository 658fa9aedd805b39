//! Files that end early or are broken. The rows read before are right, and never fewer than the png
//! crate reads.

use super::files::{File, Random, deflate};
use super::{read, reference};

fn small_file() -> File {
    File::new(9, 21, 3, Random::new(6).filters(21))
}

/// Returns how many rows were read.
fn assert_not_less(file: &File, bytes: &[u8], name: &str) -> usize {
    let Some((expected, _)) = reference::read(bytes) else {
        return 0;
    };
    let (rows, damage) = read(file, bytes);
    assert!(rows.len() >= expected.len(), "{name}: {}", rows.len());
    assert!(rows[..expected.len()] == expected, "{name}");
    assert_eq!(damage.is_some(), rows.len() < file.shape.height, "{name}");
    rows.len()
}

#[test]
fn a_file_cut_anywhere_gives_the_rows_that_the_crate_gives() {
    let file = small_file();
    for lengths in [&[usize::MAX][..], &[50], &[1, 0]] {
        let bytes = file.with_stream(&file.deflated(), lengths);
        let mut most = 0;
        for length in 0..bytes.len() {
            let Some((expected, _)) = reference::read(&bytes[..length]) else {
                continue;
            };
            let (rows, _) = read(&file, &bytes[..length]);
            assert!(rows == expected, "{length} bytes in {lengths:?}");
            assert!(rows.len() >= most, "{length} bytes in {lengths:?}");
            most = rows.len();
        }
        assert_eq!(most, file.shape.height);
    }
}

#[test]
fn a_large_file_cut_anywhere_gives_the_rows_that_the_crate_gives() {
    let file = File::new(600, 200, 4, Random::new(7).filters(200));
    let bytes = file.bytes();
    for length in (100..bytes.len()).step_by(bytes.len() / 40) {
        let (expected, _) = reference::read(&bytes[..length]).expect("the header is there");
        let (rows, damage) = read(&file, &bytes[..length]);
        assert!(rows == expected, "{length} of {} bytes", bytes.len());
        assert!(damage.is_some());
    }
}

#[test]
fn a_stream_that_ends_early_gives_its_whole_rows() {
    let file = small_file();
    let filtered = file.filtered();
    for rows in 0..21 {
        for more in [0, 1, 27] {
            let stream = deflate(&filtered[..rows * 28 + more]);
            let bytes = file.with_stream(&stream, &[60]);
            assert_eq!(assert_not_less(&file, &bytes, "ended"), rows);
            let bytes = file.with_stream(&[&stream[..], &[255; 200]].concat(), &[60]);
            assert_eq!(assert_not_less(&file, &bytes, "ended before garbage"), rows);
        }
    }
    // Cut, not ended: the crate keeps the last 32 KiB to itself.
    let stream = file.deflated();
    for length in 0..stream.len() {
        let bytes = file.with_stream(&stream[..length], &[60]);
        assert_not_less(&file, &bytes, "cut");
    }
    let cut = file.with_stream(&stream[..stream.len() - 10], &[60]);
    assert!(assert_not_less(&file, &cut, "cut") > 15);
}

#[test]
fn an_unknown_filter_ends_the_rows_before_it() {
    for unknown in [5, 6, 128, 255] {
        for row in 0..21 {
            let mut file = small_file();
            file.filters[row] = unknown;
            let bytes = file.bytes();
            let (expected, error) = reference::read(&bytes).expect("the header is there");
            assert_eq!(expected.len(), row);
            assert!(error.is_some());
            let (rows, damage) = read(&file, &bytes);
            assert!(rows == expected, "filter {unknown} in row {row}");
            assert_eq!(damage, Some(format!("its filter {unknown} is unknown")));
        }
    }
}

#[test]
fn a_wrong_checksum_ends_the_rows_where_more_is_wanted_than_its_chunk_holds() {
    let file = File::new(200, 300, 3, Random::new(8).filters(300));
    let stream = file.deflated();
    let bytes = file.with_stream(&stream, &[10_000]);
    // Signature, header, and `chunk` chunks with their length, type and checksum.
    let checksum_of = |chunk: usize| 8 + 25 + chunk * 10_012 + 8 + 10_000;
    for chunk in 0..stream.len() / 10_000 {
        let mut broken = bytes.clone();
        broken[checksum_of(chunk)] ^= 1;
        let rows = assert_not_less(&file, &broken, "checksum");
        assert!(rows < 300, "chunk {chunk}");
        let (_, damage) = read(&file, &broken);
        assert_eq!(
            damage.as_deref(),
            Some("a chunk of pixels has the wrong checksum")
        );
    }
    let mut last = bytes.clone();
    let at = last.len() - 13;
    last[at] ^= 1;
    assert_eq!(assert_not_less(&file, &last, "the last checksum"), 300);
}

#[test]
fn pixels_behind_another_chunk_are_not_read() {
    let file = File::new(200, 300, 3, Random::new(8).filters(300));
    let bytes = file.with_stream(&file.deflated(), &[10_000]);
    // Between the second and the third.
    let at = 8 + 25 + 2 * 10_012;
    let text = b"\0\0\0\x03tEXta\0b";
    let checksum = crc32fast::hash(&text[4..]).to_be_bytes();
    let split = [&bytes[..at], text, &checksum, &bytes[at..]].concat();
    let rows = assert_not_less(&file, &split, "split");
    assert_eq!(rows, read(&file, &bytes[..at]).0.len());
}

#[test]
fn damage_anywhere_in_the_stream_leaves_the_rows_before_it() {
    let file = File::new(300, 400, 1, Random::new(9).filters(400));
    let stream = file.deflated();
    let mut random = Random::new(10);
    for at in (0..stream.len()).step_by(stream.len() / 150) {
        let mut broken = stream.clone();
        broken[at] ^= 1 << random.below(8);
        let bytes = file.with_stream(&broken, &[8192]);
        let _ = read(&file, &bytes);
        assert_not_less_where_the_crate_complains(&file, &bytes, at);
    }
}

/// Other symbols are not always an error: then both continue with the same wrong samples.
fn assert_not_less_where_the_crate_complains(file: &File, bytes: &[u8], at: usize) {
    let Some((expected, error)) = reference::read(bytes) else {
        return;
    };
    let (rows, damage) = read(file, bytes);
    assert!(rows.len() >= expected.len(), "byte {at}");
    assert!(rows[..expected.len()] == expected, "byte {at}");
    if error.is_none() {
        assert!(damage.is_none(), "byte {at}: {damage:?}");
    }
}

#[test]
fn a_file_without_pixels_has_no_rows() {
    let file = small_file();
    for bytes in [&b""[..], b"\x89PNG\r\n\x1a\n", &file.bytes()[..33]] {
        let (rows, damage) = read(&file, bytes);
        assert!(rows.is_empty());
        assert_eq!(
            damage.as_deref(),
            Some("it has fewer rows than its header claims")
        );
    }
}
