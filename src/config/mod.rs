//! The settings of this process; the only reader of the environment.
//! [`thumbforge_intake::settings`] defines the settings and their values.

mod libraries;
mod sources;

pub use sources::Sources;
pub use thumbforge_intake::settings::{
    ConfigErrors, DatabaseUrl, Loaded, LogFormat, PREFIX, Preset, RedisUrl, Setting, Settings,
    TABLE,
};

/// Reads, merges and checks the settings.
///
/// # Errors
/// Every invalid value, unknown key, unreadable file and contradiction, all at once.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigErrors> {
    thumbforge_intake::settings::load(&sources.texts(), &libraries::judge)
}
