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
use thumbforge_imaging::{Limits, Rendition, Variant};

use super::WRONG_USAGE;
use crate::cli::ThumbnailArguments;
use crate::config::{self, Sources};
use crate::domain::{Failure, Variants};
use crate::worker::{Made, Opened, Wanted};

/// Stands for standard input or output.
const STANDARD_STREAM: &str = "-";

/// As the service's default of `DECODE_TIMEOUT`.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);

/// Exit code 1 if the image gives no thumbnail, 2 for wrong arguments or settings.
pub(super) fn run(arguments: &ThumbnailArguments) -> anyhow::Result<ExitCode> {
    let Asked {
        variants,
        limits,
        timeout,
    } = match asked(arguments) {
        Ok(asked) => asked,
        Err(error) => {
            eprintln!("error: {error:#}");
            return Ok(ExitCode::from(WRONG_USAGE));
        }
    };
    let wanted: Vec<Wanted> = match &variants {
        Some(variants) => Wanted::all(variants),
        None => vec![Wanted {
            variant: Variant::thumbnail(arguments.max_side, arguments.jpeg_quality),
            optional: false,
        }],
    };
    let bytes = read(&arguments.source)?;
    let begun = Instant::now();
    let limits = Limits {
        deadline: Some(begun + timeout),
        ..limits
    };
    let made =
        Opened::new(&bytes, &wanted, &limits).and_then(|opened| opened.make(&wanted, &limits));
    let millis = begun.elapsed().as_secs_f64() * 1e3;
    let made = match made {
        Ok(made) => made,
        Err(failed) => {
            let name = variants
                .as_ref()
                .zip(failed.variant)
                .and_then(|(variants, index)| {
                    let named = variants.iter().nth(index);
                    named.map(|named| named.name.as_str())
                });
            report(&arguments.target, &refusal(&failed.failure, name))?;
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
            let file = first(&made).and_then(|rendition| rendition.files.last());
            write(&arguments.target, file.map_or(&[], |file| &file.bytes))?;
        }
    }
    report(&arguments.target, &known)?;
    Ok(ExitCode::SUCCESS)
}

/// What the arguments ask for.
struct Asked {
    /// `None`: one thumbnail.
    variants: Option<Variants>,
    limits: Limits,
    /// Of the decode and all renditions.
    timeout: Duration,
}

/// The limits of a decode are those of the settings that a preset comes from, else the defaults.
fn asked(arguments: &ThumbnailArguments) -> anyhow::Result<Asked> {
    let has_variants = arguments.preset.is_some() || !arguments.variants.is_empty();
    anyhow::ensure!(
        !has_variants || arguments.target != STANDARD_STREAM,
        "variants go into a folder, not to standard output"
    );
    if let Some(name) = &arguments.preset {
        let sources = Sources::of_process(arguments.config_file.clone(), Vec::new());
        let mut settings = config::load(&sources)?.settings;
        let preset = settings.presets.remove(name);
        return Ok(Asked {
            variants: Some(preset.with_context(|| format!("there is no preset {name:?}"))?),
            limits: Limits {
                max_pixels: settings.max_source_pixels,
                max_memory_bytes: usize::try_from(settings.decode_memory_bytes)
                    .unwrap_or(usize::MAX),
                max_output_pixels: settings.max_output_pixels,
                ..Limits::default()
            },
            timeout: settings.decode_timeout,
        });
    }
    Ok(Asked {
        variants: listed(&arguments.variants)?,
        limits: Limits::default(),
        timeout: DEFAULT_TIMEOUT,
    })
}

/// The variants of `--variant`, if any.
fn listed(texts: &[String]) -> anyhow::Result<Option<Variants>> {
    if texts.is_empty() {
        return Ok(None);
    }
    let list = texts.iter().map(|text| members(text));
    let list = list.collect::<anyhow::Result<_>>()?;
    Variants::read(&Value::Array(list))
        .map(Some)
        .map_err(|faults| {
            let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("--variant: {}", lines.join("; "))
        })
}

/// `name=card,width=320,gravity=0.3,0.5` as JSON: in a list of formats or a focal point, what has
/// no `=` belongs to the member before.
fn members(text: &str) -> anyhow::Result<Value> {
    let mut members: Vec<(&str, Vec<&str>)> = Vec::new();
    for part in text.split(',') {
        match (part.split_once('='), members.last_mut()) {
            (Some((name, value)), _) => {
                let name = name.trim();
                let is_new = members.iter().all(|(known, _)| *known != name);
                anyhow::ensure!(is_new, "--variant {text:?}: {name} is there twice");
                members.push((name, vec![value.trim()]));
            }
            (None, Some((name, values))) if ["format", "gravity"].contains(name) => {
                values.push(part.trim());
            }
            (None, _) => anyhow::bail!("--variant {text:?}: {:?} has no value", part.trim()),
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
    let members = members.iter();
    Ok(members
        .map(|(name, values)| ((*name).to_owned(), value(name, values)))
        .collect())
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
        let rendition = match rendition {
            Ok(rendition) => rendition,
            Err(failure) => {
                written.insert(name.to_owned(), refusal(failure, None));
                continue;
            }
        };
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

fn first(made: &Made) -> Option<&Rendition> {
    made.renditions.first().and_then(|made| made.as_ref().ok())
}

/// The fields of a job's `result` that don't come from the download, and the time it took.
fn metadata(bytes: &[u8], made: &Made, millis: f64) -> Value {
    let source = &made.source;
    let thumbnail = first(made);
    let file = thumbnail.and_then(|rendition| rendition.files.last());
    json!({
        "width": source.width,
        "height": source.height,
        "format": source.format.name(),
        "size_bytes": bytes.len(),
        "sha256": made.sha256,
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
        "dominant_color": made.dominant_color,
        "thumbhash": BASE64_STANDARD.encode(&made.thumbhash),
        "truncated": source.truncated,
        "engine_ms": (millis * 1e3).round() / 1e3,
    })
}

/// With the variant that could not be made, if one caused it.
fn refusal(failure: &Failure, variant: Option<&str>) -> Value {
    let mut refusal = json!({
        "error_code": failure.code.as_str(),
        "error": failure.message,
    });
    if let Some(variant) = variant {
        refusal["error_variant"] = variant.into();
    }
    refusal
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

    fn made(bytes: &[u8]) -> Result<Made, Failure> {
        let wanted = [Wanted {
            variant: Variant::thumbnail(64, 85),
            optional: false,
        }];
        let limits = Limits::default();
        let made =
            Opened::new(bytes, &wanted, &limits).and_then(|opened| opened.make(&wanted, &limits));
        made.map_err(|failed| failed.failure)
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
        let failure = made(b"<svg/>").err().unwrap();
        assert_eq!(refusal(&failure, None)["error_code"], "unsupported_format");
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
    }

    #[test]
    fn an_optional_variant_may_fail() {
        let folder = tempfile::TempDir::new().unwrap();
        let target = folder.path().join("out");
        let arguments = |optional: &str| ThumbnailArguments {
            variants: vec![
                "name=a,width=40".into(),
                format!("name=b,width=40,max_bytes=100{optional}"),
            ],
            ..arguments("Landscape_6.jpg", &target)
        };
        assert_eq!(run(&arguments("")).unwrap(), ExitCode::FAILURE);
        assert!(!target.exists());
        assert_eq!(
            run(&arguments(",optional=true")).unwrap(),
            ExitCode::SUCCESS
        );
        let written: Vec<_> = std::fs::read_dir(&target).unwrap().collect();
        assert_eq!(written.len(), 1, "{written:?}");
    }

    #[test]
    fn wrong_variants_are_named() {
        let refused = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            listed(&texts).unwrap_err().to_string()
        };
        let error = refused(&["name=a,width=0", "fit=cover"]);
        assert!(
            error.contains("variants[0].width") && error.contains("variants[1]"),
            "{error}"
        );
        assert!(refused(&["width=50,width=60"]).contains("width is there twice"));
        assert!(refused(&["width=50,grayscale"]).contains("\"grayscale\" has no value"));
        let to_stdout = ThumbnailArguments {
            variants: vec!["name=a,width=40".into()],
            ..arguments("Landscape_6.jpg", Path::new(STANDARD_STREAM))
        };
        assert_eq!(run(&to_stdout).unwrap(), ExitCode::from(WRONG_USAGE));
        assert!(!Path::new(STANDARD_STREAM).exists());
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
