//! Which names are settings, and which setting was probably meant.

use super::setting::{FILE_SUFFIX, PREFIX, Setting};
use super::table::TABLE;

/// Variables of the Python service of the same name that mean a setting here.
const RENAMED: [(&str, &str); 1] = [("WORKER_PROCESSES", "cpu_threads")];

/// Variables of the Python service that no longer have a meaning, and why.
const RETIRED: [(&str, &str); 2] = [
    ("APP_NAME", "the service has no name to show"),
    ("API_V1_PREFIX", "the API is always under /v1"),
];

/// Variables that commands which speak to a running service read: no settings of the service.
pub const CLIENT_VARIABLES: [&str; 3] = ["SERVER", "API_KEY", "API_KEY_FILE"];

/// What a variable without its prefix means.
pub(super) enum Meaning {
    Current(&'static Setting),
    /// The name of a file that holds the setting.
    InFile(&'static Setting),
    Renamed(&'static Setting),
    /// With the reason.
    Retired(&'static str),
    /// Of commands that speak to a running service.
    OfClient,
    Unknown,
}

pub(super) fn meaning(name: &str) -> Meaning {
    if let Some(setting) = setting(&name.to_ascii_lowercase()) {
        return Meaning::Current(setting);
    }
    if let Some(setting) = name.strip_suffix(FILE_SUFFIX).and_then(secret) {
        return Meaning::InFile(setting);
    }
    if let Some((_, key)) = RENAMED.iter().find(|(old, _)| *old == name)
        && let Some(setting) = setting(key)
    {
        return Meaning::Renamed(setting);
    }
    if CLIENT_VARIABLES.contains(&name) {
        return Meaning::OfClient;
    }
    match RETIRED.iter().find(|(old, _)| *old == name) {
        Some((_, reason)) => Meaning::Retired(reason),
        None => Meaning::Unknown,
    }
}

pub(super) fn setting(key: &str) -> Option<&'static Setting> {
    TABLE.iter().find(|setting| setting.key == key)
}

fn secret(name: &str) -> Option<&'static Setting> {
    setting(&name.to_ascii_lowercase()).filter(|setting| setting.is_secret)
}

/// The variable that most resembles `name`, which has no prefix.
pub(super) fn nearest_variable(name: &str) -> String {
    let (key, _) = nearest_key(name);
    format!("{PREFIX}{}", key.to_ascii_uppercase())
}

/// The key that was probably meant, if one resembles `key` closely enough.
pub(super) fn likely_key(key: &str) -> Option<&'static str> {
    const LIKELY: f64 = 0.8;
    let (nearest, likeness) = nearest_key(key);
    (likeness >= LIKELY).then_some(nearest)
}

/// With its likeness, 0 to 1.
fn nearest_key(key: &str) -> (&'static str, f64) {
    let key = key.to_ascii_lowercase().replace('-', "_");
    TABLE
        .iter()
        .map(|setting| (setting.key, strsim::jaro_winkler(setting.key, &key)))
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_finds_the_one_that_was_meant() {
        for (typo, meant) in [
            ("thumbnal_size", "thumbnail_size"),
            ("DATABASE_URI", "database_url"),
            ("redis", "redis_url"),
            ("max-attempt", "max_attempts"),
        ] {
            assert_eq!(likely_key(typo), Some(meant));
        }
        assert_eq!(likely_key("server"), None);
    }

    #[test]
    fn secrets_alone_may_be_in_files() {
        assert!(matches!(meaning("REDIS_URL_FILE"), Meaning::InFile(to) if to.key == "redis_url"));
        assert!(
            matches!(meaning("API_KEYS_FILE"), Meaning::Current(to) if to.key == "api_keys_file")
        );
        for name in ["BIND_FILE", "_FILE", "DATABASE_URL_FILE_FILE"] {
            assert!(matches!(meaning(name), Meaning::Unknown), "{name}");
        }
    }

    #[test]
    fn every_name_of_the_python_service_means_something() {
        assert!(
            matches!(meaning("WORKER_PROCESSES"), Meaning::Renamed(to) if to.key == "cpu_threads")
        );
        assert!(matches!(meaning("APP_NAME"), Meaning::Retired(_)));
        assert!(matches!(meaning("API_V1_PREFIX"), Meaning::Retired(_)));
    }
}
