//! The command line. Its flags and their help come from the table of settings.

mod decode_child;
mod service_command;
mod settings_flags;
mod thumbnail;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, FromArgMatches, Subcommand, value_parser};
use clap_complete::Shell;
use thumbforge_client::ClientCommand;

use decode_child::DECODE_CHILD;
pub use decode_child::DecodeChildArguments;
pub use service_command::ServiceCommand;
use settings_flags::AFTER_HELP;
use thumbnail::THUMBNAIL;
pub use thumbnail::ThumbnailArguments;

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
    /// Decodes what its parent sends, locked down. Started by workers, not by people.
    DecodeChild(DecodeChildArguments),
    /// Speaks to a running service.
    Client(ClientCommand),
    /// Prints what completes commands in a shell.
    Completions { shell: Shell },
    /// Prints the manual page.
    Manual,
}

const CONFIG: &str = "config";
const PROBE: &str = "probe";
const URL: &str = "url";
const COMPLETIONS: &str = "completions";
const SHELL: &str = "shell";
const MANUAL: &str = "man";

/// The whole command line.
pub fn command() -> clap::Command {
    let command = clap::Command::new("thumbforge")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(
            "`thumbforge all` runs everything, without any configuration. --help shows every setting.",
        )
        .after_long_help(settings_flags::all())
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(ServiceCommand::ALL.map(service))
        .subcommand(
            clap::Command::new(PROBE)
                .about("Ask a running process for its health: exit 0 if URL answers 200")
                .arg(Arg::new(URL).value_name("URL").required(true)),
        )
        .subcommand(thumbnail::command())
        .subcommand(decode_child::command());
    ClientCommand::augment_subcommands(command)
        // The enum has a description of its own.
        .about("Turns image URLs into thumbnails, and never loses one")
        .long_about(None)
        .subcommand(
            clap::Command::new(COMPLETIONS)
                .about("Print a script that completes commands in a shell")
                .arg(
                    Arg::new(SHELL)
                        .value_name("SHELL")
                        .value_parser(value_parser!(Shell))
                        .required(true),
                ),
        )
        .subcommand(
            clap::Command::new(MANUAL).about("Print the manual page, for `man --local-file -`"),
        )
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
        .args(settings_flags::of(command))
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
        Some((THUMBNAIL, arguments)) => Invocation::Thumbnail(thumbnail::read(arguments)),
        Some((DECODE_CHILD, arguments)) => Invocation::DecodeChild(decode_child::read(arguments)),
        Some((name, _)) if ClientCommand::has_subcommand(name) => {
            Invocation::Client(ClientCommand::from_arg_matches(&matches)?)
        }
        Some((COMPLETIONS, arguments)) => Invocation::Completions {
            shell: arguments
                .get_one(SHELL)
                .copied()
                .ok_or_else(|| clap::Error::new(clap::error::ErrorKind::MissingRequiredArgument))?,
        },
        Some((MANUAL, _)) => Invocation::Manual,
        Some((name, arguments)) => Invocation::Service {
            command: ServiceCommand::ALL
                .into_iter()
                .find(|command| command.as_str() == name)
                .ok_or_else(|| clap::Error::new(clap::error::ErrorKind::InvalidSubcommand))?
                .with_flags(arguments),
            config_file: arguments.get_one(CONFIG).cloned(),
            flags: settings_flags::given(arguments),
        },
        None => return Err(clap::Error::new(clap::error::ErrorKind::MissingSubcommand)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Setting, TABLE};

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    fn help(arguments: &[&str]) -> String {
        let line = ["thumbforge"].iter().chain(arguments).chain(&["--help"]);
        let error = parse(line).unwrap_err();
        assert_eq!(error.exit_code(), 0);
        let printed = error.to_string();
        let words: Vec<_> = printed.split_whitespace().collect();
        words.join(" ").replace(['[', ']'], "")
    }

    fn shows(help: &str, setting: &Setting) -> bool {
        let flag = format!("--{}", setting.flag());
        let row = format!("{} default: {}", setting.variable(), setting.default);
        let (has_flag, has_row) = (help.contains(&flag), help.contains(&row));
        assert!(has_flag || !has_row, "{help}");
        has_row
    }

    #[test]
    fn help_shows_what_the_command_reads_with_its_variable_and_default() {
        let everything = help(&[]);
        for setting in TABLE {
            assert!(shows(&everything, setting), "{}", setting.key);
        }
        for command in ServiceCommand::ALL {
            let name = command.as_str();
            let help = help(&[name]);
            for setting in TABLE {
                assert_eq!(
                    shows(&help, setting),
                    command.reads(setting),
                    "{name} {}",
                    setting.key
                );
            }
        }
        let shown = |command: &str, key: &str| {
            let setting = TABLE.iter().find(|setting| setting.key == key).unwrap();
            shows(&help(&[command]), setting)
        };
        for (command, shown_keys, hidden_keys) in [
            (
                "serve",
                &["bind", "redis_url", "egress_proxy"][..],
                &["worker_bind", "downloads"][..],
            ),
            (
                "work",
                &["worker_bind", "lease_seconds"],
                &["bind", "max_pending", "api_keys_file"],
            ),
            ("all", &["bind", "worker_bind"], &[]),
            (
                "init-db",
                &["database_url", "log_level"],
                &["redis_url", "auto_migrate", "storage_path"],
            ),
            ("retention", &["retain_failed"], &["bind", "sweep_orphans"]),
            (
                "orphans",
                &["storage_path"],
                &["retain_failed", "redis_url"],
            ),
            ("check", &["database_url"], &["thumbnail_size"]),
        ] {
            assert!(
                shown_keys.iter().all(|key| shown(command, key)),
                "{command}"
            );
            assert!(
                !hidden_keys.iter().any(|key| shown(command, key)),
                "{command}"
            );
        }
    }

    #[test]
    fn help_names_every_command_and_the_files_of_secrets() {
        let help = help(&[]);
        for name in ServiceCommand::ALL
            .map(ServiceCommand::as_str)
            .iter()
            .chain(&[PROBE, THUMBNAIL])
        {
            assert!(help.contains(&format!(" {name} ")), "{name}: {help}");
        }
        assert!(help.contains("THUMBFORGE_DATABASE_URL_FILE"), "{help}");
    }

    #[test]
    fn a_flag_that_the_command_does_not_read_is_wrong_usage() {
        for line in [["work", "--bind=[::1]:80"], ["init-db", "--max-attempts=2"]] {
            let error = parse(["thumbforge"].iter().chain(&line)).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line:?}");
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
