//! The settings as flags, with their help: each command has those that it reads.

use clap::{Arg, ArgMatches};

use super::ServiceCommand;
use crate::config::{Setting, TABLE};

pub(super) const AFTER_HELP: &str = "Every setting can be given as a flag, as a variable (THUMBFORGE_…) in the \
    environment or in .env, or as a key in thumbforge.toml (the variable's name in lower case, without \
    the prefix). Flags win over the environment, that over .env, that over the file. A command shows \
    and takes the flags of what it reads; settings of other commands may stand beside them in the \
    environment and in files.";

/// The settings at a glance, for the help of the program as a whole.
pub(super) fn all() -> String {
    let rows = TABLE.iter().map(|setting| {
        let (flag, variable) = (setting.flag(), setting.variable());
        let name = format!("--{flag}, {variable} [default: {}]", setting.default);
        format!("  {name}\n          {}\n", sentence(setting))
    });
    let rows: String = rows.collect();
    let names = ServiceCommand::ALL.map(ServiceCommand::as_str);
    let names = names.join(", ");
    format!("Settings of {names}:\n{rows}\n{AFTER_HELP}")
}

/// The flags of a command.
pub(super) fn of(command: ServiceCommand) -> impl Iterator<Item = Arg> {
    let read = TABLE.iter().filter(move |setting| command.reads(setting));
    read.map(flag)
}

fn flag(setting: &Setting) -> Arg {
    Arg::new(setting.key)
        .long(setting.flag())
        .value_name("VALUE")
        .allow_hyphen_values(true)
        .help_heading(setting.group)
        .help(format!(
            "{} [{}] [default: {}]",
            sentence(setting),
            setting.variable(),
            setting.default
        ))
}

/// Its help, and where else the value may be.
fn sentence(setting: &Setting) -> String {
    match setting.file_variable() {
        Some(variable) => format!("{}; {variable} names a file with it", setting.help),
        None => setting.help.to_owned(),
    }
}

/// Settings by key, as the command line has them.
pub(super) fn given(arguments: &ArgMatches) -> Vec<(&'static str, String)> {
    TABLE
        .iter()
        .filter_map(|setting| {
            // A flag that the command does not have is an error.
            let text: &String = arguments.try_get_one(setting.key).ok()??;
            Some((setting.key, text.clone()))
        })
        .collect()
}
