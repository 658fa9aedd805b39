//! `thumbforge decode-child`, which no help shows: workers start it, and write its command line.

use std::ffi::OsString;

use clap::{Arg, ArgMatches, value_parser};

pub(super) const DECODE_CHILD: &str = "decode-child";
const MEMORY: &str = "memory-bytes";
const CPU: &str = "cpu-seconds";

/// What the process may use up over its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeChildArguments {
    pub memory_bytes: u64,
    /// On all processors together.
    pub cpu_seconds: u64,
}

impl DecodeChildArguments {
    /// The command line, without the program.
    pub fn to_line(self) -> Vec<OsString> {
        vec![
            DECODE_CHILD.into(),
            format!("--{MEMORY}={}", self.memory_bytes).into(),
            format!("--{CPU}={}", self.cpu_seconds).into(),
        ]
    }
}

pub(super) fn command() -> clap::Command {
    let number = |name| {
        Arg::new(name)
            .long(name)
            .required(true)
            .value_parser(value_parser!(u64))
    };
    clap::Command::new(DECODE_CHILD)
        .about("Decode what a worker sends; for workers alone")
        .hide(true)
        .arg(number(MEMORY))
        .arg(number(CPU))
}

pub(super) fn read(arguments: &ArgMatches) -> DecodeChildArguments {
    DecodeChildArguments {
        memory_bytes: arguments.get_one(MEMORY).copied().unwrap_or_default(),
        cpu_seconds: arguments.get_one(CPU).copied().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Invocation, parse};

    #[test]
    fn its_command_line_is_read_back() {
        let arguments = DecodeChildArguments {
            memory_bytes: 1 << 40,
            cpu_seconds: 12,
        };
        let line = arguments.to_line();
        let line = ["thumbforge".into()].into_iter().chain(line);
        assert_eq!(parse(line).unwrap(), Invocation::DecodeChild(arguments));
    }
}
