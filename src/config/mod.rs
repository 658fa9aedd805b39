//! The settings of this process; the only reader of the environment.
//! [`thumbforge_intake::settings`] defines the settings and their values.

mod libraries;
mod postgres_variables;
mod sources;

pub use sources::Sources;
pub use thumbforge_intake::settings::{
    ConfigErrors, DatabaseUrl, Loaded, LogFormat, PREFIX, Preset, Reader, RedisUrl, SecretText,
    Setting, Settings, TABLE,
};

use postgres_variables::PostgresVariables;
use thumbforge_intake::settings::PostgresUrl;

/// Reads, merges and checks the settings.
///
/// # Errors
/// Every invalid value, unknown key, unreadable file and contradiction, all at once.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigErrors> {
    let variables = PostgresVariables::of(&sources.environment);
    let judge = |key: &str, text: &str| libraries::judge(key, text, &variables);
    let read_secret = |path: &str| sources.read_secret(path);
    let loaded = thumbforge_intake::settings::load(&sources.texts(), &judge, &read_secret);
    let mut loaded = loaded?;
    if let DatabaseUrl::Postgres(url) = &mut loaded.settings.database_url {
        *url = variables.complete(url);
        // It was read before without a fault.
        let ignored = url.parse().map(|url: PostgresUrl| url.notices);
        loaded.notices.extend(ignored.unwrap_or_default());
    }
    Ok(loaded)
}
