use std::path::{Path, PathBuf};

use super::reference::{compare, ours};
use crate::vp8::header::Frame;
use crate::vp8::tokens::TokenTables;
use crate::vp8::{LoopFilter, Scratch, Vp8Error};

/// All lossy pictures of a file, those of frames too.
pub fn pictures(file: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut at = 12;
    while let Some(header) = file.get(at..at + 8) {
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        let Some(data) = file.get(at + 8..at + 8 + length) else {
            break;
        };
        match &header[..4] {
            b"VP8 " => found.push(data),
            b"ANMF" => {
                at += 8 + 16;
                continue;
            }
            _ => {}
        }
        at += 8 + length.next_multiple_of(2);
    }
    found
}

fn webp_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "webp")
            {
                files.push(path);
            }
        }
    }
    files
}

/// Compares every picture of every file, and gives their number. (`image-webp` refuses a few files
/// of its own crash tests.)
fn compare_all(folder: &Path) -> usize {
    let mut compared = 0;
    let mut scratch = Scratch::default();
    for path in webp_files(folder) {
        let file = std::fs::read(&path).unwrap();
        for data in pictures(&file) {
            if let Some(outcome) = compare(data, &mut scratch) {
                assert_eq!(outcome, Ok(()), "{}", path.display());
                compared += 1;
            }
        }
    }
    compared
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

#[test]
fn every_picture_is_that_of_the_complete_decoder_to_the_last_bit() {
    let compared = compare_all(&fixtures());
    assert!(compared >= 20, "{compared}");
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/webp");
    if corpus.is_dir() {
        let compared = compare_all(&corpus);
        assert!(compared >= 34, "{compared}");
    }
}

/// Otherwise the comparison would prove less than it claims.
#[test]
fn the_pictures_compared_use_all_that_a_frame_can_tell() {
    let mut tokens = TokenTables::default();
    let mut seen = std::collections::BTreeSet::new();
    for path in webp_files(&fixtures()) {
        let file = std::fs::read(&path).unwrap();
        let Some(data) = pictures(&file).first().copied() else {
            continue;
        };
        let frame = Frame::read(data, data.len(), &mut tokens).unwrap();
        let filter = frame.filter;
        seen.insert(format!("{} partitions", frame.partitions.len()));
        seen.insert(format!("simple filter: {}", filter.is_simple));
        seen.insert(format!("filter: {}", filter.level > 0));
        seen.insert(format!("sharpness above 4: {}", filter.sharpness > 4));
        seen.insert(format!("segments: {}", frame.segment_tree.is_some()));
        seen.insert(format!("skips: {}", frame.not_skipped.is_some()));
    }
    let seen: Vec<&str> = seen.iter().map(String::as_str).collect();
    assert_eq!(
        seen,
        [
            "1 partitions",
            "2 partitions",
            "4 partitions",
            "8 partitions",
            "filter: false",
            "filter: true",
            "segments: false",
            "segments: true",
            "sharpness above 4: false",
            "sharpness above 4: true",
            "simple filter: false",
            "simple filter: true",
            "skips: false",
            "skips: true",
        ]
    );
}

fn picture_of(name: &str) -> Vec<u8> {
    let file = std::fs::read(fixtures().join("vp8").join(name)).unwrap();
    pictures(&file)[0].to_vec()
}

#[test]
fn a_picture_cut_anywhere_gives_the_rows_that_are_there() {
    /// The edge below the last row that is there is not filtered, and eight bits of a partition may
    /// be missing without a trace.
    const UNSURE_ROWS: usize = 3 + 16;
    let mut scratch = Scratch::default();
    for (name, width, height) in [
        ("177x150.webp", 177, 150),
        ("177x150_two_partitions.webp", 177, 150),
        ("65x65_four_partitions.webp", 65, 65),
        ("62x35_simple_four.webp", 62, 35),
    ] {
        let data = picture_of(name);
        for filter in [LoopFilter::Apply, LoopFilter::LeaveOut] {
            let (whole, _) = ours(&data, data.len(), filter, &mut scratch).unwrap();
            let mut last_rows = 0;
            for length in 0..data.len() {
                let cut = &data[..length];
                let Ok((planes, progress)) = ours(cut, data.len(), filter, &mut scratch) else {
                    assert_eq!(last_rows, 0, "{name} cut to {length}");
                    continue;
                };
                let rows = progress.rows as usize;
                assert!(rows >= last_rows, "{name} cut to {length}");
                last_rows = rows;
                assert_eq!(planes.luma.len(), rows * width, "{name} cut to {length}");
                let halved = rows.div_ceil(2) * usize::div_ceil(width, 2);
                assert_eq!(planes.cb.len(), halved, "{name} cut to {length}");
                assert_eq!(planes.cr.len(), halved, "{name} cut to {length}");
                assert_eq!(progress.stopped.is_some(), rows < height);
                let sure = rows.saturating_sub(UNSURE_ROWS) * width;
                assert!(
                    planes.luma[..sure] == whole.luma[..sure],
                    "{name} cut to {length}"
                );
            }
            assert!(last_rows >= height - 16, "{name}: {last_rows}");
        }
    }
}

#[test]
fn a_partition_that_is_longer_than_its_chunk_is_a_lie() {
    let mut scratch = Scratch::default();
    let mut decoded = |data: &[u8], declared: usize| {
        ours(data, declared, LoopFilter::Apply, &mut scratch).map(|(_, progress)| progress.rows)
    };
    let data = picture_of("177x150_two_partitions.webp");
    let first_bytes = (u32::from_le_bytes([data[0], data[1], data[2], 0]) >> 5) as usize;
    let mut long_modes = data.clone();
    let tag = u32::from(data[0] & 0x1f) | (data.len() as u32) << 5;
    long_modes[..3].copy_from_slice(&tag.to_le_bytes()[..3]);
    let mut long_tokens = data.clone();
    long_tokens[10 + first_bytes..][..3].copy_from_slice(&[0xff; 3]);
    for lie in [long_modes, long_tokens] {
        let outcome = decoded(&lie, lie.len());
        assert!(matches!(outcome, Err(Vp8Error::Corrupt(_))), "{outcome:?}");
    }
    assert_eq!(decoded(&data, data.len()), Ok(150));
    // No lie if the file was cut off.
    let cut = &data[..first_bytes];
    assert_eq!(decoded(cut, data.len()), Err(Vp8Error::Truncated));
}

#[test]
fn a_partition_that_no_encoder_writes_is_refused() {
    let mut scratch = Scratch::default();
    let data = picture_of("177x150_two_partitions.webp");
    let first_bytes = (u32::from_le_bytes([data[0], data[1], data[2], 0]) >> 5) as usize;
    let sizes_at = 10 + first_bytes;
    let second = &data[sizes_at..sizes_at + 3];
    let tokens_at = sizes_at + 3;
    let last_at = tokens_at + u32::from_le_bytes([second[0], second[1], second[2], 0]) as usize;
    for start in [10, tokens_at, last_at] {
        let mut impossible = data.clone();
        impossible[start] = 0xff;
        let outcome = ours(&impossible, data.len(), LoopFilter::Apply, &mut scratch);
        assert!(matches!(outcome, Err(Vp8Error::Corrupt(_))), "byte {start}");
        impossible[start] = 0xfe;
        assert!(ours(&impossible, data.len(), LoopFilter::Apply, &mut scratch).is_ok());
    }
}

#[test]
fn damage_never_panics_and_never_shows_another_picture_than_the_complete_decoder() {
    let mut scratch = Scratch::default();
    let mut compared = 0;
    for path in webp_files(&fixtures().join("vp8")) {
        let file = std::fs::read(&path).unwrap();
        let data = pictures(&file)[0];
        let step = (data.len() / 40).max(1);
        for at in (0..data.len()).step_by(step) {
            for change in [0x01, 0x20, 0x80, 0xff] {
                let mut damaged = data.to_vec();
                damaged[at] ^= change;
                // Sizes that were made larger teach nothing.
                let is_size = (6..10).contains(&at);
                if let Some(outcome) = (!is_size)
                    .then(|| compare(&damaged, &mut scratch))
                    .flatten()
                {
                    compared += 1;
                    assert_eq!(outcome, Ok(()), "{} at {at}: {change}", path.display());
                }
            }
        }
    }
    assert!(compared > 400, "{compared}");
}
