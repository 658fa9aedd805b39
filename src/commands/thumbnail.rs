//! `thumbforge thumbnail IN OUT`: the engine on a local file, for support and for measuring.
//!
//! The metadata goes to stdout as JSON, or to stderr if the picture goes to stdout. A refused image is one JSON object in
//! the same place, with the `error_code` that its job would have had, and exit code 1.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::cli::ThumbnailArguments;
use crate::domain::Failure;
use thumbforge_imaging::{self as imaging, Limits, Thumbnail, ThumbnailSpec};

/// Stands for standard input or output.
const STANDARD_STREAM: &str = "-";

/// Exit code 1 if the image gives no thumbnail.
pub(super) fn run(arguments: &ThumbnailArguments) -> anyhow::Result<ExitCode> {
    let spec = ThumbnailSpec {
        max_side: arguments.max_side,
        jpeg_quality: arguments.jpeg_quality,
    };
    let bytes = read(&arguments.source)?;
    let begun = Instant::now();
    let made = imaging::thumbnail(&bytes, &spec, &Limits::default());
    let millis = begun.elapsed().as_secs_f64() * 1e3;
    let thumbnail = match made {
        Ok(thumbnail) => thumbnail,
        Err(error) => {
            report(&arguments.target, &refusal(&error.into()))?;
            return Ok(ExitCode::FAILURE);
        }
    };
    write(&arguments.target, &thumbnail.jpeg)?;
    report(&arguments.target, &metadata(&bytes, &thumbnail, millis))?;
    Ok(ExitCode::SUCCESS)
}

/// To standard output, unless that is for the picture.
fn report(target: &OsStr, report: &Value) -> anyhow::Result<()> {
    let report = serde_json::to_string_pretty(report)?;
    if target == STANDARD_STREAM {
        writeln!(std::io::stderr(), "{report}").context("can't write to standard error")
    } else {
        super::print_line(report)
    }
}

fn read(source: &OsStr) -> anyhow::Result<Vec<u8>> {
    if source != STANDARD_STREAM {
        return std::fs::read(source)
            .with_context(|| format!("can't read {}", Path::new(source).display()));
    }
    let mut bytes = Vec::new();
    std::io::stdin()
        .read_to_end(&mut bytes)
        .context("can't read standard input")?;
    Ok(bytes)
}

fn write(target: &OsStr, jpeg: &[u8]) -> anyhow::Result<()> {
    if target == STANDARD_STREAM {
        return std::io::stdout()
            .write_all(jpeg)
            .context("can't write to standard output");
    }
    std::fs::write(target, jpeg)
        .with_context(|| format!("can't write {}", Path::new(target).display()))
}

/// The fields of a job's `result` that don't come from the download, and the time it took.
fn metadata(bytes: &[u8], thumbnail: &Thumbnail, millis: f64) -> Value {
    let source = &thumbnail.source;
    let digest = Sha256::digest(bytes);
    let sha256: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({
        "width": source.width,
        "height": source.height,
        "format": source.format.as_str(),
        "size_bytes": bytes.len(),
        "sha256": sha256,
        "thumbnail": {
            "width": thumbnail.width,
            "height": thumbnail.height,
            "size_bytes": thumbnail.jpeg.len(),
            "content_type": "image/jpeg",
        },
        "has_alpha": source.has_alpha,
        "frames": source.frames,
        "orientation": source.orientation,
        "icc_profile": source.icc_profile,
        "exif": source.exif.as_ref().map(|exif| {
            json!({"camera": exif.camera, "lens": exif.lens, "taken_at": exif.taken_at})
        }),
        "dominant_color": thumbnail.dominant_color,
        "thumbhash": BASE64_STANDARD.encode(&thumbnail.thumbhash),
        "truncated": source.truncated,
        "engine_ms": (millis * 1e3).round() / 1e3,
    })
}

fn refusal(failure: &Failure) -> Value {
    json!({
        "error_code": failure.code.as_str(),
        "error": failure.message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn fixture(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures")
            .join(name)
    }

    fn arguments(source: &str, target: &Path) -> ThumbnailArguments {
        ThumbnailArguments {
            source: fixture(source).into(),
            target: target.into(),
            max_side: SPEC.max_side,
            jpeg_quality: SPEC.jpeg_quality,
        }
    }

    const SPEC: ThumbnailSpec = ThumbnailSpec {
        max_side: 64,
        jpeg_quality: 85,
    };

    #[test]
    fn a_file_becomes_a_thumbnail_beside_it() {
        let folder = tempfile::TempDir::new().unwrap();
        let target = folder.path().join("out.jpg");
        let code = run(&arguments("Landscape_6.jpg", &target)).unwrap();
        assert_eq!(code, ExitCode::SUCCESS);
        let bytes = std::fs::read(&target).unwrap();
        let made = imaging::thumbnail(&bytes, &SPEC, &Limits::default()).unwrap();
        assert_eq!((made.source.width, made.source.height), (64, 43));
    }

    #[test]
    fn a_refused_image_tells_its_code_and_leaves_no_file() {
        let folder = tempfile::TempDir::new().unwrap();
        let target = folder.path().join("out.jpg");
        let code = run(&arguments("svg_as.png", &target)).unwrap();
        assert_eq!(code, ExitCode::FAILURE);
        assert!(!target.exists());
        let error = imaging::thumbnail(b"<svg/>", &SPEC, &Limits::default()).unwrap_err();
        assert_eq!(refusal(&error.into())["error_code"], "unsupported_format");
    }

    #[test]
    fn the_metadata_names_the_fields_of_a_result() {
        let bytes = std::fs::read(fixture("beacon.gif")).unwrap();
        let made = imaging::thumbnail(&bytes, &SPEC, &Limits::default()).unwrap();
        let report = metadata(&bytes, &made, 1.5);
        assert_eq!(report["format"], "GIF");
        assert_eq!(report["frames"], 2);
        assert_eq!(report["size_bytes"], bytes.len());
        assert_eq!(report["sha256"].as_str().unwrap().len(), 64);
        assert_eq!(report["engine_ms"], 1.5);
    }
}
