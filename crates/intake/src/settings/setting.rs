//! What a setting is: one row of the table.

/// The prefix of every variable.
pub const PREFIX: &str = "THUMBFORGE_";

/// One row of the table.
#[derive(Debug)]
pub struct Setting {
    /// The name in `thumbforge.toml`.
    pub key: &'static str,
    /// The heading under which `--help` shows it.
    pub group: &'static str,
    /// One sentence, without a full stop.
    pub help: &'static str,
    pub default: Preset,
    /// True if the value may hold a password and is never printed.
    pub is_secret: bool,
}

impl Setting {
    /// The environment variable, e.g. `THUMBFORGE_BIND`.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.key.to_ascii_uppercase())
    }

    /// The flag without its dashes, e.g. `worker-concurrency`.
    pub fn flag(&self) -> String {
        self.key.replace('_', "-")
    }
}

/// What holds when no source sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    Text(&'static str),
    Unset,
    /// This many times the number of cores.
    Cores(usize),
}

impl Preset {
    /// As text that the setting's parser reads.
    pub fn resolve(self, cores: usize) -> String {
        match self {
            Self::Text(text) => text.to_owned(),
            Self::Unset => String::new(),
            Self::Cores(times) => (times * cores).to_string(),
        }
    }
}

impl std::fmt::Display for Preset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text("") => f.write_str("empty"),
            Self::Text(text) => f.write_str(text),
            Self::Unset => f.write_str("unset"),
            Self::Cores(1) => f.write_str("cores"),
            Self::Cores(times) => write!(f, "{times} × cores"),
        }
    }
}
