//! Every setting, its default and its check, read from texts: the caller has read the files.
//!
//! Layers, lowest first: the defaults of [`TABLE`], `thumbforge.toml`, `.env`, the environment,
//! flags. [`load`] reports all faults at once, and never prints a secret.

mod checks;
mod database_url;
mod dot_env;
mod log;
mod merge;
mod names;
mod origins;
mod parse;
mod presets;
mod redacted;
mod redis_url;
mod setting;
mod sources;
mod table;

#[cfg(test)]
mod tests;

use std::fmt;

pub use database_url::DatabaseUrl;
pub use log::{EXPECTED_FILTER, LogFormat, log_filter};
pub use redis_url::RedisUrl;
pub use setting::{PREFIX, Preset, Setting};
pub use sources::{FileText, Texts};
pub use table::{Settings, TABLE};

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

/// How a library judges a setting that it receives: gets the setting's key and a text that was read
/// without a fault here. Its sentence quotes no secret.
pub type Judge<'a> = &'a dyn Fn(&str, &str) -> Result<(), String>;

/// Merges and checks the settings.
///
/// # Errors
/// Every invalid value, unknown key, unreadable file and contradiction, all at once.
pub fn load(texts: &Texts, judge: Judge<'_>) -> Result<Loaded, ConfigErrors> {
    let mut findings = sources::Findings::default();
    let layers = sources::layers(texts, &mut findings);
    let merged = merge::Merged::of(TABLE, layers, texts.cores, judge);
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
