//! Files made by others: those beside this project, and the whole corpus where it lies next to the
//! checkout.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::{JpegError, Scale, Scratch, decode_scaled, read_header};
use super::{comparison, reference};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/jpeg")
}

fn jpegs_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            jpegs_below(&path, found);
        } else if path.extension().is_some_and(|e| e == "jpg" || e == "jpeg") {
            found.push(path);
        }
    }
}

/// Decodes a file at any scale: compared with the reference, or refused. Returns whether it was
/// compared.
fn sweep(path: &Path) -> bool {
    let name = path.display().to_string();
    let bytes = fs::read(path).unwrap();
    let Ok(header) = read_header(&bytes) else {
        return false;
    };
    if header.memory_estimate(Scale::FULL) > 200 << 20 {
        return false;
    }
    let mut scratch = Scratch::default();
    match decode_scaled(&bytes, &header, Scale::FULL, &mut scratch) {
        Ok(decoded) if decoded.stopped.is_none() => {}
        _ => return false,
    }
    match reference::decode(&bytes, header.color_kind(), false) {
        Ok(reference) => comparison::check(&bytes, &header, &reference, &name),
        Err(error) => panic!("{name}: we decode what the reference refuses: {error}"),
    }
    true
}

#[test]
fn real_files_decode_like_the_reference() {
    for name in [
        "cat.jpg",
        "progressive.jpg",
        "iptc.jpg",
        "portrait_2.jpg",
        "multiple-0xff-before-eoi.jpg",
        "jpg-cmyk-1.jpg",
    ] {
        assert!(sweep(&fixtures().join(name)), "{name} was not decoded");
    }
}

#[test]
fn what_is_left_to_others_or_broken_is_said_to_be() {
    let outcome = |name: &str| {
        let bytes = fs::read(fixtures().join(name)).unwrap();
        let header = read_header(&bytes)?;
        let decoded = decode_scaled(
            &bytes,
            &header,
            Scale::new(1).unwrap(),
            &mut Scratch::default(),
        )
        .map(|d| d.stopped)?;
        decoded.map_or(Ok(()), Err)
    };
    assert!(matches!(
        outcome("invalid-prediction-shift.jpg"),
        Err(JpegError::Unsupported(_))
    ));
    for name in [
        "dc-predictor-overflow.jpg",
        "derive-huffman-codes-overflow.jpg",
        "null_height.jpg",
        "max_size.jpg",
    ] {
        assert!(
            matches!(outcome(name), Err(JpegError::Corrupt(_))),
            "{name}: {:?}",
            outcome(name)
        );
    }
    assert!(outcome("missing-sos.jpg").is_err());
}

#[test]
fn every_file_of_the_corpus_decodes_like_the_reference_or_is_refused() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    // The others are broken, or left to the other decoder.
    for (folder, least) in [(fixtures(), 8), (corpus, 45)] {
        if !folder.is_dir() {
            continue;
        }
        let mut files = Vec::new();
        jpegs_below(&folder, &mut files);
        let compared = files.iter().filter(|path| sweep(path)).count();
        assert!(compared >= least, "{compared} of {}", files.len());
    }
}
