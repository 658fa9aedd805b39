//! `thumbforge thumbnail IN OUT`: the engine on a local file, for support and for measuring. With
//! variants, OUT is a folder with a file for each.
//!
//! The metadata goes to stdout as JSON, or to stderr if the picture goes to stdout. A refused image
//! is one JSON object in the same place, with the `error_code` that its job would have had, and
//! exit code 1.

mod asked;
mod report;

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};
use thumbforge_imaging::{Format, Limits, Variant};

use super::WRONG_USAGE;
use crate::cli::ThumbnailArguments;
use crate::config::LogFormat;
use crate::domain::DecodeIsolation;
use crate::isolation::{CHILD_BYTES, ChildLimits, DecoderRules, Decoders};
use crate::worker::{Made, Opened, Wanted};
use asked::{Asked, asked};
use report::{first, metadata, refusal};

/// Stands for standard input or output.
const STANDARD_STREAM: &str = "-";

/// Exit code 1 if the image gives no thumbnail, 2 for wrong arguments or settings.
pub(super) fn run(arguments: &ThumbnailArguments) -> anyhow::Result<ExitCode> {
    let Asked {
        variants,
        limits,
        timeout,
        decoders: rules,
    } = match asked(arguments) {
        Ok(asked) => asked,
        Err(error) => {
            super::complain(LogFormat::Text, &super::one_line(&format!("{error:#}")));
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
    let decoders = decoders(&bytes, rules, &limits, timeout)?;
    let made = Opened::new(&bytes, &wanted, &limits, &decoders)
        .and_then(|opened| opened.make(&wanted, &limits));
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

/// A child only for an image that needs one: starting it takes longer than most thumbnails.
fn decoders(
    bytes: &[u8],
    rules: DecoderRules,
    limits: &Limits,
    timeout: Duration,
) -> anyhow::Result<Decoders> {
    let needs_one = Format::of(bytes).is_ok_and(Format::needs_lockdown);
    if rules.isolation != DecodeIsolation::All && !needs_one {
        return Ok(Decoders::default());
    }
    let memory_bytes = limits.max_memory_bytes.saturating_add(bytes.len());
    let limits = ChildLimits {
        memory_bytes: (memory_bytes as u64).saturating_add(CHILD_BYTES),
        timeout,
    };
    Ok(Decoders::open(rules, &limits)?)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Failure;
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
        let made = Opened::new(bytes, &wanted, &limits, &Decoders::default())
            .and_then(|opened| opened.make(&wanted, &limits));
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
        let failure = made(b"<html/>").err().unwrap();
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
    fn variants_do_not_go_to_standard_output() {
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
