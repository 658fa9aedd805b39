//! What the arguments ask for.

use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use thumbforge_imaging::Limits;

use super::STANDARD_STREAM;
use crate::cli::ThumbnailArguments;
use crate::config::{self, Sources};
use crate::domain::Variants;

/// As the service's default of `DECODE_TIMEOUT_SECONDS`.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);

pub(super) struct Asked {
    /// `None`: one thumbnail.
    pub variants: Option<Variants>,
    pub limits: Limits,
    /// Of the decode and all renditions.
    pub timeout: Duration,
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
