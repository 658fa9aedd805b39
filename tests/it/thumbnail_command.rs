//! `thumbforge thumbnail IN OUT`: files and standard streams, the metadata, the exit code.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// Runs the command with `input` on its standard input.
fn thumbnail(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_thumbforge"))
        .arg("thumbnail")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(bytes));
    })
}

fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xff\xd8\xff") && bytes.ends_with(b"\xff\xd9")
}

#[test]
fn a_file_gives_a_file_and_its_metadata() {
    let folder = tempfile::TempDir::new().unwrap();
    let target = folder.path().join("out.jpg");
    let source = fixture("Landscape_6.jpg");
    let output = thumbnail(
        &[
            source.to_str().unwrap(),
            target.to_str().unwrap(),
            "--size",
            "100",
            "--quality",
            "50",
        ],
        &[],
    );
    assert_eq!(output.status.code(), Some(0));
    assert!(is_jpeg(&std::fs::read(&target).unwrap()));
    let report = json(&output.stdout);
    assert_eq!(report["format"], "JPEG");
    assert_eq!(report["orientation"], 6);
    assert_eq!(report["thumbnail"]["width"], 100);
    assert_eq!(
        report["size_bytes"],
        std::fs::metadata(&source).unwrap().len()
    );
    assert_eq!(report["truncated"], false);
}

#[test]
fn standard_streams_stand_in_for_files() {
    let source = std::fs::read(fixture("two_frames.webp")).unwrap();
    let output = thumbnail(&["-", "-"], &source);
    assert_eq!(output.status.code(), Some(0));
    // The picture has standard output for itself.
    assert!(is_jpeg(&output.stdout));
    let report = json(&output.stderr);
    assert_eq!(report["frames"], 2);
    assert_eq!(report["thumbnail"]["size_bytes"], output.stdout.len());
}

#[test]
fn a_refused_image_is_typed_and_ends_with_one() {
    let folder = tempfile::TempDir::new().unwrap();
    let target = folder.path().join("out.jpg");
    for (input, code) in [
        (&b""[..], "empty_source"),
        (b"<html/>", "unsupported_format"),
        (b"\xff\xd8\xff\xd9", "corrupt_image"),
        (
            &std::fs::read(fixture("png_claim_7fffffff.png")).unwrap(),
            "image_too_large",
        ),
    ] {
        let output = thumbnail(&["-", target.to_str().unwrap()], input);
        assert_eq!(output.status.code(), Some(1), "{code}");
        let report = json(&output.stdout);
        assert_eq!(report["error_code"], code);
        assert!(!report["error"].as_str().unwrap().is_empty());
        assert!(!target.exists());
    }
    // Nothing is written to standard output that a reader could take for a picture.
    let output = thumbnail(&["-", "-"], b"<html/>");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "{output:?}");
    assert_eq!(json(&output.stderr)["error_code"], "unsupported_format");
}

#[test]
fn a_missing_file_and_an_unwritable_target_end_with_one() {
    let folder = tempfile::TempDir::new().unwrap();
    let missing = folder.path().join("missing.jpg");
    let output = thumbnail(&[missing.to_str().unwrap(), "-"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("missing.jpg"));

    let nowhere = folder.path().join("no/such/folder.jpg");
    let source = fixture("Landscape_6.jpg");
    let output = thumbnail(&[source.to_str().unwrap(), nowhere.to_str().unwrap()], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("folder.jpg"));
}

#[test]
fn a_reader_that_has_gone_is_an_error_and_no_panic() {
    let folder = tempfile::TempDir::new().unwrap();
    let target = folder.path().join("out.jpg");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_thumbforge"))
        .arg("thumbnail")
        .args([fixture("Landscape_6.jpg"), target.clone()])
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stderr)
            .starts_with("error: can't write to standard output"),
        "{output:?}"
    );
    assert!(is_jpeg(&std::fs::read(&target).unwrap()));
}

/// Whoever names it wants it read, whatever the service's setting.
#[test]
fn a_document_gives_its_first_page() {
    let folder = tempfile::TempDir::new().unwrap();
    let target = folder.path().join("out.jpg");
    let source = fixture("pdf/quarters.pdf");
    let output = thumbnail(&[source.to_str().unwrap(), target.to_str().unwrap()], &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(is_jpeg(&std::fs::read(&target).unwrap()));
    let report = json(&output.stdout);
    assert_eq!(report["format"], "PDF");
    assert_eq!(report["width"], 85);
}
