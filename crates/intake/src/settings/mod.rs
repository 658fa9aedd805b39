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
mod postgres_url;
mod presets;
mod redacted;
mod redis_nodes;
mod redis_url;
mod setting;
mod sources;
mod table;
mod traces;

#[cfg(test)]
mod tests;

use std::fmt;

pub use database_url::DatabaseUrl;
pub use log::{EXPECTED_FILTER, LogFormat, log_filter};
pub use names::CLIENT_VARIABLES;
pub use postgres_url::{
    Checked, PostgresHost, PostgresTls, PostgresUrl, Roots, SslMode, with_defaults,
};
pub use redacted::SecretText;
pub use redis_url::{RedisKind, RedisUrl};
pub use setting::{PREFIX, Preset, Reader, Setting};
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
pub struct ConfigErrors {
    lines: Vec<String>,
    /// In which format they are to be told: that of the log, if that much could be read.
    pub log_format: LogFormat,
}

impl ConfigErrors {
    /// Without line breaks; never empty.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

impl std::error::Error for ConfigErrors {}

/// How a library judges a setting that it receives: gets the setting's key and a text that was read
/// without a fault here. Its sentence quotes no secret.
pub type Judge<'a> = &'a dyn Fn(&str, &str) -> Result<(), String>;

/// How a file is read that holds a secret: gets its path as it was set. The error names the whole
/// path and the reason, and quotes nothing of the file.
pub type ReadSecret<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// Merges and checks the settings.
///
/// # Errors
/// Every invalid value, unknown key, unreadable file and contradiction, all at once.
pub fn load(
    texts: &Texts,
    judge: Judge<'_>,
    read_secret: ReadSecret<'_>,
) -> Result<Loaded, ConfigErrors> {
    let mut findings = sources::Findings::default();
    let layers = sources::layers(texts, &mut findings);
    let merged = merge::Merged::of(TABLE, layers, texts.cores, judge, read_secret);
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
        _ => Err(ConfigErrors {
            lines: findings.faults,
            log_format: merged
                .read("log_format", str::parse, &mut Vec::new())
                .unwrap_or(LogFormat::Text),
        }),
    }
}
