//! What the command line says of itself to shells and to `man`.

use std::io::Write;

use anyhow::Context;
use clap_complete::Shell;

use crate::cli;

const NAME: &str = "thumbforge";
const UNWRITABLE: &str = "can't write to standard output";

pub(super) fn completions(shell: Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), NAME, &mut script);
    std::io::stdout().write_all(&script).context(UNWRITABLE)
}

/// The page of the whole command, then those of the subcommands and theirs, in one.
pub(super) fn manual() -> anyhow::Result<()> {
    let mut page = Vec::new();
    let mut command = cli::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    render_below(&command, &mut page)?;
    std::io::stdout().write_all(&page).context(UNWRITABLE)
}

fn render_below(command: &clap::Command, page: &mut Vec<u8>) -> anyhow::Result<()> {
    for below in command.get_subcommands() {
        if below.get_name() == "help" || below.is_hide_set() {
            continue;
        }
        let name = below.get_bin_name().unwrap_or(NAME).to_uppercase();
        writeln!(page, ".SH {name}")?;
        let man = clap_mangen::Man::new(below.clone());
        let mut sections = Vec::new();
        man.render_description_section(&mut sections)?;
        man.render_synopsis_section(&mut sections)?;
        man.render_options_section(&mut sections)?;
        // They belong to the command's section.
        let sections = String::from_utf8(sections)?.replace(".SH ", ".SS ");
        page.extend_from_slice(sections.as_bytes());
        render_below(below, page)?;
    }
    Ok(())
}
