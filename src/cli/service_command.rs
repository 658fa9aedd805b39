//! The commands that need the settings, and their own flags.

use clap::ArgMatches;

use crate::config::{Reader, Setting};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceCommand {
    Serve,
    Work,
    All,
    InitDb,
    Retention {
        /// Delete at once, also within the hour after a change of the settings.
        now: bool,
        /// Count only.
        dry_run: bool,
    },
    Orphans {
        remove: bool,
        /// Remove them however many they are.
        force: bool,
    },
    Check {
        repair: bool,
    },
}

impl ServiceCommand {
    /// Without flags.
    pub(super) const ALL: [Self; 7] = [
        Self::Serve,
        Self::Work,
        Self::All,
        Self::InitDb,
        Self::Retention {
            now: false,
            dry_run: false,
        },
        Self::Orphans {
            remove: false,
            force: false,
        },
        Self::Check { repair: false },
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Work => "work",
            Self::All => "all",
            Self::InitDb => "init-db",
            Self::Retention { .. } => "retention",
            Self::Orphans { .. } => "orphans",
            Self::Check { .. } => "check",
        }
    }

    pub(super) const fn about(self) -> &'static str {
        match self {
            Self::Serve => "Run the HTTP API",
            Self::Work => "Run workers",
            Self::All => "Run the HTTP API and workers in one process",
            Self::InitDb => "Create or update the database, and exit; safe to repeat",
            Self::Retention { .. } => "Delete jobs whose time is over, with their files",
            Self::Orphans { .. } => "List files in the storage that belong to no job",
            Self::Check { .. } => "Compare the kept counts of jobs with the jobs",
        }
    }

    /// Whether it runs until it is asked to end.
    pub const fn is_lasting(self) -> bool {
        matches!(self, Self::Serve | Self::Work | Self::All)
    }

    /// Whether the setting means something to it.
    pub(super) fn reads(self, setting: &Setting) -> bool {
        let readers: &[Reader] = match self {
            Self::Serve => &[Reader::Serve],
            Self::Work => &[Reader::Work],
            Self::All => &[Reader::Serve, Reader::Work],
            Self::InitDb => &[Reader::InitDb],
            Self::Retention { .. } => &[Reader::Retention],
            Self::Orphans { .. } => &[Reader::Orphans],
            Self::Check { .. } => &[Reader::Check],
        };
        readers
            .iter()
            .any(|reader| setting.readers.contains(reader))
    }

    /// Flags of its own: name and help.
    pub(super) const fn own_flags(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Retention { .. } => &[
                (
                    NOW,
                    "Do not wait for an hour after a change of the settings",
                ),
                (DRY_RUN, "Count the jobs by kind, and delete none"),
            ],
            Self::Orphans { .. } => &[
                (REMOVE, "Remove them"),
                (
                    FORCE,
                    "Remove them even if they are more than a twentieth of all files",
                ),
            ],
            Self::Check { .. } => &[(REPAIR, "Repair what is wrong")],
            _ => &[],
        }
    }

    pub(super) fn with_flags(self, arguments: &ArgMatches) -> Self {
        match self {
            Self::Retention { .. } => Self::Retention {
                now: arguments.get_flag(NOW),
                dry_run: arguments.get_flag(DRY_RUN),
            },
            Self::Orphans { .. } => Self::Orphans {
                remove: arguments.get_flag(REMOVE),
                force: arguments.get_flag(FORCE),
            },
            Self::Check { .. } => Self::Check {
                repair: arguments.get_flag(REPAIR),
            },
            other => other,
        }
    }
}

const NOW: &str = "now";
const DRY_RUN: &str = "dry-run";
const REMOVE: &str = "remove";
const FORCE: &str = "force";
const REPAIR: &str = "repair";
