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
    /// True if the value may hold a password: it is never printed, and may be in a file of its own.
    pub is_secret: bool,
    /// The commands to which it means something. The others accept it from the environment and from
    /// files, which they share.
    pub readers: &'static [Reader],
}

/// A command that reads settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    Serve,
    Work,
    InitDb,
    Retention,
    Orphans,
    Check,
}

impl Reader {
    pub const ALL: [Self; 6] = [
        Self::Serve,
        Self::Work,
        Self::InitDb,
        Self::Retention,
        Self::Orphans,
        Self::Check,
    ];
}

/// What a name of a secret ends with if its value is in the file that is named.
pub(super) const FILE_SUFFIX: &str = "_FILE";

impl Setting {
    /// The environment variable, e.g. `THUMBFORGE_BIND`.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.key.to_ascii_uppercase())
    }

    /// The variable that names a file with the value, where there is one.
    pub fn file_variable(&self) -> Option<String> {
        self.is_secret
            .then(|| format!("{}{FILE_SUFFIX}", self.variable()))
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
