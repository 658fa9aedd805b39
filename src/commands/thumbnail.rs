//! `thumbforge thumbnail IN OUT`: the engine on a local file, for support and for measuring. With
//! variants, OUT is a folder with a file for each.
//!
//! The metadata goes to stdout as JSON, or to stderr if the picture goes to stdout. A refused image
//! is one JSON object in the same place, with the `error_code` that its job would have had, and
//! exit code 1.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::cli::ThumbnailArguments;
use crate::config::{self, Sources};
use crate::domain::{Failure, Variants, hex};
use thumbforge_imaging::{Limits, Made, Variant, make};

/// Stands for standard input or output.
const STANDARD_STREAM: &str = "-";

/// As the service's default of `DECODE_TIMEOUT`.
const DEADLINE: Duration = Duration::from_secs(15);

/// Exit code 1 if the image gives no thumbnail.
pub(super) fn run(arguments: &ThumbnailArguments) -> anyhow::Result<ExitCode> {
    let variants = wanted(arguments)?;
    let asked = match &variants {
        Some(variants) => variants.iter().map(|named| named.variant.clone()).collect(),
        None => vec![Variant::thumbnail(
            arguments.max_side,
            arguments.jpeg_quality,
        )],
    };
    let bytes = read(&arguments.source)?;
    let begun = Instant::now();
    let limits = Limits {
        deadline: Some(begun + DEADLINE),
        ..Limits::default()
    };
    let made = make(&bytes, &asked, &limits);
    let millis = begun.elapsed().as_secs_f64() * 1e3;
    let made = match made {
        Ok(made) => made,
        Err(error) => {
            report(&arguments.target, &refusal(&error.into()))?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let mut known = metadata(&bytes, &made, millis);
    match &variants {
        Some(variants) => {
            let names = variants.iter().map(|named| named.name.as_str());
            known["variants"] = write_all(Path::new(&arguments.target), names, &made)?;
        }
        None => {
            let file = made
                .renditions
                .first()
                .and_then(|rendition| rendition.files.last());
            write(&arguments.target, file.map_or(&[], |file| &file.bytes))?;
        }
    }
    report(&arguments.target, &known)?;
    Ok(ExitCode::SUCCESS)
}

/// The variants of `--variant` or `--preset`, if any.
fn wanted(arguments: &ThumbnailArguments) -> anyhow::Result<Option<Variants>> {
    if let Some(name) = &arguments.preset {
        let sources = Sources::of_process(arguments.config_file.clone(), Vec::new());
        let mut presets = config::load(&sources)?.settings.presets;
        let preset = presets.remove(name);
        return preset
            .map(Some)
            .with_context(|| format!("there is no preset {name:?}"));
    }
    if arguments.variants.is_empty() {
        return Ok(None);
    }
    let list = arguments
        .variants
        .iter()
        .map(|text| members(text))
        .collect();
    Variants::read(&Value::Array(list))
        .map(Some)
        .map_err(|faults| {
            let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("--variant: {}", lines.join("; "))
        })
}

/// `name=card,width=320,gravity=0.3,0.5` as JSON: what has no `=` belongs to the member before.
fn members(text: &str) -> Value {
    let mut members: Vec<(&str, Vec<&str>)> = Vec::new();
    for part in text.split(',') {
        match (part.split_once('='), members.last_mut()) {
            (Some((name, value)), _) => members.push((name.trim(), vec![value.trim()])),
            (None, Some((_, values))) => values.push(part.trim()),
            (None, None) => members.push((part.trim(), Vec::new())),
        }
    }
    let value = |name: &str, values: &[&str]| match values {
        [] => Value::Null,
        ["true"] => true.into(),
        ["false"] => false.into(),
        [text] if !["name", "background"].contains(&name) => text
            .parse::<serde_json::Number>()
            .map_or_else(|_| Value::from(*text), Value::Number),
        [text] => Value::from(*text),
        several if name == "format" => several.iter().copied().collect(),
        several => Value::from(several.join(",")),
    };
    members
        .iter()
        .map(|(name, values)| ((*name).to_owned(), value(name, values)))
        .collect()
}

/// Writes each file under the name of its variant, and reports what was written.
fn write_all<'a>(
    folder: &Path,
    names: impl Iterator<Item = &'a str>,
    made: &Made,
) -> anyhow::Result<Value> {
    std::fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
    let mut written = serde_json::Map::new();
    for (name, rendition) in names.zip(&made.renditions) {
        let mut files = Vec::new();
        for file in &rendition.files {
            let path = folder.join(format!("{name}.{}", file.format.extension()));
            std::fs::write(&path, &file.bytes)
                .with_context(|| format!("can't write {}", path.display()))?;
            files.push(json!({
                "path": path.display().to_string(),
                "size_bytes": file.bytes.len(),
                "content_type": file.format.media_type(),
            }));
        }
        let (width, height) = (rendition.width, rendition.height);
        let entry = json!({"width": width, "height": height, "files": files});
        written.insert(name.to_owned(), entry);
    }
    Ok(Value::Object(written))
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
fn metadata(bytes: &[u8], made: &Made, millis: f64) -> Value {
    let source = &made.source;
    let thumbnail = made.renditions.first();
    let file = thumbnail.and_then(|rendition| rendition.files.last());
    json!({
        "width": source.width,
        "height": source.height,
        "format": source.format.name(),
        "size_bytes": bytes.len(),
        "sha256": hex(&Sha256::digest(bytes)),
        "thumbnail": {
            "width": thumbnail.map(|rendition| rendition.width),
            "height": thumbnail.map(|rendition| rendition.height),
            "size_bytes": file.map(|file| file.bytes.len()),
            "content_type": file.map(|file| file.format.media_type()),
        },
        "has_alpha": source.has_alpha,
        "frames": source.frames,
        "orientation": source.orientation,
        "icc_profile": source.icc_profile,
        "exif": source.exif.as_ref().map(|exif| {
            json!({"camera": exif.camera, "lens": exif.lens, "taken_at": exif.taken_at})
        }),
        "dominant_color": made.summary.dominant_color,
        "thumbhash": BASE64_STANDARD.encode(&made.summary.thumbhash),
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
            max_side: 64,
            jpeg_quality: 85,
            variants: Vec::new(),
            preset: None,
            config_file: None,
        }
    }

    fn made(bytes: &[u8]) -> Result<Made, thumbforge_imaging::ImagingError> {
        make(bytes, &[Variant::thumbnail(64, 85)], &Limits::default())
    }

    #[test]
    fn a_file_becomes_a_thumbnail_beside_it() {
        let folder = tempfile::TempDir::new().unwrap();
        let target = folder.path().join("out.jpg");
        let code = run(&arguments("Landscape_6.jpg", &target)).unwrap();
        assert_eq!(code, ExitCode::SUCCESS);
        let bytes = std::fs::read(&target).unwrap();
        let made = made(&bytes).unwrap();
        assert_eq!((made.source.width, made.source.height), (64, 43));
    }

    #[test]
    fn a_refused_image_tells_its_code_and_leaves_no_file() {
        let folder = tempfile::TempDir::new().unwrap();
        let target = folder.path().join("out.jpg");
        let code = run(&arguments("svg_as.png", &target)).unwrap();
        assert_eq!(code, ExitCode::FAILURE);
        assert!(!target.exists());
        let error = made(b"<svg/>").unwrap_err();
        assert_eq!(refusal(&error.into())["error_code"], "unsupported_format");
    }

    #[test]
    fn each_variant_becomes_a_file_of_a_folder() {
        let folder = tempfile::TempDir::new().unwrap();
        let target = folder.path().join("out");
        let arguments = ThumbnailArguments {
            variants: vec![
                "name=card,width=30,height=20,fit=cover,gravity=0.3,0.5,format=webp,jpeg".into(),
                "name=mini,width=16".into(),
            ],
            ..arguments("Landscape_6.jpg", &target)
        };
        assert_eq!(run(&arguments).unwrap(), ExitCode::SUCCESS);
        for name in ["card.webp", "card.jpg", "mini.jpg"] {
            assert!(
                std::fs::metadata(target.join(name)).unwrap().len() > 0,
                "{name}"
            );
        }
        let wrong = ThumbnailArguments {
            variants: vec!["name=a,width=0".into(), "fit=cover".into()],
            ..arguments
        };
        let error = run(&wrong).unwrap_err().to_string();
        assert!(
            error.contains("variants[0].width") && error.contains("variants[1]"),
            "{error}"
        );
    }

    #[test]
    fn the_metadata_names_the_fields_of_a_result() {
        let bytes = std::fs::read(fixture("beacon.gif")).unwrap();
        let made = made(&bytes).unwrap();
        let report = metadata(&bytes, &made, 1.5);
        assert_eq!(report["format"], "GIF");
        assert_eq!(report["frames"], 2);
        assert_eq!(report["size_bytes"], bytes.len());
        assert_eq!(report["sha256"].as_str().unwrap().len(), 64);
        assert_eq!(report["engine_ms"], 1.5);
    }
}
