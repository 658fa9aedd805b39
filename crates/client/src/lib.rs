//! The commands that speak to a running service over its API. They share nothing with the service
//! but the words that a submission may have.
//!
//! | part | thought |
//! | --- | --- |
//! | [`ClientCommand`], `connection` | what the user asks for, and of which service |
//! | `server`, `trouble`, `patience` | one call of the API, its errors in words, when to try again |
//! | `submit` | many URLs, a few in flight, waited for and downloaded |
//! | `jobs`, `actions`, `batches`, `origins`, `webhooks` | the rest of the API, call by call |
//! | `top` | a live view |
//! | `output` | tables, fields, JSON: what goes to standard output |
//!
//! Standard output has data alone. Progress, questions and complaints go to standard error. A
//! command exits with 0 if all went well, with 1 if something failed, with 2 for wrong usage, and
//! with 130 if it was interrupted.

mod actions;
mod batches;
mod connection;
mod filter;
mod jobs;
mod origins;
mod output;
mod patience;
mod server;
mod submit;
mod top;
mod trouble;
mod webhooks;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Subcommand;

use server::Server;
use trouble::Trouble;

/// What a command needs of its process.
pub struct Surroundings {
    /// The variables of the environment.
    pub variables: Vec<(OsString, OsString)>,
    /// The certificates that the client trusts. A service that speaks plain HTTP has none.
    pub tls: rustls::ClientConfig,
}

/// What the user asks of a running service.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum ClientCommand {
    /// Submit the URLs of images to a running service
    Submit(Box<submit::Arguments>),
    /// List, show, retry, cancel or delete jobs
    Jobs(jobs::Arguments),
    /// List, show, cancel or retry batches
    Batches(batches::Arguments),
    /// Show or abort a change of many jobs
    Actions(actions::Arguments),
    /// List, pause, resume or reset the servers that images come from
    Origins(origins::Arguments),
    /// Pause or resume all work
    Queue(origins::QueueArguments),
    /// List, make, change, test or delete webhooks
    Webhooks(webhooks::Arguments),
    /// Watch a running service: its counts, its rate, its latest jobs
    Top(top::Arguments),
}

/// How a command ended, other than by trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Good,
    /// The command has reported already what failed.
    SomeFailed,
    Interrupted,
}

const WRONG_USAGE: u8 = 2;
/// As shells report the end by SIGINT.
const INTERRUPTED: u8 = 130;

/// Runs the command to its end.
pub fn run(command: ClientCommand, surroundings: Surroundings) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => {
            let ended = runtime.block_on(command.run(&surroundings));
            // A read of standard input can't be interrupted, and must not be waited for.
            runtime.shutdown_background();
            ended
        }
        Err(error) => Err(Trouble::Other(error.into())),
    };
    match ended {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::SomeFailed) => ExitCode::FAILURE,
        Ok(Outcome::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(trouble) if trouble.is_reader_gone() => ExitCode::FAILURE,
        Err(trouble) => {
            complain(&trouble);
            match trouble {
                Trouble::Usage(_) => ExitCode::from(WRONG_USAGE),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// One line on standard error. If nobody reads that, nobody would read a report of it either.
fn complain(what: impl std::fmt::Display) {
    let line = trouble::printable(&what.to_string());
    let _ = writeln!(std::io::stderr(), "thumbforge: {line}");
}

impl ClientCommand {
    async fn run(self, surroundings: &Surroundings) -> Result<Outcome, Trouble> {
        match self {
            Self::Submit(arguments) => submit::run(*arguments, surroundings).await,
            Self::Jobs(arguments) => jobs::run(arguments, surroundings).await,
            Self::Batches(arguments) => batches::run(arguments, surroundings).await,
            Self::Actions(arguments) => actions::run(arguments, surroundings).await,
            Self::Origins(arguments) => origins::run(arguments, surroundings).await,
            Self::Queue(arguments) => origins::run_queue(arguments, surroundings).await,
            Self::Webhooks(arguments) => webhooks::run(arguments, surroundings).await,
            Self::Top(arguments) => top::run(arguments, surroundings).await,
        }
    }
}
