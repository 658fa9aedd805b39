//! The command line. Its flags and their help come from the table of settings.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, value_parser};

use crate::config::{Setting, TABLE};

/// What the user asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invocation {
    /// A command that needs the settings.
    Service {
        command: ServiceCommand,
        config_file: Option<PathBuf>,
        /// Settings by key, as given by flags.
        flags: Vec<(&'static str, String)>,
    },
    /// Asks a running process for its health.
    Probe { url: String },
    /// Makes one thumbnail, without database or network.
    Thumbnail(ThumbnailArguments),
}

/// A local file for the image engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThumbnailArguments {
    /// A path, or `-` for standard input.
    pub source: OsString,
    /// A path, or `-` for standard output.
    pub target: OsString,
    /// Longest side in pixels.
    pub max_side: u32,
    pub jpeg_quality: u8,
    /// The members of each variant, as `name=card,width=320`; then the target is a folder.
    pub variants: Vec<String>,
    pub preset: Option<String>,
    pub config_file: Option<std::path::PathBuf>,
}

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
    const ALL: [Self; 7] = [
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

    const fn about(self) -> &'static str {
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

    /// Flags of its own: name and help.
    const fn own_flags(self) -> &'static [(&'static str, &'static str)] {
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

    fn with_flags(self, arguments: &ArgMatches) -> Self {
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

const CONFIG: &str = "config";
const PROBE: &str = "probe";
const URL: &str = "url";
const THUMBNAIL: &str = "thumbnail";
const SOURCE: &str = "in";
const TARGET: &str = "out";
const SIZE: &str = "size";
const QUALITY: &str = "quality";
const VARIANT: &str = "variant";
const PRESET: &str = "preset";
const NOW: &str = "now";
const DRY_RUN: &str = "dry-run";
const REMOVE: &str = "remove";
const FORCE: &str = "force";
const REPAIR: &str = "repair";

const AFTER_HELP: &str = "Every setting can be given as a flag, as a variable (THUMBFORGE_…) in the \
    environment or in .env, or as a key in thumbforge.toml (the variable's name in lower case, without \
    the prefix). Flags win over the environment, that over .env, that over the file.";

/// The whole command line.
pub fn command() -> clap::Command {
    clap::Command::new("thumbforge")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Turns image URLs into thumbnails, and never loses one")
        .after_help(
            "`thumbforge all` runs everything, without any configuration. --help shows every setting.",
        )
        .after_long_help(settings_help())
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(ServiceCommand::ALL.map(service))
        .subcommand(
            clap::Command::new(PROBE)
                .hide(true)
                .about("Exit 0 if URL answers 200: a health check for images without a shell")
                .arg(Arg::new(URL).value_name("URL").required(true)),
        )
        .subcommand(thumbnail())
}

fn thumbnail() -> clap::Command {
    let file = |name, value_name, help| {
        Arg::new(name)
            .value_name(value_name)
            .value_parser(value_parser!(OsString))
            .required(true)
            .help(help)
    };
    clap::Command::new(THUMBNAIL)
        .about("Make the thumbnail of a local file, and print its metadata as JSON")
        .arg(file(SOURCE, "IN", "The image, or - for standard input"))
        .arg(file(
            TARGET,
            "OUT",
            "The thumbnail, or - for standard output (the JSON then goes to stderr)",
        ))
        .arg(
            Arg::new(SIZE)
                .long(SIZE)
                .value_name("PIXELS")
                .value_parser(value_parser!(u32).range(16..=65_535))
                .default_value("256")
                .help("Longest side; never enlarges"),
        )
        .arg(
            Arg::new(QUALITY)
                .long(QUALITY)
                .value_name("1-100")
                .value_parser(value_parser!(u8).range(1..=100))
                .default_value("85")
                .help("JPEG quality"),
        )
        .arg(
            Arg::new(VARIANT)
                .long(VARIANT)
                .value_name("NAME=…,WIDTH=…")
                .action(clap::ArgAction::Append)
                .conflicts_with_all([SIZE, QUALITY])
                .help(
                    "A variant, e.g. name=card,width=320,height=240,fit=cover,format=webp; may be \
                     repeated. OUT is then a folder",
                ),
        )
        .arg(
            Arg::new(PRESET)
                .long(PRESET)
                .value_name("NAME")
                .conflicts_with_all([SIZE, QUALITY, VARIANT])
                .help("Variants by their name in thumbforge.toml. OUT is then a folder"),
        )
        .arg(
            Arg::new(CONFIG)
                .long(CONFIG)
                .value_name("FILE")
                .value_parser(value_parser!(std::path::PathBuf))
                .requires(PRESET)
                .help("Read this file instead of thumbforge.toml"),
        )
}

/// The settings at a glance, for the help of the program as a whole.
fn settings_help() -> String {
    let rows = TABLE.iter().map(|setting| {
        let (flag, variable) = (setting.flag(), setting.variable());
        let name = format!("--{flag}, {variable} [default: {}]", setting.default);
        format!("  {name}\n          {}\n", setting.help)
    });
    let rows: String = rows.collect();
    let names = ServiceCommand::ALL.map(ServiceCommand::as_str);
    let names = names.join(", ");
    format!("Settings of {names}:\n{rows}\n{AFTER_HELP}")
}

fn service(command: ServiceCommand) -> clap::Command {
    let own_flag = |(name, help): &(&'static str, &'static str)| {
        let flag = Arg::new(*name).long(*name).help(*help);
        flag.action(clap::ArgAction::SetTrue)
    };
    clap::Command::new(command.as_str())
        .about(command.about())
        .after_help(AFTER_HELP)
        .args(command.own_flags().iter().map(own_flag))
        .arg(
            Arg::new(CONFIG)
                .long(CONFIG)
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("Settings file [default: thumbforge.toml, if there is one]"),
        )
        .args(TABLE.iter().map(flag))
}

fn flag(setting: &Setting) -> Arg {
    Arg::new(setting.key)
        .long(setting.flag())
        .value_name("VALUE")
        .allow_hyphen_values(true)
        .help_heading(setting.group)
        .help(format!(
            "{} [{}] [default: {}]",
            setting.help,
            setting.variable(),
            setting.default
        ))
}

/// Reads the command line, program name first.
///
/// # Errors
/// Wrong usage, and `--help` and `--version`, which clap reports as errors too.
pub fn parse<I, T>(arguments: I) -> Result<Invocation, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let matches = command().try_get_matches_from(arguments)?;
    Ok(match matches.subcommand() {
        Some((PROBE, arguments)) => Invocation::Probe {
            url: arguments.get_one(URL).cloned().unwrap_or_default(),
        },
        Some((THUMBNAIL, arguments)) => Invocation::Thumbnail(ThumbnailArguments {
            source: arguments.get_one(SOURCE).cloned().unwrap_or_default(),
            target: arguments.get_one(TARGET).cloned().unwrap_or_default(),
            max_side: arguments.get_one(SIZE).copied().unwrap_or_default(),
            jpeg_quality: arguments.get_one(QUALITY).copied().unwrap_or_default(),
            variants: arguments
                .get_many(VARIANT)
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
            preset: arguments.get_one(PRESET).cloned(),
            config_file: arguments.get_one(CONFIG).cloned(),
        }),
        Some((name, arguments)) => Invocation::Service {
            command: ServiceCommand::ALL
                .into_iter()
                .find(|command| command.as_str() == name)
                .ok_or_else(|| clap::Error::new(clap::error::ErrorKind::InvalidSubcommand))?
                .with_flags(arguments),
            config_file: arguments.get_one(CONFIG).cloned(),
            flags: flags(arguments),
        },
        None => return Err(clap::Error::new(clap::error::ErrorKind::MissingSubcommand)),
    })
}

fn flags(arguments: &ArgMatches) -> Vec<(&'static str, String)> {
    TABLE
        .iter()
        .filter_map(|setting| {
            let text: &String = arguments.get_one(setting.key)?;
            Some((setting.key, text.clone()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn help_shows_every_setting_with_its_variable_and_default() {
        let services = ServiceCommand::ALL.map(|service| vec![service.as_str(), "--help"]);
        for arguments in services.into_iter().chain([vec!["--help"]]) {
            let line = ["thumbforge"].into_iter().chain(arguments);
            let error = parse(line).unwrap_err();
            assert_eq!(error.exit_code(), 0);
            let printed = error.to_string();
            let words: Vec<_> = printed.split_whitespace().collect();
            let help = words.join(" ").replace(['[', ']'], "");
            for setting in TABLE {
                assert!(help.contains(&format!("--{}", setting.flag())), "{help}");
                let variable = setting.variable();
                let row = format!("{variable} default: {}", setting.default);
                assert!(help.contains(&row), "{row}");
            }
        }
    }

    #[test]
    fn a_thumbnail_has_a_size_and_a_quality_in_range() {
        let parsed = |more: &[&str]| {
            let line = ["thumbforge", "thumbnail", "-", "out.jpg"];
            parse(line.iter().chain(more))
        };
        assert_eq!(
            parsed(&["--size", "64"]).unwrap(),
            Invocation::Thumbnail(ThumbnailArguments {
                source: "-".into(),
                target: "out.jpg".into(),
                max_side: 64,
                jpeg_quality: 85,
                variants: Vec::new(),
                preset: None,
                config_file: None,
            })
        );
        for wrong in [["--size", "15"], ["--quality", "0"], ["--quality", "101"]] {
            assert_eq!(parsed(&wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
        }
    }

    #[test]
    fn flags_reach_the_settings_by_key() {
        let invocation = parse([
            "thumbforge",
            "all",
            "--config",
            "x.toml",
            "--max-redirects",
            "-1",
            "--bind=[::1]:80",
        ]);
        assert_eq!(
            invocation.unwrap(),
            Invocation::Service {
                command: ServiceCommand::All,
                config_file: Some(PathBuf::from("x.toml")),
                flags: vec![("bind", "[::1]:80".into()), ("max_redirects", "-1".into())],
            }
        );
    }

    #[test]
    fn commands_have_flags_of_their_own() {
        let command = |line: &[&str]| {
            let line = ["thumbforge"].iter().chain(line);
            match parse(line).unwrap() {
                Invocation::Service { command, .. } => command,
                other => panic!("{other:?}"),
            }
        };
        let (now, dry_run) = (true, false);
        assert_eq!(
            command(&["retention", "--now", "--retain-failed", "1d"]),
            ServiceCommand::Retention { now, dry_run }
        );
        let (remove, force) = (true, true);
        assert_eq!(
            command(&["orphans", "--remove", "--force"]),
            ServiceCommand::Orphans { remove, force }
        );
        let repair = false;
        assert_eq!(command(&["check"]), ServiceCommand::Check { repair });
        let error = parse(["thumbforge", "serve", "--now"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn wrong_usage_exits_2_and_names_what_was_meant() {
        let error = parse(["thumbforge", "all", "--thumbnal-size", "3"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("--thumbnail-size"), "{error}");
        for line in [
            &["thumbforge"][..],
            &["thumbforge", "run"],
            &["thumbforge", "probe"],
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line:?}");
        }
    }
}
