use std::process::ExitCode;

use thumbforge::{cli, commands};

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(invocation) => commands::run(invocation),
        Err(usage) => usage.exit(),
    }
}
