//! What the arguments ask for.

use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use thumbforge_imaging::Limits;
use thumbforge_intake::variant_members;

use super::STANDARD_STREAM;
use crate::cli::ThumbnailArguments;
use crate::config::{self, Sources};
use crate::domain::{DecodeIsolation, Variants};
use crate::isolation::DecoderRules;

/// As the service's default of `DECODE_TIMEOUT_SECONDS`.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);

pub(super) struct Asked {
    /// `None`: one thumbnail.
    pub variants: Option<Variants>,
    pub limits: Limits,
    /// Of the decode and all renditions.
    pub timeout: Duration,
    pub decoders: DecoderRules,
}

/// The limits of a decode are those of the settings that a preset comes from, else the defaults.
pub(super) fn asked(arguments: &ThumbnailArguments) -> anyhow::Result<Asked> {
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
            decoders: DecoderRules {
                isolation: settings.decode_isolation,
                reads_pdf: settings.decode_pdf,
            },
        });
    }
    Ok(Asked {
        variants: listed(&arguments.variants)?,
        limits: Limits::default(),
        timeout: DEFAULT_TIMEOUT,
        decoders: DecoderRules {
            isolation: DecodeIsolation::Risky,
            // Whoever names a document wants it read.
            reads_pdf: true,
        },
    })
}

/// The variants of `--variant`, if any.
fn listed(texts: &[String]) -> anyhow::Result<Option<Variants>> {
    if texts.is_empty() {
        return Ok(None);
    }
    let list = texts.iter().map(|text| {
        variant_members(text).map_err(|reason| anyhow::anyhow!("--variant {text:?}: {reason}"))
    });
    let list = list.collect::<anyhow::Result<_>>()?;
    Variants::read(&Value::Array(list))
        .map(Some)
        .map_err(|faults| {
            let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("--variant: {}", lines.join("; "))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
