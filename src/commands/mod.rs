//! One file a command. Here: settings, log, runtime, and the exit code.
//!
//! 0: done. 1: could not start, or failed while running. 2: wrong usage or settings.

mod all;
mod check;
mod client;
mod decode_child;
mod descriptions;
mod init_db;
mod orphans;
mod probe;
mod reload;
mod retention;
mod serve;
mod thumbnail;
mod work;

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;

use crate::app::AppError;
use crate::cli::{Invocation, ServiceCommand};
use crate::config::{self, LogFormat, Settings, Sources};
use crate::lifecycle::{self, Signals};
use crate::telemetry::{self, complain};
use reload::Reload;

const WRONG_USAGE: u8 = 2;

/// Runs the command to its end. Faults before the log is set up are lines on stderr.
pub fn run(invocation: Invocation) -> ExitCode {
    let text = LogFormat::Text;
    match invocation {
        Invocation::Probe { url } => exit_code(probe::run(&url), text),
        Invocation::DecodeChild(arguments) => exit_code(decode_child::run(&arguments), text),
        Invocation::Thumbnail(arguments) => {
            thumbnail::run(&arguments).unwrap_or_else(|error| exit_code(Err(error), text))
        }
        Invocation::Client(command) => {
            client::run(command).unwrap_or_else(|error| exit_code(Err(error), text))
        }
        Invocation::Completions { shell } => exit_code(descriptions::completions(shell), text),
        Invocation::Manual => exit_code(descriptions::manual(), text),
        Invocation::Service {
            command,
            config_file,
            flags,
        } => run_service(command, Sources::of_process(config_file, flags)),
    }
}

/// A command that runs until it is asked to end.
struct Service {
    settings: Settings,
    signals: Signals,
    reload: Reload,
}

fn run_service(command: ServiceCommand, sources: Sources) -> ExitCode {
    // First of all, so that no signal kills a service while it starts.
    let signals = match command.is_lasting() {
        true => match lifecycle::catch_signals() {
            Ok(signals) => Some(signals),
            Err(error) => return exit_code(Err(error.into()), LogFormat::Text),
        },
        false => None,
    };
    let loaded = match config::load(&sources) {
        Ok(loaded) => loaded,
        Err(faults) => {
            let format = faults.log_format;
            faults.lines().for_each(|line| complain(format, line));
            return ExitCode::from(WRONG_USAGE);
        }
    };
    let format = loaded.settings.log_format;
    if let Err(sentence) = check_queue(command, &loaded.settings) {
        complain(format, &sentence);
        return ExitCode::from(WRONG_USAGE);
    }
    let filter = match telemetry::init(&loaded.settings) {
        Ok(filter) => filter,
        Err(error) => return exit_code(Err(error.into()), format),
    };
    for notice in &loaded.notices {
        tracing::warn!("{notice}");
    }
    let settings = loaded.settings;
    exit_code(
        match signals {
            None => run_to_end(command, settings),
            Some(signals) => run_lasting(
                command,
                Service {
                    settings,
                    signals,
                    reload: Reload::new(sources, filter),
                },
            ),
        },
        format,
    )
}

/// Separate processes can't share a queue that lives in one of them.
fn check_queue(command: ServiceCommand, settings: &Settings) -> Result<(), String> {
    match command {
        ServiceCommand::Serve | ServiceCommand::Work if settings.redis_url.is_none() => {
            let command = command.as_str();
            Err(format!(
                "`thumbforge {command}` needs Redis to reach the other processes: set \
                 THUMBFORGE_REDIS_URL, or run `thumbforge all`, which needs none"
            ))
        }
        _ => Ok(()),
    }
}

fn run_lasting(command: ServiceCommand, service: Service) -> anyhow::Result<()> {
    block_on(async {
        match command {
            ServiceCommand::Serve => serve::run(service).await,
            ServiceCommand::Work => work::run(service).await,
            _ => all::run(service).await,
        }
    })
}

fn run_to_end(command: ServiceCommand, settings: Settings) -> anyhow::Result<()> {
    block_on(async {
        match command {
            ServiceCommand::Retention { now, dry_run } => {
                retention::run(settings, now, dry_run).await
            }
            ServiceCommand::Orphans { remove, force } => {
                orphans::run(settings, remove, force).await
            }
            ServiceCommand::Check { repair } => check::run(settings, repair).await,
            _ => init_db::run(settings).await,
        }
    })
}

fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(work);
    // Dropping the runtime would wait for a decode that hangs; by now its job belongs to another
    // worker.
    runtime.shutdown_background();
    result
}

/// Shows the person at the terminal where to go. A log in JSON is for machines, which read the same
/// as an event.
fn announce(listener: &std::net::TcpListener, format: LogFormat) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    if format == LogFormat::Json {
        tracing::info!(%address, "ThumbForge listens");
        return Ok(());
    }
    let line = format_args!(
        "ThumbForge listens: API http://{address}/v1, documentation http://{address}/docs"
    );
    if let Err(error) = print_line(line) {
        // The service goes on even if the reader of its first line has gone.
        tracing::debug!("{error:#}");
    }
    Ok(())
}

/// One line of a command's output. If the reader has gone (`thumbforge thumbnail … | head`), it
/// returns an error where `println!` panics.
fn print_line(line: impl Display) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("can't write to standard output")
}

fn exit_code(result: anyhow::Result<()>, format: LogFormat) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format, &one_line(&format!("{error:#}")));
            match error.downcast_ref() {
                // A file that is part of the settings.
                Some(AppError::ApiKeys { .. }) => ExitCode::from(WRONG_USAGE),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn one_line(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    lines.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(flags: Vec<(&'static str, String)>) -> Settings {
        let folder = tempfile::TempDir::new().unwrap();
        let sources = Sources {
            environment: Vec::new(),
            directory: folder.path().to_owned(),
            config_file: None,
            flags,
            cores: 1,
        };
        config::load(&sources).unwrap().settings
    }

    #[test]
    fn separate_processes_need_redis_and_are_told_of_all() {
        let alone = settings(Vec::new());
        let connected = settings(vec![("redis_url", "redis://127.0.0.1".to_owned())]);
        for command in [ServiceCommand::Serve, ServiceCommand::Work] {
            let sentence = check_queue(command, &alone).unwrap_err();
            assert!(sentence.contains("THUMBFORGE_REDIS_URL"), "{sentence}");
            assert!(sentence.contains("`thumbforge all`"), "{sentence}");
            assert_eq!(check_queue(command, &connected), Ok(()));
        }
        for command in [ServiceCommand::All, ServiceCommand::InitDb] {
            assert_eq!(check_queue(command, &alone), Ok(()));
        }
    }

    #[test]
    fn a_failure_is_one_line() {
        assert_eq!(one_line("no\n  such\nfile"), "no such file");
    }
}
