//! `thumbforge decode-child`: the process that decodes for a worker.

use thumbforge_lockdown::Limits;

use crate::cli::DecodeChildArguments;
use crate::isolation;

pub(super) fn run(arguments: &DecodeChildArguments) -> anyhow::Result<()> {
    isolation::serve(&Limits {
        memory_bytes: arguments.memory_bytes,
        cpu_seconds: arguments.cpu_seconds,
    })
}
