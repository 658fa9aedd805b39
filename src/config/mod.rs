//! Every setting, its default and its check; the only reader of the environment.
//!
//! Layers, lowest first: the defaults of [`TABLE`], `thumbforge.toml`, `.env`, the environment, flags.
//! [`load`] tells all faults at once, and never prints a secret.

mod checks;
mod database_url;
mod dot_env;
#[cfg(fuzzing)]
pub mod fuzzing;
mod log;
mod merge;
mod names;
mod origins;
mod parse;
mod presets;
mod redacted;
mod redis_url;
mod sources;
mod table;

#[cfg(test)]
mod documents;
#[cfg(test)]
mod tests;

use std::fmt;

pub use database_url::DatabaseUrl;
pub use log::LogFormat;
pub use redis_url::RedisUrl;
pub use sources::Sources;
pub use table::{PREFIX, Preset, Setting, Settings, TABLE};

/// Settings that passed every check.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub settings: Settings,
    /// Warnings, one line each, to be logged once there is a log.
    pub notices: Vec<String>,
}

/// Everything that is wrong, one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<String>);

impl ConfigErrors {
    /// Without line breaks; never empty.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigErrors {}

/// Reads, merges and checks the settings.
///
/// # Errors
/// Every invalid value, unknown key, unreadable file and contradiction, all at once.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigErrors> {
    let mut findings = sources::Findings::default();
    let layers = sources::layers(sources, &mut findings);
    check(layers, findings, sources.cores)
}

fn check(
    layers: Vec<merge::Layer>,
    mut findings: sources::Findings,
    cores: usize,
) -> Result<Loaded, ConfigErrors> {
    let merged = merge::Merged::of(layers, cores)
        .map_err(|error| ConfigErrors(vec![format!("the settings can't be merged: {error}")]))?;
    let said = std::mem::take(&mut findings.said);
    let settings = Settings::read(&merged, said, &mut findings.faults);
    if let Some(settings) = &settings {
        findings.faults.extend(checks::contradictions(settings));
        findings.notices.extend(checks::doubts(settings));
    }
    match settings {
        Some(settings) if findings.faults.is_empty() => Ok(Loaded {
            settings,
            notices: findings.notices,
        }),
        _ => Err(ConfigErrors(findings.faults)),
    }
}
