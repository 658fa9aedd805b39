//! The filter and the format of the log.

use std::str::FromStr;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("expected text or json".to_owned()),
        }
    }
}

/// What a filter of the log may be, for the error that refuses one.
pub const EXPECTED_FILTER: &str = "expected off, error, warn, info, debug, trace, or directives such \
                                   as info,thumbforge::worker=debug";

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// A level, or directives such as `info,thumbforge::worker=debug`
/// (<https://docs.rs/tracing-subscriber/0.3/tracing_subscriber/filter/struct.EnvFilter.html>).
/// Python's `WARNING` and `CRITICAL` are understood.
///
/// # Errors
/// What was expected, if a word is not a level. Directives are not parsed here.
pub fn log_filter(text: &str) -> Result<String, String> {
    let directives: Vec<String> = text
        .split(',')
        .map(str::trim)
        .map(|directive| match directive.to_ascii_lowercase().as_str() {
            "warning" => "warn".to_owned(),
            "critical" => "error".to_owned(),
            level if LEVELS.contains(&level) => level.to_owned(),
            _ => directive.to_owned(),
        })
        .collect();
    // A bare word that is not a level would be read as the name of a module, and switch the rest
    // off.
    let misspelt = directives
        .iter()
        .any(|directive| !LEVELS.contains(&directive.as_str()) && !directive.contains('='));
    let filter = directives.join(",");
    if misspelt {
        return Err(EXPECTED_FILTER.to_owned());
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_directives_are_read() {
        for (text, filter) in [
            ("info", "info"),
            ("DEBUG", "debug"),
            ("WARNING", "warn"),
            (
                "info, thumbforge::worker=debug",
                "info,thumbforge::worker=debug",
            ),
        ] {
            assert_eq!(log_filter(text).as_deref(), Ok(filter));
        }
    }

    #[test]
    fn a_misspelt_level_is_refused() {
        for text in ["", "verbose", "infoo", "info,loud"] {
            assert!(log_filter(text).is_err(), "{text}");
        }
    }
}
